"""Conformal prediction (Vovk et al. 2005): what holds for new examples as often as it says, whatever the model.

All that it asks for is that new examples are drawn as those for calibration were. A conformity score here is high where
an example fits the model badly.
"""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

Array = np.ndarray


def conformal_quantile(scores: Array, coverage: float) -> float:
    """The bound that the score of a new example keeps with the chance `coverage` or more.

    Args:
        scores: (M,) of the examples for calibration.
        coverage: 0 to 1.

    Returns:
        The ⌈(M + 1) · coverage⌉-th smallest score; infinite where there are too few examples for it.
    """
    rank = math.ceil((len(scores) + 1) * Fraction(str(coverage)))  # 0.07 * 100 would be above 7
    if rank > len(scores):
        return math.inf
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank > 0 else -math.inf


def conformal_p_values(calibration: Array, new: Array, groups: tuple[Array, Array] | None = None) -> Array:
    """How rare a score as high as that is: at most the share a of new examples has a p-value of a or less.

    Args:
        calibration: (M,) scores of the examples for calibration.
        new: (…) scores.
        groups: (M,) int and (…) int, the group of each; then it holds within every group, since scores are compared
            within their own group alone, such as those of a class.

    Returns:
        (…) float64 in 1/(M+1)..1, the share of the calibration, the new example itself counted in, that scores as high.
    """
    if groups is None:
        return (as_high(calibration, new) + 1) / (len(calibration) + 1)
    found = np.empty(new.shape)
    for group in np.unique(groups[1]):
        members = groups[1] == group
        found[members] = conformal_p_values(calibration[groups[0] == group], new[members])
    return found


def as_high(calibration: Array, new: Array) -> Array:
    """(…) int64: how many of (M,) scores for calibration are as high as each of (…) new ones."""
    return len(calibration) - np.searchsorted(np.sort(calibration), new, side="left")


def cross_fitted(examples: int, calibrated: Callable[[Array, Array], Array], seed: int = 0) -> Array:
    """Use examples for calibration of each other: one half of them at random for the other half.

    Args:
        examples: N, at least 2.
        calibrated: takes (M,) int, the numbers of the examples for calibration, and (K,) int, those of the others, and
            returns (K, …), what is found for the others.
        seed: of the halves.

    Returns:
        (N, …) what is found for each example.
    """
    first, second = np.array_split(np.random.default_rng(seed).permutation(examples), 2)
    found = np.concatenate([calibrated(second, first), calibrated(first, second)])
    return found[np.argsort(np.concatenate([first, second]))]
