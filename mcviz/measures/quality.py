"""The quality of an ensemble's predictions, and whether those of another one are better by more than noise.

Each task has one list of measures. Predictions are reduced to terms, a few numbers an example, which can be computed
one block of examples after the other; measures, their intervals and those of differences come from these.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from mcviz.measures import calibration
from mcviz.measures.bootstrap import (
    Interval,
    Statistic,
    bootstrap_intervals,
    bounded_mean,
    mean_intervals,
    paired_difference,
    resample,
    share_interval,
)
from mcviz.measures.groups import count_groups, sum_by_group
from mcviz.measures.prediction_intervals import pass_intervals
from mcviz.measures.registry import Predictions, RegressionPredictions, require_labels
from mcviz.measures.regression import Terms, ensemble_terms, rmse_interval
from mcviz.measures.selective import Ranking, area_intervals, compute_areas
from mcviz.measures.units import fixed, significant

Array = np.ndarray
Unit = Literal["share", "per mille", "nats", "target", ""]
Verdict = Literal["better", "worse", "differs", "noise", "same", "unknown"]
VERDICTS: dict[Verdict, str] = {  # in words
    "better": "better",
    "worse": "worse",
    "differs": "differs",
    "noise": "within noise",
    "same": "the same here",
    "unknown": "not known",
}

FEWEST_EXAMPLES = 200  # of which differences of means of classes have an interval: of fewer, rare failures hide
FEWEST_CHANGED = 20  # examples on which two differ, of which their difference has an interval, unless all differ
FEWEST_RANKED = 20  # mistakes, and correct predictions, of which differences of AURC and AUROC have an interval
RANKINGS = {"aurc", "auroc"}  # the measures of classes that take draws of whole rankings
RELATIVE_ROUNDING = 1e-9  # a share of a figure within which it is the same
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
    """

    name: str
    label: str
    unit: Unit
    better: Literal["low", "high", ""]
    bounds: tuple[float, float] = (-np.inf, np.inf)
    has_interval: bool = True

    def format(self, value: float, target_unit: str = "", *, sign: str = "") -> str:
        """Format a value with its unit, such as "98.21%", or with `sign` "+" a difference, such as "+0.21 points"."""
        return f"{self.format_number(value, sign=sign)}{self._unit(target_unit, sign)}"

    def format_number(self, value: float, *, sign: str = "", digits: int | None = None) -> str:
        """Format a value without its unit, with so many `digits` after the point or the usual ones; "–" for NaN."""
        if np.isnan(value):
            return "–"
        if digits is not None:
            return f"{value:{sign},.{digits}f}"
        if self.unit == "target":
            return f"{'+' if sign == '+' and value >= 0 else ''}{significant(value)}"
        return fixed(SCALE.get(self.unit, 1) * value, MEASURE_DIGITS[self.unit], sign)

    def format_interval(
        self, interval: Interval, target_unit: str = "", *, sign: str = "", digits: int | None = None
    ) -> str:
        """Format a value with its unit and the ends of its interval, such as "98.21% (97.95 to 98.44)".

        The AUROC of few mistakes has no interval, nor has a difference between too few examples.
        """
        if np.isnan(interval.value):
            return "–"
        if self.has_interval and (np.isnan(interval.low) or np.isnan(interval.high)):
            number = self.format_number(interval.value, sign=sign, digits=digits)
            return f"{number}{self._unit(target_unit, sign)} (no interval)"
        return interval.format(partial(self.format_number, sign=sign, digits=digits), self._unit(target_unit, sign))

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
        intervals: of the terms of N examples, those of classes with `uncertainty`, (N,) high for uncertain, the
            interval of each measure by its name; it takes `groups`, `confidence`, `resamples` and `seed` as
            `compute_measures` does.
        differences: of the terms of two ensembles over the same N examples and the names of some measures, the
            intervals of the second's less the first's, by name, where there are any; it takes the same.
    """

    measures: tuple[Measure, ...]
    decides: str
    terms: Callable[[Predictions | RegressionPredictions], dict[str, Array]]
    intervals: Callable[..., dict[str, Interval]]
    differences: Callable[..., dict[str, Interval]]

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
        difference: the second less the first, as `difference_intervals` has it.
    """

    measure: Measure
    one: Interval
    other: Interval
    difference: Interval

    @property
    def verdict(self) -> Verdict:
        """Whether the second is better or worse by more than noise, by this measure alone."""
        return judge_difference(self.measure, self.difference)

    def format(self, target_unit: str = "") -> tuple[str, str, str]:
        """Format the first, the second and the difference with their units and intervals, all to the same digit."""
        digits = None
        if self.measure.unit == "target":
            of_both = max(abs(self.one.value), abs(self.other.value))
            digits = max(_decimals(of_both, 4), _decimals(abs(self.difference.value), 2))
        one, other = (self.measure.format_interval(each, target_unit, digits=digits) for each in (self.one, self.other))
        return one, other, self.measure.format_interval(self.difference, target_unit, sign="+", digits=digits)


