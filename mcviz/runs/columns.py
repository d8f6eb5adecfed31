"""The user's columns of a run: their kinds, and groups of examples."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from mcviz.runs.run import Run
from mcviz.text import one_line

MOST_GROUPS = 50  # different values, up to which they are a choice; no more of them than half of the examples
FIRST = 2000  # values
RANGES = 5  # groups of about the same size that numbers are cut into
UNKNOWN = "–"  # a value that is missing
ColumnKind = Literal["category", "number", "text"]


@dataclass(frozen=True)
class Groups:
    """The examples of a run by a column's values.

    Attributes:
        names: of the groups, each as one line, in their order.
        members: (N,) int64, an index into the names for each example.
    """

    names: tuple[str, ...]
    members: np.ndarray


def column_kinds(run: Run) -> dict[str, ColumnKind]:
    """Return kinds of the user's columns by name: useful ids first, example columns last."""
    columns = run.columns
    if columns is None:
        return {}
    named = columns["id"].iloc[-1] != str(columns.index[-1])  # tells at once of most
    numbered = not named and bool((columns["id"] == columns.index.astype(str)).all())
    content = set(run.manifest.examples.content)
    names = sorted(columns, key=content.__contains__)
    kinds = {str(name): _kind(columns[name]) for name in names if not (numbered and name == "id")}
    if run.kind.content.searched:
        kinds |= dict.fromkeys(content, "text")  # however few there are
    return kinds


def select_grouping(kinds: Mapping[str, ColumnKind]) -> list[str]:
    """Select columns that make groups: numbers, or few values."""
    return [name for name, kind in kinds.items() if kind != "text"]


def column_groups(values: pd.Series, kind: ColumnKind) -> Groups:
    """Return a column's groups: values, or ranges of many numbers."""
    texts = _ranges(values.astype(float)) if kind == "number" else as_texts(values)
    order = texts.iloc[values.argsort()] if pd.api.types.is_numeric_dtype(values) else texts.sort_values()
    categories = pd.Categorical(texts, order.unique())
    return Groups(tuple(map(one_line, categories.categories)), categories.codes.astype(np.int64))


def as_texts(values: pd.Series) -> pd.Series:
    """Return values as texts: whole numbers without point, `UNKNOWN` if missing."""
    if isinstance(values.dtype, pd.StringDtype):  # which is quick, also of very many
        return values.fillna(UNKNOWN)
    return values.convert_dtypes().astype(str).where(values.notna(), UNKNOWN)


def has_few_values(values: pd.Series, most: int) -> bool:
    """Return whether a non-id column has few values, at most half its examples."""
    compared = values if pd.api.types.is_numeric_dtype(values) else as_texts(values)
    most = min(most, len(values) // 2)
    # The first values tell of most columns that there are too many.
    return values.name != "id" and compared.iloc[:FIRST].nunique() <= most and compared.nunique() <= most


def _kind(values: pd.Series) -> ColumnKind:
    if has_few_values(values, MOST_GROUPS):
        return "category"
    return "number" if pd.api.types.is_numeric_dtype(values) else "text"


def _ranges(values: pd.Series) -> pd.Series:
    """Cut numbers into a few ranges of about equal counts."""
    finite = np.isfinite(values)
    if not finite.any():
        return pd.Series(UNKNOWN, values.index)
    edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, RANGES + 1), method="nearest"))
    with np.errstate(over="ignore"):
        digits = 0 if (edges % 1 == 0).all() else int(np.clip(3 - np.log10(np.ptp(edges) or 1), 0, 12))
    names = np.array([f"{low:.{digits}f} to {high:.{digits}f}" for low, high in pairwise(edges)] or [f"{edges[0]:g}"])
    within = np.searchsorted(edges[1:-1], values, side="right")
    return pd.Series(names[within], values.index).where(finite, UNKNOWN)
