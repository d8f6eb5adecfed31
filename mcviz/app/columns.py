"""The columns of a run: ids, the user's own, and those that are rows of numbers themselves."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from mcviz.analysis.trust import MOST_GROUPS_OF_COLUMN
from mcviz.app.caching import cached_for_run, numbers_key, table_key
from mcviz.data import ColumnStats, column_stats
from mcviz.runs import Run
from mcviz.runs.columns import (
    UNKNOWN,
    ColumnKind,
    Groups,
    column_groups,
    column_kinds,
    has_few_values,
    select_grouping,
)
from mcviz.text import one_line

LONGEST = 200  # characters of a value that is shown


@cached_for_run(table_key, max_entries=8)
def own_columns(run: Run) -> dict[str, ColumnKind]:
    """Return the kind of each of the user's own columns, by its name.

    `id` is first, where ids say more than numbers, and those that are the example itself are last.
    """
    return {} if run.columns is None else column_kinds(run)


def details(run: Run) -> list[str]:
    """Return those of `own_columns` that are not the example itself."""
    content = set(run.manifest.examples.content)
    return [name for name in own_columns(run) if name not in content]


def searched_columns(run: Run) -> dict[str, str]:
    """Return the columns that “Find” searches, each with a word for its values: ids, then texts."""
    texts = run.manifest.examples.content if run.kind.column_values == "texts" else ()
    called = {"id": "id", **dict.fromkeys(texts, "text")}
    return {name: each for name, each in called.items() if name in own_columns(run)}


def grouping_columns(run: Run) -> list[str]:
    """Return the columns that make groups: those of few different values, and of numbers."""
    return select_grouping(own_columns(run))


@cached_for_run(table_key, max_entries=8)
def all_grouping_columns(run: Run) -> list[str]:
    """Return the columns that make groups, also those of up to 1,000 different values, such as names of places."""
    columns = run.columns
    if columns is None:
        return []
    more = {name for name in details(run) if has_few_values(columns[name], MOST_GROUPS_OF_COLUMN)}
    return [name for name in own_columns(run) if name in {*grouping_columns(run), *more}]


@cached_for_run(table_key, max_entries=64)
def groups(run: Run, name: str) -> Groups:
    """Return the groups of one of `all_grouping_columns`: a value each, or for many numbers a range each."""
    assert run.columns is not None
    return column_groups(run.columns[name], own_columns(run)[name])


def find_example(run: Run, wanted: str) -> int | None:
    """Return the number of the example of an id, or None where none has it."""
    if run.columns is None:
        return None
    found = np.flatnonzero(run.columns["id"] == wanted.strip())
    return int(found[0]) if len(found) else None


def format_facts(own: Iterable[str], row: Any) -> list[tuple[str, str]]:
    """Return an example's values of columns by their names, each as one line.

    Args:
        own: names of columns, as `own_columns` gives them.
        row: of the run's table, or what has the same keys.
    """
    return [(one_line(name), format_value(row[name])) for name in own]


def format_value(value: Any) -> str:
    """Write a value of a column as one line that is not too long."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return UNKNOWN
    text = f"{value:.6g}" if isinstance(value, float) else one_line(str(value)).removesuffix(" 00:00:00")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


@cached_for_run(numbers_key, max_entries=4)
def row_values(run: Run) -> np.ndarray:
    """Return (N, D) float32: the rows of a run; shared, so not to be written to."""
    rows = run.content.to_numpy(np.float32)
    rows.setflags(write=False)
    return rows


def row_names(run: Run) -> list[str]:
    """Return the names of a run's columns, each as one line."""
    return [one_line(str(name)) for name in run.content]


@cached_for_run(numbers_key, max_entries=4)
def usual_values(run: Run) -> ColumnStats:
    """Return the usual values of each column of a run."""
    return column_stats(row_values(run))
