"""Rows of numbers: numeric columns of a table, or a two-axis array."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz import validate
from mcviz.data.content import NumberContent
from mcviz.data.tables import UNNAMED_PREFIX, is_numeric
from mcviz.errors import InvalidInputError
from mcviz.kinds.base import Files, Kind, OODRecipe, Progress, join_halves
from mcviz.kinds.row_distortions import add_noise, column_stats, out_of_range, shuffle_columns
from mcviz.text import list_names

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.data.data_set import DataSet
    from mcviz.data.tables import ColumnNames

FARTHEST = 10.0  # standard deviations; farther values count as equally unusual


def _beyond(rows: np.ndarray, seed: int) -> np.ndarray:
    """Move one random column of each row one range beyond its values."""
    columns = np.random.default_rng(seed).integers(rows.shape[1], size=len(rows))
    far = np.stack([out_of_range(rows[:1], rows, 1, column)[0, column] for column in range(rows.shape[1])])
    moved = rows.copy()
    moved[np.arange(len(rows)), columns] = far[columns]
    return moved


OOD_SETS = {
    "shuffled": OODRecipe("Shuffled columns", lambda rows, _, seed: shuffle_columns(rows, rows, seed=seed)),
    "beyond": OODRecipe("One value out of range", lambda rows, _, seed: _beyond(rows, seed)),
    "noise": OODRecipe("Noise of twice the std", lambda rows, _, seed: add_noise(rows, rows, 2, seed)),
    "mixed": OODRecipe("Means of two rows", lambda rows, others, _: (rows + others) / 2),
    "stacked": OODRecipe("Halves of two rows", lambda rows, others, _: join_halves(rows, others)),
}


class Row(Kind):
    """Rows, N × D float32 and finite, in the model's columns."""

    name = "row"
    plural = "rows"
    column = "features"
    content = NumberContent
    arrays = "(N, columns) of numbers"
    ood_sets = OOD_SETS
    alone = "Values alone"
    similarity_basis = "values"

    def check(self, examples: "DataSet") -> "DataSet":
        import pandas as pd

        if not isinstance(examples.rows, pd.DataFrame):
            return self.read_array(examples, "rows", validate.array("rows", examples.rows))
        return examples.with_content(NumberContent(_float32(examples.rows)))

    def takes(self, array: np.ndarray) -> bool:
        return array.ndim == 2

    def check_form(self, name: str, array: np.ndarray) -> None:
        validate.shape(name, array, ("N", "columns"))
        if array.dtype.kind not in "biuf":
            raise validate.invalid(name, "numbers", f"dtype {array.dtype}")

    def read_array(self, examples: "DataSet", name: str, array: np.ndarray) -> "DataSet":
        import pandas as pd

        self.check_form(name, array)
        rows = pd.DataFrame(array, columns=[f"x{number}" for number in range(array.shape[1])])
        return examples.with_content(NumberContent(_float32(rows)))

    def compute_vectors(self, contents: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.clip(column_stats(others).z(contents), -FARTHEST, FARTHEST).astype(np.float32)

    def compute_components(self, content: Any, progress: Progress | None) -> np.ndarray:
        """Return principal components of standardised, clipped columns."""
        from mcviz.measures.similarity import (
            principal_components,  # here, because scikit-learn takes most of a second to import
        )

        rows = content.to_numpy()
        return principal_components(self.compute_vectors(rows, rows), progress=progress)

    def read_table(self, examples: "DataSet", names: "ColumnNames", files: Files) -> "DataSet | None":
        own = examples.columns
        if own is None:
            return None
        usual = [str(name) for name in own if is_numeric(own[name]) and not str(name).startswith(UNNAMED_PREFIX)]
        chosen = list(names.features) or usual
        if not chosen:
            return None
        if not files.complete and (missing := [name for name in chosen if own[name].isna().any()]):
            chosen = [name for name in chosen if name not in missing]
            note = f"Columns that lack numbers are columns of your own, not inputs: {list_names(missing)}."
            examples = replace(examples, notes=(*examples.notes, note))
            if not chosen:
                return examples
        content = NumberContent(_float32(own[chosen]))
        examples = replace(examples, held=content, columns=own.drop(columns=chosen))
        if names.features:
            return examples
        note = f"Rows of {len(chosen):,} numeric columns: {list_names(chosen)}."
        return replace(examples, notes=(*examples.notes, note))


def _float32(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Convert numeric columns to float32.

    Raises:
        InvalidInputError: there are none, two have one name, one is not numeric, or a value is missing or not finite.
    """
    import pandas as pd

    if 0 in rows.shape:
        raise validate.invalid("rows", "(N, columns), with no axis empty", f"shape {rows.shape}")
    rows = rows.set_axis([str(name) for name in rows.columns], axis=1).reset_index(drop=True)
    if not rows.columns.is_unique:
        raise validate.invalid("rows", "columns of different names", list_names(rows.columns))
    others = [f"{name} ({rows[name].dtype})" for name in rows if not is_numeric(rows[name])]
    if others:
        advice = "Turn them into numbers, as the model was trained on, or leave them out."
        raise validate.invalid("rows", "numeric columns", list_names(others), advice)
    with np.errstate(over="ignore"):  # checked below
        values = rows.to_numpy(np.float32, na_value=np.nan)
    unusable = ~np.isfinite(values)
    if unusable.any():
        row, column = np.argwhere(unusable)[0]
        raise InvalidInputError(
            f"{unusable.sum():,} values of the rows are missing or not finite, the first in row {row:,}, counted from "
            f"0, column {rows.columns[column]}. Fill them in as the model was trained on, or leave those rows out."
        )
    return pd.DataFrame(values, columns=rows.columns)
