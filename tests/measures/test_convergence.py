"""What the first passes are worth, against the terms of their mean, and how far two halves rank alike."""

import numpy as np
import pytest

from mcviz.measures import correct_by_ensemble_size, max_probability
from mcviz.measures.calibration import joined, terms
from mcviz.measures.convergence import halves_by_size, shared_top, sizes_up_to, terms_by_size

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
    for size, found in zip(sizes, map(joined, zip(*blocks, strict=True)), strict=True):
        expected = terms(PROBS[:size].mean(axis=0, dtype=np.float64)[None], LABELS)
        np.testing.assert_allclose(found.nll, expected.nll)
        np.testing.assert_allclose(found.confidence, expected.confidence)
        assert found.correct.sum() == correct_by_ensemble_size(PROBS, LABELS)[size - 1]


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
