"""The passes over one example, summed up: once for text, table and figure, and with parts of the input hidden."""

from dataclasses import dataclass, replace

import numpy as np

Array = np.ndarray

BINS = 100  # of a histogram of probabilities


@dataclass(frozen=True)
class PassSummary:
    """The passes over one example, summed up.

    Attributes:
        mean: (C,) float64, the predictive mean, as probabilities.
        std: (C,) float64, the standard deviation over the passes of each class's probability.
        votes: (C,) int64, how many passes predict each class.
        prediction: the class of the largest mean; the first of equal ones.
        passes: how many there are, T.
        histograms: (C, 100) int64, how many passes give a class a probability in each hundredth of 0 to 1; a
            probability between two of them is in the upper one.
    """

    mean: Array
    std: Array
    votes: Array
    prediction: int
    passes: int
    histograms: Array

    def in_order(self, classes: Array) -> "PassSummary":
        """The same with the classes in another order, (C,) indices."""
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
class Effects:
    """What each part of an input adds to what is predicted.

    Attributes:
        mean: (P, K) float64, over the passes, in the unit of the K predicted numbers; above 0 where it is lower without
            the part.
        std: (P, K) float64, over the passes: how far they differ about it.
    """

    mean: Array
    std: Array


def occlusion_effects(whole: Array, hidden: Array) -> Effects:
    """Compare pass by pass what is predicted with and without each part, through the same masks.

    Args:
        whole: (T, K) predictions of the input.
        hidden: (T, P, K) predictions of the input with each part hidden.
    """
    lost = whole[:, None].astype(np.float64) - hidden
    return Effects(lost.mean(axis=0), lost.std(axis=0))


def _histograms(probs: Array) -> Array:
    """(C, 100) of (T, C); what rounding takes out of 0 to 1 is in the first or last bin."""
    bins = np.clip((probs * np.float32(BINS)).astype(np.int64), 0, BINS - 1)
    classes = probs.shape[1]
    cells = np.arange(classes) * BINS + bins
    return np.bincount(cells.ravel(), minlength=classes * BINS).reshape(classes, BINS)
