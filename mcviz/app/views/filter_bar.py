"""The bar above the views: the ranking, the filters and the export of what they leave."""

from collections.abc import Callable
from functools import partial
from math import inf, isfinite
from typing import Any, Literal

import numpy as np
import streamlit as st

from mcviz.app.columns import own_columns, searched_columns
from mcviz.app.components.chips import chips
from mcviz.app.components.score_chooser import score_chooser
from mcviz.app.components.widgets import bound
from mcviz.app.exporting import EXPORTS
from mcviz.app.filters import ColumnFilter, Filters
from mcviz.app.navigation import REVIEW, link_to
from mcviz.app.needs import has, offered
from mcviz.app.redrawing import queue_toast
from mcviz.app.resources import numbers_of, scores_of, table
from mcviz.app.runs.again import again_in_popover, again_shown, can_be_held_against
from mcviz.app.selection import LABEL_ERRORS, Selection, select
from mcviz.app.session import session_store, widget_value
from mcviz.app.state import ORDERS, PageState, change_filters, go, whole_address
from mcviz.app.tasks import task_of
from mcviz.app.trust.referral import render_acquisition, render_referral_popover
from mcviz.app.views.column_filter import column_filter
from mcviz.app.wording import as_markdown, counted, extremes
from mcviz.measures import Score
from mcviz.permission import may_write
from mcviz.runs import Run
from mcviz.text import one_line

DIGITS = 3  # of a score, after the point, on its slider
MOST_DIGITS = 12
FIND, EMPTY = "find", "find-empty"  # keys: of the field; in the session, whether it is to be emptied


def filter_bar(run: Run, state: PageState) -> Selection:
    """The controls of what is selected and how it is ranked, and what they select."""
    selection, score = select(run, state), scores_of(run)[state.score]
    orders = dict(zip(ORDERS, extremes(score), strict=True))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filter-bar"):
        score_chooser("Rank by", run, state)
        st.selectbox(
            "Order", ORDERS, format_func=lambda each: f"{orders[each]} first", width=230, **bound("order", state.order)
        )
        if task_of(run).filter_words(run) or searched_columns(run):
            _typed(run)
        _popover("Filters", ":material/filter_list:", lambda: _filters(run, state.filters))
        if has(run, "labels") and has(run, "classes") and len(run) > 1:
            _popover("Refer", ":material/person_search:", lambda: render_referral_popover(run, state))
        with st.popover("Export", icon=":material/download:"):
            _exports(selection)
        if has(run, "classes"):
            link_to(REVIEW, "Review these")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filter-meaning"):
        chips(selection)
        _meaning(selection, score)
    again_shown(selection)
    return selection


def _meaning(selection: Selection, score: Score) -> None:
    """What the ranking shows, a button for that of probably wrong labels, and what shows whether the ranking holds."""
    run, state = selection.run, selection.state
    there = all(getattr(state, name) == value for name, value in LABEL_ERRORS.items())
    st.caption(f"**Probable label errors first.** {score.meaning}" if there else score.meaning, width="content")
    if LABEL_ERRORS["score"] in scores_of(run):
        _label_errors(there)
    if may_write() and can_be_held_against(run):
        _popover("Sample again", ":material/replay:", lambda: again_in_popover(selection), type="tertiary")


def _popover(label: str, icon: str, draw: Callable[[], None], **looks: Any) -> None:
    """A popover whose content is computed and drawn only while it is open."""
    popover = st.popover(label, icon=icon, key=f"popover-{label}", on_change="rerun", **looks)
    if popover.open:
        with popover:
            draw()


def _label_errors(there: bool) -> None:
    st.button(
        "Probable label errors",
        icon=":material/label_off:",
        key="label-errors",
        type="tertiary",
        disabled=there,
        on_click=go,
        kwargs=LABEL_ERRORS,
        help="The examples whose given label the ensemble finds least probable",
    )


