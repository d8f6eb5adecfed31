"""How well an OOD score tells two sets of examples apart: AUROC, FPR at 95% TPR, average precision, with intervals.

`inside` holds the scores of in-distribution examples, `outside` those of out-of-distribution ones; high means out of
distribution.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

Array = np.ndarray

TRUE_POSITIVE_RATE = 0.95  # in-distribution examples are the positives, as in Hendrycks & Gimpel (2017)
ROUNDING = 1e-9


@dataclass(frozen=True)
class Detection:
    """The figures of a score for one pair of sets, as fractions.

    Attributes:
        auroc: the chance that an OOD example scores higher than an in-distribution one (0.5 is guessing).
        fpr95: the share of OOD examples that pass when the threshold lets 95% of the in-distribution ones pass.
        average_precision: of finding the OOD examples, over all thresholds.
    """

    auroc: float
    fpr95: float
    average_precision: float


def detection(inside: Array, outside: Array) -> Detection:
    """AUROC, FPR95 and average precision of a score.

    Args:
        inside: (N,) scores, finite.
        outside: (M,) scores, finite.
    """
    is_ood = np.r_[np.zeros(len(inside), bool), np.ones(len(outside), bool)]
    scores = np.r_[inside, outside]
    passed, kept, _ = roc_curve(~is_ood, -scores)
    return Detection(
        float(roc_auc_score(is_ood, scores)),
        float(passed[np.argmax(kept >= TRUE_POSITIVE_RATE)]),
        float(average_precision_score(is_ood, scores)),
    )


def bootstrap(inside: Array, outside: Array, *, resamples: int = 200, seed: int = 0) -> tuple[Detection, Detection]:
    """The 95% percentile intervals of a score's figures (Efron 1979), both sets resampled each time.

    Args:
        inside: (N,) scores, finite.
        outside: (M,) scores, finite.
        resamples: how many.
        seed: of the resampling.

    Returns:
        The lower ends and the upper ends.
    """
    random = np.random.default_rng(seed)
    weight_inside = random.multinomial(len(inside), np.full(len(inside), 1 / len(inside)), resamples)
    weight_outside = random.multinomial(len(outside), np.full(len(outside), 1 / len(outside)), resamples)
    figures = np.quantile(_weighted_figures(inside, outside, weight_inside, weight_outside), [0.025, 0.975], axis=1)
    return Detection(*map(float, figures[0])), Detection(*map(float, figures[1]))


def roc_points(inside: Array, outside: Array, stopped: Array) -> Array:
    """The ROC curve at given false positive rates, here of taking an example for OOD.

    Args:
        inside: (N,) scores.
        outside: (M,) scores.
        stopped: (P,) shares of in-distribution examples that are taken for OOD, 0 to 1, ascending.

    Returns:
        (P,) float64, the share of the OOD examples that is found; ties are split evenly, as the AUROC counts them.
    """
    is_ood = np.r_[np.zeros(len(inside), bool), np.ones(len(outside), bool)]
    false_positives, found, _ = roc_curve(is_ood, np.r_[inside, outside], drop_intermediate=False)
    return np.interp(stopped, false_positives, found)


def _weighted_figures(inside: Array, outside: Array, weight_inside: Array, weight_outside: Array) -> Array:
    """(3, R) figures for R weightings, (R, N) and (R, M), of the examples, by one sort and cumulative sums."""
    scores = np.r_[inside, outside]
    order = np.argsort(-scores, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])  # of each group of ties
    stopped = _cumulative(np.c_[weight_inside, np.zeros_like(weight_outside)], order, first) / len(inside)
    found = _cumulative(np.c_[np.zeros_like(weight_inside), weight_outside], order, first) / len(outside)
    area = ((found[:, 1:] + found[:, :-1]) / 2 * np.diff(stopped)).sum(axis=1)
    last_kept = (1 - stopped >= TRUE_POSITIVE_RATE - ROUNDING).sum(axis=1) - 1
    passing = 1 - found[np.arange(len(found)), last_kept]
    all_found, all_stopped = found[:, 1:] * len(outside), stopped[:, 1:] * len(inside)
    precision = all_found / np.maximum(all_found + all_stopped, 1)
    average_precision = (precision * np.diff(found)).sum(axis=1)
    return np.stack([area, passing, average_precision])


def _cumulative(weights: Array, order: Array, first: Array) -> Array:
    """(R, groups + 1): the weight of the groups with the highest scores together, from none to all."""
    sums = np.add.reduceat(weights[:, order].astype(np.float64), first, axis=1).cumsum(axis=1)
    return np.c_[np.zeros(len(weights)), sums]
