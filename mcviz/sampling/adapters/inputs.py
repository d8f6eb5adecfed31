"""Arrays that are what a model takes already, and may be shown in another form or not at all."""

from typing import Self

import numpy as np

from mcviz.data import DataSet
from mcviz.runs import Preprocessing
from mcviz.sampling.adapters.base import Adapter
from mcviz.sampling.sampler import Sampler
from mcviz.validate import invalid

AS_THEY_ARE = Preprocessing(reason="The arrays are what the model takes.")


class InputsAdapter(Adapter):
    """Hands the `inputs` of a data set to a model."""

    question = "and the classes in the same order"

    @classmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Self, np.ndarray]:
        """See `Adapter`; no preprocessing is asked for."""
        if preprocessing is not None and preprocessing.steps:
            raise invalid("preprocessing", "left out for arrays that the model takes", str(preprocessing))
        assert examples.inputs is not None
        return cls(sampler, AS_THEY_ARE), examples.inputs

    def from_stored(self, examples: np.ndarray) -> np.ndarray:
        return examples

    def describe(self, inputs: np.ndarray) -> str:
        """See `Adapter`: nothing, since the check names the inputs of every model."""
        return "as the model takes them"
