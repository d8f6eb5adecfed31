"""Conformal prediction (Vovk et al. 2005): guarantees for new examples, whatever the model.

It only assumes that new examples are drawn as those for calibration were. A conformity score here is high where
an example fits the model badly.

Prediction sets hold the label as often as they say, for every class: the conformity score of a class is one less its
probability (Sadinle et al. 2019), compared with those of the examples whose label is that class (Vovk 2012).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy  # loads scipy.stats when it is first used

from mcviz.measures.bootstrap import Interval, mean_intervals, share_interval
from mcviz.measures.groups import number_groups, split_in_halves

Array = np.ndarray

ROUNDING = 1e-9  # of sums of weights


def conformal_quantile(scores: Array, coverage: float, groups: Array | None = None) -> float:
    """Compute the bound that the score of a new example keeps with the chance `coverage` or more.

    Args:
        scores: (M,) of the examples for calibration.
        coverage: 0 to 1.
        groups: (M,) integers, the group of each example, where the new one is of another; without it each is its own.

    Returns:
        The ⌈(M + 1) · coverage⌉-th smallest score; infinite where there are too few examples for it. Each of G groups
        weighs as much as one example, so that scores at or below it weigh (G + 1) · coverage (Lee et al. 2023).
    """
    if groups is not None:
        numbers, sizes = number_groups(groups)
        order = np.argsort(scores, kind="stable")
        weights = (1 / sizes)[numbers[order]].cumsum() if len(scores) else np.zeros(0)
        place = int(np.searchsorted(weights, (len(sizes) + 1) * coverage * (1 - ROUNDING)))
        return float(scores[order[place]]) if place < len(scores) else math.inf
    rank = math.ceil((len(scores) + 1) * Fraction(str(coverage)))  # 0.07 * 100 would be above 7
    if rank > len(scores):
        return math.inf
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank > 0 else -math.inf


def conformal_p_values(calibration: Array, new: Array, groups: tuple[Array, Array] | None = None) -> Array:
    """Compute conformal p-values: at most the share a of new examples has a p-value of a or less.

    Args:
        calibration: (M,) scores of the examples for calibration.
        new: (…) scores.
        groups: (M,) int and (…) int, the group of each; then it holds within every group, since scores are compared
            within their own group alone, such as those of a class.

    Returns:
        (…) float64 in 1/(M+1)..1, the share of the calibration, the new example itself counted in, that scores as high.
    """
    if groups is None:
        return (count_as_high(calibration, new) + 1) / (len(calibration) + 1)
    found = np.empty(new.shape)
    for group in np.unique(groups[1]):
        members = groups[1] == group
        found[members] = conformal_p_values(calibration[groups[0] == group], new[members])
    return found


def share_by_chance(calibrated: int, new: int, level: float, confidence: float = 0.95) -> tuple[float, float]:
    """Compute the range of the share of new examples with a p-value of a level or less, where they are drawn alike.

    The calibration is a draw, too: given it, the share varies around one that has a beta distribution, so that the
    number has a beta-binomial one (Vovk 2012; Angelopoulos and Bates 2023).

    Args:
        calibrated: M, the number of examples for calibration.
        new: N.
        level: 0 to 1, of the p-values.
        confidence: how often the share is within the range, or more often.

    Returns:
        The ends, 0 to 1.
    """
    rank = math.floor((calibrated + 1) * Fraction(str(level)))
    if rank < 1:
        return 0.0, 0.0
    tail = (1 - confidence) / 2
    ends = scipy.stats.betabinom.ppf([tail, 1 - tail], new, rank, calibrated + 1 - rank) / new
    return float(ends[0]), float(ends[1])


def count_as_high(calibration: Array, new: Array) -> Array:
    """Count how many of (M,) scores for calibration are as high as each of (…) new ones: (…) int64."""
    return len(calibration) - np.searchsorted(np.sort(calibration), new, side="left")


def cross_fit(
    examples: int, calibrate: Callable[[Array, Array], Array], seed: int = 0, groups: Array | None = None
) -> Array:
    """Use examples for calibration of each other: one half of them at random for the other half.

    Args:
        examples: N, at least 2.
        calibrate: takes (M,) int, the numbers of the examples for calibration, and (K,) int, those of the others, and
            returns (K, …), the results for the others.
        seed: of the halves.
        groups: (N,) integers, the group of each example, which stays whole; without it each is its own.

    Returns:
        (N, …) the result for each example.
    """
    first, second = split_in_halves(examples, groups, seed)
    found = np.concatenate([calibrate(second, first), calibrate(first, second)])
    return found[np.argsort(np.concatenate([first, second]))]


def prediction_sets(probs: Array, labels: Array, new: Array, coverage: float, groups: Array | None = None) -> Array:
    """Compute the prediction sets of new examples.

    Args:
        probs: (M, C) floating point, of the examples for calibration.
        labels: (M,) integers.
        new: (N, C) floating point, of the new examples.
        coverage: 0 to 1; of the examples of each class the set holds the label at least as often.
        groups: (M,) integers, the group of each example for calibration, as `conformal_quantile` takes them.

    Returns:
        (N, C) bool, whether a class is in the set. A class with too few labels for that coverage is in all sets; a set
        may be empty where no class fits.
    """
    members = [labels == c for c in range(probs.shape[1])]
    limits = [
        conformal_quantile(1 - probs[of, c], coverage, None if groups is None else groups[of])
        for c, of in enumerate(members)
    ]
    return 1 - new <= np.array(limits, new.dtype)


def cross_fit_sets(probs: Array, labels: Array, coverage: float, seed: int = 0, groups: Array | None = None) -> Array:
    """Compute the sets of N ≥ 2 labelled examples as `prediction_sets` does, each half calibrated by the other.

    Args:
        probs: (N, C) floating point.
        labels: (N,) integers.
        coverage: as for `prediction_sets`.
        seed: of the halves.
        groups: as for `cross_fit`.
    """

    def calibrate(calibration: Array, others: Array) -> Array:
        within = None if groups is None else groups[calibration]
        return prediction_sets(probs[calibration], labels[calibration], probs[others], coverage, within)

    return cross_fit(len(labels), calibrate, seed, groups)


@dataclass(frozen=True)
class SetFigures:
    """The size of prediction sets, and how often they hold the label.

    Attributes:
        size: the mean number of classes, with its bootstrap interval.
        coverage: the share of sets that hold the label, with its exact interval (Clopper & Pearson 1934).
        single: the share of sets of one class.
        empty: the share of sets of none.
    """

    size: Interval
    coverage: Interval
    single: float
    empty: float


def set_figures(
    sets: Array, labels: Array, *, groups: Array | None = None, confidence: float = 0.95, seed: int = 0
) -> SetFigures:
    """Compare prediction sets with labels.

    Args:
        sets: (N, C) bool, N ≥ 1.
        labels: (N,) integers.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: of the intervals.
        seed: of the bootstrap.
    """
    sizes = sets.sum(axis=1)
    (size,) = mean_intervals(sizes[:, None], groups=groups, confidence=confidence, seed=seed)
    held = share_interval(sets[np.arange(len(labels)), labels], groups, confidence)
    return SetFigures(size, held, float((sizes == 1).mean()), float((sizes == 0).mean()))
