"""What all passes over one example come to, computed once for text, table and figure."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PassSummary:
    """The passes over one example, summed up.

    Attributes:
        mean: (C,) float64, the predictive mean, as probabilities.
        std: (C,) float64, the standard deviation over the passes of each class's probability.
        votes: (C,) int64, how many passes predict each class.
        prediction: the class of the largest mean; the first of equal ones.
        passes: how many there are, T.
    """

    mean: np.ndarray
    std: np.ndarray
    votes: np.ndarray
    prediction: int
    passes: int


def summarise(probs: np.ndarray) -> PassSummary:
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
    )
