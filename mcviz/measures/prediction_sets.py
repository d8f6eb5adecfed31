"""Prediction sets: classes that hold the label as often as it says, for every class (class-conditional conformal).

The conformity score of a class is one less its probability (Sadinle et al. 2019), held against those of the examples
whose label is that class (Vovk 2012).
"""

from dataclasses import dataclass

import numpy as np

from mcviz.measures.bootstrap import Interval, mean_intervals, proportion
from mcviz.measures.conformal import conformal_quantile, cross_fitted

Array = np.ndarray


def prediction_sets(probs: Array, labels: Array, new: Array, coverage: float) -> Array:
    """The sets of new examples.

    Args:
        probs: (M, C) floating point, of the examples for calibration.
        labels: (M,) integers.
        new: (N, C) floating point, of the new examples.
        coverage: 0 to 1; of the examples of each class the set holds the label at least as often.

    Returns:
        (N, C) bool, whether a class is in the set. A class with too few labels for that coverage is in all sets; a set
        may be empty where no class fits.
    """
    limits = [conformal_quantile(1 - probs[labels == c, c], coverage) for c in range(probs.shape[1])]
    return 1 - new <= np.array(limits, new.dtype)


def cross_fitted_sets(probs: Array, labels: Array, coverage: float, seed: int = 0) -> Array:
    """The sets of labelled examples, each half calibrated by the other: as `prediction_sets` of N ≥ 2 examples.

    Args:
        probs: (N, C) floating point.
        labels: (N,) integers.
        coverage: as for `prediction_sets`.
        seed: of the halves.
    """
    return cross_fitted(
        len(labels),
        lambda calibration, others: prediction_sets(probs[calibration], labels[calibration], probs[others], coverage),
        seed,
    )


@dataclass(frozen=True)
class SetFigures:
    """How large sets are, and how often they hold the label.

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


def set_figures(sets: Array, labels: Array, *, confidence: float = 0.95, seed: int = 0) -> SetFigures:
    """Hold sets against labels.

    Args:
        sets: (N, C) bool, N ≥ 1.
        labels: (N,) integers.
        confidence: of the intervals.
        seed: of the bootstrap.
    """
    sizes = sets.sum(axis=1)
    (size,) = mean_intervals(sizes[:, None], confidence=confidence, seed=seed)
    held = proportion(int(sets[np.arange(len(labels)), labels].sum()), len(labels), confidence)
    return SetFigures(size, held, float((sizes == 1).mean()), float((sizes == 0).mean()))
