"""How good the predictions of an ensemble are, and whether others are better by more than noise.

Each task has one list of measures, in `QUALITY`. Predictions are reduced to terms, some numbers of each example, which
can be computed of one block of examples after the other; measures, their intervals and those of differences come from
these.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from mcviz.measures import calibration
from mcviz.measures.bootstrap import Interval, Statistic, mean_intervals, proportion, weighted_intervals
from mcviz.measures.permutation import critical_change, critical_differences, difference
from mcviz.measures.prediction_intervals import intervals_by_passes
from mcviz.measures.registry import Predictions, RegressionPredictions, required_labels
from mcviz.measures.regression import ensemble_terms
from mcviz.measures.selective import Ranking, areas
from mcviz.measures.units import significant

Array = np.ndarray
Terms = Mapping[str, Array]
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
DIGITS = {"share": 2, "per mille": 2, "nats": 4, "": 4}
SCALE = {"share": 100, "per mille": 1000}


@dataclass(frozen=True)
class Measure:
    """Something that says how good predictions are.

    Attributes:
        name: its name in files.
        label: its name for people.
        unit: "share" is shown in percent, "per mille" in thousandths; "target" is the unit of the run's targets.
        better: whether low or high values are better; "" where that depends.
        has_interval: whether it has one, where examples and mistakes are not too few.
        share_of: the term of truth values whose mean it is, if it is one: then a paired difference is tested exactly.
    """

    name: str
    label: str
    unit: Unit
    better: Literal["low", "high", ""]
    has_interval: bool = True
    share_of: str = ""

    def format(self, value: float, target_unit: str = "", *, sign: str = "") -> str:
        """A value as text with its unit, such as "98.21%", or with `sign` "+" a difference, such as "+0.21 points"."""
        return f"{self.number(value, sign=sign)}{self._unit(target_unit, sign)}"

    def number(self, value: float, *, sign: str = "") -> str:
        """A value as text without its unit; "–" for NaN."""
        if np.isnan(value):
            return "–"
        if self.unit == "target":
            return f"{'+' if sign == '+' and value >= 0 else ''}{significant(value)}"
        return f"{SCALE.get(self.unit, 1) * value:{sign}.{DIGITS[self.unit]}f}"

    def with_interval(self, of: Interval, target_unit: str = "", *, sign: str = "") -> str:
        """A value with its unit and the ends of its interval, such as "98.21% (97.95 to 98.44)".

        There is none of the NLL and the AUROC of few mistakes, nor of a difference between too few examples.
        """
        if np.isnan(of.value):
            return "–"
        if self.has_interval and (np.isnan(of.low) or np.isnan(of.high)):
            return f"{self.format(of.value, target_unit, sign=sign)} (no interval)"
        return of.written(partial(self.number, sign=sign), self._unit(target_unit, sign))

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
        statistic: of terms of N examples, those of classes with `uncertainty`, (N,) high for uncertain: what takes
            (R, N), how often each of R draws holds each example, and returns (R, M) float64, a value a measure; NaN
            where there is none.
        intervals: of the same terms, the interval of every measure by its name; it takes `confidence`, `resamples` and
            `seed` as `measured` does.
    """

    measures: tuple[Measure, ...]
    decides: str
    terms: Callable[[Predictions | RegressionPredictions], dict[str, Array]]
    statistic: Callable[[Terms], Statistic]
    intervals: Callable[..., dict[str, Interval]]

    @property
    def place(self) -> dict[str, int]:
        """The place of each measure in their order, by its name."""
        return {measure.name: at for at, measure in enumerate(self.measures)}


@dataclass(frozen=True)
class Compared:
    """A measure of two ensembles.

    Attributes:
        measure: which.
        one: of the first.
        other: of the second.
        difference: the second less the first, give or take what chance explains; NaN where one of them is, and ends of
            NaN where chance may explain all: of fewer than six examples, or too few mistakes.
    """

    measure: Measure
    one: Interval
    other: Interval
    difference: Interval

    @property
    def verdict(self) -> Verdict:
        """What the second is: better or worse by more than noise, or different where neither end is better."""
        low, high = self.difference.low, self.difference.high
        if np.isnan(low):
            return "unknown"
        if not (low > 0 or high < 0):
            return "noise"
        if not self.measure.better:
            return "differs"
        return "better" if (low > 0) == (self.measure.better == "high") else "worse"