def _typed(run: Run) -> None:
    """The field for what the task reads, for ids and for words, which is empty again once it was understood."""
    typed, searched = task_of(run).filter_words(run), list(searched_columns(run).values())
    examples = [*typed[:1], "a word" if "text" in searched else "an id"] if searched else typed

    def understood() -> None:
        words = widget_value(FIND)
        session_store()[EMPTY] = True
        try:
            change_filters(lambda filters: _found(run, filters, words))
        except ValueError as error:
            queue_toast(as_markdown(str(error)), ":material/help:")

    if session_store().pop(EMPTY, False):
        st.session_state[FIND] = ""
    st.text_input("Find", placeholder=", or ".join(examples), width=240, key=FIND, on_change=understood)


def _found(run: Run, filters: Filters, words: str) -> Filters:
    """The filters narrowed by what the task reads, or else by a part of the ids or of the texts.

    Raises:
        ValueError: the words name neither.
    """
    searched = searched_columns(run)
    try:
        if not task_of(run).filter_words(run):
            raise ValueError(f"No {' and no '.join(searched.values())} contains “{words}”.")
        return task_of(run).narrow_filters(run, filters, words)
    except ValueError:
        for name in searched:
            by_column = ColumnFilter(name, contains=words.strip())
            if by_column.contains and by_column.mask(table(run)).any():
                return filters.with_column(by_column)
        raise


def _filters(run: Run, filters: Filters) -> None:
    task_of(run).render_filters(run, filters)
    _range(run, filters)
    if own_columns(run):
        column_filter(run, filters)


def _range(run: Run, filters: Filters) -> None:
    """A slider over any score. Its ends are whole steps, as the browser rounds to them and Streamlit then compares."""
    numbers = numbers_of(run)
    name = st.selectbox(
        "Range of", list(numbers), format_func=lambda name: numbers[name].label, key="ranged", persist_state="page"
    )
    values, number = table(run)[name], numbers[name]
    if values.min() == values.max():
        return
    digits = _digits(float(values.max() - values.min()))
    low, high = _outwards(float(values.min()), float(values.max()), digits)
    kept = {score: (a, b) for score, a, b in filters.ranges}.get(name, (low, high))
    kept_low, kept_high = np.clip(kept, low, high)
    shown = _outwards(float(kept_low), float(kept_high), digits)

    def put(new: tuple[float, float]) -> None:
        ends = (-inf if new[0] <= low else new[0], inf if new[1] >= high else new[1])
        change_filters(lambda filters: filters.with_range(name, *ends))

    st.slider(
        as_markdown(f"{number.label}, {number.unit}" if number.unit else number.label),
        low,
        high,
        step=10.0**-digits,
        format=f"%.{digits}f",
        **bound(f"range-{name}", shown, put),
    )
    ends = {score: (a, b) for score, a, b in filters.ranges}.get(name, (-inf, inf))
    with st.container(horizontal=True):
        _exact_end(name, "from", ends, float(values.min()))
        _exact_end(name, "to", ends, float(values.max()))


def _exact_end(name: str, word: Literal["from", "to"], ends: tuple[float, float], nearest: float) -> None:
    """One end of a range as a number; a field that is empty leaves it open."""
    at = ["from", "to"].index(word)

    def put(new: float | None) -> None:
        changed = list(ends)
        changed[at] = (-inf, inf)[at] if new is None else new
        change_filters(lambda filters: filters.with_range(name, min(changed), max(changed)))

    st.number_input(
        word,
        value=None,
        placeholder=f"{nearest:.4g}",
        format="%g",
        **bound(f"range-{word}-{name}", ends[at] if isfinite(ends[at]) else None, put, may_be_empty=True),
    )


def _digits(span: float) -> int:
    """How many digits after the point the steps of a slider have."""
    return DIGITS if 0.01 <= span <= 10 else int(np.clip(DIGITS - np.floor(np.log10(span)), 0, MOST_DIGITS))


def _outwards(low: float, high: float, digits: int) -> tuple[float, float]:
    """The nearest whole steps below and above, so that what is between stays between."""
    below, above, step = round(low, digits), round(high, digits), 10.0**-digits
    return (
        below if below <= low else round(below - step, digits),
        above if above >= high else round(above + step, digits),
    )


def _exports(selection: Selection) -> None:
    """Each file is made when it is asked for, of what is selected then."""
    st.markdown(f"**{counted(len(selection.examples), 'selected example')}**")
    for name in offered(EXPORTS, selection.run):
        export = EXPORTS[name]
        more = {"link": whole_address(selection.state)} if export.linked else {}
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
