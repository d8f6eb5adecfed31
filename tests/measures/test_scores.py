"""Every score against a slow loop in float64, arrays checked by hand and its properties; the registry of scores."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from statistics import pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mcviz import measures

pytestmark = pytest.mark.lowest

SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 5), st.integers(2, 6))


@st.composite
def probabilities(draw: st.DrawFn) -> np.ndarray:
    shape = draw(SHAPES)
    weights = draw(arrays(np.float64, shape, elements=st.floats(0, 1).map(lambda x: x**4)))
    weights[..., draw(st.integers(0, shape[-1] - 1))] += 1e-3
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


def entropy(distribution: list[float]) -> float:
    return -sum(p * math.log(p) for p in distribution if p > 0)


def slow_scores(passes: list[list[float]]) -> dict[str, float]:
    """The scores of one example, term by term from their definitions."""
    classes = range(len(passes[0]))
    mean = [math.fsum(p[c] for p in passes) / len(passes) for c in classes]
    predicted = max(classes, key=lambda c: mean[c])
    votes = Counter(max(classes, key=lambda c, p=p: p[c]) for p in passes)
    ranked = sorted(mean, reverse=True)
    expected = math.fsum(entropy(p) for p in passes) / len(passes)
    return {
        "prediction": predicted,
        "max_probability": ranked[0],
        "predictive_std": pstdev([p[predicted] for p in passes]),
        "predictive_entropy": entropy(mean),
        "expected_entropy": expected,
        "mutual_information": entropy(mean) - expected,
        "variation_ratio": 1 - votes.most_common(1)[0][1] / len(passes),
        "margin": ranked[0] - ranked[1],
    }


@given(probabilities())
def test_every_score_agrees_with_its_definition(probs: np.ndarray) -> None:
    found = measures.scores(probs)
    for example in range(probs.shape[1]):
        mean = np.sort(probs[:, example].astype(float).mean(axis=0))
        expected = slow_scores(probs[:, example].astype(float).tolist())
        tied = mean[-1] - mean[-2] < 1e-6
        for name, value in expected.items():
            if tied and name in ("prediction", "predictive_std"):
                continue  # which of two equal classes is the prediction is not defined
            assert found[name][example] == pytest.approx(value, abs=2e-6), name


@given(probabilities())
def test_information_is_between_nothing_and_all_of_the_entropy(probs: np.ndarray) -> None:
    information, entropy_of_mean = measures.mutual_information(probs), measures.predictive_entropy(probs)
    rounding = 1e-6
    assert (information >= 0).all()
    assert (information <= entropy_of_mean + rounding).all()
    assert (entropy_of_mean <= math.log(probs.shape[-1]) + rounding).all()


@given(probabilities(), st.randoms(use_true_random=False))
def test_the_order_of_passes_does_not_matter(probs: np.ndarray, random) -> None:
    order = random.sample(range(len(probs)), len(probs))
    shuffled = measures.scores(probs[order])
    tied = measures.margin(probs) < 1e-6
    for name, values in measures.scores(probs).items():
        np.testing.assert_allclose(shuffled[name][~tied], values[~tied], atol=1e-6, err_msg=name)


@given(probabilities())
def test_an_example_is_scored_alone(probs: np.ndarray) -> None:
    together = measures.scores(probs)
    for example in range(probs.shape[1]):
        alone = measures.scores(probs[:, example : example + 1])
        for name in together:
            assert alone[name][0] == pytest.approx(together[name][example], abs=1e-6), name


def test_disagreement_between_passes_and_uncertainty_within_them_are_told_apart() -> None:
    # Example 0: each pass is confident, of different classes. Example 1: each pass is uncertain in the same way.
    probs = np.array([[[1, 0], [0.5, 0.5]], [[0, 1], [0.5, 0.5]]], dtype=np.float32)
    found = measures.scores(probs)
    assert found["predictive_entropy"].tolist() == pytest.approx([math.log(2)] * 2)
    assert found["expected_entropy"].tolist() == pytest.approx([0, math.log(2)])
    assert found["mutual_information"].tolist() == pytest.approx([math.log(2), 0])
    assert found["predictive_std"].tolist() == pytest.approx([0.5, 0])
    assert found["variation_ratio"].tolist() == pytest.approx([0.5, 0])


@pytest.mark.parametrize("name", measures.SCORES)
def test_every_ranking_puts_the_uncertain_example_before_the_confident_one(name: str) -> None:
    confident = [[0.98, 0.01, 0.01]] * 4
    uncertain = [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.3, 0.3, 0.4], [0.35, 0.33, 0.32]]
    probs = np.array([confident, uncertain, confident], dtype=np.float32).transpose(1, 0, 2)
    labels = np.zeros(3, int)
    order = measures.most_uncertain_first(name, measures.scores(probs, labels)[name])
    assert order.tolist() == [1, 0, 2]


@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3), (2, 2, 1), (2, 3)])
def test_arrays_that_are_not_passes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Received: shape"):
        measures.scores(np.zeros(shape, dtype=np.float32))


@pytest.fixture
def added() -> Iterator[Callable[[Callable[..., np.ndarray]], None]]:
    """Registers functions as scores, and takes them out of the registry after the test."""
    before = dict(measures.SCORES)

    def add(function: Callable[..., np.ndarray]) -> None:
        measures.register("Another", "", "high", "It is another one.")(function)

    yield add
    measures.SCORES.clear()
    measures.SCORES.update(before)


PROBS = np.random.default_rng(0).dirichlet(np.ones(3), (4, 5)).astype(np.float32)
LABELS, DETERMINISTIC = np.array([0, 1, 2, 0, 1]), PROBS[0]


def test_a_score_is_in_every_table_from_the_moment_that_it_is_registered(added) -> None:
    assert "disagreement" not in measures.scores(PROBS)

    def disagreement(probs: np.ndarray) -> np.ndarray:
        return np.ptp(probs, axis=0).max(axis=-1)

    added(disagreement)
    found = measures.scores(PROBS)["disagreement"]
    np.testing.assert_array_equal(found, np.ptp(PROBS, axis=0).max(axis=-1))
    assert measures.most_uncertain_first("disagreement", found)[0] == found.argmax()


def test_a_score_is_given_what_its_parameters_name_and_left_out_where_that_is_not_there(added) -> None:
    def label_quality(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
        return probs.mean(axis=0)[np.arange(len(labels)), labels]

    def shift(probs: np.ndarray, deterministic_probs: np.ndarray, logits: np.ndarray) -> np.ndarray:
        return (probs.mean(axis=0) - deterministic_probs).max(axis=-1) + 0 * logits.sum(axis=(0, 2))

    added(label_quality)
    added(shift)
    assert not {"label_quality", "shift"} & set(measures.scores(PROBS))
    with_labels = measures.scores(PROBS, labels=LABELS)
    expected = [PROBS[:, i, label].mean() for i, label in enumerate(LABELS)]
    np.testing.assert_allclose(with_labels["label_quality"], expected, rtol=1e-6)
    assert "shift" not in with_labels
    everything = measures.scores(PROBS, LABELS, DETERMINISTIC, np.log(PROBS))
    assert list(everything)[-2:] == ["label_quality", "shift"]
    lacking = measures.Predictions(PROBS, deterministic_probs=DETERMINISTIC)
    with pytest.raises(ValueError, match=r"Another is computed from labels and probs\. Received: .* without labels\."):
        measures.SCORES["label_quality"].compute(lacking)


@pytest.mark.parametrize("name", measures.SCORES)
def test_a_score_computes_float64_and_formats_with_its_unit(name: str) -> None:
    score = measures.SCORES[name]
    values = score.compute(measures.Predictions(PROBS, LABELS))
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values.astype(np.float32), measures.scores(PROBS, LABELS)[name])
    assert score.name == name
    assert score.format(0.25) == ("0.250 nats" if score.unit == "nats" else "25.0%")


def test_a_name_that_is_taken_and_a_need_that_nobody_has_are_refused(added) -> None:
    def margin(probs: np.ndarray) -> np.ndarray:
        return probs[0, :, 0]

    def label(probs: np.ndarray) -> np.ndarray:
        return probs[0, :, 0]

    def weighted(probs: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return probs[0, :, 0] * weights

    before = dict(measures.SCORES)
    for taken in (margin, label, lambda probs: probs[0, :, 0]):
        with pytest.raises(ValueError, match="identifier that is not taken"):
            added(taken)
    with pytest.raises(ValueError, match=r"among probs, labels, .* Received: \('probs', 'weights'\)"):
        added(weighted)
    assert before == measures.SCORES


@pytest.mark.parametrize(
    ("name", "shape"),
    [("labels", (4,)), ("labels", (5, 1)), ("deterministic_probs", (5, 4)), ("logits", (4, 5)), ("logits", (3, 5, 3))],
)
def test_arrays_that_do_not_go_together_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{name} should have the shape .* Received: shape"):
        measures.Predictions(PROBS, **{name: np.zeros(shape)})
