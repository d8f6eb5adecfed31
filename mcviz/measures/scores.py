"""One number an image for how unsure the passes are about it.

Every function takes `probs`, (T, N, C) floating point: the probabilities of T passes over N images and C classes. Sums
run in float64, and (N,) float64 comes back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy  # loads scipy.special when it is first used, so that opening a run need not wait for it

Array = np.ndarray


def max_probability(probs: Array) -> Array:
    """The largest entry of the predictive mean (Hendrycks & Gimpel 2017). Low: no class stands out."""
    return _mean(probs).max(axis=-1)


def predictive_std(probs: Array) -> Array:
    """The standard deviation over the passes of the predicted class's probability. High: the passes disagree."""
    predicted = _mean(probs).argmax(axis=-1)
    of_predicted = np.take_along_axis(probs, predicted[None, :, None], axis=-1)[..., 0]
    return of_predicted.std(axis=0, dtype=np.float64)


def predictive_entropy(probs: Array) -> Array:
    """The entropy of the predictive mean in nats, 0 to log C. High: the ensemble spreads over several classes."""
    return scipy.special.entr(_mean(probs)).sum(axis=-1)


def expected_entropy(probs: Array) -> Array:
    """The mean over the passes of each pass's entropy, in nats. High: every single pass is torn (doubt in the data)."""
    return scipy.special.entr(probs).sum(axis=-1, dtype=np.float64).mean(axis=0)


def mutual_information(probs: Array) -> Array:
    """Predictive less expected entropy, in nats: BALD (Houlsby et al. 2011).

    High: each pass is sure, of different classes (doubt in the model).
    """
    # The difference is never negative (Jensen); rounding alone can take it below zero.
    return np.maximum(predictive_entropy(probs) - expected_entropy(probs), 0)


def variation_ratio(probs: Array) -> Array:
    """The share of passes whose own prediction is not the most frequent one (Freeman 1965). High: the votes are split.

    From 0 to 1 - 1/C.
    """
    votes = probs.argmax(axis=-1)
    counts = np.stack([(votes == c).sum(axis=0) for c in range(probs.shape[-1])])
    return 1 - counts.max(axis=0) / len(probs)


def margin(probs: Array) -> Array:
    """The gap between the two largest entries of the predictive mean. Low: two classes are neck and neck."""
    top = np.partition(_mean(probs), -2, axis=-1)
    return top[:, -1] - top[:, -2]


@dataclass(frozen=True)
class Score:
    """A score that images can be ranked by.

    Attributes:
        label: its name for people.
        unit: "probability", "nats" or "share of passes".
        uncertain_when: whether a low or a high value means doubt.
        meaning: one sentence on what a doubtful value says.
        function: `probs` (T, N, C) to (N,) float64.
    """

    label: str
    unit: str
    uncertain_when: Literal["low", "high"]
    meaning: str
    function: Callable[[Array], Array]


SCORES: dict[str, Score] = {
    "max_probability": Score(
        "Max probability",
        "probability",
        "low",
        "The ensemble's probability for its own answer. Low: no class stands out.",
        max_probability,
    ),
    "predictive_std": Score(
        "Predictive std",
        "probability",
        "high",
        "How far the answer's probability swings from pass to pass. High: the passes disagree.",
        predictive_std,
    ),
    "predictive_entropy": Score(
        "Predictive entropy",
        "nats",
        "high",
        "All the doubt there is. High: the ensemble spreads its answer over several classes.",
        predictive_entropy,
    ),
    "expected_entropy": Score(
        "Expected entropy",
        "nats",
        "high",
        "Doubt in the data. High: every single pass is torn, so the image itself is ambiguous.",
        expected_entropy,
    ),
    "mutual_information": Score(
        "Mutual information (BALD)",
        "nats",
        "high",
        "Doubt in the model. High: each pass is sure of itself, but of different classes.",
        mutual_information,
    ),
    "variation_ratio": Score(
        "Variation ratio",
        "share of passes",
        "high",
        "The share of passes outvoted by the most frequent answer. High: the votes are split.",
        variation_ratio,
    ),
    "margin": Score(
        "Margin",
        "probability",
        "low",
        "The gap between the two likeliest classes. Low: two classes are neck and neck.",
        margin,
    ),
}


def scores(probs: Array) -> dict[str, Array]:
    """Every score of every image, with the ensemble's prediction.

    Args:
        probs: (T, N, C) floating point.

    Returns:
        `prediction`, (N,) int64, the argmax of the predictive mean; then each name of `SCORES`, (N,) float32.

    Raises:
        ValueError: `probs` has not three axes, no pass, no image, or fewer than two classes.
    """
    if probs.ndim != 3 or 0 in probs.shape or probs.shape[-1] < 2:
        raise ValueError(f"probs should be (passes, images, classes ≥ 2), not empty. Received: shape {probs.shape}.")
    values = {name: score.function(probs).astype(np.float32) for name, score in SCORES.items()}
    return {"prediction": _mean(probs).argmax(axis=-1), **values}


def most_uncertain_first(name: str, values: Array) -> Array:
    """The order that a person reads a ranking in.

    Args:
        name: one of `SCORES`.
        values: (N,) that score of each image.

    Returns:
        (N,) int64 image indices; ties keep the images' own order.
    """
    signed = values if SCORES[name].uncertain_when == "low" else -values
    return np.argsort(signed, kind="stable")


def _mean(probs: Array) -> Array:
    return probs.mean(axis=0, dtype=np.float64)
