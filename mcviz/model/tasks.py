"""What a model's predictions are of a task: the registry of tasks for sampling and checking."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mcviz.choices import Predicts, Task
from mcviz.data import DataSet
from mcviz.data import target_names as default_names
from mcviz.measures import Predictions, RegressionPredictions, percent, significant
from mcviz.model.outputs import means_of
from mcviz.validate import different_names, invalid

NEAR_CHANCE = 0.15  # of the way from guessing to being always right
MENDED = 0.2  # accuracy that another scale adds, or the part of the RMSE that it takes away


class ModelTask(Protocol):
    """What is asked of the predictions of a task. K is the number of numbers that a model gives for an example."""

    def check_class_names(self, names: Sequence[str], width: int) -> None:
        """Check names of classes.

        Raises:
            InvalidInputError: they are not one for each of K = `width` numbers, or the task has no classes.
        """

    def names(self, examples: DataSet, width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of classes and of targets, of K = `width` numbers; empty where nobody named the classes.

        Raises:
            InvalidInputError: names or labels of others than the model predicts.
        """

    def predicted(self, examples: DataSet, width: int, predicts: Predicts) -> dict[str, str]:
        """What is predicted, in words, under its name."""

    def predictions(self, passes: np.ndarray, labels: np.ndarray) -> Predictions | RegressionPredictions:
        """What measures are computed from, of (T, n, K) passes and the labels of n examples."""

    def in_words(self, quality: float) -> str:
        """How good predictions are, as the task of a run measures it, as text."""

    def no_better(self, quality: float, labels: np.ndarray, width: int, which: str) -> str:
        """A sentence where a quality is hardly better than guessing, or ""; `which` names the examples."""

    def mended(self, quality: float, better: float) -> str:
        """How good the model is where another scale makes it much better, or ""."""


class Classification:
    """See `ModelTask`; K is C."""

    def check_class_names(self, names: Sequence[str], width: int) -> None:
        """See `ModelTask`."""
        different_names("class_names", names, width, "Name all classes of the model, in its order, with class_names.")

    def names(self, examples: DataSet, width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:  # noqa: ARG002
        """See `ModelTask`."""
        examples.check_classes(width)
        return examples.class_names or (), ()

    def predicted(self, examples: DataSet, width: int, predicts: Predicts) -> dict[str, str]:  # noqa: ARG002
        """See `ModelTask`."""
        return {"classes": f"{width:,}" + (f": {_listed(examples.class_names)}" if examples.class_names else "")}

    def predictions(self, passes: np.ndarray, labels: np.ndarray) -> Predictions:
        """See `ModelTask`."""
        return Predictions(passes, labels)

    def in_words(self, quality: float) -> str:
        """See `ModelTask`."""
        return percent(quality)

    def no_better(self, quality: float, labels: np.ndarray, width: int, which: str) -> str:  # noqa: ARG002
        """See `ModelTask`."""
        chance = 1 / width
        if quality > chance + NEAR_CHANCE * (1 - chance):
            return ""
        return f"The model is right on {percent(quality)} of {which}, and would be by guessing on {percent(chance)}."

    def mended(self, quality: float, better: float) -> str:
        """See `ModelTask`."""
        return f"it is right on {percent(better)}" if better > quality + MENDED else ""


class Regression:
    """See `ModelTask`; K is D, or 2 D where variances are predicted."""

    def check_class_names(self, names: Sequence[str], width: int) -> None:  # noqa: ARG002
        """See `ModelTask`."""
        raise invalid("class_names", "left out for a regression", ", ".join(names))

    def names(self, examples: DataSet, width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """See `ModelTask`."""
        if examples.class_names is not None:
            self.check_class_names(examples.class_names, width)
        labels, targets = examples.labels, means_of(width, predicts)
        if labels is not None and labels.shape[1] != targets:
            advice = "Name the columns of labels, or say what the model's outputs are (predicts)."
            raise invalid("labels", f"{targets:,} an example, as the model predicts", f"{labels.shape[1]:,}", advice)
        return (), different_names("target_names", _targets(examples, targets), targets)

    def predicted(self, examples: DataSet, width: int, predicts: Predicts) -> dict[str, str]:
        """See `ModelTask`."""
        spread = "" if predicts == "mean" else ", with a spread"
        return {"targets": f"{_listed(_targets(examples, means_of(width, predicts)))}{spread}"}

    def predictions(self, passes: np.ndarray, labels: np.ndarray) -> RegressionPredictions:
        """See `ModelTask`."""
        targets = labels.shape[1]
        variances = passes[..., targets:] if passes.shape[-1] > targets else None
        return RegressionPredictions(passes[..., :targets], variances, labels)

    def in_words(self, quality: float) -> str:
        """See `ModelTask`."""
        return significant(quality)

    def no_better(self, quality: float, labels: np.ndarray, width: int, which: str) -> str:  # noqa: ARG002
        """See `ModelTask`."""
        guessed = float(np.sqrt(labels.astype(np.float64).var(axis=0).mean()))
        if not guessed or quality < (1 - NEAR_CHANCE) * guessed:
            return ""
        return (
            f"The model's RMSE on {which} is {significant(quality)}, and would be {significant(guessed)} by always "
            "saying the mean."
        )

    def mended(self, quality: float, better: float) -> str:
        """See `ModelTask`."""
        return f"it is {significant(better)}" if better < (1 - MENDED) * quality else ""


TASKS: dict[Task, ModelTask] = {"classification": Classification(), "regression": Regression()}


def _targets(examples: DataSet, count: int) -> tuple[str, ...]:
    return examples.target_names or default_names(None, count)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20])
