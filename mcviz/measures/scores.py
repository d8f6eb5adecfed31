"""Scores of classification: uncertainty of examples, and quality of labels.

To add a score, write a function here under `@register`. Its parameters are fields of `Predictions`: `probs`, (T, N, C)
floating point, are the passes. Sum in float64 and return (N,) float64. Label quality is low if the label is probably
wrong (confident learning, Northcutt et al. 2021), or if passes agree with the label but hesitate.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy  # loads scipy.special when it is first used, so that opening a run need not wait for it

from mcviz.measures.registry import SCORES, Predictions, register

Array = np.ndarray

HISTOGRAM_BINS = 100  # of a histogram of probabilities


@register(
    "Confidence",
    "probability",
    "low",
    "The ensemble's probability for its own prediction, its max probability. Low: no class stands out.",
)
def max_probability(probs: Array) -> Array:
    """Return the largest entry of the predictive mean (Hendrycks & Gimpel 2017)."""
    return _mean(probs).max(axis=-1)


@register(
    "Predictive std",
    "probability",
    "high",
    "How far the prediction's probability varies from pass to pass. High: the passes disagree.",
)
def predictive_std(probs: Array) -> Array:
    """Return the std over passes of the predicted class's probability."""
    predicted = _mean(probs).argmax(axis=-1)
    of_predicted = np.take_along_axis(probs, predicted[None, :, None], axis=-1)[..., 0]
    return of_predicted.std(axis=0, dtype=np.float64)


@register(
    "Predictive entropy",
    "nats",
    "high",
    "The whole uncertainty. High: the ensemble's probability is spread over several classes.",
)
def predictive_entropy(probs: Array) -> Array:
    """Return the entropy of the predictive mean in nats, 0 to log C."""
    return scipy.special.entr(_mean(probs)).sum(axis=-1)


@register(
    "Expected entropy",
    "nats",
    "high",
    "Uncertainty in the data. High: every single pass is uncertain, so the example itself is ambiguous.",
)
def expected_entropy(probs: Array) -> Array:
    """Return the mean entropy of the passes, in nats, 0 to log C."""
    return scipy.special.entr(probs).sum(axis=-1, dtype=np.float64).mean(axis=0)


@register(
    "Mutual information (BALD)",
    "nats",
    "high",
    "Uncertainty of the model. High: each pass is confident, but of different classes.",
)
def mutual_information(probs: Array) -> Array:
    """Return predictive − expected entropy, in nats: BALD (Houlsby et al. 2011)."""
    # rounding alone can take it below zero (Jensen)
    return np.maximum(predictive_entropy(probs) - expected_entropy(probs), 0)


@register(
    "Variation ratio",
    "share of passes",
    "high",
    "The share of passes outvoted by the most frequent prediction. High: the votes are split.",
)
def variation_ratio(probs: Array) -> Array:
    """Return the share of outvoted passes, 0 to 1 - 1/C (Freeman 1965)."""
    votes = probs.argmax(axis=-1)
    counts = np.stack([(votes == c).sum(axis=0) for c in range(probs.shape[-1])])
    return 1 - counts.max(axis=0) / len(probs)


@register(
    "Margin",
    "probability",
    "low",
    "The gap between the two most probable classes. Low: the ensemble hesitates between them.",
)
def margin(probs: Array) -> Array:
    """Return the gap between the two largest predictive means, 0 to 1."""
    top = np.partition(_mean(probs), -2, axis=-1)
    return top[:, -1] - top[:, -2]


@register(
    "Self-confidence (label quality)",
    "probability",
    "low",
    "The ensemble's probability for the given label. Low: check the label.",
)
def self_confidence(mean_probs: Array, labels: Array) -> Array:
    """Return the predictive mean of the label, 0 to 1; NaN for label -1 (unknown)."""
    return np.where(labels < 0, np.nan, mean_probs[np.arange(len(labels)), labels])


@register(
    "Normalized margin (label quality)",
    "probability",
    "low",
    "How far the given label is ahead of the likeliest other class; 50% is a tie. Low: check the label.",
)
def normalized_margin(mean_probs: Array, labels: Array) -> Array:
    """Return (label − largest other + 1) / 2 of the predictive mean, 0 to 1.

    It is NaN for label -1 (unknown).
    """
    others = mean_probs.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return (self_confidence(mean_probs, labels) - others.max(axis=1) + 1) / 2


