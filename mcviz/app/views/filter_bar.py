"""The bar above the views: the ranking and the filters."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from mcviz.app.address_text import parse_whole
from mcviz.app.components.choosers import chips, score_chooser
from mcviz.app.filters import ColumnFilter, FilterControl, Filters, Names
from mcviz.app.resources import (
    class_names,
    find_example,
    own_columns,
    run_numbers,
    run_scores,
    searched_columns,
    table,
)
from mcviz.app.runs.again import render_resample_status
from mcviz.app.selection import LABEL_ERRORS, Selection, filter_mask, find_rank, label_error_words, select
from mcviz.app.state import (
    ORDERS,
    PageState,
    change_filters,
    latest_state,
    queue_toast,
    session_store,
    state_widget_args,
    update_state,
    widget_value,
)
from mcviz.app.tasks import task_renderer
from mcviz.app.wording import as_markdown, extremes
from mcviz.measures import Score
from mcviz.runs import Run

S = TypeVar("S")
FIND, EMPTY = "find", "find-empty"  # keys: of the field; in the session, whether it is to be emptied


def render_filter_bar(run: Run, state: PageState) -> Selection:
    """Render the controls of the ranking and the filters, and return the selection."""
    selection, score = select(run, state), run_scores(run)[state.score]
    orders = dict(zip(ORDERS, extremes(score), strict=True))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filter-bar"):
        score_chooser("Rank by", run, state)
        st.selectbox(
            "Order",
            ORDERS,
            format_func=lambda each: f"{orders[each]} first",
            width=230,
            **state_widget_args("order", state.order),
        )
        _render_find(run)
        _render_popover("Filters", ":material/filter_list:", lambda: _render_filters(run, state.filters))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filter-meaning"):
        chips(selection)
        _render_meaning(selection, score)
    with st.container():
        if _ranks_label_errors(state):
            st.caption(label_error_words(run))
        render_resample_status(selection)
    return selection


def _render_meaning(selection: Selection, score: Score) -> None:
    """Render the meaning of the ranking, and a button that ranks by label errors."""
    run, state = selection.run, selection.state
    there = _ranks_label_errors(state)
    meaning = as_markdown(score.meaning)
    st.caption(f"**Probable label errors first.** {meaning}" if there else meaning, width="content")
    if LABEL_ERRORS["score"] in run_scores(run):
        _render_label_errors(there)


def _ranks_label_errors(state: PageState) -> bool:
    return all(getattr(state, name) == value for name, value in LABEL_ERRORS.items())


def _render_popover(label: str, icon: str, draw: Callable[[], None], **looks: Any) -> None:
    """Render a popover whose content is computed and drawn only while it is open."""
    popover = st.popover(label, icon=icon, key=f"popover-{label}", on_change="rerun", **looks)
    if popover.open:
        with popover:
            draw()


def _render_label_errors(there: bool) -> None:
    st.button(
        "Probable label errors",
        icon=":material/label_off:",
        key="label-errors",
        type="tertiary",
        disabled=there,
        on_click=update_state,
        kwargs=LABEL_ERRORS,
        help="The examples whose given label the ensemble finds least probable",
    )


def _render_find(run: Run) -> None:
    """Render a field for filters in words, ids and texts, and for one example; empty again once it was read."""
    typed, searched = task_renderer(run).filter_words(run), list(searched_columns(run).values())
    more = ["a word" if "text" in searched else "an id"] if searched else typed[1:]
    examples = ["#12", *more, *typed[:1]]

    def understood() -> None:
        words = widget_value(FIND).strip()
        session_store()[EMPTY] = True
        try:
            if words.startswith("#"):
                raise ValueError(f"No example has the number or the id “{words[1:]}”.")
            change_filters(lambda filters: _narrow(run, filters, words))
        except ValueError as error:
            example = _find_one(run, words.removeprefix("#"))
            if example is None:
                queue_toast(as_markdown(str(error)), ":material/help:")
            else:
                _look_at(run, example)

    if session_store().pop(EMPTY, False):
        st.session_state[FIND] = ""
    st.text_input("Find", placeholder=", or ".join(examples), width=240, key=FIND, on_change=understood)


def _find_one(run: Run, words: str) -> int | None:
    """Return the example of a number, or else of an id; None where there is none."""
    number = parse_whole(words)
    return number if number is not None and 0 <= number < len(run) else find_example(run, words)


def _look_at(run: Run, example: int) -> None:
    """Look at an example, on its page of the gallery where it is selected, in a callback."""
    state = latest_state()
    at = find_rank(example, select(run, state).examples)
    update_state(example=example, page=at // state.page_size + 1 if at >= 0 else state.page)


def _narrow(run: Run, filters: Filters, words: str) -> Filters:
    """Narrow the filters by words that the task reads, or else by a part of the ids or of the texts.

    Raises:
        ValueError: the words name neither.
    """
    searched = searched_columns(run)
    try:
        if searched and not task_renderer(run).filter_words(run):
            raise ValueError(f"No {' and no '.join(searched.values())} contains “{words}”.")
        return task_renderer(run).narrow_filters(run, filters, words)
    except ValueError:
        for name in searched:
            by_column = ColumnFilter(name, contains=words.strip())
            if by_column.contains and by_column.mask(table(run)).any():
                return filters.with_column(by_column)
        raise


def _render_filters(run: Run, filters: Filters) -> None:
    """Render the control of every filter that has one, in the order of the fields of `Filters`."""
    names = Names(class_names(run), run_numbers(run))
    for name, each, value in filters.fields():
        mask = partial(_mask_with, run, filters, name)
        each.render(value, FilterControl(run, table(run), names, own_columns(run), mask, partial(_bind, name)))


def _mask_with(run: Run, filters: Filters, name: str, value: object) -> np.ndarray:
    return filter_mask(run, filters.put(name, value))


def _bind(
    name: str, key: str, shown: S, change: Callable[[S, Any], Any], *, may_be_empty: bool = False
) -> dict[str, Any]:
    """Bind a widget to a filter; see `FilterControl`."""

    def put(new: S) -> None:
        change_filters(lambda filters: filters.put(name, change(new, getattr(filters, name))))

    return state_widget_args(key, shown, put, may_be_empty=may_be_empty)
