"""The quality of predictions, and comparisons of two ensembles.

Predictions are reduced to terms, a few numbers per example, block by block. Measures, their intervals and differences
are computed from terms.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import scipy  # loads scipy.optimize and scipy.special when they are first used

from mcviz.measures import calibration
from mcviz.measures.calibration import calibration_terms
from mcviz.measures.conformal import pass_intervals
from mcviz.measures.intervals import (
    Interval,
    Statistic,
    accuracy_difference,
    bootstrap_intervals,
    bounded_interval,
    count_groups,
    proportion,
    resample,
    share_interval,
    subtract,
    sum_by_group,
)
from mcviz.measures.measure import CLASSIFICATION_MEASURES, ClassMeasure, Measure
from mcviz.measures.registry import (
    AnyPredictions,
    Predictions,
    RegressionPredictions,
    Terms,
    require_labels,
    select_terms,
)
from mcviz.measures.regression import (
    FEWEST_UNBOUNDED,
    ensemble_terms,
    regression_means,
    unbounded_intervals,
    with_rmse_difference,
)
from mcviz.measures.scores import find_likeliest
from mcviz.measures.selective import Ranking, area_intervals, auroc_of_mistakes, compute_areas

Array = np.ndarray
Verdict = Literal["better", "worse", "differs", "noise", "few", "same", "unknown"]
VERDICTS: dict[Verdict, str] = {  # in words
    "better": "better",
    "worse": "worse",
    "differs": "differs",
    "noise": "within noise",
    "few": calibration.TOO_FEW,
    "same": "the same here",
    "unknown": "not known",
}
FEWEST_EXAMPLES = 200  # for intervals of AURC and AUROC differences; among fewer, rare failures hide
FEWEST_RANKED = 20  # mistakes, correct and changed predictions, for the same
RANKINGS = {"aurc", "auroc"}  # measures that need draws of whole rankings
INTERVAL = 0.9  # nominal coverage of prediction intervals

ROUNDING = 1e-12  # of an area
NONE = Interval(np.nan)


@dataclass(frozen=True)
class Quality:
    """The measures of a task.

    Attributes:
        measures: in display order.
        decides: the name of the proper scoring rule that chooses between ensembles.
        terms: of n predictions with labels, (n,) float64 or bool by name.
        intervals: of the terms of N examples, those of classes with `uncertainty`, (N,) high for uncertain, the
            interval of each measure by its name; it takes `groups`, `confidence`, `resamples` and `seed` as
            `compute_measures` does.
        differences: of the terms of two ensembles over the same N examples and the names of some measures, the
            intervals of second − first, by name, if there are any; it takes the same.
        of_class: the measures of one class by itself, in display order.
    """

    measures: tuple[Measure, ...]
    decides: str
    terms: Callable[[AnyPredictions], dict[str, Array]]
    intervals: Callable[..., dict[str, Interval]]
    differences: Callable[..., dict[str, Interval]]
    of_class: tuple[ClassMeasure, ...] = ()

    @property
    def compared(self) -> dict[str, Measure]:
        """The measures that compare ensembles, by name."""
        return {measure.name: measure for measure in self.measures if "compare" in measure.places}


@dataclass(frozen=True)
class MeasureComparison:
    """One measure of two ensembles.

    Attributes:
        measure: the measure.
        one: of the first.
        other: of the second.
        difference: second − first, from `difference_intervals`.
    """

    measure: Measure
    one: Interval
    other: Interval
    difference: Interval

    @property
    def verdict(self) -> Verdict:
        """Whether the second ensemble is better or worse beyond noise.

        A difference is noise if it may be 0, but not the worse ensemble's distance from the best value; for a measure
        without a best value, a tenth of its range.
        """
        measure, difference, (least, most) = self.measure, self.difference, self.measure.bounds
        if np.isnan(difference.low):
            is_known = measure.has_interval and not np.isnan(difference.value)
            return "same" if difference.value == 0 else "few" if is_known else "unknown"
        if difference.low <= 0 <= difference.high:
            matters = (most - least) / 10
            if measure.better:
                best = least if measure.better == "low" else most
                matters = max(abs(best - figure.value) for figure in (self.one, self.other))
            return "noise" if difference.is_noise(matters) else "few"
        if not measure.better:
            return "differs"
        return "better" if (difference.low > 0) == (measure.better == "high") else "worse"

    def format(self, target_unit: str = "") -> tuple[str, str, str]:
        """Format first, second and difference, all to the same digit."""
        digits = None
        if self.measure.unit == "target":
            of_both = max(abs(self.one.value), abs(self.other.value))
            digits = max(_decimals(of_both, 4), _decimals(abs(self.difference.value), 2))
        one, other = (
            self.measure.format_interval(interval, target_unit, digits=digits) for interval in (self.one, self.other)
        )
        return one, other, self.measure.format_interval(self.difference, target_unit, sign="+", digits=digits)


def _decimals(value: float, significant_digits: int) -> int:
    return max(0, significant_digits - 1 - math.floor(math.log10(value))) if value > 0 else 0


def compute_measures(
    quality: Quality,
    terms: Terms,
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Compute every measure of a task, with its interval.

    Args:
        quality: the measures of the task.
        terms: of N ≥ 1 examples.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: 0 to 1, of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        By the names of the measures, in their order; without those whose terms are missing.
    """
    options: dict[str, Any] = {"groups": groups, "confidence": confidence, "resamples": resamples, "seed": seed}
    figures = quality.intervals(terms, **options)
    return {
        measure.name: figures[measure.name].clip(*measure.bounds)
        for measure in quality.measures
        if measure.name in figures
    }


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
    """Compare two ensembles over the same examples by every measure.

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
    first, second = (compute_measures(quality, terms, **options) for terms in (one, other))
    differences = {name: Interval(subtract(second[name].value, first[name].value)) for name in quality.compared}
    differences |= difference_intervals(quality, one, other, quality.compared, **options)
    return [
        MeasureComparison(measure, first[name], second[name], differences[name])
        for name, measure in quality.compared.items()
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
    """Compute differences of measures (second − first) with intervals.

    Bounded means have the interval of `accuracy_difference` or `bounded_interval`, other losses and sizes that of
    `mean_intervals`, the RMSE that of its square. AURC and AUROC have the farther bootstrap percentile on both sides,
    and none if rare cases may be unseen. An ECE never has one: chance raises it, and most for a calibrated model.

    Args:
        quality: the measures of the task.
        one: as for `compare_measures`.
        other: as for `compare_measures`.
        measures: names of the wanted ones.
        groups: as for `compare_measures`.
        **options: `confidence`, `resamples` and `seed`, as for `compare_measures`.

    Returns:
        Second − first, by the name of the measure; without the measures that have no interval.
    """
    return quality.differences(one, other, measures, groups=groups, **options)


def judge_together(
    quality: Quality,
    one: Terms,
    other: Terms,
    compared: Sequence[MeasureComparison],
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Verdict]:
    """Judge several measures with a joint error rate (Holm 1979).

    Any verdict is wrong with a chance of at most 1 − `confidence`.

    Args:
        quality: as for `compare_measures`.
        one: as for `compare_measures`.
        other: as for `compare_measures`.
        compared: the measures, each compared by itself.
        groups: as for `compare_measures`.
        confidence: 0 to 1, of all verdicts together.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    verdicts: dict[str, Verdict] = {}
    left = {comparison.measure.name: comparison for comparison in compared}
    while left:
        strict = 1 - (1 - confidence) / len(left)
        options: dict[str, Any] = {"groups": groups, "confidence": strict, "resamples": resamples, "seed": seed}
        intervals = difference_intervals(quality, one, other, left, **options)
        judged = {name: replace(alone, difference=intervals[name]).verdict for name, alone in left.items()}
        beyond = [name for name in left if judged[name] not in ("noise", "few")]
        verdicts |= judged if not beyond else {name: judged[name] for name in beyond}
        left = {name: alone for name, alone in left.items() if beyond and name not in beyond}
    return verdicts