def measured(
    quality: Quality, terms: Terms, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> list[Interval]:
    """Every measure of a task, with its interval.

    Args:
        quality: the measures of the task.
        terms: of N ≥ 1 examples.
        confidence: 0 to 1, of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        An interval a measure, in their order.
    """
    found = quality.intervals(terms, confidence=confidence, resamples=resamples, seed=seed)
    return [found[measure.name] for measure in quality.measures]


def compared(
    quality: Quality,
    one: Terms,
    other: Terms,
    *,
    paired: bool,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Compared]:
    """Every measure of two ensembles, and whether they differ by more than noise.

    Args:
        quality: the measures of the task.
        one: terms of N ≥ 1 examples.
        other: terms of M ≥ 1 examples.
        paired: whether these are the same examples in the same order.
        confidence: 0 to 1, of the intervals and of the permutation test.
        resamples: of the bootstrap, and of the permutation test.
        seed: of both.

    Returns:
        One a measure, in their order.
    """
    pool = joined([one, other])
    figures = [
        measured(quality, terms, confidence=confidence, resamples=resamples, seed=seed) for terms in (one, other)
    ]
    sizes = [len(next(iter(terms.values()))) for terms in (one, other)]
    critical = critical_differences(
        lambda chosen: quality.statistic(only(pool, chosen)),
        sizes,
        paired=paired,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    if 2.0 ** (1 - min(sizes)) > 1 - confidence:  # of so few examples, no difference is beyond chance
        critical[:] = np.nan
    found = []
    for measure, of_one, of_other, chance in zip(quality.measures, *figures, critical.tolist(), strict=True):
        value = float(difference(of_one.value, of_other.value))
        if paired and measure.share_of:
            more = other[measure.share_of].astype(int) - one[measure.share_of]
            value = float(more.mean())
            chance = (
                np.nan if np.isnan(chance) else critical_change(int(np.count_nonzero(more)), confidence) / len(more)
            )
        found.append(Compared(measure, of_one, of_other, Interval(value, value - chance, value + chance)))
    return found


def only(terms: Terms, chosen: Array | slice) -> dict[str, Array]:
    """The terms of some examples."""
    return {name: values[chosen] for name, values in terms.items()}


def joined(blocks: Sequence[Terms]) -> dict[str, Array]:
    """The terms of all examples, from those of blocks of them, in their order."""
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _classification_terms(predictions: Predictions | RegressionPredictions) -> dict[str, Array]:
    assert isinstance(predictions, Predictions)
    if predictions.labels is None:
        raise ValueError("Predictions are compared with labels. Received: predictions without labels.")
    of = calibration.terms(predictions.mean_probs[None], predictions.labels)
    return {"correct": of.correct[:, 0], "confidence": of.confidence[:, 0], "nll": of.nll, "brier": of.brier}


def _calibration_terms(terms: Terms) -> calibration.Terms:
    correct, confidence = terms["correct"], terms["confidence"]
    return calibration.Terms(correct[:, None], confidence[:, None], terms["nll"], terms["brier"])


def _classification_intervals(terms: Terms, **options: Any) -> dict[str, Interval]:
    found = calibration.figures(_calibration_terms(terms), **options)
    ranked_of = lambda chosen: _ranked(only(terms, chosen))  # noqa: E731
    aurc, auroc = weighted_intervals(ranked_of, len(terms["correct"]), **options)
    return {**{name: getattr(found, name) for name in calibration.MEASURES}, "aurc": aurc, "auroc": auroc}


def _ranked(terms: Terms) -> Statistic:
    """What takes (R, N) weights and returns (R, 2), the AURC and the AUROC."""
    ranking = Ranking(terms["uncertainty"], terms["correct"])
    return lambda weights: areas(ranking, weights)[:, [0, 3]]


def _classification_statistic(terms: Terms) -> Statistic:
    figures, ranked = calibration.weighted_figures(_calibration_terms(terms)), _ranked(terms)

    def statistic(weights: Array) -> Array:
        accuracy, nll, brier, ece, _, overconfidence = figures(weights).T
        return np.stack([accuracy, nll, brier, ece, overconfidence, *ranked(weights).T], axis=1)

    return statistic


def _regression_terms(predictions: Predictions | RegressionPredictions) -> dict[str, Array]:
    assert isinstance(predictions, RegressionPredictions)
    labels, within = required_labels(predictions), intervals_by_passes(predictions, INTERVAL)
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
    coverage = proportion(terms["held"].sum(), len(columns), options["confidence"])
    return found | {"rmse": found["rmse"].root, "coverage": coverage}


def _regression_statistic(terms: Terms) -> Statistic:
    columns = _regression_columns(terms)

    def statistic(weights: Array) -> Array:
        means = weights @ columns / weights.sum(axis=1, keepdims=True)
        means[:, 0] = np.sqrt(means[:, 0])
        return means

    return statistic


CLASSIFICATION = Quality(
    (
        Measure("accuracy", "accuracy", "share", "high", share_of="correct"),
        Measure("nll", "NLL", "nats", "low"),
        Measure("brier", "Brier score", "", "low"),
        Measure("ece", "ECE", "share", "low", has_interval=False),
        Measure("overconfidence", "confidence − accuracy", "share", ""),
        Measure("aurc", "AURC", "per mille", "low"),
        Measure("auroc", "AUROC of finding mistakes", "", "high"),
    ),
    "nll",
    _classification_terms,
    _classification_statistic,
    _classification_intervals,
)
REGRESSION = Quality(
    (
        Measure("rmse", "RMSE", "target", "low"),
        Measure("mae", "MAE", "target", "low"),
        Measure("nll", "NLL", "nats", "low"),
        Measure("crps", "CRPS", "target", "low"),
        Measure("coverage", f"coverage of {INTERVAL:.0%} intervals", "share", ""),
        Measure("width", f"width of {INTERVAL:.0%} intervals", "target", ""),
    ),
    "nll",
    _regression_terms,
    _regression_statistic,
    _regression_intervals,
)
