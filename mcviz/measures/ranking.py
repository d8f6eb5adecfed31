"""Whether a ranking holds: two rankings of the same examples, such as by two sets of passes."""

import numpy as np


def first_in_both(order: np.ndarray, other: np.ndarray, size: int) -> int:
    """How many of the first of one ranking are among as many first of another.

    Args:
        order: (N,) integers, the examples from the first rank to the last.
        other: (N,) integers, likewise.
        size: how many of the first, 1 to N.
    """
    return len(np.intersect1d(order[:size], other[:size]))


def rank_correlation(values: np.ndarray, others: np.ndarray) -> float | None:
    """Spearman's (1904) correlation of the ranks of two scores of the same examples, with ties at their mean rank.

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
