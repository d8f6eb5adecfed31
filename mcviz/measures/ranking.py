"""Whether a ranking holds: two rankings of the same examples, such as by two sets of passes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """How far two rankings of N examples agree.

    Attributes:
        correlation: Spearman's rank correlation, -1 to 1, with ties at their mean rank; None where all values of one
            ranking are the same, or there are fewer than three.
        kept: for each size K, how many of the first K of one ranking are among the first K of the other.
    """

    correlation: float | None
    kept: dict[int, int]


def agreement(
    values: np.ndarray, others: np.ndarray, order: np.ndarray, other: np.ndarray, sizes: Sequence[int]
) -> Agreement:
    """Hold two rankings of the same examples against each other.

    Args:
        values: (N,) floating point, the score that the first ranking is by.
        others: (N,) floating point, the same score of other passes.
        order: (N,) integers, the examples from the first rank to the last by `values`.
        other: (N,) integers, likewise by `others`.
        sizes: numbers of first examples, 1 to N each.

    Raises:
        ValueError: arrays of different lengths.
    """
    if not len(values) == len(others) == len(order) == len(other):
        raise ValueError(
            "two rankings should be of the same examples. Received: "
            f"{len(values)}, {len(others)}, {len(order)} and {len(other)}."
        )
    kept = {size: len(np.intersect1d(order[:size], other[:size])) for size in sizes}
    return Agreement(_spearman(values, others), kept)


def _spearman(values: np.ndarray, others: np.ndarray) -> float | None:
    """Spearman (1904): the correlation of the ranks."""
    from scipy.stats import rankdata  # here, because it takes a while to import

    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(others) == 0:
        return None
    return float(np.corrcoef(rankdata(values), rankdata(others))[0, 1])
