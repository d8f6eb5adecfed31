"""The quality of OOD detectors: AUROC, FPR at 95% TPR, average precision, with intervals.

A detector gives each example an OOD score, high for out of distribution. `in_distribution` holds the OOD scores of the
examples to be kept, `out_of_distribution` those of the examples to be found.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

Array = np.ndarray

TRUE_POSITIVE_RATE = 0.95  # in-distribution examples are the positives, as in Hendrycks & Gimpel (2017)
RATE_ROUNDING = 1e-9


@dataclass(frozen=True)
class Detection:
    """A detector's figures for one pair of sets, as fractions.

    Attributes:
        auroc: the chance that an example out of distribution has a higher OOD score than one in it (0.5 is guessing).
        fpr95: the share out of distribution that passes when the threshold lets 95% of those in distribution pass.
        average_precision: of finding the examples out of distribution, over all thresholds.
    """

    auroc: float
    fpr95: float
    average_precision: float


def detection(in_distribution: Array, out_of_distribution: Array) -> Detection:
    """Compute a detector's figures.

    Args:
        in_distribution: (N,) OOD scores, finite.
        out_of_distribution: (M,) OOD scores, finite.
    """
    truth, ood_score = _pool(in_distribution, out_of_distribution)
    # All points: the one at 95% may lie on the straight line between its neighbours.
    false_positive_rate, true_positive_rate, _ = roc_curve(~truth, -ood_score, drop_intermediate=False)
    return Detection(
        float(roc_auc_score(truth, ood_score)),
        float(false_positive_rate[np.argmax(true_positive_rate >= TRUE_POSITIVE_RATE - RATE_ROUNDING)]),
        float(average_precision_score(truth, ood_score)),
    )


def detection_intervals(
    in_distribution: Array, out_of_distribution: Array, *, resamples: int = 200, seed: int = 0
) -> tuple[Detection, Detection]:
    """Compute 95% bootstrap intervals of a detector's figures (Efron 1979), resampling both sets.

    An end is moved to the figure itself where a bias puts all draws to one side of it.

    Args:
        in_distribution: (N,) OOD scores, finite.
        out_of_distribution: (M,) OOD scores, finite.
        resamples: number of bootstrap draws.
        seed: of the resampling.

    Returns:
        The lower ends and the upper ends.
    """
    random = np.random.default_rng(seed)
    in_weights, out_weights = (
        np.vstack([np.ones(count, int), random.multinomial(count, np.full(count, 1 / count), resamples)])
        for count in (len(in_distribution), len(out_of_distribution))
    )
    figures = _weighted_figures(in_distribution, out_of_distribution, in_weights, out_weights)
    low, high = np.quantile(figures[:, 1:], [0.025, 0.975], axis=1)
    ends = np.minimum(low, figures[:, 0]), np.maximum(high, figures[:, 0])
    return Detection(*map(float, ends[0])), Detection(*map(float, ends[1]))


def roc_points(in_distribution: Array, out_of_distribution: Array, false_positive_rates: Array) -> Array:
    """Compute the ROC curve at given false positive rates, out of distribution being the positive class.

    Args:
        in_distribution: (N,) OOD scores.
        out_of_distribution: (M,) OOD scores.
        false_positive_rates: (P,) 0 to 1, ascending.

    Returns:
        (P,) float64, the true positive rates; where examples tie, on the straight line that the AUROC counts too.
    """
    truth, ood_score = _pool(in_distribution, out_of_distribution)
    false_positives, true_positives, _ = roc_curve(truth, ood_score, drop_intermediate=False)
    return np.interp(false_positive_rates, false_positives, true_positives)


def _pool(in_distribution: Array, out_of_distribution: Array) -> tuple[Array, Array]:
    """(N + M,) bool whether each example is out of distribution, and the OOD scores of all."""
    truth = np.r_[np.zeros(len(in_distribution), bool), np.ones(len(out_of_distribution), bool)]
    return truth, np.r_[in_distribution, out_of_distribution]


def _weighted_figures(
    in_distribution: Array, out_of_distribution: Array, in_weights: Array, out_weights: Array
) -> Array:
    """(3, R) figures for R weightings, (R, N) and (R, M), of the examples: one sort serves them all."""
    ood_score = np.r_[in_distribution, out_of_distribution]
    order = np.argsort(-ood_score, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(ood_score[order]) != 0])  # of each group of ties
    in_count, out_count = len(in_distribution), len(out_of_distribution)
    false_positives = _cumulate(np.c_[in_weights, np.zeros_like(out_weights)], order, first) / in_count
    true_positives = _cumulate(np.c_[np.zeros_like(in_weights), out_weights], order, first) / out_count
    heights = (true_positives[:, 1:] + true_positives[:, :-1]) / 2
    auroc = (heights * np.diff(false_positives)).sum(axis=1)
    last_kept = (1 - false_positives >= TRUE_POSITIVE_RATE - RATE_ROUNDING).sum(axis=1) - 1
    fpr95 = 1 - true_positives[np.arange(len(true_positives)), last_kept]
    found, flagged = true_positives[:, 1:] * out_count, false_positives[:, 1:] * in_count
    average_precision = (found / np.maximum(found + flagged, 1) * np.diff(true_positives)).sum(axis=1)
    return np.stack([auroc, fpr95, average_precision])


def _cumulate(weights: Array, order: Array, first: Array) -> Array:
    """(R, groups + 1): the weight that the groups with the highest OOD scores hold together, from none to all."""
    sums = np.add.reduceat(weights[:, order].astype(np.float64), first, axis=1).cumsum(axis=1)
    return np.c_[np.zeros(len(weights)), sums]