def overconfidence_growth(
    one: Terms, other: Terms, *, groups: Array | None = None, confidence: float = 0.95
) -> Interval:
    """Compute how much farther from 0 the second's confidence − accuracy is.

    Joint bounds (Bonferroni) of the difference and the sum of both bound that of their magnitudes.

    Args:
        one: terms of N ≥ 1 examples of a classification.
        other: of the same examples in the same order.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: 0 to 1.

    Returns:
        The second's magnitude − the first's.
    """
    first, second = (terms["confidence"] - terms["correct"] for terms in (one, other))
    more, both = (
        bounded_interval(values, (-2, 2), groups, (1 + confidence) / 2) for values in (second - first, second + first)
    )
    low = -max(min(-more.low, both.high), min(-both.low, more.high))
    return Interval(
        float(abs(second.mean()) - abs(first.mean())), low, max(min(more.high, both.high), min(-both.low, -more.low))
    )


def _classification_terms(predictions: AnyPredictions) -> dict[str, Array]:
    assert isinstance(predictions, Predictions)
    return calibration_terms(predictions.mean_probs, require_labels(predictions))


def _classification_intervals(terms: Terms, **options: Any) -> dict[str, Interval]:
    confidence, correct = options.pop("confidence"), terms["correct"]
    figures = calibration.calibration_figures(terms, groups=options["groups"], confidence=confidence)
    areas = resample(lambda chosen: _ranking_statistic(select_terms(terms, chosen)), len(correct), **options)
    aurc, auroc = area_intervals(*areas, ~correct, confidence)
    return {**figures, "aurc": aurc, "auroc": auroc}


