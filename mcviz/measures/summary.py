"""The passes over one example, summed up: once for text, table and figure, and with parts of the input hidden."""

from dataclasses import dataclass, replace

import numpy as np

Array = np.ndarray

HISTOGRAM_BINS = 100  # of a histogram of probabilities


@dataclass(frozen=True)
class PassSummary:
    """The passes over one example, summed up.

    Attributes:
        mean: (C,) float64, the predictive mean, as probabilities.
        std: (C,) float64, the standard deviation over the passes of each class's probability.
        votes: (C,) int64, how many passes predict each class.
        prediction: the class of the largest mean; the first of equal ones.
        passes: their number, T.
        histograms: (C, 100) int64, how many passes give a class a probability in each hundredth of 0 to 1; a
            probability between two of them is in the upper one.
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
        return replace(self, **arrays, prediction=int(arrays["mean"].argmax()))


def summarise(probs: Array) -> PassSummary:
    """Sum up the passes over one example.

    Args:
        probs: (T, C) floating point probabilities.

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
        votes=np.bincount(probs.argmax(axis=1), minlength=probs.shape[1]),
        prediction=int(mean.argmax()),
        passes=len(probs),
        histograms=_histograms(probs),
    )


@dataclass(frozen=True)
class OcclusionEffects:
    """The contribution of each part of an input to the prediction.

    Attributes:
        mean: (P, K) float64, over the passes, in the unit of the K predicted numbers; above 0 where hiding the part
            lowers the prediction.
        std: (P, K) float64, over the passes.
    """

    mean: Array
    std: Array


def occlusion_effects(whole: Array, hidden: Array) -> OcclusionEffects:
    """Compare the predictions with and without each part, pass by pass through the same masks.

    Args:
        whole: (T, K) predictions of the input.
        hidden: (T, P, K) predictions of the input with each part hidden.
    """
    lost = whole[:, None].astype(np.float64) - hidden
    return OcclusionEffects(lost.mean(axis=0), lost.std(axis=0))


def _histograms(probs: Array) -> Array:
    """(C, 100) of (T, C); values outside 0 to 1 by rounding are in the first or last bin."""
    bins = np.clip((probs * np.float32(HISTOGRAM_BINS)).astype(np.int64), 0, HISTOGRAM_BINS - 1)
    classes = probs.shape[1]
    cells = np.arange(classes) * HISTOGRAM_BINS + bins
    return np.bincount(cells.ravel(), minlength=classes * HISTOGRAM_BINS).reshape(classes, HISTOGRAM_BINS)
