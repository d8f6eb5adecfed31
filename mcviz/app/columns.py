"""The ids and the user's own columns of a run: of what kind each is, and which groups of examples it makes."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.beside import key_of
from mcviz.app.filters import UNKNOWN, as_texts
from mcviz.runs import Run
from mcviz.runs.manifest import CONTENT
from mcviz.text import one_line

MOST_GROUPS = 50  # different values, up to which they are a choice; no more of them than half of the examples
FIRST = 1000  # values
RANGES = 5  # groups of about the same size that numbers are cut into
LONGEST = 200  # characters of a value that is shown
Kind = Literal["category", "number", "text"]


@dataclass(frozen=True)
class Groups:
    """The examples of a run by the values of one column.

    Attributes:
        names: of the groups, each as one line, in their order.
        members: (N,) int64, an index into the names for each example.
    """

    names: tuple[str, ...]
    members: np.ndarray


def own_columns(run: Run) -> dict[str, Kind]:
    """The kind of each of the user's own columns, by its name.

    `id` is first, where ids say more than numbers, and those that are the example itself are last.
    """
    return {} if run.columns is None else _kinds(key_of(run), run)


def details(run: Run) -> list[str]:
    """Those of `own_columns` that are not the example itself."""
    content = set(run.manifest.examples.content)
    return [name for name in own_columns(run) if name not in content]


def searched_columns(run: Run) -> dict[str, str]:
    """The columns in which words are looked for, each with what its values are called: ids, then texts."""
    texts = run.manifest.examples.content if _are_texts(run) else ()
    called = {"id": "id", **dict.fromkeys(texts, "text")}
    return {name: each for name, each in called.items() if name in own_columns(run)}


def _are_texts(run: Run) -> bool:
    """Whether the columns that are the examples themselves hold texts."""
    return CONTENT[run.manifest.examples.kind] == "texts"


def grouping_columns(run: Run) -> list[str]:
    """The columns that make groups: those of few different values, and of numbers."""
    return [name for name, kind in own_columns(run).items() if kind != "text"]


def groups(run: Run, name: str) -> Groups:
    """The groups of one of `grouping_columns`: a value each, or for many numbers a range each."""
    return _groups(key_of(run), name, run)


def example_of(run: Run, wanted: str) -> int | None:
    """The number of the example of an id, or None where none has it."""
    if run.columns is None:
        return None
    found = np.flatnonzero(run.columns["id"] == wanted.strip())
    return int(found[0]) if len(found) else None


def facts_of(own: Iterable[str], row: Any) -> list[tuple[str, str]]:
    """An example's values of columns by their names, each as one line.

    Args:
        own: names of columns, as `own_columns` gives them.
        row: of the run's table, or what has the same keys.
    """
    return [(one_line(name), shown(row[name])) for name in own]


def shown(value: Any) -> str:
    """A value of a column as one line that is not too long."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return UNKNOWN
    text = f"{value:.6g}" if isinstance(value, float) else one_line(str(value)).removesuffix(" 00:00:00")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


# `key_of` is the caches' key.


@st.cache_resource(max_entries=8, show_spinner=False)
def _kinds(key: str, _run: Run) -> dict[str, Kind]:  # noqa: ARG001
    columns = _run.columns
    assert columns is not None
    named = columns["id"].iloc[-1] != str(columns.index[-1])  # tells at once of most
    numbered = not named and bool((columns["id"] == columns.index.astype(str)).all())
    content = set(_run.manifest.examples.content)
    names = sorted(columns, key=content.__contains__)
    kinds = {str(name): _kind(columns[name]) for name in names if not (numbered and name == "id")}
    if _are_texts(_run):
        kinds |= dict.fromkeys(content, "text")  # however few there are
    return kinds


def _kind(values: pd.Series) -> Kind:
    numbers = pd.api.types.is_numeric_dtype(values)
    compared, most = values if numbers else as_texts(values), min(MOST_GROUPS, len(values) // 2)
    # The first values tell of most columns that there are too many.
    if values.name != "id" and compared.iloc[:FIRST].nunique() <= most and compared.nunique() <= most:
        return "category"
    return "number" if numbers else "text"


@st.cache_resource(max_entries=64, show_spinner=False)
def _groups(key: str, name: str, _run: Run) -> Groups:  # noqa: ARG001
    columns = _run.columns
    assert columns is not None
    values = columns[name]
    texts = _ranges(values.astype(float)) if _kinds(key_of(_run), _run)[name] == "number" else as_texts(values)
    order = texts.iloc[values.argsort()] if pd.api.types.is_numeric_dtype(values) else texts.sort_values()
    found = pd.Categorical(texts, order.unique())
    return Groups(tuple(map(one_line, found.categories)), found.codes.astype(np.int64))


def _ranges(values: pd.Series) -> pd.Series:
    """For each number the range that it is in, of a few that hold about as many each."""
    finite = np.isfinite(values)
    if not finite.any():
        return pd.Series(UNKNOWN, values.index)
    edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, RANGES + 1), method="nearest"))
    with np.errstate(over="ignore"):
        digits = 0 if (edges % 1 == 0).all() else int(np.clip(3 - np.log10(np.ptp(edges) or 1), 0, 12))
    names = np.array([f"{low:.{digits}f} to {high:.{digits}f}" for low, high in pairwise(edges)] or [f"{edges[0]:g}"])
    within = np.searchsorted(edges[1:-1], values, side="right")
    return pd.Series(names[within], values.index).where(finite, UNKNOWN)
