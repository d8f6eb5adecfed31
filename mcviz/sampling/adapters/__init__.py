"""The registry of kinds of examples: how each is brought into the form that a model takes."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from mcviz.data import DataSet
from mcviz.runs import Preprocessing, Run
from mcviz.runs.contents import Rows
from mcviz.sampling.adapters.image import ImageAdapter
from mcviz.sampling.adapters.row import RowAdapter
from mcviz.sampling.adapters.text import TextAdapter
from mcviz.sampling.sampler import Sampler
from mcviz.validate import invalid


class Adapter(Protocol):
    """Brings examples into the form that a model takes: those of a run, and new ones."""

    @property
    def sampler(self) -> Sampler:
        """Of the model."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How the model takes an example as it is stored."""

    @property
    def plural(self) -> str:
        """What examples are called."""

    @property
    def question(self) -> str:
        """What to ask where a model is no good, after "Are the … prepared as they were in training, "."""

    def described(self, examples: np.ndarray) -> str:
        """How some examples look, in a few words."""

    def alternatives(self, examples: np.ndarray) -> list[tuple[Any, str]]:
        """Adapters that prepare some examples otherwise, each with the option that asks for it."""

    def doubts(self, examples: np.ndarray) -> str:
        """A sentence where some examples may not be as the model takes them, or ""."""

    def from_stored(self, examples: np.ndarray) -> np.ndarray:
        """Examples as a run stores them, as the model takes them, (N, …).

        Raises:
            InvalidInputError: of another shape.
        """

    def from_inputs(self, inputs: np.ndarray) -> np.ndarray:
        """New examples in the form in which they are shown, as the model takes them, (N, …).

        Raises:
            InvalidInputError: of another shape.
        """

    def inputs_of(self, run: Run, examples: DataSet) -> np.ndarray:
        """Examples from elsewhere, like those of a run, in the form in which they are shown.

        Raises:
            InvalidInputError: of another form, which cannot be brought into the run's.
        """


class AdapterClass(Protocol):
    """What makes adapters of a kind."""

    def for_examples(
        self, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Any, Rows]:
        """Make the adapter for a data set, and give its examples as a run stores them.

        Args:
            sampler: of the model.
            examples: of the kind.
            preprocessing: how the model takes them; found out from the model without it.

        Raises:
            InvalidInputError: they do not fit the model.
        """

    def for_run(self, sampler: Sampler, run: Run) -> Any:
        """Make the adapter for the examples of a run and for new ones, with a sampler of the run's model."""

    def stored(self, run: Run) -> Rows:
        """The examples of a run, as `from_stored` takes them.

        Raises:
            McvizError: the run was kept without them.
        """

    def shown(self, run: Run, examples: np.ndarray) -> np.ndarray:
        """Some examples of a run by their numbers, in the form in which they are shown.

        Raises:
            McvizError: the run was kept without them.
        """


ADAPTERS: Mapping[str, AdapterClass] = {"image": ImageAdapter, "text": TextAdapter, "row": RowAdapter}


def adapter_for_examples(
    sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
) -> tuple[Adapter, Rows]:
    """The adapter for a data set, and its examples as a run stores them; see `AdapterClass.for_examples`.

    Raises:
        InvalidInputError: they do not fit the model, or there are none.
    """
    if examples.kind not in ADAPTERS:
        raise invalid("data", "examples", "a data set without any", "Give images, texts or rows of numbers.")
    return ADAPTERS[examples.kind].for_examples(sampler, examples, preprocessing)


def adapter_for_run(sampler: Sampler, run: Run) -> Adapter:
    """The adapter for the examples of a run and for new ones.

    Raises:
        InvalidInputError: the run does not know what its examples are.
    """
    return _of_run(run).for_run(sampler, run)


def stored_examples(run: Run) -> Rows:
    """The examples of a run, as `Adapter.from_stored` takes them.

    Raises:
        InvalidInputError: the run does not know what its examples are.
        McvizError: the run was kept without them.
    """
    return _of_run(run).stored(run)


def shown_examples(run: Run, examples: np.ndarray) -> np.ndarray:
    """Some examples of a run by their numbers, as they are shown and as `Adapter.from_inputs` takes them.

    Raises:
        InvalidInputError: the run does not know what its examples are.
        McvizError: the run was kept without them.
    """
    return _of_run(run).shown(run, examples)


def _of_run(run: Run) -> AdapterClass:
    kind = run.manifest.examples.kind
    if kind not in ADAPTERS:
        raise invalid("run", "one that knows its examples", "one that knows only their numbers")
    return ADAPTERS[kind]