def _ranking_statistic(terms: Terms) -> Statistic:
    """Build a function of (R, N) weights that returns (R, 2), AURC and AUROC."""
    ranking = Ranking(terms["uncertainty"], ~terms["correct"])

    def aurc_and_auroc(weights: Array) -> Array:
        aurc, _, augrc = compute_areas(ranking, weights).T
        return np.stack([aurc, auroc_of_mistakes(ranking, weights, augrc)], axis=1)

    return aurc_and_auroc


def _classification_differences(
    one: Terms, other: Terms, measures: Collection[str], **options: Any
) -> dict[str, Interval]:
    before, after, groups = one["correct"], other["correct"], options["groups"]
    intervals = calibration.mean_differences(one, other, groups, options["confidence"])
    if RANKINGS & set(measures):
        flipped = before != after
        changed = flipped if flipped.any() else one["uncertainty"] != other["uncertainty"]
        if _can_compare_rankings(before, after, changed, groups):
            build = partial(build_difference, _ranking_statistic, one, other)
            ranked = bootstrap_intervals(build, len(before), **options)
            intervals |= zip(("aurc", "auroc"), map(_mirror, ranked), strict=True)
    return {name: intervals[name] for name in measures if name in intervals}


def build_difference(build: Callable[[Terms], Statistic], one: Terms, other: Terms, chosen: Array | slice) -> Statistic:
    """Build the statistic second − first of chosen examples."""
    first, second = (build(select_terms(terms, chosen)) for terms in (one, other))
    return lambda weights: second(weights) - first(weights)


def _can_compare_rankings(before: Array, after: Array, changed: Array, groups: Array | None) -> bool:
    """Whether enough of (N,) examples are right, wrong and changed.

    Both runs need enough right and wrong ones. It also suffices if all examples changed.
    """
    counts = [np.count_nonzero(correct == value) for correct in (before, after) for value in (True, False)]
    few_changed = np.count_nonzero(sum_by_group(changed[:, None], groups)) < FEWEST_RANKED and not changed.all()
    many = count_groups(len(before), groups) >= FEWEST_EXAMPLES
    return bool(min(counts) >= FEWEST_RANKED and many and not few_changed)


def _mirror(interval: Interval) -> Interval:
    """Widen the interval to be symmetric; without width there is none."""
    reach = max(interval.high - interval.value, interval.value - interval.low) or math.nan
    return Interval(interval.value, interval.value - reach, interval.value + reach)


def _regression_terms(predictions: AnyPredictions) -> dict[str, Array]:
    assert isinstance(predictions, RegressionPredictions)
    labels, within = require_labels(predictions), pass_intervals(predictions, INTERVAL)
    held = ((within.low <= labels) & (labels <= within.high)).mean(axis=1)
    terms = ensemble_terms(predictions)
    terms.setdefault("nll", np.full(len(labels), np.nan))
    return {**terms, "held": held, "width": (within.high - within.low).mean(axis=1)}


