"""Texts as a model takes them: as they are, since their preprocessing is in the model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from mcviz.data import DataSet
from mcviz.runs import Preprocessing, Run
from mcviz.sampling.adapters.base import Adapter
from mcviz.sampling.examples import BY_TRANSFORM
from mcviz.sampling.sampler import Sampler
from mcviz.validate import invalid

if TYPE_CHECKING:
    import pandas as pd

IN_THE_MODEL = Preprocessing(reason="The model makes numbers of the words by itself.")


@dataclass(frozen=True)
class TextAdapter(Adapter):
    """Hands texts to a model, (N,) of dtype object."""

    preprocessing: Preprocessing = IN_THE_MODEL

    question = "with the same vocabulary, and the classes in the same order"

    @classmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Self, np.ndarray]:
        """See `Adapter`; the model takes texts, and no preprocessing of numbers is asked for."""
        by_transform = sampler.network.transform is not None
        if not sampler.takes_texts and not by_transform:
            advice = (
                "Give the vocabulary that it was trained with (vocabulary, on the command line --vocabulary), or to a "
                "model of PyTorch a transform (transform, --transform)."
            )
            raise invalid("data", "of the kind that the model takes, numbers", "texts", advice)
        if preprocessing is not None and preprocessing.steps:
            raise invalid("preprocessing", "left out for texts", str(preprocessing))
        assert examples.texts is not None
        return (cls(sampler, BY_TRANSFORM) if by_transform else cls(sampler)), examples.texts

    @classmethod
    def to_array(cls, content: "pd.DataFrame") -> np.ndarray:
        return content.iloc[:, 0].to_numpy(object)

    def from_stored(self, examples: np.ndarray) -> np.ndarray:
        return examples

    def read_inputs(self, run: Run, examples: DataSet) -> np.ndarray:
        assert examples.texts is not None
        return examples.texts

    def describe(self, texts: np.ndarray) -> str:
        """See `Adapter`: lengths."""
        lengths = [len(text) for text in texts]
        return f"{min(lengths):,} to {max(lengths):,} characters"
