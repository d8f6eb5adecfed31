"""Some examples of a run as a run of their own, such as those of which a label is known."""

from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec.structs import replace

from mcviz.data.in_place import LazyRows
from mcviz.manifest import Manifest
from mcviz.runs.arrays import stored_arrays
from mcviz.runs.derived import AddedScores
from mcviz.runs.run import Decided, Run

if TYPE_CHECKING:
    import pandas as pd


class SomeExamples(Run):
    """Some examples of a run, numbered from 0. Its digest is that of the run, so it is not kept beside it in a cache.

    Attributes:
        whole: the run.
        examples: (n,) int64, their numbers in it, ascending.
    """

    def __init__(self, whole: Run, examples: np.ndarray) -> None:
        self.whole, self.examples = whole, examples
        super().__init__(whole._folder, whole.manifest)
        self.manifest = _describe_some(whole, examples)

    def scores(self) -> "pd.DataFrame":
        """The rows of `Run.scores` of these examples."""
        return self.whole.scores().iloc[self.examples].reset_index(drop=True).rename_axis("example")

    @property
    def undecided(self) -> Run:
        """The same examples of the run without any decisions."""
        return SomeExamples(self.whole.undecided, self.examples)

    @property
    def choosing(self) -> np.ndarray:
        """(n,) bool, those whose labels chose thresholds."""
        return self.whole.choosing[self.examples]

    @cached_property
    def columns(self) -> "pd.DataFrame | None":
        """The rows of `Run.columns` of these examples."""
        columns = self.whole.columns
        return None if columns is None else columns.iloc[self.examples].reset_index(drop=True).rename_axis("example")

    def _read_rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        if stored_arrays(self.whole.manifest)[name].dimensions[0] != "example":
            return self.whole.array(name, start, stop)
        return self._lazy_rows(name)[slice(start, stop)]

    def _lazy_rows(self, name: str) -> LazyRows:
        return self.whole._lazy_rows(name).take(self.examples)

    def _read_by_example(self, way: Literal["mean", "deterministic"]) -> np.ndarray:
        rows: np.ndarray = getattr(self.whole, f"{way}_predictions")[self.examples]
        return rows

    def _read_added_scores(self) -> AddedScores:
        return self.whole._read_added_scores()

    def _read_decisions(self) -> Decided:
        return self.whole._read_decisions()


def some_examples(run: Run, examples: np.ndarray) -> Run:
    """Some examples of a run in ascending order, or the run itself."""
    return run if len(examples) == len(run) else SomeExamples(run, examples)


def labelled_numbers(run: Run) -> np.ndarray:
    """The numbers of the examples of which a label is known; all where measures take all of its examples.

    Those of one class an example whose labels chose a threshold judge nothing, and are left out.
    """
    known = _known_numbers(run)
    return known[~run.choosing[known]] if run.task.has_one_class and run.decisions.chosen_on else known


def labelled_examples(run: Run) -> Run:
    """The examples of a run that `labelled_numbers` names; all that measures by labels takes its examples from here."""
    return some_examples(run, labelled_numbers(run))


def unlabelled_examples(run: Run) -> Run:
    """The examples of which no label is known; the run itself where there are none, or it has no labels."""
    others = np.setdiff1d(np.arange(len(run)), _known_numbers(run))
    return some_examples(run, others) if len(others) else run


def _known_numbers(run: Run) -> np.ndarray:
    is_partial = run.manifest.examples_with_labels is not None
    return np.flatnonzero(_find_labelled(run)) if is_partial else np.arange(len(run))


def _find_labelled(run: Run) -> np.ndarray:
    return run.task.find_labelled(np.asarray(run.labels))


def _describe_some(run: Run, examples: np.ndarray) -> Manifest:
    manifest = replace(run.manifest, examples=replace(run.manifest.examples, count=len(examples)))
    if manifest.examples_with_labels is None:
        return manifest
    known = int(_find_labelled(run)[examples].sum())
    sha256 = manifest.labels_sha256 if known else None
    return replace(manifest, labels_sha256=sha256, examples_with_labels=known if 0 < known < len(examples) else None)
