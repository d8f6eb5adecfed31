"""Every score against a slow loop in float64, against arrays checked by hand, and against the laws it obeys."""

import math
from collections import Counter
from statistics import pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mcviz import measures

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
    """The scores of one image, term by term from their definitions."""
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
    for image in range(probs.shape[1]):
        mean = np.sort(probs[:, image].astype(float).mean(axis=0))
        expected = slow_scores(probs[:, image].astype(float).tolist())
        tied = mean[-1] - mean[-2] < 1e-6
        for name, value in expected.items():
            if tied and name in ("prediction", "predictive_std"):
                continue  # which of two equal classes is the answer is not defined
            assert found[name][image] == pytest.approx(value, abs=2e-6), name


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
def test_an_image_is_scored_alone(probs: np.ndarray) -> None:
    together = measures.scores(probs)
    for image in range(probs.shape[1]):
        alone = measures.scores(probs[:, image : image + 1])
        for name in together:
            assert alone[name][0] == pytest.approx(together[name][image], abs=1e-6), name


def test_two_opinions_and_one_doubt_are_told_apart() -> None:
    # Image 0: each pass is sure, of different classes. Image 1: each pass is torn in the same way.
    probs = np.array([[[1, 0], [0.5, 0.5]], [[0, 1], [0.5, 0.5]]], dtype=np.float32)
    found = measures.scores(probs)
    assert found["predictive_entropy"].tolist() == pytest.approx([math.log(2)] * 2)
    assert found["expected_entropy"].tolist() == pytest.approx([0, math.log(2)])
    assert found["mutual_information"].tolist() == pytest.approx([math.log(2), 0])
    assert found["predictive_std"].tolist() == pytest.approx([0.5, 0])
    assert found["variation_ratio"].tolist() == pytest.approx([0.5, 0])


@pytest.mark.parametrize("name", measures.SCORES)
def test_every_ranking_puts_the_torn_image_before_the_sure_one(name: str) -> None:
    sure = [[0.98, 0.01, 0.01]] * 4
    torn = [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.3, 0.3, 0.4], [0.35, 0.33, 0.32]]
    probs = np.array([sure, torn, sure], dtype=np.float32).transpose(1, 0, 2)
    order = measures.most_uncertain_first(name, measures.scores(probs)[name])
    assert order.tolist() == [1, 0, 2]


@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3), (2, 2, 1), (2, 3)])
def test_arrays_that_are_not_passes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Received: shape"):
        measures.scores(np.zeros(shape, dtype=np.float32))
