"""The quality of predictions of one class: recall, precision, F1 and ROC AUC, with intervals.

The first three are a share of examples, or follow from one, and have its exact interval (Clopper & Pearson 1934). The
ROC AUC has one that also holds where the class is told from the others without a mistake.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.optimize and scipy.special when they are first used

from mcviz.measures.bootstrap import Interval, proportion
from mcviz.measures.quality import Measure

Array = np.ndarray

ROUNDING = 1e-12  # of an area
NONE = Interval(np.nan)


def recall(probs: Array, labels: Array, number: int, confidence: float) -> Interval:
    """Compute the share of a class's examples that is predicted as it; NaN where it has none.

    Args:
        probs: (N, C) floating point.
        labels: (N,) integers.
        number: of the class.
        confidence: 0 to 1, of the interval.
    """
    return _share(*_count(probs, labels, number)[:2], confidence)


def precision(probs: Array, labels: Array, number: int, confidence: float) -> Interval:
    """Compute the share of the examples predicted as a class that is of it; NaN where none is.

    Takes what `recall` does.
    """
    both, _, predicted = _count(probs, labels, number)
    return _share(both, predicted, confidence)


def f1(probs: Array, labels: Array, number: int, confidence: float) -> Interval:
    """Compute the harmonic mean of recall and precision; NaN where the class is neither a label nor predicted.

    Of the examples that are of the class or predicted as it, the share that is both has an exact interval. F1 is
    2s/(1 + s) of that share s, and so are its ends (Hand, Christen & Kirielle 2021). Takes what `recall` does.
    """
    both, labelled, predicted = _count(probs, labels, number)
    found = _share(both, labelled + predicted - both, confidence)
    return Interval(*(2 * each / (1 + each) for each in (found.value, found.low, found.high)))


def roc_auc(probs: Array, labels: Array, number: int, confidence: float) -> Interval:
    """Compute the chance that an example of the class gets more of its probability than another one; ties count half.

    Each end is the farther one of two intervals. One has the standard error that the examples show (DeLong, DeLong &
    Clarke-Pearson 1988), on the scale of log odds; where the area is 1 that error is 0. The other one has the error
    that an area itself allows (Hanley & McNeil 1982, in method 5 of Newcombe 2006). Takes what `recall` does.

    Returns:
        0 to 1; NaN where all examples are of the class, or none.
    """
    score, within = probs[:, number], labels == number
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
    """Compute for each score the share of sorted others that are below it; ties count half."""
    return np.mean([np.searchsorted(among, scores, side) for side in ("left", "right")], axis=0) / len(among)


def _count(probs: Array, labels: Array, number: int) -> tuple[int, int, int]:
    """Count the examples of a class that are predicted as it, those of it, and those predicted as it."""
    predicted, labelled = probs.argmax(axis=1) == number, labels == number
    return int((predicted & labelled).sum()), int(labelled.sum()), int(predicted.sum())


def _share(successes: int, trials: int, confidence: float) -> Interval:
    return proportion(successes, trials, confidence) if trials else NONE


@dataclass(frozen=True)
class ClassMeasure(Measure):
    """A measure of the predictions of one class; `compute` takes what `recall` does."""

    compute: Callable[[Array, Array, int, float], Interval] = recall


CLASS_MEASURES = {
    each.name: each
    for each in (
        ClassMeasure("recall", "recall", "share", "high", (0, 1), compute=recall),
        ClassMeasure("precision", "precision", "share", "high", (0, 1), compute=precision),
        ClassMeasure("f1", "F1", "share", "high", (0, 1), compute=f1),
        ClassMeasure("roc_auc", "ROC AUC", "", "high", (0, 1), compute=roc_auc),
    )
}