def _regression_intervals(terms: Terms, **options: Any) -> dict[str, Interval]:
    intervals = unbounded_intervals(regression_means(terms), **options)
    intervals["rmse"] = intervals["rmse"].root
    if "held" in terms:
        intervals["coverage"] = share_interval(terms["held"], options["groups"], options["confidence"])
    if "within" in terms:
        intervals["within_tolerance"] = share_interval(terms["within"], options["groups"], options["confidence"])
    return intervals


def _regression_differences(one: Terms, other: Terms, measures: Collection[str], **options: Any) -> dict[str, Interval]:
    before, after = regression_means(one), regression_means(other)
    changes = {name: subtract(after[name], before[name]) for name in before if name in measures}
    intervals = unbounded_intervals(changes, differ=True, **options)
    if "coverage" in intervals:
        intervals["coverage"] = accuracy_difference(
            one["held"], other["held"], options["groups"], options["confidence"]
        )
    if "within_tolerance" in measures and "within" in one:
        intervals["within_tolerance"] = accuracy_difference(
            one["within"], other["within"], options["groups"], options["confidence"]
        )
    return with_rmse_difference(intervals, one, other)


def recall(terms: Terms, number: int, confidence: float) -> Interval:
    """Compute the recall of a class; NaN if it has no example.

    Args:
        terms: of a classification: `probs`, (N, C) floating point, `labels` and `predicted`, (N,) integers each.
        number: of the class.
        confidence: 0 to 1, of the interval.
    """
    return _share(*_count(terms, number)[:2], confidence)


def precision(terms: Terms, number: int, confidence: float) -> Interval:
    """Compute the precision of a class; NaN if it is never predicted.

    Takes the arguments of `recall`.
    """
    both, _, predicted = _count(terms, number)
    return _share(both, predicted, confidence)


def f1(terms: Terms, number: int, confidence: float) -> Interval:
    """Compute F1; NaN if the class is neither a label nor predicted.

    It is 2s/(1 + s) for the share s of true positives among labelled or predicted examples, whose interval is exact
    (Hand, Christen & Kirielle 2021). Takes the arguments of `recall`.
    """
    both, labelled, predicted = _count(terms, number)
    share = _share(both, labelled + predicted - both, confidence)
    return Interval(*(2 * end / (1 + end) for end in (share.value, share.low, share.high)))


def roc_auc(terms: Terms, number: int, confidence: float) -> Interval:
    """Compute the one-vs-rest ROC AUC of a class; ties count half.

    Each end is the farther one of two intervals: by the empirical standard error on the log-odds scale (DeLong, DeLong
    & Clarke-Pearson 1988), which is 0 for an area of 1; and by the error that an area itself allows (Hanley & McNeil
    1982, in method 5 of Newcombe 2006). Takes the arguments of `recall`.

    Returns:
        0 to 1; NaN if all examples are of the class, or none.
    """
    score, within = terms["probs"][:, number], terms["labels"] == number
    own, others = np.sort(score[within]), np.sort(score[~within])
    if not len(own) or not len(others):
        return NONE
    below, above = _place(own, others), 1 - _place(others, own)
    area, pairs = float(below.mean()), len(own) * len(others)
    critical, more = scipy.special.ndtri((1 + confidence) / 2), (len(own) + len(others)) / 2 - 1

    def excess(other: float) -> float:
        variance = other * (1 - other) * (1 + more * (1 - other) / (2 - other) + more * other / (1 + other))
        return abs(area - other) - critical * np.sqrt(variance / pairs)

    low = scipy.optimize.brentq(excess, 0, area - ROUNDING) if area > 0 else 0.0
    high = scipy.optimize.brentq(excess, area + ROUNDING, 1) if area < 1 else 1.0
    fewest = min(len(own), len(others))
    if 0 < area < 1 and fewest > 1:
        error = np.sqrt(below.var(ddof=1) / len(own) + above.var(ddof=1) / len(others)) / (area * (1 - area))
        around = error * scipy.special.stdtrit(fewest - 1, (1 + confidence) / 2)
        ends = scipy.special.expit(scipy.special.logit(area) + np.array([-around, around]))
        low, high = min(low, ends[0]), max(high, ends[1])
    return Interval(area, float(low), float(high))


