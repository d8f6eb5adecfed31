"""Prediction intervals of regression: by the passes themselves, and by split-conformal prediction."""

from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.special when it is first used

from mcviz.measures.bootstrap import Interval, proportion
from mcviz.measures.conformal import conformal_quantile, cross_fit
from mcviz.measures.poisson_binomial import can_reject
from mcviz.measures.registry import RegressionPredictions, require_labels
from mcviz.measures.regression_scores import predictive_variance

Array = np.ndarray

LEVELS = np.arange(1, 20) / 20  # nominal coverages at which intervals are compared with labels
LEAST_SCALE = 0.01  # of the mean standard deviation


@dataclass(frozen=True)
class PredictionIntervals:
    """One interval an example and target.

    Attributes:
        low: (N, D) float64 lower ends, in the unit of the targets.
        high: (N, D) float64 upper ends; infinite where there were too few examples for calibration.
    """

    low: Array
    high: Array

    @property
    def width(self) -> Array:
        """(D,) float64, the mean width for each target."""
        return (self.high - self.low).mean(axis=0)

    def coverage(self, labels: Array, confidence: float = 0.95) -> list[Interval]:
        """Compute the share of labels inside the intervals, ends included, with its exact interval (Clopper-Pearson).

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
        Quantiles of the passes, at places (T + 1) p in their order, so that labels that are drawn as the passes are
        held as often as `coverage` says, up to (T - 1) / (T + 1); with predicted variances those of the normal
        distribution with the mixture's mean and variance.
    """
    low, high = _central_intervals(predictions, np.array([coverage]))
    return PredictionIntervals(low[0], high[0])


def coverage_sentence(
    held: Interval, coverage: float, examples: int, confidence: float = 0.95, effect: float = 1.0
) -> str:
    """Say whether intervals by the passes hold as many labels as they should: the exact test whose inversion is `held`.

    Args:
        held: the share of labels that they hold, with its exact interval of `confidence`.
        coverage: 0 to 1, the share that they should hold.
        examples: number of labels.
        confidence: 0 to 1, the chance that correct intervals are not called too wide or too narrow.
        effect: the largest design effect of the examples, which says whether their groups are too few.
    """
    share = f"they hold {held.format(lambda share: f'{100 * share:.1f}', '%')} of the labels"
    intervals = f"{100 * coverage:.6g}% intervals of the passes"
    if held.high < coverage:
        return f"The {intervals} are too narrow: {share}."
    if held.low > coverage:
        return f"The {intervals} are too wide: {share}."
    if not can_reject(np.full(examples, 1 - coverage), confidence, effect):
        return (
            f"There are too few examples to tell whether the {intervals} hold what they promise: they hold "
            f"{round(held.value * examples):,} of {examples:,} labels, {coverage * examples:,.1f} expected."
        )
    return f"No fault of the {intervals} is found: {share}."


def conformal_intervals(
    predictions: RegressionPredictions, coverage: float, *, normalised: bool = False, seed: int = 0
) -> PredictionIntervals:
    """Compute intervals around the predictive mean by split-conformal prediction (Lei et al. 2018), half for half.

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
        conformal_scale(each, calibration) if normalised else np.ones(each.outputs.shape[1:])
        for each in (calibration, new)
    )
    return _around_mean(new, _conformal_bounds(_conformity_scores(calibration, scale), coverage) * new_scale)


def conformal_scale(predictions: RegressionPredictions, usual: RegressionPredictions) -> Array:
    """Compute the scale by which errors are divided before they are compared between examples.

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
    """(D,) float64."""
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


def interval_calibration(predictions: RegressionPredictions, confidence: float = 0.95) -> list[IntervalCalibration]:
    """Compare the central intervals of the predictive distribution with the labels (Kuleshov et al. 2018).

    Args:
        predictions: with labels.
        confidence: of each share's interval.

    Returns:
        D calibrations, one a target, at the nominal coverages 5%, 10%, … 95%.

    Raises:
        ValueError: predictions without labels.
    """
    labels = require_labels(predictions)
    low, high = _central_intervals(predictions, LEVELS)
    held = ((low <= labels) & (labels <= high)).sum(axis=1)
    found = []
    for counts in held.T:
        shares = [proportion(int(count), len(labels), confidence) for count in counts]
        ends = np.array([(share.value, share.low, share.high) for share in shares]).T
        found.append(IntervalCalibration(LEVELS, *ends))
    return found


def _central_intervals(predictions: RegressionPredictions, coverages: Array) -> tuple[Array, Array]:
    """(L, N, D) lower and upper ends of the intervals of L coverages."""
    tails = (1 - coverages) / 2
    if predictions.variances is None:
        outputs, shares = predictions.outputs.astype(np.float64), np.concatenate([tails, 1 - tails])
        ends = np.quantile(outputs, shares, axis=0, method="weibull")
        return ends[: len(tails)], ends[len(tails) :]
    mean = _mean(predictions)
    radius = -scipy.special.ndtri(tails)[:, None, None] * _std(predictions)
    return mean - radius, mean + radius
