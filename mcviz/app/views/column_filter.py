"""A filter on the ids, on texts or on one of the user's own columns, in the form that its values ask for."""

from dataclasses import replace
from math import inf, isfinite
from typing import Literal

import streamlit as st

from mcviz.app.columns import own_columns
from mcviz.app.components.widgets import bound
from mcviz.app.filters import ColumnFilter, Filters
from mcviz.app.resources import table
from mcviz.app.selection import passing
from mcviz.app.state import change_filters
from mcviz.app.wording import as_markdown, leaving
from mcviz.runs import Run
from mcviz.runs.columns import as_texts
from mcviz.text import one_line


def column_filter(run: Run, filters: Filters) -> None:
    """The choice of a column, and a filter on it: a choice of few values, two ends of numbers, a part of a text."""
    kinds = own_columns(run)
    name = st.selectbox(
        "Your columns", list(kinds), format_func=one_line, key=f"filtered-column-{run.digest}", persist_state="page"
    )
    kept = next((each for each in filters.columns if each.name == name), ColumnFilter(name))
    match kinds[name]:
        case "category":
            _choice(run, filters, kept)
        case "number":
            with st.container(horizontal=True):
                _end(run, kept, "low")
                _end(run, kept, "high")
        case "text":
            st.text_input(
                f"{as_markdown(name)} contains",
                **bound(f"column-{name}", kept.contains, lambda new: _put(replace(kept, contains=new))),
            )


def _choice(run: Run, filters: Filters, kept: ColumnFilter) -> None:
    texts = as_texts(table(run)[kept.name])
    left = texts[passing(run, filters.with_column(ColumnFilter(kept.name)))].value_counts()
    st.multiselect(
        as_markdown(kept.name),
        sorted({*texts.unique(), *kept.values}),
        format_func=lambda each: leaving(one_line(each), int(left.get(each, 0))),
        **bound(f"column-{kept.name}", list(kept.values), lambda new: _put(replace(kept, values=tuple(new)))),
    )


def _end(run: Run, kept: ColumnFilter, end: Literal["low", "high"]) -> None:
    """One end of a range; a field that is empty leaves it open."""
    numbers = table(run)[kept.name]

    def put(new: float | None) -> None:
        if end == "low":
            _put(replace(kept, low=-inf if new is None else new))
        else:
            _put(replace(kept, high=inf if new is None else new))

    nearest, value, word = (numbers.min(), kept.low, "from") if end == "low" else (numbers.max(), kept.high, "to")
    st.number_input(
        f"{as_markdown(kept.name)} {word}",
        value=None,
        placeholder=f"{nearest:g}",
        format="%g",
        **bound(f"column-{end}-{kept.name}", value if isfinite(value) else None, put, may_be_empty=True),
    )


def _put(wanted: ColumnFilter) -> None:
    change_filters(lambda filters: filters.with_column(wanted))
