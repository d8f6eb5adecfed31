"""The quality of an ensemble's predictions, and whether those of another one are better by more than noise.

Each task has one list of measures. Predictions are reduced to terms, a few numbers an example, which can be computed
one block of examples after the other; measures, their intervals and those of differences come from these.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from mcviz.measures import calibration
from mcviz.measures.bootstrap import Interval, Statistic, mean_intervals, resample, share_interval
from mcviz.measures.groups import count_groups
from mcviz.measures.permutation import critical_change, critical_differences, difference
from mcviz.measures.prediction_intervals import pass_intervals
from mcviz.measures.registry import Predictions, RegressionPredictions, require_labels
from mcviz.measures.regression import Terms, ensemble_terms, rmse_interval
from mcviz.measures.selective import Ranking, area_intervals, compute_areas
from mcviz.measures.units import fixed, significant

Array = np.ndarray
Unit = Literal["share", "per mille", "nats", "target", ""]
Verdict = Literal["better", "worse", "differs", "noise", "unknown"]
VERDICTS: dict[Verdict, str] = {  # in words
    "better": "better",
    "worse": "worse",
    "differs": "differs",
    "noise": "within noise",
    "unknown": "not known",
}

INTERVAL = 0.9  # nominal coverage of the prediction intervals that are measured
MEASURE_DIGITS = {"share": 2, "per mille": 2, "nats": 4, "": 4}
SCALE = {"share": 100, "per mille": 1000}


@dataclass(frozen=True)
class Measure:
    """A measure of the quality of predictions.

    Attributes:
        name: its name in files.
        label: its name for people.
        unit: "share" is shown in percent, "per mille" in thousandths; "target" is the unit of the run's targets.
        better: whether low or high values are better; "" where that depends.
        bounds: the lowest and the highest value that it can take.
        has_interval: whether it has an interval, where examples and mistakes are not too few.
        share_of: the term of truth values whose mean it is, or "": then a paired difference is tested exactly.
    """

    name: str
    label: str
    unit: Unit
    better: Literal["low", "high", ""]
    bounds: tuple[float, float] = (-np.inf, np.inf)
    has_interval: bool = True
    share_of: str = ""

    def format(self, value: float, target_unit: str = "", *, sign: str = "") -> str:
        """Format a value with its unit, such as "98.21%", or with `sign` "+" a difference, such as "+0.21 points"."""
        return f"{self.format_number(value, sign=sign)}{self._unit(target_unit, sign)}"

    def format_number(self, value: float, *, sign: str = "") -> str:
        """Format a value without its unit; "–" for NaN."""
        if np.isnan(value):
            return "–"
        if self.unit == "target":
            return f"{'+' if sign == '+' and value >= 0 else ''}{significant(value)}"
        return fixed(SCALE.get(self.unit, 1) * value, MEASURE_DIGITS[self.unit], sign)

    def format_interval(self, interval: Interval, target_unit: str = "", *, sign: str = "") -> str:
        """Format a value with its unit and the ends of its interval, such as "98.21% (97.95 to 98.44)".

        The AUROC of few mistakes has no interval, nor has a difference between too few examples.
        """
        if np.isnan(interval.value):
            return "–"
        if self.has_interval and (np.isnan(interval.low) or np.isnan(interval.high)):
            return f"{self.format(interval.value, target_unit, sign=sign)} (no interval)"
        return interval.format(partial(self.format_number, sign=sign), self._unit(target_unit, sign))

    def _unit(self, target_unit: str, sign: str) -> str:
        points = " points" if sign else "%"
        unit = {"share": points, "per mille": " ‰", "target": f" {target_unit}", "nats": " nats"}.get(self.unit, "")
        return unit.rstrip()


@dataclass(frozen=True)
class Quality:
    """The measures of a task.

    Attributes:
        measures: in the order in which they are shown.
        decides: the name of the proper scoring rule by which one of several is chosen.
        terms: of n predictions with labels, (n,) float64 or bool by name.
        statistic: takes terms of N examples, those of classes with `uncertainty`, (N,) high for uncertain, and returns
            a function of (R, N), how often each of R draws holds each example, that returns (R, M) float64, a value a
            measure; NaN where there is none.
        intervals: of the same terms, the interval of every measure by its name; it takes `groups`, `confidence`,
            `resamples` and `seed` as `compute_measures` does.
    """

    measures: tuple[Measure, ...]
    decides: str
    terms: Callable[[Predictions | RegressionPredictions], dict[str, Array]]
    statistic: Callable[[Terms], Statistic]
    intervals: Callable[..., dict[str, Interval]]

    @property
    def place(self) -> dict[str, int]:
        """The position of each measure, by its name."""
        return {measure.name: place for place, measure in enumerate(self.measures)}


@dataclass(frozen=True)
class MeasureComparison:
    """One measure of two ensembles.

    Attributes:
        measure: the measure.
        one: of the first.
        other: of the second.
        difference: the second less the first, plus or minus the part that chance explains; NaN where one of them is,
            and ends of NaN where chance may explain all: of fewer than six examples, or too few mistakes.
    """

    measure: Measure
    one: Interval
    other: Interval
    difference: Interval

    @property
    def verdict(self) -> Verdict:
        """Whether the second is better or worse by more than noise; "differs" where neither direction is better."""
        low, high = self.difference.low, self.difference.high
        if np.isnan(low):
            return "unknown"
        if not (low > 0 or high < 0):
            return "noise"
        if not self.measure.better:
            return "differs"
        return "better" if (low > 0) == (self.measure.better == "high") else "worse"


def compute_measures(
    quality: Quality,
    terms: Terms,
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Interval]:
    """Compute every measure of a task, with its interval.

    Args:
        quality: the measures of the task.
        terms: of N ≥ 1 examples.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: 0 to 1, of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        An interval a measure, in their order.
    """
    found = quality.intervals(terms, groups=groups, confidence=confidence, resamples=resamples, seed=seed)
    return [found[measure.name] for measure in quality.measures]


def compare_measures(
    quality: Quality,
    one: Terms,
    other: Terms,
    *,
    paired: bool,
    groups: Sequence[Array | None] = (None, None),
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[MeasureComparison]:
    """Compare two ensembles by every measure: do they differ by more than noise?

    Args:
        quality: the measures of the task.
        one: terms of N ≥ 1 examples.
        other: terms of M ≥ 1 examples.
        paired: whether these are the same examples in the same order.
        groups: (N,) and (M,) integers, the group of each example; without them each is its own.
        confidence: 0 to 1, of the intervals and of the permutation test.
        resamples: of the bootstrap, and of the permutation test.
        seed: of both.

    Returns:
        One a measure, in their order.
    """
    pool = join_terms([one, other])
    figures = [
        compute_measures(quality, terms, groups=members, confidence=confidence, resamples=resamples, seed=seed)
        for terms, members in zip((one, other), groups, strict=True)
    ]
    sizes = [len(next(iter(terms.values()))) for terms in (one, other)]
    critical = critical_differences(
        lambda chosen: quality.statistic(select_terms(pool, chosen)),
        sizes,
        paired=paired,
        groups=groups,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    independent = [count_groups(size, members) for size, members in zip(sizes, groups, strict=True)]
    if 2.0 ** (1 - min(independent)) > 1 - confidence:  # of so few examples, no difference is beyond chance
        critical[:] = np.nan
    found = []
    for measure, first, second, chance in zip(quality.measures, *figures, critical.tolist(), strict=True):
        value = float(difference(first.value, second.value))
        if paired and measure.share_of and groups[0] is None:
            more = other[measure.share_of].astype(int) - one[measure.share_of]
            value = float(more.mean())
            chance = (
                np.nan if np.isnan(chance) else critical_change(int(np.count_nonzero(more)), confidence) / len(more)
            )
        found.append(MeasureComparison(measure, first, second, Interval(value, value - chance, value + chance)))
    return found


def select_terms(terms: Terms, chosen: Array | slice) -> dict[str, Array]:
    """Return the terms of some examples, by a slice, their numbers or a mask."""
    return {name: values[chosen] for name, values in terms.items()}


def join_terms(blocks: Sequence[Terms]) -> dict[str, Array]:
    """Concatenate the terms of blocks of examples, in their order."""
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _classification_terms(predictions: Predictions | RegressionPredictions) -> dict[str, Array]:
    assert isinstance(predictions, Predictions)
    if predictions.labels is None:
        raise ValueError("Predictions are compared with labels. Received: predictions without labels.")
    terms = calibration.calibration_terms(predictions.mean_probs[None], predictions.labels)
    correct, confidence = terms.correct[:, 0], terms.confidence[:, 0]
    return {"correct": correct, "confidence": confidence, "nll": terms.nll, "brier": terms.brier}


def _calibration_terms(terms: Terms) -> calibration.CalibrationTerms:
    correct, confidence = terms["correct"], terms["confidence"]
    return calibration.CalibrationTerms(correct[:, None], confidence[:, None], terms["nll"], terms["brier"])


def _classification_intervals(terms: Terms, **options: Any) -> dict[str, Interval]:
    found = calibration.calibration_figures(_calibration_terms(terms), **options)
    confidence, correct = options.pop("confidence"), terms["correct"]
    areas = resample(lambda chosen: _ranking_statistic(select_terms(terms, chosen)), len(correct), **options)
    aurc, auroc = area_intervals(*areas, correct, confidence)
    return {**{name: getattr(found, name) for name in calibration.CALIBRATION_MEASURES}, "aurc": aurc, "auroc": auroc}


def _ranking_statistic(terms: Terms) -> Statistic:
    """Build a function of (R, N) weights that returns (R, 2), the AURC and the AUROC."""
    ranking = Ranking(terms["uncertainty"], terms["correct"])
    return lambda weights: compute_areas(ranking, weights)[:, [0, 3]]


def _classification_statistic(terms: Terms) -> Statistic:
    figures, ranked = calibration.weighted_figures(_calibration_terms(terms)), _ranking_statistic(terms)

    def statistic(weights: Array) -> Array:
        accuracy, nll, brier, ece, _, overconfidence = figures(weights).T
        return np.stack([accuracy, nll, brier, ece, overconfidence, *ranked(weights).T], axis=1)

    return statistic


def _regression_terms(predictions: Predictions | RegressionPredictions) -> dict[str, Array]:
    assert isinstance(predictions, RegressionPredictions)
    labels, within = require_labels(predictions), pass_intervals(predictions, INTERVAL)
    held = ((within.low <= labels) & (labels <= within.high)).mean(axis=1)
    terms = ensemble_terms(predictions)
    terms.setdefault("nll", np.full(len(labels), np.nan))
    return {**terms, "held": held, "width": (within.high - within.low).mean(axis=1)}


def _regression_columns(terms: Terms) -> Array:
    names = ("squared_error", "absolute_error", "nll", "crps", "held", "width")
    return np.stack([terms[name] for name in names], axis=1)


def _regression_intervals(terms: Terms, **options: Any) -> dict[str, Interval]:
    columns = _regression_columns(terms)
    found = dict(zip(REGRESSION.place, mean_intervals(columns, **options), strict=True))
    coverage = share_interval(terms["held"], options["groups"], options["confidence"])
    count = count_groups(len(columns), options["groups"])
    return found | {"rmse": rmse_interval(found["rmse"], count), "coverage": coverage}


def _regression_statistic(terms: Terms) -> Statistic:
    columns = _regression_columns(terms)

    def statistic(weights: Array) -> Array:
        means = weights @ columns / weights.sum(axis=1, keepdims=True)
        means[:, 0] = np.sqrt(means[:, 0])
        return means

    return statistic


ECE_EQUAL_MASS = Measure("ece_equal_mass", "ECE, equal mass", "share", "low", (0, 1), has_interval=False)
CLASSIFICATION = Quality(
    (
        Measure("accuracy", "accuracy", "share", "high", (0, 1), share_of="correct"),
        Measure("nll", "NLL", "nats", "low", (0, np.inf)),
        Measure("brier", "Brier score", "", "low", (0, 2)),
        Measure("ece", "ECE", "share", "low", (0, 1), has_interval=False),
        Measure("overconfidence", "confidence − accuracy", "share", "", (-1, 1)),
        Measure("aurc", "AURC", "per mille", "low", (0, 1)),
        Measure("auroc", "AUROC of finding mistakes", "", "high", (0, 1)),
    ),
    "nll",
    _classification_terms,
    _classification_statistic,
    _classification_intervals,
)
REGRESSION = Quality(
    (
        Measure("rmse", "RMSE", "target", "low", (0, np.inf)),
        Measure("mae", "MAE", "target", "low", (0, np.inf)),
        Measure("nll", "NLL", "nats", "low"),
        Measure("crps", "CRPS", "target", "low", (0, np.inf)),
        Measure("coverage", f"coverage of {INTERVAL:.0%} intervals", "share", "", (0, 1)),
        Measure("width", f"width of {INTERVAL:.0%} intervals", "target", "", (0, np.inf)),
    ),
    "nll",
    _regression_terms,
    _regression_statistic,
    _regression_intervals,
)
