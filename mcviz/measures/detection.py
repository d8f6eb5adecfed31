"""How well a detector tells two sets of images apart: AUROC, FPR at 95% TPR, average precision, with intervals.

A detector gives each image a surprise, high for out of scope. `inside` holds those of the images to be kept, `outside`
those of the images to be found.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

Array = np.ndarray

KEPT = 0.95
ROUNDING = 1e-9


@dataclass(frozen=True)
class Detection:
    """A detector's figures for one pair of sets, as fractions.

    Attributes:
        auroc: the chance that an image from outside surprises more than one from inside (0.5 is guessing).
        fpr95: the share of images from outside that pass when the threshold lets 95% of those inside pass.
        average_precision: of finding the images from outside, over all thresholds.
    """

    auroc: float
    fpr95: float
    average_precision: float


def detection(inside: Array, outside: Array) -> Detection:
    """A detector's figures.

    Args:
        inside: (N,) surprises, finite.
        outside: (M,) surprises, finite.
    """
    found = np.r_[np.zeros(len(inside), bool), np.ones(len(outside), bool)]
    surprise = np.r_[inside, outside]
    passed, kept, _ = roc_curve(~found, -surprise)  # inside is the positive class, as in Hendrycks & Gimpel (2017)
    return Detection(
        float(roc_auc_score(found, surprise)),
        float(passed[np.argmax(kept >= KEPT)]),
        float(average_precision_score(found, surprise)),
    )


def bootstrap(inside: Array, outside: Array, *, resamples: int = 200, seed: int = 0) -> tuple[Detection, Detection]:
    """The 95% percentile intervals of a detector's figures (Efron 1979), both sets drawn anew each time.

    Args:
        inside: (N,) surprises, finite.
        outside: (M,) surprises, finite.
        resamples: how often.
        seed: of the draws.

    Returns:
        The lower ends and the upper ends.
    """
    random = np.random.default_rng(seed)
    draws_inside = random.multinomial(len(inside), np.full(len(inside), 1 / len(inside)), resamples)
    draws_outside = random.multinomial(len(outside), np.full(len(outside), 1 / len(outside)), resamples)
    figures = np.quantile(_weighted_figures(inside, outside, draws_inside, draws_outside), [0.025, 0.975], axis=1)
    return Detection(*map(float, figures[0])), Detection(*map(float, figures[1]))


def roc_points(inside: Array, outside: Array, passed: Array) -> Array:
    """The ROC curve at given places.

    Args:
        inside: (N,) surprises.
        outside: (M,) surprises.
        passed: (P,) shares of the images inside that are falsely stopped, 0 to 1, ascending.

    Returns:
        (P,) float64, the share of the images outside that is found; among images that tie, as many as of those inside,
        which is how the AUROC counts them.
    """
    found = np.r_[np.zeros(len(inside), bool), np.ones(len(outside), bool)]
    false_stops, caught, _ = roc_curve(found, np.r_[inside, outside], drop_intermediate=False)
    return np.interp(passed, false_stops, caught)


def _weighted_figures(inside: Array, outside: Array, weight_inside: Array, weight_outside: Array) -> Array:
    """(3, R) figures for R weightings, (R, N) and (R, M), of the images: a sort and cumulative sums serve them all."""
    surprise = np.r_[inside, outside]
    order = np.argsort(-surprise, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(surprise[order]) != 0])  # of each group of ties
    stopped = _cumulative(np.c_[weight_inside, np.zeros_like(weight_outside)], order, first) / len(inside)
    found = _cumulative(np.c_[np.zeros_like(weight_inside), weight_outside], order, first) / len(outside)
    area = ((found[:, 1:] + found[:, :-1]) / 2 * np.diff(stopped)).sum(axis=1)
    last_kept = (1 - stopped >= KEPT - ROUNDING).sum(axis=1) - 1
    passing = 1 - found[np.arange(len(found)), last_kept]
    all_found, all_stopped = found[:, 1:] * len(outside), stopped[:, 1:] * len(inside)
    precision = all_found / np.maximum(all_found + all_stopped, 1)
    average_precision = (precision * np.diff(found)).sum(axis=1)
    return np.stack([area, passing, average_precision])


def _cumulative(weights: Array, order: Array, first: Array) -> Array:
    """(R, groups + 1): how much weight the most surprising groups hold together, from none to all."""
    sums = np.add.reduceat(weights[:, order].astype(np.float64), first, axis=1).cumsum(axis=1)
    return np.c_[np.zeros(len(weights)), sums]
