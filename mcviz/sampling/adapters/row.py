"""Rows of numbers as a model takes them: scaled where that is not in the model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from mcviz.data import DataSet
from mcviz.runs import Preprocessing, Run
from mcviz.sampling.adapters.base import Adapter
from mcviz.sampling.examples import BY_TRANSFORM, fits_shape, format_shape, preprocess, takes_whole_numbers
from mcviz.sampling.sampler import Sampler
from mcviz.validate import invalid

if TYPE_CHECKING:
    import pandas as pd

AS_THEY_ARE = Preprocessing(reason="Rows reach the model as they are.")


@dataclass(frozen=True)
class RowAdapter(Adapter):
    """Brings rows of numbers, (N, D) float32, into the form that a model takes."""

    preprocessing: Preprocessing = AS_THEY_ARE

    question = "by the same scaler, and the columns in the same order"

    @classmethod
    def for_examples(
        cls, sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None
    ) -> tuple[Self, np.ndarray]:
        """See `Adapter`; the columns are as many as the model and the preprocessing take."""
        assert examples.rows is not None
        rows = examples.rows.to_numpy(np.float32)
        if sampler.takes_texts:
            raise invalid("data", "texts, as the model takes them", "rows of numbers", "Name their column.")
        if sampler.input_shape is not None and not fits_shape(rows.shape[1:], sampler.input_shape):
            names = ", ".join(map(str, examples.rows.columns[:5])) + (", …" if rows.shape[1] > 5 else "")
            advice = "Name the columns in the model's order (features, on the command line --feature-columns)."
            found = f"{rows.shape[1]:,} columns: {names}"
            raise invalid("data", f"of the shape {format_shape(sampler.input_shape)}", found, advice)
        if preprocessing is None:
            return (cls(sampler) if sampler.network.transform is None else cls(sampler, BY_TRANSFORM)), rows
        if preprocessing.channel_order != "rgb":
            raise invalid("channel_order", "left out for rows of numbers", preprocessing.channel_order)
        preprocessing.check(rows.shape[1])
        return cls(sampler, preprocessing), rows

    @classmethod
    def to_array(cls, content: "pd.DataFrame") -> np.ndarray:
        return content.to_numpy(np.float32)

    def from_stored(self, examples: np.ndarray) -> np.ndarray:
        """See `Adapter`; whole numbers for a model that takes them."""
        taken = examples if self.preprocessing.applied else preprocess(examples, self.preprocessing)
        if takes_whole_numbers(self.sampler.input_dtype):
            return taken.round().astype(self.sampler.input_dtype)
        return taken

    def read_inputs(self, run: Run, examples: DataSet) -> np.ndarray:
        """See `Adapter`: the columns of the run's names, or else as many in their own order."""
        assert examples.rows is not None
        wanted = list(run.manifest.examples.content)
        if set(wanted) <= set(examples.rows):
            return examples.rows[wanted].to_numpy(np.float32)
        if examples.rows.shape[1] != len(wanted):
            found = f"{examples.rows.shape[1]:,} columns: {', '.join(map(str, examples.rows.columns[:5]))}"
            raise invalid("data", f"with the run's {len(wanted):,} columns: {', '.join(wanted[:5])}, …", found)
        return examples.rows.to_numpy(np.float32)

    def describe(self, rows: np.ndarray) -> str:
        """See `Adapter`: the number of columns, and the range."""
        return f"{rows.shape[1]:,} columns, {float(rows.min()):g} to {float(rows.max()):g}"
