"""What the passes of one example come to, computed once for text, tables and figures."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PassSummary:
    """The passes of one example, summarised.

    Attributes:
        mean: (C,) float64 predictive mean.
        std: (C,) float64 standard deviation over the passes.
        votes: (C,) int64 number of passes whose likeliest class it is.
        prediction: the likeliest class of the mean.
    """

    mean: np.ndarray
    std: np.ndarray
    votes: np.ndarray
    prediction: int


def summarize(probs: np.ndarray) -> PassSummary:
    """Summarise (T, C) probabilities of one example."""
    mean, std = probs.mean(axis=0, dtype=np.float64), probs.std(axis=0, dtype=np.float64)
    return PassSummary(mean, std, np.bincount(probs.argmax(axis=1), minlength=len(mean)), int(mean.argmax()))
