"""Every score against a slow loop in float64, arrays checked by hand and its properties; the summary of one example."""

import math
from collections import Counter
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mcviz import measures
from mcviz.measures import scores, summarise
from mcviz.measures.scores import HISTOGRAM_BINS, occlusion_effects

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


@pytest.mark.parametrize("name", measures.SCORES)
def test_a_score_computes_float64_and_formats_with_its_unit(name: str) -> None:
    score = measures.SCORES[name]
    probs, labels = np.random.default_rng(0).dirichlet(np.ones(3), (4, 5)), np.array([0, 1, 2, 0, 1])
    values = score.compute(measures.Predictions(probs, labels))
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values.astype(np.float32), measures.scores(probs, labels)[name])
    assert score.name == name
    assert score.format(0.25) == ("0.250 nats" if score.unit == "nats" else "25.0%")


@pytest.mark.parametrize("passes", [1, 2, 40])
def test_a_summary_is_what_a_slow_loop_finds(passes: int) -> None:
    probs = np.random.default_rng(passes).dirichlet(np.ones(4), passes).astype(np.float32)
    summary = summarise(probs)
    for c in range(4):
        column = probs[:, c].astype(float).tolist()
        assert summary.mean[c] == pytest.approx(fmean(column))
        assert summary.std[c] == pytest.approx(pstdev(column), abs=1e-9)
    votes = Counter(max(range(4), key=lambda c, p=p: p[c]) for p in probs.tolist())
    assert summary.votes.tolist() == [votes[c] for c in range(4)]
    assert summary.passes == passes


def test_a_summary_agrees_with_the_scores() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(5), (30, 20)).astype(np.float32)
    table = scores(probs)
    for example in range(20):
        summary = summarise(probs[:, example])
        assert summary.prediction == table["prediction"][example]
        assert summary.mean.max() == pytest.approx(table["max_probability"][example], abs=1e-6)
        assert summary.std[summary.prediction] == pytest.approx(table["predictive_std"][example], abs=1e-6)
        assert 1 - summary.votes.max() / 30 == pytest.approx(table["variation_ratio"][example], abs=1e-6)


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40))
def test_a_histogram_holds_every_pass_in_its_hundredth(values: list[float]) -> None:
    steps = np.rint(np.array(values) * 65534) / np.float32(65534)  # as they are stored
    probs = np.stack([steps, 1 - steps], axis=-1).astype(np.float32)
    found = summarise(probs).histograms
    assert found.shape == (2, HISTOGRAM_BINS)
    for c in range(2):
        assert found[c].tolist() == np.histogram(probs[:, c], HISTOGRAM_BINS, (0, 1))[0].tolist()
        assert found[c].sum() == len(values)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 3, 4), (3,)])
def test_arrays_that_are_not_one_example_s_passes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Received: shape"):
        summarise(np.zeros(shape, np.float32))


def test_passes_that_differ_but_lose_the_same_have_no_spread() -> None:
    whole = np.array([[0.9, 0.1], [0.5, 0.5]])
    hidden = np.array([[[0.7, 0.3], [0.9, 0.1]], [[0.3, 0.7], [0.3, 0.7]]])
    effects = occlusion_effects(whole, hidden)
    np.testing.assert_allclose(effects.mean, [[0.2, -0.2], [0.1, -0.1]])
    np.testing.assert_allclose(effects.std, [[0, 0], [0.1, 0.1]], atol=1e-12)
