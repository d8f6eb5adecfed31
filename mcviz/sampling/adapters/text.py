"""Texts as a model takes them: as they are, since their preprocessing is in the model."""

from dataclasses import dataclass

import numpy as np

from mcviz.data import DataSet
from mcviz.runs import Preprocessing, Run
from mcviz.sampling.sampler import Sampler
from mcviz.validate import invalid

IN_THE_MODEL = Preprocessing(reason="The model makes numbers of the words by itself.")


@dataclass(frozen=True)
class TextAdapter:
    """Hands texts to a model.

    Attributes:
        sampler: of the model.
        preprocessing: none, with the reason.
    """

    sampler: Sampler
    preprocessing: Preprocessing = IN_THE_MODEL

    plural = "texts"
    question = "with the same vocabulary, and the classes in the same order"

    @classmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple["TextAdapter", np.ndarray]:
        """Make the adapter for the texts of a data set.

        Raises:
            InvalidInputError: the model takes no texts, or preprocessing of numbers is asked for.
        """
        if not sampler.takes_texts:
            advice = "Give the vocabulary that it was trained with (vocabulary, on the command line --vocabulary)."
            raise invalid("data", "of the kind that the model takes, numbers", "texts", advice)
        if preprocessing is not None and preprocessing.steps:
            raise invalid("preprocessing", "left out for texts", str(preprocessing))
        assert examples.texts is not None
        return cls(sampler), examples.texts

    @classmethod
    def for_run(cls, sampler: Sampler, run: Run) -> "TextAdapter":  # noqa: ARG003 (see `AdapterClass`)
        """Make the adapter for the texts of a run and for new ones."""
        return cls(sampler)

    @classmethod
    def stored(cls, run: Run) -> np.ndarray:
        """(N,) the texts of a run."""
        return run.content.iloc[:, 0].to_numpy(object)

    @classmethod
    def shown(cls, run: Run, examples: np.ndarray) -> np.ndarray:
        """(n,) some texts of a run."""
        return run.content.iloc[examples, 0].to_numpy(object)

    def from_stored(self, examples: np.ndarray) -> np.ndarray:
        """See `Adapter`: (N,) texts, as they are."""
        return examples

    from_inputs = from_stored

    def inputs_of(self, run: Run, examples: DataSet) -> np.ndarray:  # noqa: ARG002
        """See `Adapter`: (N,) texts."""
        assert examples.texts is not None
        return examples.texts

    def described(self, texts: np.ndarray) -> str:
        """See `Adapter`: lengths."""
        lengths = [len(text) for text in texts]
        return f"{min(lengths):,} to {max(lengths):,} characters"

    def alternatives(self, texts: np.ndarray) -> list[tuple["TextAdapter", str]]:  # noqa: ARG002
        """See `Adapter`: none."""
        return []

    def doubts(self, texts: np.ndarray) -> str:  # noqa: ARG002
        """See `Adapter`: none."""
        return ""
