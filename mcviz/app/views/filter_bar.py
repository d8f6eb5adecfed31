"""The bar above the views: the ranking, the filters and the export of what they leave."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from mcviz.app.components.choosers import chips, score_chooser
from mcviz.app.exports import EXPORTS
from mcviz.app.filters import ColumnFilter, FilterControl, Filters, Names
from mcviz.app.navigation import REVIEW, link_to
from mcviz.app.resources import (
    available,
    class_names,
    has,
    own_columns,
    run_numbers,
    run_scores,
    searched_columns,
    table,
)
from mcviz.app.runs.again import can_resample, render_resample_popover, render_resample_status
from mcviz.app.selection import LABEL_ERRORS, Selection, filter_mask, label_error_words, select
from mcviz.app.state import (
    ORDERS,
    PageState,
    change_filters,
    page_url,
    queue_toast,
    session_store,
    state_widget_args,
    update_state,
    widget_value,
)
from mcviz.app.tasks import task_renderer
from mcviz.app.trust.referral import render_acquisition, render_referral_popover
from mcviz.app.wording import as_markdown, counted, ranking_end_labels
from mcviz.measures import Score
from mcviz.permission import may_write
from mcviz.runs import Run
from mcviz.text import one_line

S = TypeVar("S")
FIND, EMPTY = "find", "find-empty"  # keys: of the field; in the session, whether it is to be emptied


def render_filter_bar(run: Run, state: PageState) -> Selection:
    """Render the controls of the ranking and the filters, and return the selection."""
    selection, score = select(run, state), run_scores(run)[state.score]
    orders = dict(zip(ORDERS, ranking_end_labels(score), strict=True))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filter-bar"):
        score_chooser("Rank by", run, state)
        st.selectbox(
            "Order",
            ORDERS,
            format_func=lambda each: f"{orders[each]} first",
            width=230,
            **state_widget_args("order", state.order),
        )
        if task_renderer(run).filter_words(run) or searched_columns(run):
            _render_find(run)
        _render_popover("Filters", ":material/filter_list:", lambda: _render_filters(run, state.filters))
        if has(run, "labels") and has(run, "classes") and len(run) > 1:
            _render_popover("Refer", ":material/person_search:", lambda: render_referral_popover(run, state))
        with st.popover("Export", icon=":material/download:"):
            _render_exports(selection)
        if has(run, "classes"):
            link_to(REVIEW, "Review these")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filter-meaning"):
        chips(selection)
        _render_meaning(selection, score)
    with st.container():
        if _ranks_label_errors(state):
            st.caption(label_error_words(run))
        render_resample_status(selection)
    return selection


def _render_meaning(selection: Selection, score: Score) -> None:
    """Render the meaning of the ranking, and buttons that rank by label errors and sample again."""
    run, state = selection.run, selection.state
    there = _ranks_label_errors(state)
    meaning = as_markdown(score.meaning)
    st.caption(f"**Probable label errors first.** {meaning}" if there else meaning, width="content")
    if LABEL_ERRORS["score"] in run_scores(run):
        _render_label_errors(there)
    if may_write() and can_resample(run):
        _render_popover(
            "Sample again", ":material/replay:", lambda: render_resample_popover(selection), type="tertiary"
        )


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
    """Render a field for filters as words, ids and texts, which is empty again once it was understood."""
    typed, searched = task_renderer(run).filter_words(run), list(searched_columns(run).values())
    examples = [*typed[:1], "a word" if "text" in searched else "an id"] if searched else typed

    def understood() -> None:
        words = widget_value(FIND)
        session_store()[EMPTY] = True
        try:
            change_filters(lambda filters: _narrow(run, filters, words))
        except ValueError as error:
            queue_toast(as_markdown(str(error)), ":material/help:")

    if session_store().pop(EMPTY, False):
        st.session_state[FIND] = ""
    st.text_input("Find", placeholder=", or ".join(examples), width=240, key=FIND, on_change=understood)


def _narrow(run: Run, filters: Filters, words: str) -> Filters:
    """Narrow the filters by words that the task reads, or else by a part of the ids or of the texts.

    Raises:
        ValueError: the words name neither.
    """
    searched = searched_columns(run)
    try:
        if not task_renderer(run).filter_words(run):
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


def _render_exports(selection: Selection) -> None:
    """Render a button a file, which is made of the selection when it is asked for."""
    st.markdown(f"**{counted(len(selection.examples), 'selected example')}**")
    for name in available(EXPORTS, selection.run):
        export = EXPORTS[name]
        more = {"link": page_url(selection.state)} if export.linked else {}
        st.download_button(
            export.label,
            partial(export.make, selection, **more),
            file_name=f"{one_line(selection.run.name)}-{len(selection.examples)}.{name}",
            mime=export.mime,
            key=f"export-{name}",
            on_click="ignore",
            disabled=len(selection.examples) == 0,
            width="stretch",
        )
    if has(selection.run, "classes"):
        st.divider()
        render_acquisition(selection.run)
