"""The bar above the views: the ranking, the filters and the export of what they leave."""

from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.columns import own_columns
from mcviz.app.components.chips import chips
from mcviz.app.components.score_chooser import score_chooser
from mcviz.app.components.widgets import bound
from mcviz.app.exporting import EXPORTS
from mcviz.app.filters import CORRECT, ColumnFilter, Filters, two_classes
from mcviz.app.needs import has, offered
from mcviz.app.resources import class_names, table
from mcviz.app.selection import Selection, select
from mcviz.app.state import ORDERS, PageState, go
from mcviz.app.views.column_filter import column_filter
from mcviz.app.wording import as_markdown, counted
from mcviz.measures import SCORES
from mcviz.runs import Run
from mcviz.text import one_line

DIGITS = 3  # of a score, after the point, on its slider


def filter_bar(run: Run, state: PageState) -> Selection:
    """The controls of what is selected and how it is ranked, and what they select."""
    selection = select(run, state)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        score_chooser("Rank by", state)
        st.selectbox("Order", list(ORDERS), format_func=ORDERS.__getitem__, width=210, **bound("order", state.order))
        if has(run, "labels") or "id" in own_columns(run):
            _typed(run, state.filters)
        with st.popover("Filters", icon=":material/filter_list:"):
            _filters(run, state.filters)
        with st.popover("Export", icon=":material/download:"):
            _exports(selection)
    st.caption(SCORES[state.score].meaning)
    chips(selection)
    return selection


def _typed(run: Run, filters: Filters) -> None:
    """The field for what `Filters.narrowed_by` reads and for ids, which is empty again once it was understood."""
    ids = ["an id"] if "id" in own_columns(run) else []
    examples = [two_classes(class_names(run)), *(ids or ["wrong"])] if has(run, "labels") else ids

    def understood() -> None:
        words = st.session_state["find"]
        try:
            go(filters=_found(run, filters, words))
        except ValueError as error:
            st.session_state["not-understood"] = str(error)
        st.session_state["find"] = ""

    st.text_input("Find", placeholder=", or ".join(examples), width=180, key="find", on_change=understood)
    if message := st.session_state.pop("not-understood", None):
        st.toast(as_markdown(message), icon=":material/help:")


def _found(run: Run, filters: Filters, words: str) -> Filters:
    """The filters narrowed by classes, or else by a part of the ids.

    Raises:
        ValueError: the words name neither.
    """
    try:
        if not has(run, "labels"):
            raise ValueError(f"No id contains “{words}”.")
        return filters.narrowed_by(words, class_names(run))
    except ValueError:
        by_id = ColumnFilter("id", contains=words.strip())
        if by_id.contains and "id" in own_columns(run) and by_id.mask(table(run)).any():
            return filters.with_column(by_id)
        raise


def _filters(run: Run, filters: Filters) -> None:
    classes, named = range(len(run.class_names)), class_names(run).__getitem__

    def put(**changes: Any) -> None:
        go(filters=replace(filters, **changes))

    if has(run, "labels"):
        st.multiselect(
            "Label",
            classes,
            format_func=named,
            **bound("label", list(filters.label), lambda new: put(label=tuple(new))),
        )
    st.multiselect(
        "Prediction",
        classes,
        format_func=named,
        **bound("prediction", list(filters.prediction), lambda new: put(prediction=tuple(new))),
    )
    if has(run, "labels"):
        st.segmented_control(
            "Predictions that are",
            CORRECT,
            required=True,
            **bound("correct", filters.correct, lambda new: put(correct=new)),
        )
    st.toggle("Passes disagree", **bound("disagree", filters.disagree, lambda new: put(disagree=new)))
    _range(run, filters)
    if own_columns(run):
        column_filter(run, filters)


def _range(run: Run, filters: Filters) -> None:
    """A slider over any score. Its ends are whole steps, as the browser rounds to them and Streamlit then compares."""
    name = st.selectbox("Range of", list(SCORES), format_func=lambda name: SCORES[name].label, key="ranged")
    values = table(run)[name]
    if values.min() == values.max():
        return
    low, high = _outwards(float(values.min()), float(values.max()))
    kept = {score: (a, b) for score, a, b in filters.ranges}.get(name, (low, high))
    shown = _outwards(*np.clip(kept, low, high).tolist())

    def put(new: tuple[float, float]) -> None:
        ends = (-inf if new[0] <= low else new[0], inf if new[1] >= high else new[1])
        go(filters=filters.with_range(name, *ends))

    st.slider(
        f"{SCORES[name].label}, {SCORES[name].unit}",
        low,
        high,
        step=10.0**-DIGITS,
        format=f"%.{DIGITS}f",
        **bound(f"range-{name}", shown, put),
    )


def _outwards(low: float, high: float) -> tuple[float, float]:
    """The nearest whole steps below and above, so that what is between stays between."""
    below, above, step = round(low, DIGITS), round(high, DIGITS), 10.0**-DIGITS
    return (
        below if below <= low else round(below - step, DIGITS),
        above if above >= high else round(above + step, DIGITS),
    )


def _exports(selection: Selection) -> None:
    """Each file is made when it is asked for, of what is selected then."""
    st.markdown(f"**{counted(len(selection.examples), 'selected example')}**")
    for name in offered(EXPORTS, selection.run):
        export = EXPORTS[name]
        st.download_button(
            export.label,
            partial(export.make, selection),
            file_name=f"{one_line(selection.run.name)}-{len(selection.examples)}.{name}",
            mime=export.mime,
            key=f"export-{name}",
            on_click="ignore",
            disabled=len(selection.examples) == 0,
            width="stretch",
        )
