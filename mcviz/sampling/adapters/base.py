"""How examples of a kind are brought into the form that a model takes: the base class of the adapters."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from mcviz.data import DataSet
from mcviz.runs import Preprocessing, Run
from mcviz.runs.contents import Rows
from mcviz.sampling.sampler import Sampler

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Adapter(ABC):
    """Brings examples of a kind into the form that a model takes: those of a run, and new ones.

    Attributes:
        sampler: of the model.
        preprocessing: how the model takes an example as it is stored.
        question: what to ask where a model is no good, after "Are the … prepared as they were in training, ".
    """

    sampler: Sampler
    preprocessing: Preprocessing

    question: ClassVar[str]

    @classmethod
    @abstractmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Self, Rows]:
        """Make the adapter for a data set, and give its examples as a run stores them.

        Args:
            sampler: of the model.
            examples: of the kind.
            preprocessing: how the model takes them; found out from the model without it.

        Raises:
            InvalidInputError: they do not fit the model.
        """

    @classmethod
    def for_run(cls, sampler: Sampler, run: Run) -> Self:
        """Make the adapter for the examples of a run and for new ones, with a sampler of the run's model."""
        return cls(sampler, run.manifest.preprocessing)

    @classmethod
    def load_stored(cls, run: Run) -> Rows:
        """Return the examples of a run, as `from_stored` takes them.

        Raises:
            McvizError: the run was kept without them.
        """
        return cls.to_array(run.content)

    @classmethod
    def load_shown(cls, run: Run, examples: np.ndarray) -> np.ndarray:
        """Return some examples of a run by their numbers, as they are shown and as `from_inputs` takes them.

        Raises:
            McvizError: the run was kept without them.
        """
        return cls.to_array(run.content.iloc[examples])

    @classmethod
    def to_array(cls, content: "pd.DataFrame") -> np.ndarray:
        """Return the examples that columns of a run hold, as `from_stored` and `from_inputs` take them."""
        raise NotImplementedError

    @abstractmethod
    def from_stored(self, examples: np.ndarray) -> np.ndarray:
        """Return examples as a run stores them in the form that the model takes, (N, …).

        Raises:
            InvalidInputError: of another shape.
        """

    def from_inputs(self, inputs: np.ndarray) -> np.ndarray:
        """Return new examples in the form in which they are shown in the one that the model takes, (N, …).

        Raises:
            InvalidInputError: of another shape.
        """
        return self.from_stored(inputs)

    def read_inputs(self, run: Run, examples: DataSet) -> np.ndarray:
        """Return examples from elsewhere, like those of a run, in the form in which they are shown.

        Raises:
            InvalidInputError: of another form, which cannot be brought into the run's.
        """
        raise NotImplementedError

    @abstractmethod
    def describe(self, examples: np.ndarray) -> str:
        """Describe some examples in a few words."""

    def alternatives(self, examples: np.ndarray) -> list[tuple["Adapter", str]]:
        """Return adapters that prepare some examples otherwise, each with the option that asks for it."""
        return []

    def doubts(self, examples: np.ndarray) -> str:
        """Return a sentence where some examples may not be as the model takes them, or ""."""
        return ""
