"""What the passes of some examples come to: means, predictions, scores and counts of correct ones."""

from dataclasses import dataclass

import numpy as np

from mcviz.measures import correct_by_ensemble_size, correct_per_pass, scores


@dataclass(frozen=True)
class Summary:
    """What the passes of n examples come to.

    Attributes:
        mean: (n, C) float32, the predictive mean.
        prediction: (n,) int64, its argmax.
        scores: (n,) float32 each, by name.
        correct_per_pass: (T,) int64 examples that each pass gets right, or None without labels.
        correct_by_ensemble_size: (T,) int64 examples that the mean of the first t + 1 passes gets right, or None.
    """

    mean: np.ndarray
    prediction: np.ndarray
    scores: dict[str, np.ndarray]
    correct_per_pass: np.ndarray | None
    correct_by_ensemble_size: np.ndarray | None


def summarise(probs: np.ndarray, labels: np.ndarray | None, names: tuple[str, ...]) -> Summary:
    """Compute what is stored beside the passes.

    Args:
        probs: (T, n, C) float32 as stored.
        labels: (n,) int64, or None.
        names: of the scores.
    """
    values = scores(probs)
    return Summary(
        mean=probs.mean(axis=0, dtype=np.float64).astype(np.float32),
        prediction=values["prediction"],
        scores={name: values[name] for name in names},
        correct_per_pass=None if labels is None else correct_per_pass(probs, labels),
        correct_by_ensemble_size=None if labels is None else correct_by_ensemble_size(probs, labels),
    )


def joined(parts: list[Summary]) -> Summary:
    """The summary of all examples, from those of their parts in order."""
    counts = ([part.correct_per_pass for part in parts], [part.correct_by_ensemble_size for part in parts])
    per_pass, by_size = (_added(of_parts) for of_parts in counts)
    return Summary(
        mean=np.concatenate([part.mean for part in parts]),
        prediction=np.concatenate([part.prediction for part in parts]),
        scores={name: np.concatenate([part.scores[name] for part in parts]) for name in parts[0].scores},
        correct_per_pass=per_pass,
        correct_by_ensemble_size=by_size,
    )


def _added(counts: list[np.ndarray | None]) -> np.ndarray | None:
    known = [count for count in counts if count is not None]
    return np.sum(known, axis=0) if known else None
