"""Conformal prediction sets and intervals (Vovk et al. 2005).

They assume only that new examples are drawn like those for calibration. A high conformity score means a poor fit. Sets
hold the label at the promised rate for every class (Vovk 2012): a class's score is 1 − its probability (Sadinle et al.
2019), compared with those of the examples with that label.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy  # loads scipy.stats when it is first used

from mcviz.measures.intervals import (
    Interval,
    mean_intervals,
    number_groups,
    proportion,
    share_interval,
    split_in_halves,
)
from mcviz.measures.registry import RegressionPredictions, require_labels
from mcviz.measures.regression import predictive_variance

Array = np.ndarray
ROUNDING = 1e-9  # of sums of weights

LEVELS = np.arange(1, 20) / 20  # nominal coverages at which intervals are compared with labels
LEAST_SCALE = 0.01  # of the mean standard deviation


def conformal_quantile(scores: Array, coverage: float, groups: Array | None = None) -> float:
    """Return the bound that a new score keeps with probability ≥ `coverage`.

    Args:
        scores: (M,) of the examples for calibration.
        coverage: 0 to 1.
        groups: (M,) integers, the group of each example; a new example is of another. Without it each is its own.

    Returns:
        The ⌈(M + 1) · coverage⌉-th smallest score; infinite if there are too few examples for it. Each of G groups
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
    """Compute conformal p-values.

    At most the share a of new examples has a p-value of a or less.

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
    p_values = np.empty(new.shape)
    for group in np.unique(groups[1]):
        members = groups[1] == group
        p_values[members] = conformal_p_values(calibration[groups[0] == group], new[members])
    return p_values


def share_by_chance(calibrated: int, new: int, level: float, confidence: float = 0.95) -> tuple[float, float]:
    """Compute the range of the share of new p-values ≤ `level`.

    The calibration is a draw too, so their number is beta-binomial (Vovk 2012; Angelopoulos and Bates 2023).

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
    """Count the (M,) calibration scores ≥ each new (…) score: (…) int64."""
    return len(calibration) - np.searchsorted(np.sort(calibration), new, side="left")


def cross_fit(
    examples: int, calibrate: Callable[[Array, Array], Array], seed: int = 0, groups: Array | None = None
) -> Array:
    """Calibrate each random half of the examples on the other half.

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
    p_values = np.concatenate([calibrate(second, first), calibrate(first, second)])
    return p_values[np.argsort(np.concatenate([first, second]))]


def prediction_sets(probs: Array, labels: Array, new: Array, coverage: float, groups: Array | None = None) -> Array:
    """Compute the prediction sets of new examples.

    Args:
        probs: (M, C) floating point, of the examples for calibration.
        labels: (M,) integers.
        new: (N, C) floating point, of the new examples.
        coverage: 0 to 1; of the examples of each class the set holds the label at least as often.
        groups: (M,) integers, the group of each example for calibration, as `conformal_quantile` takes them.

    Returns:
        (N, C) bool, whether a class is in the set. A class with too few labels for that coverage is in all sets. A set
        is empty if no class fits.
    """
    members = [labels == c for c in range(probs.shape[1])]
    limits = [
        conformal_quantile(1 - probs[of, c], coverage, None if groups is None else groups[of])
        for c, of in enumerate(members)
    ]
    return 1 - new <= np.array(limits, new.dtype)


def cross_fit_sets(probs: Array, labels: Array, coverage: float, seed: int = 0, groups: Array | None = None) -> Array:
    """Compute prediction sets of N ≥ 2 labelled examples, cross-fitted by halves.

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


@dataclass(frozen=True)
class PredictionIntervals:
    """One interval for each example and target.

    Attributes:
        low: (N, D) float64 lower ends, in the unit of the targets.
        high: (N, D) float64 upper ends; infinite if there were too few examples for calibration.
    """

    low: Array
    high: Array

    @property
    def width(self) -> Array:
        """(D,) float64, the mean width for each target."""
        return (self.high - self.low).mean(axis=0)

    def coverage(self, labels: Array, confidence: float = 0.95) -> list[Interval]:
        """Compute the share of labels inside the intervals, ends included.

        Its interval is exact (Clopper-Pearson).

        Args:
            labels: (N, D) floating point.
            confidence: of the interval of the share.

        Returns:
            D shares, one a target.
        """
        held = ((self.low <= labels) & (labels <= self.high)).sum(axis=0)
        return [proportion(int(count), len(labels), confidence) for count in held]


def pass_intervals(predictions: RegressionPredictions, coverage: float) -> PredictionIntervals:
    """Compute the central intervals of the predictive distribution.

    Args:
        predictions: of N examples.
        coverage: 0 to 1, the share of the distribution within.

    Returns:
        Quantiles of the passes, at places (T + 1) p in their order. They hold labels that are drawn like the passes
        with a share of `coverage`, up to (T - 1) / (T + 1). With predicted variances, they are those of the normal
        distribution with the mixture's mean and variance.
    """
    low, high = _central_intervals(predictions, np.array([coverage]))
    return PredictionIntervals(low[0], high[0])


