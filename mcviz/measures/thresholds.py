"""Thresholds of a class's probability: their counts, and the best one by some labels."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

Array = np.ndarray
Target = Literal["f1", "accuracy"]
FEWEST_POSITIVE = 20  # labels of a class to choose its threshold; with fewer, chance decides


@dataclass(frozen=True)
class Counts:
    """The predictions of one class above one or several thresholds.

    Attributes:
        predicted: examples predicted as the class, integers of any shape.
        both: those of them that have it.
        positives: examples that have it.
        examples: those with a known label of the class.
    """

    predicted: Array
    both: Array
    positives: int
    examples: int

    @cached_property
    def f1(self) -> Array:
        """The F1; 0 if the class is neither a label nor predicted."""
        return 2 * self.both / np.maximum(self.positives + self.predicted, 1)

    @property
    def recall(self) -> Array:
        """The share of the class's examples that is predicted; 0 without any."""
        return self.both / np.maximum(self.positives, 1)

    @property
    def precision(self) -> Array:
        """The share of the class's predictions that is right; NaN without any."""
        return np.divide(self.both, self.predicted, out=np.full(np.shape(self.both), np.nan), where=self.predicted > 0)

    @property
    def accuracy(self) -> Array:
        """The share of the examples that is predicted rightly."""
        return 1 - (self.positives + self.predicted - 2 * self.both) / max(self.examples, 1)


class Curve:
    """The counts of one class above any threshold.

    Attributes:
        thresholds: (K,) float64, ascending, midway between probabilities that follow each other, above 0 and below 1.
        rows: the probabilities, (n,) float64 ascending, and (n,) bool, whether each example has the class.
    """

    def __init__(self, probs: Array, has_class: Array) -> None:
        """Sort the probabilities of a class.

        Args:
            probs: (n,) floating point 0 to 1, of examples with a known label of the class.
            has_class: (n,) bool.
        """
        order = np.argsort(probs, kind="stable")
        self._probs = probs[order].astype(np.float64)
        self.rows = self._probs, has_class[order]
        self._above = np.append(np.cumsum(has_class[order][::-1])[::-1], 0)
        steps = np.unique(np.concatenate([[0.0], self._probs, [1.0]]))
        self.thresholds = (steps[1:] + steps[:-1]) / 2

    def count(self, threshold: float | Array) -> Counts:
        """Count the predictions above one or several thresholds."""
        place = np.searchsorted(self._probs, threshold, side="right")
        return Counts(len(self._probs) - place, self._above[place], int(self._above[0]), len(self._probs))

    def find_best(self, target: Target, usual: float = 0.5) -> float:
        """Return the threshold with the highest F1 or accuracy.

        Ties go to the threshold nearest to `usual`; `usual` itself is returned if none is better.
        """
        values, at_usual = (getattr(self.count(at), target) for at in (self.thresholds, usual))
        if not (values > at_usual).any():
            return usual
        best = self.thresholds[values == values.max()]
        return float(best[np.abs(best - usual).argmin()])

    def find_for_recall(self, share: float) -> float:
        """Return the highest threshold that reaches a recall."""
        reached = self.count(self.thresholds).recall >= share
        return float(self.thresholds[np.flatnonzero(reached)[-1] if reached.any() else 0])