def scores(
    probs: Array,
    labels: Array | None = None,
    deterministic_probs: Array | None = None,
) -> dict[str, Array]:
    """Compute the ensemble's prediction and every score whose arrays are present.

    Args:
        probs: (T, N, C) floating point.
        labels: (N,) integers, if known.
        deterministic_probs: (N, C) floating point, with dropout off.

    Returns:
        `prediction`, (N,) int64, the argmax of the predictive mean; then by the names of `SCORES`, (N,) float32 each.

    Raises:
        ValueError: arrays that `Predictions` refuses.
    """
    predictions = Predictions(probs, labels, deterministic_probs)
    return {"prediction": _mean(probs).argmax(axis=-1), **SCORES.compute(predictions)}


def _mean(probs: Array) -> Array:
    return probs.mean(axis=0, dtype=np.float64)


@dataclass(frozen=True)
class PassSummary:
    """A summary of the passes over one example.

    Attributes:
        mean: (C,) float64, the predictive mean, as probabilities.
        std: (C,) float64, the standard deviation over the passes of each class's probability.
        votes: (C,) int64, the number of passes that predict each class, decided in the same way.
        prediction: the class that is predicted: that of the largest mean, unless a threshold decides.
        passes: their number, T.
        histograms: (C, 100) int64, how many passes give a class a probability in each hundredth of 0 to 1; a
            probability on an edge is in the upper one.
    """

    mean: Array
    std: Array
    votes: Array
    prediction: int
    passes: int
    histograms: Array

    def reorder(self, classes: Array) -> "PassSummary":
        """Return the summary with the classes in another order, (C,) indices."""
        arrays = {name: getattr(self, name)[classes] for name in ("mean", "std", "votes", "histograms")}
        return replace(self, **arrays, prediction=int(np.flatnonzero(classes == self.prediction)[0]))


def find_likeliest(probs: Array) -> Array:
    """Return the classes of the largest of (…, C) probabilities, (…) int64; the first of equal ones."""
    likeliest: Array = probs.argmax(axis=-1)
    return likeliest


def summarise(probs: Array, decide: Callable[[Array], Array] = find_likeliest) -> PassSummary:
    """Summarise the passes over one example.

    Args:
        probs: (T, C) floating point probabilities.
        decide: gives the (…) classes that (…, C) probabilities predict.

    Returns:
        Mean, standard deviation, votes and prediction.

    Raises:
        ValueError: no pass, no class, or another number of axes.
    """
    if probs.ndim != 2 or 0 in probs.shape:
        raise ValueError(f"probs should be (passes, classes), with no axis empty. Received: shape {probs.shape}.")
    mean = probs.mean(axis=0, dtype=np.float64)
    return PassSummary(
        mean=mean,
        std=probs.std(axis=0, dtype=np.float64),
        votes=np.bincount(decide(probs), minlength=probs.shape[1]),
        prediction=int(decide(mean)),
        passes=len(probs),
        histograms=_histograms(probs),
    )


@dataclass(frozen=True)
class OcclusionEffects:
    """The contribution of each part of an input to the prediction.

    Attributes:
        mean: (P, K) float64, over the passes, in the unit of the K predicted numbers; above 0 if hiding the part
            lowers the prediction.
        std: (P, K) float64, over the passes.
    """

    mean: Array
    std: Array


def occlusion_effects(whole: Array, hidden: Array) -> OcclusionEffects:
    """Compare predictions with and without each part, through the same masks.

    Args:
        whole: (T, K) predictions of the input.
        hidden: (T, P, K) predictions of the input with each part hidden.
    """
    lost = whole[:, None].astype(np.float64) - hidden
    return OcclusionEffects(lost.mean(axis=0), lost.std(axis=0))


def _histograms(probs: Array) -> Array:
    """Return (C, 100) histograms of (T, C) probabilities, clipped to 0 to 1."""
    bins = np.clip((probs * np.float32(HISTOGRAM_BINS)).astype(np.int64), 0, HISTOGRAM_BINS - 1)
    classes = probs.shape[1]
    cells = np.arange(classes) * HISTOGRAM_BINS + bins
    return np.bincount(cells.ravel(), minlength=classes * HISTOGRAM_BINS).reshape(classes, HISTOGRAM_BINS)
