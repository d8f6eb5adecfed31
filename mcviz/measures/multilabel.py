"""Multilabel classification: each of C classes is independently a label or not.

A class is predicted if its mean probability over the passes is above 0.5. A label is 1, 0, or -1 for unknown, which is
never counted. A class with probability p has the entropy −p log p − (1 − p) log(1 − p).
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import scipy  # loads scipy.special when it is first used

from mcviz.measures.calibration import Bins, equal_width_edges, merge_bins, reliability
from mcviz.measures.intervals import (
    Interval,
    Statistic,
    accuracy_difference,
    bootstrap_intervals,
    bounded_interval,
    design_effect,
    excess_mistakes,
    share_interval,
    subtract,
)
from mcviz.measures.measure import ClassMeasure, Measure
from mcviz.measures.quality import FEWEST_RANKED, NONE, Quality, build_difference
from mcviz.measures.registry import (
    MULTILABEL_SCORES,
    AnyPredictions,
    MultilabelPredictions,
    Terms,
    register,
    require_labels,
    select_terms,
)

Array = np.ndarray
score = partial(register, scores=MULTILABEL_SCORES)

UNKNOWN = -1  # of a label
THRESHOLD = 0.5
SMALLEST_PROBABILITY = 1e-7  # keeps the NLL of a label with probability 0 finite
MOST = {"accuracy": 1.0, "nll": -math.log(SMALLEST_PROBABILITY), "brier": 1.0}  # of a mean over labels
SMOOTHING = 0.8  # of the moving average over the qualities of an example's labels; the lowest counts most
FEWEST_POSITIVE = 5  # examples with a class, and without it, in a bin
FINEST_BINS = 10  # of the probability of a class
RANKED = ("map", "auroc", "f1")  # measures that are no mean over examples


@score(
    "Expected share of wrong labels",
    "probability",
    "high",
    "The share of the example's labels that the ensemble expects to be wrong. High: many classes are near 50%.",
)
def expected_error(mean_probs: Array) -> Array:
    """Return the mean over classes of min(p, 1 − p), 0 to 0.5.

    p is the predictive mean.
    """
    return np.minimum(mean_probs, 1 - mean_probs).mean(axis=1)


@score(
    "Predictive entropy, sum",
    "nats",
    "high",
    "The whole uncertainty, summed over the classes. High: several classes are doubtful.",
)
def predictive_entropy(mean_probs: Array) -> Array:
    """Return the summed entropies of predictive means, in nats, 0 to C log 2."""
    return binary_entropy(mean_probs).sum(axis=1)


@score(
    "Predictive entropy, largest",
    "nats",
    "high",
    "The whole uncertainty of the most doubtful class. High: one class at least is near 50%.",
)
def largest_entropy(mean_probs: Array) -> Array:
    """Return the largest class entropy of predictive means, in nats, 0 to log 2."""
    return binary_entropy(mean_probs).max(axis=1)


@score(
    "Expected entropy, sum",
    "nats",
    "high",
    "Uncertainty in the data, summed over the classes. High: every single pass is uncertain.",
)
def expected_entropy(probs: Array) -> Array:
    """Return the passes' mean entropy, summed over classes.

    In nats, 0 to C log 2.
    """
    return binary_entropy(probs).mean(axis=0).sum(axis=1)


@score(
    "Mutual information (BALD), sum",
    "nats",
    "high",
    "Uncertainty of the model, summed over the classes. High: passes are confident, but differ.",
)
def mutual_information(probs: Array) -> Array:
    """Return each class's mutual information with the model, summed.

    In nats, 0 to C log 2.
    """
    return class_information(probs).sum(axis=1)


@score(
    "Mutual information (BALD), largest",
    "nats",
    "high",
    "Uncertainty of the model about the class on which the passes differ most.",
)
def largest_information(probs: Array) -> Array:
    """Return the largest mutual information of a class, in nats, 0 to log 2."""
    return class_information(probs).max(axis=1)


@score(
    "Label quality",
    "probability",
    "low",
    "How well the given labels fit the ensemble, of which the least likely one counts most. Low: check the labels.",
)
def label_quality(mean_probs: Array, labels: Array) -> Array:
    """Average the fit of known labels, lowest last (Thyagarajan et al. 2022).

    It is an exponential moving average over the probabilities of the labels.

    Returns:
        (N,) 0 to 1; 1 for an example without a known label.
    """
    fits = np.sort(np.where(labels == UNKNOWN, np.inf, class_label_quality(mean_probs, labels)), axis=1)[:, ::-1]
    quality = np.ones(len(fits))
    begun = np.zeros(len(fits), bool)
    for column in fits.T:
        is_known = np.isfinite(column)
        moved = np.where(begun, SMOOTHING * column + (1 - SMOOTHING) * quality, column)
        quality, begun = np.where(is_known, moved, quality), begun | is_known
    return quality


def binary_entropy(probs: Array) -> Array:
    """Return the entropy of each probability, in nats, float64, 0 to log 2."""
    probs = probs.astype(np.float64)
    return scipy.special.entr(probs) + scipy.special.entr(1 - probs)


def class_information(probs: Array) -> Array:
    """Return the mutual information of each class of each example, in nats.

    Args:
        probs: (T, N, C) floating point.

    Returns:
        (N, C) float64, 0 to log 2: the entropy of the mean − the mean entropy.
    """
    whole = binary_entropy(probs.mean(axis=0, dtype=np.float64))
    return np.maximum(whole - binary_entropy(probs).mean(axis=0), 0)


def class_label_quality(mean_probs: Array, labels: Array) -> Array:
    """Return the probability of each given label, (N, C) 0 to 1.

    An unknown label counts as 0.
    """
    return np.where(labels == 1, mean_probs, 1 - mean_probs)


def is_wrong(predicted: Array, labels: Array) -> Array:
    """Whether each label is known and predicted wrongly.

    Args:
        predicted: (…, N, C) bool, the predicted classes, such as by the predictive mean, or by all passes.
        labels: (N, C) integers.

    Returns:
        (…, N, C) bool.
    """
    return (predicted != (labels == 1)) & (labels != UNKNOWN)


def count_wrong(predicted: Array, labels: Array) -> Array:
    """Count the wrongly predicted known labels, (…, N) int64; see `is_wrong`."""
    return is_wrong(predicted, labels).sum(axis=-1)


def label_losses(predicted: Array, labels: Array) -> Array:
    """Compute the share of known labels that is predicted wrongly.

    Args:
        predicted: as for `is_wrong`.
        labels: as for `is_wrong`.

    Returns:
        (…, N) float64 0 to 1; NaN for an example without a known label.
    """
    known = (labels != UNKNOWN).sum(axis=-1)
    wrong = count_wrong(predicted, labels)
    return np.divide(wrong, known, out=np.full(wrong.shape, np.nan), where=known > 0)


def _terms(predictions: AnyPredictions) -> dict[str, Array]:
    assert isinstance(predictions, MultilabelPredictions)
    mean = predictions.mean_probs
    return {"probs": mean, "labels": require_labels(predictions), "predicted": mean > THRESHOLD}


def _means(terms: Terms) -> dict[str, Array]:
    probs, labels = terms["probs"], terms["labels"]
    is_known = labels != UNKNOWN
    count = np.maximum(is_known.sum(axis=1), 1)
    fit = np.clip(class_label_quality(probs, labels), SMALLEST_PROBABILITY, 1)
    return {
        "accuracy": 1 - label_losses(terms["predicted"], labels),
        "nll": -np.where(is_known, np.log(fit), 0).sum(axis=1) / count,
        "brier": np.where(is_known, np.square(1 - fit), 0).sum(axis=1) / count,
    }


def label_means(terms: Terms, *, groups: Array | None = None, confidence: float = 0.95) -> dict[str, Interval]:
    """Compute the measures that are means over examples, with intervals.

    The intervals are those of `bounded_interval`.

    Args:
        terms: of N examples, each with a known label.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: 0 to 1.

    Returns:
        By name: `accuracy`, the share of labels that is predicted rightly, `nll` in nats and `brier`.
    """
    return {
        name: bounded_interval(values, (0, MOST[name]), groups, confidence) for name, values in _means(terms).items()
    }


def _with_labels(terms: Terms, groups: Array | None) -> tuple[dict[str, Array], Array | None]:
    chosen = (terms["labels"] != UNKNOWN).any(axis=1)
    return select_terms(terms, chosen), None if groups is None else groups[chosen]


def _intervals(terms: Terms, *, groups: Array | None, confidence: float, **options: Any) -> dict[str, Interval]:
    terms, groups = _with_labels(terms, groups)
    intervals = label_means(terms, groups=groups, confidence=confidence)
    exact = count_wrong(terms["predicted"], terms["labels"]) == 0
    intervals["exact_match"] = share_interval(exact, groups, confidence)
    intervals |= _ranked_intervals(terms, groups=groups, confidence=confidence, **options)
    intervals["ece"] = Interval(
        float(np.nanmean([class_ece(terms, number) for number in range(terms["probs"].shape[1])]))
    )
    return intervals


def class_ece(terms: Terms, number: int | None = None) -> float:
    """Compute a class's ECE in bins of equal width.

    Without a number, compute it for all classes together.

    Returns:
        0 to 1; NaN if no label is known.
    """
    columns = slice(None) if number is None else [number]
    probs, labels = terms["probs"][:, columns].ravel(), terms["labels"][:, columns].ravel()
    is_known = labels != UNKNOWN
    if not is_known.any():
        return float("nan")
    known = {"confidence": probs[is_known], "correct": labels[is_known] == 1, "nll": probs[is_known]}
    return float(reliability(known, equal_width_edges()).ece)


def class_reliability(
    terms: Terms, number: int, *, groups: Array | None = None, confidence: float = 0.95
) -> tuple[Bins, list[Interval]]:
    """Compare a class's probability with its frequency, in bins of probability.

    Bins of equal width are merged from the lowest on until each holds 5 examples with the class and 5 without; a
    smaller rest joins the bin below. So each bin has an interval, unless the class is too rare or too frequent for any.

    Args:
        terms: of N examples, as `MULTILABEL.terms` gives them, at least one with a known label of the class.
        number: of the class.
        groups: as for `class_figures`.
        confidence: 0 to 1, of the intervals, which resample examples.

    Returns:
        The bins, whose `confidence` is the mean probability and `accuracy` the share of examples that have the class;
        and this share − that probability of each.
    """
    labels = terms["labels"][:, number]
    is_known = labels != UNKNOWN
    probs, has_class = terms["probs"][is_known, number].astype(np.float64), labels[is_known] == 1
    members, finest = None if groups is None else groups[is_known], equal_width_edges(FINEST_BINS)
    at = np.searchsorted(finest[1:-1], probs)
    counts = [np.bincount(at[has_class == answer], minlength=FINEST_BINS) for answer in (True, False)]
    ends = merge_bins(finest, np.stack(counts), FEWEST_POSITIVE)
    bins = reliability({"confidence": probs, "correct": has_class, "nll": probs}, np.array([0.0, *ends[:-1], 1.0]))
    at, gaps = np.searchsorted(bins.edges[1:-1], probs), []
    for place, probability in enumerate(bins.confidence):
        within = at == place
        some = None if members is None else members[within]
        gap = bounded_interval((has_class - probs)[within], (-1, 1), some, confidence)
        gaps.append(gap.clip(-probability, 1 - probability) if ends else Interval(gap.value))
    return bins, gaps


def class_measures(probs: Array, labels: Array, predicted: Array, weights: Array) -> dict[str, Array]:
    """Compute the measures of one class for R draws.

    Args:
        probs: (N,) floating point, of the class.
        labels: (N,) integers.
        predicted: (N,) bool, whether the class is predicted.
        weights: (R, N) how often each draw holds each example.

    Returns:
        (R,) float64 each: `map` is the average precision (scikit-learn's), NaN without an example that has the class;
        `auroc`, NaN also if all have it; `f1`, NaN if the class is neither a label nor predicted.
    """
    order = np.argsort(-probs, kind="stable")
    ranked, has_class = probs[order], labels[order] == 1
    weights = weights[:, order] * (labels[order] != UNKNOWN)
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    true, all_ranked = (sums[:, ends] for sums in (np.cumsum(weights * has_class, axis=1), np.cumsum(weights, axis=1)))
    false = all_ranked - true
    positives, negatives = true[:, -1], false[:, -1]
    more = np.diff(true, axis=1, prepend=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(all_ranked > 0, true / all_ranked, 0)
        average_precision = (more * precision).sum(axis=1) / positives
        below = np.diff(false, axis=1, prepend=0) * (true - more / 2)
        auroc = below.sum(axis=1) / (positives * negatives)
        both = (weights * (has_class & predicted[order])).sum(axis=1)
        f1 = 2 * both / (positives + (weights * predicted[order]).sum(axis=1))
    return {"map": average_precision, "auroc": auroc, "f1": f1}


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class; ends are NaN without an interval.

    Attributes:
        examples: how many have the class.
        known: number of examples with a known label of the class.
        ece: of the probability, in bins of equal width; like the others, over the known examples.
        excess: the mean probability − the share of examples that have the class, with the interval of
            `excess_mistakes`; it holds for all classes together (Bonferroni).
        map: the average precision.
        auroc: the chance that an example of the class gets more of its probability than another one.
        f1: of the predictions.
        recall: the share of the examples with the class that are predicted as it.
        precision: the share of the examples predicted as the class that have it.
    """

    examples: int
    known: int
    ece: float
    excess: Interval
    map: Interval
    auroc: Interval
    f1: Interval
    recall: Interval
    precision: Interval

    def as_row(self) -> dict[str, float]:
        """Return each figure by name, with ends such as `f1_low` and `f1_high`."""
        row: dict[str, float] = {"examples": self.examples, "known": self.known, "ece": self.ece}
        for name in (*RANKED, "recall", "precision", "excess"):
            interval = getattr(self, name)
            row |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        return row


def class_figures(terms: Terms, *, groups: Array | None = None, confidence: float = 0.95) -> list[ClassFigures]:
    """Compute figures of each class; intervals resample examples.

    Args:
        terms: of N examples, as `MULTILABEL.terms` gives them.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: 0 to 1.

    Returns:
        C of them, in the order of the classes; of the rankings they take 20 examples that have the class
        and 20 that do not.
    """
    classes = terms["probs"].shape[1]
    together = 1 - (1 - confidence) / classes
    return [
        replace(
            measure_class(terms, number, groups=groups, confidence=confidence),
            excess=_excess(terms, number, groups, together),
        )
        for number in range(classes)
    ]


def measure_class(terms: Terms, number: int, *, groups: Array | None = None, confidence: float = 0.95) -> ClassFigures:
    """Compute figures of one class; each interval holds by itself.

    Args:
        terms: as for `class_figures`.
        number: of the class.
        groups: as for `class_figures`.
        confidence: as for `class_figures`.
    """
    some, members = _known_of_class(terms, number, groups)
    has_class, predicted = some["labels"][:, 0] == 1, some["predicted"][:, 0]
    if not len(has_class):
        return ClassFigures(0, 0, float("nan"), NONE, NONE, NONE, NONE, NONE, NONE)
    ranked = _ranked_intervals(some, groups=members, confidence=confidence)
    recall, precision = (
        share_interval(right[among], None if members is None else members[among], confidence) if among.any() else NONE
        for right, among in ((predicted, has_class), (has_class, predicted))
    )
    ece, excess = class_ece(some, 0), _excess(terms, number, groups, confidence)
    return ClassFigures(int(has_class.sum()), len(has_class), ece, excess, recall=recall, precision=precision, **ranked)


def _known_of_class(terms: Terms, number: int, groups: Array | None) -> tuple[dict[str, Array], Array | None]:
    is_known = terms["labels"][:, number] != UNKNOWN
    some = {name: values[is_known][:, [number]] for name, values in terms.items()}
    return some, None if groups is None else groups[is_known]


def _excess(terms: Terms, number: int, groups: Array | None, confidence: float) -> Interval:
    some, members = _known_of_class(terms, number, groups)
    labels, chances = some["labels"][:, 0], np.clip(some["probs"][:, 0].astype(np.float64), 0, 1)
    if not len(labels):
        return NONE
    effect = design_effect(labels, chances, members, confidence)
    missed = excess_mistakes(chances, float(labels.sum()), confidence, effect)
    return Interval(0 - missed.value, 0 - missed.high, 0 - missed.low)


def _ranked_intervals(
    terms: Terms, difference: Callable[[Array | slice], Statistic] | None = None, **options: Any
) -> dict[str, Interval]:
    """Compute the figures of `RANKED`, with intervals if every class allows.

    A figure that is equal in all draws has no interval: F1 of a class that is never predicted could change with other
    examples.

    Args:
        terms: of N examples.
        difference: builds the statistic in place of that of these figures, as `resample` takes it.
        **options: as for `bootstrap_intervals`.
    """
    build = difference or (lambda chosen: _ranked_statistic(select_terms(terms, chosen)))
    ranked, enough = bootstrap_intervals(build, len(terms["labels"]), **options), _has_positives(terms)
    return {
        name: interval if enough and (difference or interval.low < interval.high) else Interval(interval.value)
        for name, interval in zip(RANKED, ranked, strict=True)
    }


def _ranked_statistic(terms: Terms) -> Statistic:
    def statistic(weights: Array) -> Array:
        columns = zip(terms["probs"].T, terms["labels"].T, terms["predicted"].T, strict=True)
        of_classes = [class_measures(probs, labels, predicted, weights) for probs, labels, predicted in columns]
        figures = np.array([[measures[name] for name in RANKED] for measures in of_classes])
        is_there = ~np.isnan(figures)
        with np.errstate(invalid="ignore"):  # a draw may have no example of any class
            return np.asarray((np.where(is_there, figures, 0).sum(axis=0) / is_there.sum(axis=0)).T)

    return statistic


def _has_positives(terms: Terms) -> bool:
    labels = terms["labels"]
    counts = np.stack([(labels == 1).sum(axis=0), (labels == 0).sum(axis=0)])
    return bool((counts[:, (counts > 0).any(axis=0)] >= FEWEST_RANKED).all())


def _differences(one: Terms, other: Terms, measures: Collection[str], **options: Any) -> dict[str, Interval]:
    groups = options.pop("groups")
    (one, members), (other, _) = (_with_labels(terms, groups) for terms in (one, other))
    before, after = _means(one), _means(other)
    intervals = {
        name: bounded_interval(subtract(after[name], before[name]), (-most, most), members, options["confidence"])
        for name, most in MOST.items()
    }
    if "exact_match" in measures:
        first, second = (count_wrong(terms["predicted"], terms["labels"]) == 0 for terms in (one, other))
        intervals["exact_match"] = accuracy_difference(first, second, members, options["confidence"])
    if set(RANKED) & set(measures) and _has_positives(one):
        build = partial(build_difference, _ranked_statistic, one, other)
        intervals |= _ranked_intervals(one, build, groups=members, **options)
    return {name: intervals[name] for name in measures if name in intervals}


def _measure(field: str) -> Callable[[Terms, int, float], Interval]:
    def compute(terms: Terms, number: int, confidence: float) -> Interval:
        value = getattr(measure_class(terms, number, confidence=confidence), field)
        return value if isinstance(value, Interval) else Interval(value)

    return compute


MULTILABEL = Quality(
    (
        Measure("accuracy", "accuracy over labels", "share", "high", (0, 1)),
        Measure("exact_match", "exact matches", "share", "high", (0, 1)),
        Measure(
            "map",
            "mAP",
            "",
            "high",
            (0, 1),
            too_few=f"Fewer than {FEWEST_RANKED} examples with a class, or without it, are too few for intervals of "
            "its AP, AUROC and F1, and of their means.",
        ),
        Measure("auroc", "AUROC, mean of classes", "", "high", (0, 1)),
        Measure("f1", "F1, mean of classes", "", "high", (0, 1)),
        Measure("nll", "NLL", "nats", "low", (0, np.inf)),
        Measure("brier", "Brier score", "", "low", (0, 1)),
        Measure("ece", "ECE, mean of classes", "share", "low", (0, 1), has_interval=False),
    ),
    "nll",
    _terms,
    _intervals,
    _differences,
    (
        ClassMeasure("recall", "recall", "share", "high", (0, 1), compute=_measure("recall")),
        ClassMeasure("precision", "precision", "share", "high", (0, 1), compute=_measure("precision")),
        ClassMeasure("f1", "F1", "", "high", (0, 1), compute=_measure("f1")),
        ClassMeasure("ap", "AP", "", "high", (0, 1), compute=_measure("map")),
        ClassMeasure("auroc", "AUROC", "", "high", (0, 1), compute=_measure("auroc")),
        ClassMeasure("ece", "ECE", "share", "low", (0, 1), has_interval=False, compute=_measure("ece")),
        ClassMeasure("excess", "probability − share", "share", "", (-1, 1), compute=_measure("excess")),
    ),
)