def conformal_intervals(
    predictions: RegressionPredictions, coverage: float, *, normalised: bool = False, seed: int = 0
) -> PredictionIntervals:
    """Compute split-conformal intervals around the predictive mean (Lei et al. 2018).

    Each half of the examples is calibrated on the other.

    Args:
        predictions: of N ≥ 2 examples, with labels.
        coverage: 0 to 1; the true value of an example is held at least as often.
        normalised: whether widths are in proportion to `conformal_scale`; otherwise all of a half are equal.
        seed: of the halves.

    Raises:
        ValueError: predictions without labels.
    """
    scale = conformal_scale(predictions, predictions) if normalised else np.ones(predictions.outputs.shape[1:])
    scores = _conformity_scores(predictions, scale)

    def bounds(calibration: Array, others: Array) -> Array:
        return np.tile(_conformal_bounds(scores[calibration], coverage), (len(others), 1))

    return _around_mean(predictions, cross_fit(len(scores), bounds, seed) * scale)


def conformal_intervals_for_new(
    calibration: RegressionPredictions, new: RegressionPredictions, coverage: float, *, normalised: bool = False
) -> PredictionIntervals:
    """Compute split-conformal intervals for new examples.

    Args:
        calibration: of M examples, with labels.
        new: of N others; their labels are not looked at.
        coverage: as for `conformal_intervals`.
        normalised: as for `conformal_intervals`.

    Raises:
        ValueError: no labels for calibration.
    """
    scale, new_scale = (
        conformal_scale(part, calibration) if normalised else np.ones(part.outputs.shape[1:])
        for part in (calibration, new)
    )
    return _around_mean(new, _conformal_bounds(_conformity_scores(calibration, scale), coverage) * new_scale)


def conformal_scale(predictions: RegressionPredictions, usual: RegressionPredictions) -> Array:
    """Compute the scale that makes errors comparable between examples.

    Args:
        predictions: of N examples.
        usual: of the examples for calibration.

    Returns:
        (N, D) float64, the predictive std, or with predicted variances the total one. A hundredth of its mean over
        `usual` is added, so that passes that all agree do not promise certainty (Papadopoulos & Haralambous 2011).
    """
    mean = _std(usual).mean(axis=0)
    return np.where(mean > 0, _std(predictions) + LEAST_SCALE * mean, 1.0)


def _std(predictions: RegressionPredictions) -> Array:
    return np.sqrt(predictive_variance(predictions.outputs, predictions.variances))


def _mean(predictions: RegressionPredictions) -> Array:
    return predictions.outputs.mean(axis=0, dtype=np.float64)


def _conformity_scores(predictions: RegressionPredictions, scale: Array) -> Array:
    return np.abs(_mean(predictions) - require_labels(predictions)) / scale


def _conformal_bounds(scores: Array, coverage: float) -> Array:
    return np.array([conformal_quantile(target_scores, coverage) for target_scores in scores.T])


def _around_mean(predictions: RegressionPredictions, radius: Array) -> PredictionIntervals:
    mean = _mean(predictions)
    return PredictionIntervals(mean - radius, mean + radius)


@dataclass(frozen=True)
class IntervalCalibration:
    """The observed coverage of the central intervals of one target.

    Attributes:
        nominal: (L,) the nominal coverages, ascending.
        observed: (L,) the shares of labels inside the intervals.
        low: (L,) lower ends of the exact intervals of these shares (Clopper & Pearson 1934).
        high: (L,) upper ends.
    """

    nominal: Array
    observed: Array
    low: Array
    high: Array


def interval_calibration(
    predictions: RegressionPredictions,
    confidence: float = 0.95,
    *,
    levels: Array = LEVELS,
    members: Array | slice = slice(None),
    groups: Array | None = None,
) -> list[IntervalCalibration]:
    """Compare central predictive intervals with the labels (Kuleshov et al. 2018).

    Args:
        predictions: of N examples, with labels.
        confidence: of each share's interval.
        levels: (L,) nominal coverages, ascending.
        members: of the examples that count, as numpy indexes them.
        groups: (N,) integers, the group of each example; without it each is its own.

    Returns:
        D calibrations, one a target, at the nominal coverages.

    Raises:
        ValueError: predictions without labels.
    """
    labels = require_labels(predictions)
    low, high = _central_intervals(predictions, levels)
    held = ((low <= labels) & (labels <= high))[:, members]
    dependent, calibrations = None if groups is None else groups[members], []
    for target in range(labels.shape[1]):
        shares = [share_interval(of_level[:, target], dependent, confidence) for of_level in held]
        ends = np.array([(share.value, share.low, share.high) for share in shares]).T
        calibrations.append(IntervalCalibration(levels, *ends))
    return calibrations


def _central_intervals(predictions: RegressionPredictions, coverages: Array) -> tuple[Array, Array]:
    tails = (1 - coverages) / 2
    if predictions.variances is None:
        outputs, shares = predictions.outputs.astype(np.float64), np.concatenate([tails, 1 - tails])
        ends = np.quantile(outputs, shares, axis=0, method="weibull")
        return ends[: len(tails)], ends[len(tails) :]
    mean = _mean(predictions)
    radius = -scipy.special.ndtri(tails)[:, None, None] * _std(predictions)
    return mean - radius, mean + radius
