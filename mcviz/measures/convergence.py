"""How many passes are enough: how good the mean of the first 1, 2, … passes is, and how far its ranking still moves.

Passes are read one block of examples after the other: counts of blocks add up, and terms of blocks are concatenated.
"""

from collections.abc import Callable, Sequence

import numpy as np

from mcviz.measures.calibration import CalibrationTerms, calibration_terms

Array = np.ndarray


def correct_per_pass(probs: Array, labels: Array) -> Array:
    """Count the examples that each single pass predicts correctly.

    Args:
        probs: (T, N, C) floating point.
        labels: (N,) integers.

    Returns:
        (T,) int64, each 0 to N.
    """
    return (probs.argmax(axis=-1) == labels).sum(axis=1, dtype=np.int64)


def correct_by_ensemble_size(probs: Array, labels: Array) -> Array:
    """Count the examples that the mean of the first 1, 2, … T passes predicts correctly.

    Args:
        probs: (T, N, C) floating point.
        labels: (N,) integers.

    Returns:
        (T,) int64, each 0 to N; entry t is of the ensemble of t + 1 passes.
    """
    total = np.zeros(probs.shape[1:], dtype=np.float64)
    correct = np.empty(len(probs), dtype=np.int64)
    for t, one_pass in enumerate(probs):
        total += one_pass
        correct[t] = (total.argmax(axis=-1) == labels).sum()
    return correct


def sizes_up_to(passes: int) -> list[int]:
    """Return the numbers of passes to look at: 1, 2, 5, 10, 20, 50, … and all of them."""
    steps = (digit * 10**power for power in range(len(str(passes))) for digit in (1, 2, 5))
    return sorted({passes, *(size for size in steps if size < passes)})


def terms_by_size(probs: Array, labels: Array, sizes: Sequence[int]) -> list[CalibrationTerms]:
    """Compute the terms of the ensembles of the first passes.

    Args:
        probs: (T, n, C) floating point, of one block of examples.
        labels: (n,) integers.
        sizes: numbers of passes, 1 to T, ascending.

    Returns:
        The terms of each size, for `join_calibration_terms` with those of the other blocks.
    """
    found, total, before = [], np.zeros(probs.shape[1:]), 0
    for size in sizes:
        total += probs[before:size].sum(axis=0, dtype=np.float64)
        before = size
        found.append(calibration_terms(total[None] / size, labels))
    return found


def halves_by_size(probs: Array, score: Callable[[Array], Array], sizes: Sequence[int]) -> Array:
    """Compute a score by two sets of passes that share none.

    Args:
        probs: (T, n, C) floating point, of one block of examples.
        score: takes (t, n, C) and returns (n,), such as `measures.max_probability`.
        sizes: numbers of passes in both sets together, 2 to T.

    Returns:
        (len(sizes), 2, n) float64: by the first half of the first passes, and by the second; of an odd number the last
        pass is left out.
    """
    return np.stack([[score(probs[: size // 2]), score(probs[size // 2 : size // 2 * 2])] for size in sizes])


def shared_top(one: Array, other: Array, top: int = 100) -> float:
    """Compute the share of the `top` examples with the highest values that two scorings have in common, 0 to 1.

    Args:
        one: (N,) floating point, high for uncertain; ties keep the examples' own order.
        other: likewise.
        top: how many are at the top; all where there are fewer.
    """
    first, second = (np.argsort(-values, kind="stable")[:top] for values in (one, other))
    return len(np.intersect1d(first, second)) / len(first)


def count_shared(order: Array, other: Array, size: int) -> int:
    """Count how many of the first examples of one ranking are among the first of another.

    Args:
        order: (N,) integers, the examples from the first rank to the last.
        other: (N,) integers, likewise.
        size: how many of the first, 1 to N.
    """
    return len(np.intersect1d(order[:size], other[:size]))


def rank_correlation(values: Array, others: Array) -> float | None:
    """Compute Spearman's (1904) rank correlation of two scores of the same examples, with ties at their mean rank.

    Args:
        values: (N,) floating point, finite.
        others: (N,) floating point, finite.

    Returns:
        -1 to 1; None where all values of one are the same, or there are fewer than three.

    Raises:
        ValueError: arrays of different lengths.
    """
    from scipy.stats import rankdata  # here, because it takes a while to import

    if len(values) != len(others):
        raise ValueError(
            f"two rankings should be of the same examples. Received: {len(values)} and {len(others)} values."
        )
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(others) == 0:
        return None
    return float(np.corrcoef(rankdata(values), rankdata(others))[0, 1])
