"""Filters by the ids, by texts and by the user's own columns."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf, isfinite
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.address_text import LenientText, Offered, parse_finite
from mcviz.app.filters.base import Chip, Filter, FilterControl, Names, Positions, range_words
from mcviz.app.wording import as_markdown, with_count
from mcviz.runs.columns import as_texts
from mcviz.text import one_line

S = TypeVar("S")


@dataclass(frozen=True)
class ColumnFilter:
    """A filter on the ids or on one of the user's own columns: by values, by a range, or by a part of the text.

    Attributes:
        name: of the column.
        values: texts, one of which is the value; empty for any.
        low: the lowest number; infinite where that end is open.
        high: the highest number; infinite where that end is open.
        contains: a part of the value, in large or small letters; empty for any.
    """

    name: str
    values: tuple[str, ...] = ()
    low: float = -inf
    high: float = inf
    contains: str = ""

    def mask(self, table: pd.DataFrame) -> np.ndarray:
        """(N,) bool: the examples that pass. A column that is not there, or no numbers, is passed over."""
        kept = np.ones(len(table), dtype=bool)
        if self.name not in table:
            return kept
        column = table[self.name]
        if self.values:
            kept &= as_texts(column).isin(self.values).to_numpy(bool)
        if (self.low, self.high) != (-inf, inf) and pd.api.types.is_numeric_dtype(column):
            kept &= column.between(self.low, self.high).fillna(False).to_numpy(bool)
        if self.contains:
            kept &= as_texts(column).str.contains(self.contains, case=False, regex=False).to_numpy(bool)
        return kept

    def __str__(self) -> str:
        if self.values:
            return f"{self.name} {' or '.join(self.values)}"
        if self.contains:
            return f"{self.name} contains {self.contains}"
        return f"{self.name} {range_words(f'{self.low:g}', f'{self.high:g}', self.low, self.high)}"


Columns = tuple[ColumnFilter, ...]  # at most one a column, none of them open


class ColumnsFilter(LenientText[Columns], Filter[Columns]):
    """Filters on columns.

    They are written as JSON: a list of values, a text to be contained, or the ends of a range for each column.
    """

    off = ()

    def mask(self, value: Columns, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return np.logical_and.reduce([each.mask(table) for each in value])

    def chips(self, value: Columns, names: Names) -> list[Chip[Columns]]:
        return [(str(each), partial(put_column, ColumnFilter(each.name))) for each in value]

    def parse(self, text: str, offered: Offered) -> Columns:
        try:
            content = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            return ()
        items = content.items() if isinstance(content, dict) else ()
        found = [_parse(name, wanted) for name, wanted in items if offered.columns is None or name in offered.columns]
        return tuple(each for each in found if each != ColumnFilter(each.name))

    def format(self, value: Columns) -> str:
        content: dict[str, Any] = {}
        for each in value:
            ends = {end: value for end, value in (("low", each.low), ("high", each.high)) if np.isfinite(value)}
            content[each.name] = list(each.values) or each.contains or ends
        return json.dumps(content, separators=(",", ":")) if content else ""

    def render(self, value: Columns, control: FilterControl[Columns]) -> None:
        """Render the choice of a column, and what its values ask for: few values, two ends, or a part of a text."""
        if not control.columns:
            return
        name = st.selectbox(
            "Your columns",
            list(control.columns),
            format_func=one_line,
            key=f"filtered-column-{control.run.digest}",
            persist_state="page",
        )
        shown = find_column(name, value)
        match control.columns[name]:
            case "category":
                _render_choice(shown, value, control)
            case "number":
                with st.container(horizontal=True):
                    _render_end("low", shown, control)
                    _render_end("high", shown, control)
            case "text":
                change = _change(name, lambda new: {"contains": new})
                st.text_input(f"{as_markdown(name)} contains", **control.bind(f"column-{name}", shown.contains, change))


def put_column(wanted: ColumnFilter, columns: Columns) -> Columns:
    """Put a filter in the place of an earlier one on the same column; none, if it is open."""
    others = tuple(each for each in columns if each.name != wanted.name)
    return others if wanted == ColumnFilter(wanted.name) else (*others, wanted)


def find_column(name: str, columns: Columns) -> ColumnFilter:
    """Return the filter on a column; an open one, where there is none."""
    return next((each for each in columns if each.name == name), ColumnFilter(name))


def _change(name: str, changes: Callable[[S], dict[str, Any]]) -> Callable[[S, Columns], Columns]:
    """Return what changes attributes of the filter on a column by what somebody chose."""
    return lambda new, by_then: put_column(replace(find_column(name, by_then), **changes(new)), by_then)


def _render_choice(shown: ColumnFilter, columns: Columns, control: FilterControl[Columns]) -> None:
    texts = as_texts(control.table[shown.name])
    left = texts[control.mask(put_column(ColumnFilter(shown.name), columns))].value_counts()
    st.multiselect(
        as_markdown(shown.name),
        sorted({*texts.unique(), *shown.values}),
        format_func=lambda each: with_count(one_line(each), int(left.get(each, 0))),
        **control.bind(
            f"column-{shown.name}",
            list(shown.values),
            _change(shown.name, lambda new: {"values": tuple(new)}),
        ),
    )


def _render_end(end: Literal["low", "high"], shown: ColumnFilter, control: FilterControl[Columns]) -> None:
    """Render one end of a range as a number; a field that is empty leaves it open."""
    numbers, value = control.table[shown.name], getattr(shown, end)
    nearest, word, unbounded = (numbers.min(), "from", -inf) if end == "low" else (numbers.max(), "to", inf)
    st.number_input(
        f"{as_markdown(shown.name)} {word}",
        value=None,
        placeholder=f"{nearest:g}",
        format="%g",
        **control.bind(
            f"column-{end}-{shown.name}",
            value if isfinite(value) else None,
            _change(shown.name, lambda new: {end: unbounded if new is None else new}),
            may_be_empty=True,
        ),
    )


def _parse(name: str, wanted: object) -> ColumnFilter:
    if isinstance(wanted, str):
        return ColumnFilter(name, contains=wanted)
    if isinstance(wanted, list):
        return ColumnFilter(name, values=tuple(dict.fromkeys(value for value in wanted if isinstance(value, str))))
    ends = wanted if isinstance(wanted, dict) else {}
    low, high = (_parse_end(ends.get(key), unbounded) for key, unbounded in (("low", -inf), ("high", inf)))
    return ColumnFilter(name, low=min(low, high), high=max(low, high))


def _parse_end(value: object, unbounded: float) -> float:
    found = parse_finite([str(value)]) if isinstance(value, int | float) and not isinstance(value, bool) else []
    return found[0] if found else unbounded
