"""What a run keeps of the predictions of a task: the registry of tasks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from mcviz.measures import Score
from mcviz.runs.manifest import Manifest
from mcviz.runs.stored_array import StoredArray
from mcviz.runs.summary import Summary
from mcviz.runs.tasks.classification import Classification
from mcviz.runs.tasks.regression import Regression


class Task(Protocol):
    """How the predictions of a task are kept. K is the number of numbers that a pass gives for an example."""

    @property
    def scores(self) -> Mapping[str, Score]:
        """The scores of the task, by name."""

    @property
    def quality(self) -> str:
        """What `quality_of` measures, in a word."""

    def arrays(self, manifest: Manifest) -> Iterable[StoredArray]:
        """The arrays of predictions and labels; those that `passes_in` names are cut into shards of passes."""

    def passes_in(self, manifest: Manifest) -> tuple[str, ...]:
        """The names of the arrays that hold the passes."""

    def check(self, manifest: Manifest, passes: np.ndarray) -> None:
        """Check (T, n, K) passes.

        Raises:
            InvalidInputError: they are no predictions of the task.
        """

    def encoded(self, manifest: Manifest, passes: np.ndarray) -> dict[str, np.ndarray]:
        """(T, n, K) float32 passes as rows of the arrays that hold them."""

    def decoded(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """(T, n, K) float32 passes, from the rows of the arrays that hold them."""

    def parts(self, manifest: Manifest, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """(…, K) predictions as the arrays that they are made of, by the names of `passes_in`."""

    def deterministic(self, manifest: Manifest, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """(N, K) predictions of the model with dropout off as the arrays that hold them, by name; see `arrays`."""

    def summarise(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> Summary:
        """What (T, n, K) passes as they are stored come to."""

    def columns(self, targets: Sequence[str]) -> dict[str, str]:
        """The columns of the table of scores between the ids and the scores, with their types in Parquet."""

    def available(self, manifest: Manifest) -> set[str]:
        """What the scores of a run can be computed from, by the names of their parameters."""

    def predictions(self, manifest: Manifest, passes: np.ndarray, labels: Any, deterministic: Any) -> Any:
        """What scores take: (T, n, K) passes, labels and (n, K) deterministic predictions, or None each."""

    def quality_of(self, predictions: np.ndarray, labels: np.ndarray) -> float:
        """How good (N, K) predictions are."""

    def quality_of_columns(self, columns: Mapping[str, np.ndarray]) -> float | None:
        """How good the ensemble is, from a summary's columns, (n,) each; None without labels."""

    def quality_by_pass(self, manifest: Manifest, totals: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(T,) how good each single pass is, and the mean of the first 1, 2, … passes, from a summary's totals."""

    def quality_of_one_pass(self, by_pass: np.ndarray) -> float:
        """How good a pass is that is drawn at random, of the (T,) of all."""

    def quality_in_words(self, manifest: Manifest, value: float) -> str:
        """A value of `quality_of` as text."""


TASKS: dict[str, Task] = {"classification": Classification(), "regression": Regression()}


def quality_of_totals(manifest: Manifest, totals: Mapping[str, np.ndarray]) -> float | None:
    """How good the mean of all passes is, from a summary's totals over all examples; None without labels."""
    return float(task_of(manifest).quality_by_pass(manifest, totals)[1][-1]) if totals else None


def task_of(manifest: Manifest) -> Task:
    """The task of a run."""
    return TASKS[manifest.task]