def _decimals(value: float, significant_digits: int) -> int:
    """How many digits after the point show so many significant ones of a value of 0 or more."""
    return max(0, significant_digits - 1 - math.floor(math.log10(value))) if value > 0 else 0


def judge_difference(measure: Measure, difference: Interval) -> Verdict:
    """Say whether a second is better or worse by more than noise; "differs" where neither direction is better."""
    if np.isnan(difference.low):
        return "same" if difference.value == 0 else "unknown"
    if difference.low <= 0 <= difference.high:
        return "noise"
    if not measure.better:
        return "differs"
    return "better" if (difference.low > 0) == (measure.better == "high") else "worse"


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
    options: dict[str, Any] = {"groups": groups, "confidence": confidence, "resamples": resamples, "seed": seed}
    found = quality.intervals(terms, **options)
    return [found[measure.name] for measure in quality.measures]


def compare_measures(
    quality: Quality,
    one: Terms,
    other: Terms,
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[MeasureComparison]:
    """Compare two ensembles over the same examples by every measure: do they differ by more than noise?

    Args:
        quality: the measures of the task.
        one: terms of N ≥ 1 examples.
        other: of the same examples in the same order.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: 0 to 1, of every interval by itself.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        One a measure, in their order.
    """
    options: dict[str, Any] = {"groups": groups, "confidence": confidence, "resamples": resamples, "seed": seed}
    figures = [compute_measures(quality, terms, **options) for terms in (one, other)]
    found = difference_intervals(quality, one, other, quality.place, **options)
    return [
        MeasureComparison(each, first, second, found.get(each.name, Interval(_subtract(second.value, first.value))))
        for each, first, second in zip(quality.measures, *figures, strict=True)
    ]


def difference_intervals(
    quality: Quality,
    one: Terms,
    other: Terms,
    measures: Collection[str],
    *,
    groups: Array | None = None,
    **options: Any,
) -> dict[str, Interval]:
    """Compute how far a second ensemble's measures are from a first one's, with intervals of the differences.

    An accuracy has that of `paired_difference`, means that of `mean_intervals`, of the differences of the examples, the
    RMSE by its square, AURC and AUROC the farther one of the percentiles of bootstrap draws on both sides.

    What happens rarely may not have been seen. So of classes all but the accuracy take `FEWEST_EXAMPLES` and some
    mistakes, and means `FEWEST_CHANGED` examples that differ, unless all do; an NLL or Brier score of less has one from
    `bounded_mean` of each ensemble, whatever unseen mistakes cost. AURC and AUROC take as many predictions that became
    right or wrong, unless none did. An ECE never has one: chance raises it, and most where the model is calibrated.
    Groups count in the place of examples; of an accuracy they have the interval of `grouped_difference`.

    Args:
        quality: the measures of the task.
        one: as for `compare_measures`.
        other: as for `compare_measures`.
        measures: names of those that are wanted.
        groups: as for `compare_measures`.
        **options: `confidence`, `resamples` and `seed`, as for `compare_measures`.

    Returns:
        The second's less the first's, by the name of the measure; without ends of fewer than six examples, of which
        none is beyond chance.
    """
    found = quality.differences(one, other, measures, groups=groups, **options)
    if 2.0 ** (1 - count_groups(len(next(iter(one.values()))), groups)) > 1 - options["confidence"]:
        return {name: Interval(each.value) for name, each in found.items()}
    return found


def judge_together(
    quality: Quality,
    one: Terms,
    other: Terms,
    measures: Collection[str],
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Verdict]:
    """Judge several measures so that with a chance of 1 − `confidence` at most any verdict is wrong (Holm 1979).

    Args:
        quality: as for `compare_measures`.
        one: as for `compare_measures`.
        other: as for `compare_measures`.
        measures: names of the measures.
        groups: as for `compare_measures`.
        confidence: 0 to 1, of all verdicts together.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    verdicts: dict[str, Verdict] = {}
    left = list(measures)
    while left:
        strict = 1 - (1 - confidence) / len(left)
        options: dict[str, Any] = {"groups": groups, "confidence": strict, "resamples": resamples, "seed": seed}
        found = difference_intervals(quality, one, other, left, **options)
        judged = {name: judge_difference(quality.measures[quality.place[name]], found[name]) for name in left}
        beyond = [name for name in left if judged[name] != "noise"]
        verdicts |= judged if not beyond else {name: judged[name] for name in beyond}
        left = [name for name in left if beyond and name not in beyond]
    return verdicts


def overconfidence_growth(
    one: Terms, other: Terms, *, groups: Array | None = None, confidence: float = 0.95
) -> Interval:
    """Compute by how much confidence − accuracy is farther from 0 in a second ensemble over the same examples.

    The larger of two numbers is at most the larger of their bounds, and the smaller one at most either bound. So the
    bounds of the difference and of the sum of both, which hold together (Bonferroni), bound that of their magnitudes.

    Args:
        one: terms of N ≥ 1 examples of a classification.
        other: of the same examples in the same order.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: 0 to 1.

    Returns:
        The second's magnitude less the first's; without ends where examples, changes or mistakes are too few.
    """
    first, second = (_classification_means(terms)["overconfidence"] for terms in (one, other))
    value = abs(second.mean()) - abs(first.mean())
    enough = _has_enough(calibration.FEWEST_OF_EACH, groups, one, other)
    if not (enough and _is_enough(_subtract(second, first) != 0, groups)):
        return Interval(float(value))
    columns = np.stack([second - first, second + first], axis=1)
    more, both = mean_intervals(columns, groups=groups, confidence=(1 + confidence) / 2)
    low = -max(min(-more.low, both.high), min(-both.low, more.high))
    return Interval(float(value), low, max(min(more.high, both.high), min(-both.low, -more.low)))


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


def _classification_means(terms: Terms) -> dict[str, Array]:
    """The numbers of the examples whose means are measures."""
    correct, confidence = terms["correct"], terms["confidence"]
    return {"accuracy": correct, "nll": terms["nll"], "brier": terms["brier"], "overconfidence": confidence - correct}


def _classification_differences(
    one: Terms, other: Terms, measures: Collection[str], **options: Any
) -> dict[str, Interval]:
    before, after, groups, found = one["correct"], other["correct"], options["groups"], {}
    if "accuracy" in measures and groups is not None:
        changes = after.astype(np.float64) - before
        found["accuracy"] = calibration.grouped_difference(changes, groups, options["confidence"])
    elif "accuracy" in measures:
        gained, lost = (int(np.count_nonzero(each)) for each in (after & ~before, before & ~after))
        found["accuracy"] = paired_difference(gained, lost, len(before), options["confidence"])
    means = [name for name in ("nll", "brier", "overconfidence") if name in measures]
    enough = _has_enough(calibration.FEWEST_OF_EACH, groups, one, other)
    found |= _mean_differences(_classification_means(one), _classification_means(other), means, enough, **options)
    for name, most in (("nll", calibration.MOST_NLL), ("brier", 2.0)):
        if name in found and groups is None and np.isnan(found[name].low):
            first, second = (bounded_mean(each[name], most, (1 + options["confidence"]) / 2) for each in (one, other))
            found[name] = Interval(found[name].value, second.low - first.high, second.high - first.low)
    if RANKINGS & set(measures):
        flipped = before != after
        changed = flipped if flipped.any() else one["uncertainty"] != other["uncertainty"]

        def build_statistic(chosen: Array | slice) -> Statistic:
            first, second = (_ranking_statistic(select_terms(terms, chosen)) for terms in (one, other))
            return lambda weights: second(weights) - first(weights)

        if _has_enough(FEWEST_RANKED, groups, one, other) and _is_enough(changed, groups):
            ranked = bootstrap_intervals(build_statistic, len(before), **options)
            found |= zip(("aurc", "auroc"), map(_mirror, ranked), strict=True)
    return found


def _mean_differences(
    one: Mapping[str, Array], other: Mapping[str, Array], names: Sequence[str], enough: bool, **options: Any
) -> dict[str, Interval]:
    """The intervals of the differences of means, without ends where not enough examples differ."""
    if not names:
        return {}
    columns = np.stack([_subtract(other[name], one[name]) for name in names], axis=1)
    found = dict(zip(names, mean_intervals(columns, **options), strict=True))
    return {
        name: each if enough and _is_enough(column != 0, options["groups"]) else Interval(each.value)
        for (name, each), column in zip(found.items(), columns.T, strict=True)
    }


def _subtract(second: Any, first: Any) -> Any:
    """Subtract, to 0 where rounding alone makes them differ."""
    found = np.where(
        np.isclose(first, second, rtol=RELATIVE_ROUNDING, atol=0), 0.0, np.subtract(second, first, dtype=np.float64)
    )
    return found if found.ndim else float(found)


def _is_enough(changed: Array, groups: Array | None) -> bool:
    """Whether enough of (N,) examples, or of their groups, differ for an interval."""
    return bool(changed.all() or np.count_nonzero(sum_by_group(changed[:, None], groups)) >= FEWEST_CHANGED)


def _has_enough(mistakes: int, groups: Array | None, *predictors: Terms) -> bool:
    """Whether there are enough examples, and of each classification as many mistakes and correct predictions."""
    counts = [np.bincount(terms["correct"], minlength=2) for terms in predictors]
    return all(count.min() >= mistakes and count_groups(count.sum(), groups) >= FEWEST_EXAMPLES for count in counts)


def _mirror(found: Interval) -> Interval:
    """Return the interval with both ends as far from the value as the farther one; of no width there is none."""
    reach = max(found.high - found.value, found.value - found.low) or math.nan
    return Interval(found.value, found.value - reach, found.value + reach)


def _regression_terms(predictions: Predictions | RegressionPredictions) -> dict[str, Array]:
    assert isinstance(predictions, RegressionPredictions)
    labels, within = require_labels(predictions), pass_intervals(predictions, INTERVAL)
    held = ((within.low <= labels) & (labels <= within.high)).mean(axis=1)
    terms = ensemble_terms(predictions)
    terms.setdefault("nll", np.full(len(labels), np.nan))
    return {**terms, "held": held, "width": (within.high - within.low).mean(axis=1)}


def _regression_means(terms: Terms) -> dict[str, Array]:
    """The numbers of the examples whose means are measures; of the RMSE its square."""
    names = ("squared_error", "absolute_error", "nll", "crps", "held", "width")
    return {measure: terms[name] for measure, name in zip(REGRESSION.place, names, strict=True)}


def _regression_intervals(terms: Terms, **options: Any) -> dict[str, Interval]:
    means, groups = _regression_means(terms), options["groups"]
    found = dict(zip(means, mean_intervals(np.stack(list(means.values()), axis=1), **options), strict=True))
    coverage = share_interval(terms["held"], groups, options["confidence"])
    count = count_groups(len(terms["held"]), groups)
    return found | {"rmse": rmse_interval(found["rmse"], count), "coverage": coverage}


def _regression_differences(one: Terms, other: Terms, measures: Collection[str], **options: Any) -> dict[str, Interval]:
    before, after = _regression_means(one), _regression_means(other)
    found = _mean_differences(before, after, [name for name in before if name in measures], True, **options)
    if "rmse" in found:  # of squares a² − b² = (a − b)(a + b)
        roots = math.sqrt(before["rmse"].mean()) + math.sqrt(after["rmse"].mean()) or 1.0
        found["rmse"] = Interval(*(end / roots for end in astuple(found["rmse"])))
    return found


ECE_EQUAL_MASS = Measure("ece_equal_mass", "ECE, equal mass", "share", "low", (0, 1), has_interval=False)
CLASSIFICATION = Quality(
    (
        Measure("accuracy", "accuracy", "share", "high", (0, 1)),
        Measure("nll", "NLL", "nats", "low", (0, np.inf)),
        Measure("brier", "Brier score", "", "low", (0, 2)),
        Measure("ece", "ECE", "share", "low", (0, 1), has_interval=False),
        Measure("overconfidence", "confidence − accuracy", "share", "", (-1, 1)),
        Measure("aurc", "AURC", "per mille", "low", (0, 1)),
        Measure("auroc", "AUROC of finding mistakes", "", "high", (0, 1)),
    ),
    "nll",
    _classification_terms,
    _classification_intervals,
    _classification_differences,
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
    _regression_intervals,
    _regression_differences,
)
