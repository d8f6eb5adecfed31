"""What the first passes are worth, against the terms of their mean, and how far two halves rank alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from mcviz import measures
from mcviz.measures import correct_by_ensemble_size, max_probability
from mcviz.measures.calibration import calibration_terms
from mcviz.measures.quality import (
    count_shared,
    halves_by_size,
    rank_correlation,
    shared_top,
    sizes_up_to,
    terms_by_size,
)
from mcviz.measures.registry import join_terms

RANDOM = np.random.default_rng(0)
PROBS = RANDOM.dirichlet(np.ones(3), (11, 60)).astype(np.float32)
LABELS = RANDOM.integers(3, size=60)


@pytest.mark.parametrize(
    ("passes", "sizes"), [(1, [1]), (2, [1, 2]), (8, [1, 2, 5, 8]), (100, [1, 2, 5, 10, 20, 50, 100])]
)
def test_sizes_end_with_all(passes: int, sizes: list[int]) -> None:
    assert sizes_up_to(passes) == sizes


def test_the_first_passes_are_those_of_their_mean_in_blocks_too() -> None:
    sizes = [1, 2, 7, 11]
    blocks = [terms_by_size(PROBS[:, part], LABELS[part], sizes) for part in (slice(0, 25), slice(25, 60))]
    for size, found in zip(sizes, map(join_terms, zip(*blocks, strict=True)), strict=True):
        expected = calibration_terms(PROBS[:size].mean(axis=0, dtype=np.float64), LABELS)
        np.testing.assert_allclose(found["nll"], expected["nll"])
        np.testing.assert_allclose(found["confidence"], expected["confidence"])
        assert found["correct"].sum() == correct_by_ensemble_size(PROBS, LABELS)[size - 1]


def test_halves_share_no_pass() -> None:
    found = halves_by_size(PROBS, max_probability, [2, 7])
    np.testing.assert_allclose(found[0], [max_probability(PROBS[:1]), max_probability(PROBS[1:2])])
    np.testing.assert_allclose(found[1], [max_probability(PROBS[:3]), max_probability(PROBS[3:6])])


def test_more_passes_rank_more_alike() -> None:
    truth = RANDOM.normal(size=(1, 500, 1))
    noisy = truth + RANDOM.normal(size=(200, 500, 1))
    halves = halves_by_size(noisy, lambda passes: passes.mean(axis=(0, 2)), [2, 20, 200])
    shared = [shared_top(*pair, top=50) for pair in halves]
    assert shared == sorted(shared)
    assert shared[0] < 0.5 < shared[-1]


def test_the_top_by_hand() -> None:
    assert shared_top(np.array([3.0, 2, 1, 0]), np.array([0.0, 2, 1, 3]), top=2) == 0.5
    assert shared_top(np.array([3.0, 2]), np.array([0.0, 2]), top=9) == 1


def test_each_pass_and_each_ensemble_is_counted_as_a_simple_loop_counts() -> None:
    single = measures.correct_per_pass(PROBS, LABELS)
    together = measures.correct_by_ensemble_size(PROBS, LABELS)
    for t in range(len(PROBS)):
        assert single[t] == sum(int(np.argmax(PROBS[t, i]) == LABELS[i]) for i in range(len(LABELS)))
        mean = PROBS[: t + 1].astype(float).mean(axis=0)
        assert together[t] == sum(int(np.argmax(mean[i]) == LABELS[i]) for i in range(len(LABELS)))


def order_of(values: np.ndarray) -> np.ndarray:
    return np.argsort(-values, kind="stable")


def test_how_far_two_rankings_agree_by_hand() -> None:
    first, again = np.array([9.0, 8, 7, 6, 5]), np.array([8.0, 9, 5, 6, 7])
    shared = {size: count_shared(order_of(first), order_of(again), size) for size in (1, 2, 3, 5)}
    assert shared == {1: 0, 2: 2, 3: 2, 5: 5}
    assert rank_correlation(first, again) == pytest.approx(1 - 6 * (1 + 1 + 4 + 0 + 4) / (5 * 24))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=40))
def test_the_correlation_is_scipy_s_also_with_ties(pairs: list[tuple[int, int]]) -> None:
    first, again = np.array(pairs, float).T
    found = rank_correlation(first, again)
    if np.ptp(first) == 0 or np.ptp(again) == 0:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(first, again).statistic)


def test_rankings_of_other_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="of the same examples"):
        rank_correlation(np.zeros(3), np.zeros(2))