def _place(scores: Array, among: Array) -> Array:
    """Return for each score the share of sorted others below; ties count half."""
    return np.mean([np.searchsorted(among, scores, side) for side in ("left", "right")], axis=0) / len(among)


def _count(terms: Terms, number: int) -> tuple[int, int, int]:
    predicted, labelled = terms["predicted"] == number, terms["labels"] == number
    return int((predicted & labelled).sum()), int(labelled.sum()), int(predicted.sum())


def _share(successes: int, trials: int, confidence: float) -> Interval:
    return proportion(successes, trials, confidence) if trials else NONE


# Recall, precision and F1 are a share of examples, or follow from one, and have its exact interval (Clopper & Pearson
# 1934). That of the ROC AUC also holds for perfect separation.
CLASSIFICATION = Quality(
    CLASSIFICATION_MEASURES,
    "nll",
    _classification_terms,
    _classification_intervals,
    _classification_differences,
    (
        ClassMeasure("recall", "recall", "share", "high", (0, 1), compute=recall),
        ClassMeasure("precision", "precision", "share", "high", (0, 1), compute=precision),
        ClassMeasure("f1", "F1", "share", "high", (0, 1), compute=f1),
        ClassMeasure("roc_auc", "ROC AUC", "", "high", (0, 1), compute=roc_auc),
    ),
)
REGRESSION = Quality(
    (
        Measure(
            "rmse",
            "RMSE",
            "target",
            "low",
            (0, np.inf),
            too_few=f"Fewer than {FEWEST_UNBOUNDED} examples, or groups, are too few for intervals of errors.",
        ),
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

TOLERANT_REGRESSION = replace(
    REGRESSION,
    measures=(
        *REGRESSION.measures,
        Measure("within_tolerance", "accuracy within the tolerance", "share", "high", (0, 1)),
    ),
)


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
    """Count the correct predictions of the first 1, 2, … T passes' mean.

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
    """Return ensemble sizes: 1, 2, 5, 10, 20, 50, … and all passes."""
    steps = (digit * 10**power for power in range(len(str(passes))) for digit in (1, 2, 5))
    return sorted({passes, *(size for size in steps if size < passes)})


def terms_by_size(
    probs: Array, labels: Array, sizes: Sequence[int], decide: Callable[[Array], Array] = find_likeliest
) -> list[dict[str, Array]]:
    """Compute the terms of the ensembles of the first passes.

    Args:
        probs: (T, n, C) floating point, of one block of examples.
        labels: (n,) integers.
        sizes: numbers of passes, 1 to T, ascending.
        decide: gives the (n,) classes that (n, C) probabilities predict.

    Returns:
        The terms of each size, for `join_terms` with those of the other blocks.
    """
    by_size, total, before = [], np.zeros(probs.shape[1:]), 0
    for size in sizes:
        total += probs[before:size].sum(axis=0, dtype=np.float64)
        before = size
        by_size.append(calibration_terms(total / size, labels, decide(total / size)))
    return by_size


def halves_by_size(probs: Array, score: Callable[[Array], Array], sizes: Sequence[int]) -> Array:
    """Compute a score by two disjoint sets of passes.

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
    """Compute the overlap of two scorings' `top` examples, 0 to 1.

    Args:
        one: (N,) floating point, high for uncertain; ties keep the examples' own order.
        other: (N,) floating point, as `one`.
        top: how many are at the top; all if there are fewer.
    """
    first, second = (np.argsort(-values, kind="stable")[:top] for values in (one, other))
    return len(np.intersect1d(first, second)) / len(first)


def count_shared(order: Array, other: Array, size: int) -> int:
    """Count the examples that two rankings share among their first.

    Args:
        order: (N,) integers, the examples from the first rank to the last.
        other: (N,) integers, those of the other ranking.
        size: how many of the first, 1 to N.
    """
    return len(np.intersect1d(order[:size], other[:size]))


def rank_correlation(values: Array, others: Array) -> float | None:
    """Compute Spearman's (1904) rank correlation; ties take their mean rank.

    Args:
        values: (N,) floating point, finite.
        others: (N,) floating point, finite.

    Returns:
        -1 to 1; None if all values of one are the same, or there are fewer than three.

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
