"""The rail beside the views: the ranking, its distribution, and the filters, each choice with its count."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf, isfinite
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.address import address_fields, parse_whole
from mcviz.app.failures import refusal
from mcviz.app.filters import FILTERS, OF_CLASSES, ColumnFilter, Filters
from mcviz.app.resources import (
    class_names,
    class_sets,
    columns_as_scores,
    find_example,
    has,
    own_columns,
    run_numbers,
    run_scores,
    searched_columns,
    table,
)
from mcviz.app.selection import LABEL_ERRORS, Selection, filter_mask, find_rank, select
from mcviz.app.state import (
    ORDERS,
    UNCERTAIN_FIRST,
    PageState,
    latest_state,
    queue_toast,
    session_store,
    state_widget_args,
    update_state,
    widget_value,
)
from mcviz.app.tasks import task_renderer
from mcviz.app.views.brushes import render_brushes
from mcviz.app.wording import as_markdown, counted, describe_scores, direction, with_count
from mcviz.errors import McvizError
from mcviz.permission import may_write
from mcviz.runs import Run
from mcviz.runs.columns import as_texts
from mcviz.runs.storage import is_shipped
from mcviz.text import one_line

COLUMN_ENDS = "high", "low"  # of a column that becomes a score: the uncertain one
LABELS = "labels-of-values"  # in the session: of the choices of each column, when they were drawn last
FIND, EMPTY = "find", "find-empty"  # keys: of the field; in the session, whether it is to be emptied
DIGITS = 3  # of a score, after the point, on its slider
MOST_DIGITS = 12


def render_rail(selection: Selection) -> None:
    """Render the ranking, its distribution, the filters, and what takes them all off, beside the page."""
    run, filters = selection.run, selection.filters
    with st.sidebar, st.container(key="rail", gap="small"):
        _render_ranking(run, selection.state)
        render_brushes(selection)
        for name in sorted(FILTERS, key="correct".__ne__):
            render_filter(run, filters, name)
        _render_find(run)
        _render_more(run, filters)
        st.button(
            "Reset filters",
            icon=":material/filter_alt_off:",
            key="reset",
            type="tertiary",
            disabled=filters == Filters(),
            on_click=update_state,
            kwargs={"filters": Filters()},
        )


def _render_ranking(run: Run, state: PageState) -> None:
    """Render the choice of what ranks and of the end that comes first; a column of the user's own becomes a score."""
    scores = run_scores(run)
    columns = columns_as_scores(run) if may_write() and not is_shipped(run.path) else {}
    labels: dict[tuple[str, str], str] = {
        (name, order): f"{score.label}, {direction(score, order)} first"
        for order in ORDERS
        for name, score in scores.items()
    }
    if LABEL_ERRORS["score"] in scores:
        labels[LABEL_ERRORS["score"], LABEL_ERRORS["order"]] = "Probable label errors"
    ends = {(name, end): f"{one_line(name)}, a column: {end} is uncertain" for name in columns for end in COLUMN_ENDS}
    labels |= ends

    def choose(ranking: tuple[str, str]) -> None:
        name, order = ranking
        if order not in COLUMN_ENDS:
            update_state(score=name, order=order)
            return
        meaning = f"Your column {one_line(name)[:100]}. {order.capitalize()}: uncertain."
        try:
            run.add_score(columns[name], table(run)[name], high_is_uncertain=order == "high", meaning=meaning)
        except McvizError as error:
            queue_toast(refusal(error, "Rank by"), ":material/error:")
        else:
            update_state(score=columns[name], order=UNCERTAIN_FIRST)

    st.selectbox(
        "Rank by",
        list(labels),
        format_func=labels.__getitem__,
        help=describe_scores(scores),
        **state_widget_args("ranking", (state.score, state.order), choose),
    )
    st.caption(as_markdown(scores[state.score].meaning))


def _render_more(run: Run, filters: Filters) -> None:
    """Render the controls of a number and of a column of the user's own, which are drawn while they are open."""
    numbers, own = run_numbers(run), own_columns(run)
    columns = f", {counted(len(own), 'column')} of your own" if own else ""
    more = st.expander(f"More: {counted(len(numbers), 'score')}{columns}", key="more-filters", on_change="rerun")
    if not more.open:
        return
    with more:
        number = st.selectbox(
            "Range of", list(numbers), format_func=lambda name: numbers[name].label, key="ranged", persist_state="page"
        )
        render_column_filter(run, filters, number)
        if own:
            column = st.selectbox(
                "Your columns",
                list(own),
                format_func=one_line,
                key=f"filtered-column-{run.digest}",
                persist_state="page",
            )
            render_column_filter(run, filters, column)


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
            update_state(filters=lambda filters: _narrow(run, filters, words))
        except ValueError as error:
            example = _find_one(run, words.removeprefix("#"))
            if example is None:
                queue_toast(as_markdown(str(error)), ":material/help:")
            else:
                _look_at(run, example)

    if session_store().pop(EMPTY, False):
        st.session_state[FIND] = ""
    st.text_input("Find", placeholder=", or ".join(examples), key=FIND, on_change=understood)


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


def render_filter(run: Run, filters: Filters, name: str) -> None:
    """Render the control of a filter, which follows from its type, with how many examples each choice leaves.

    Args:
        run: whose examples are filtered; nothing is rendered where it lacks what the filter needs.
        filters: that are on.
        name: of the filter's field.
    """
    label, kind = FILTERS[name].label, next(field.kind for field in address_fields(Filters) if field.name == name)
    if not label or not all(has(run, need) for need in FILTERS[name].needs):
        return
    if name in OF_CLASSES:
        sets = class_sets(run).get(name)
        column = table(run)[name]
        if sets is not None:
            column = pd.Series([np.flatnonzero(row).tolist() for row in sets], name=name)
        _render_values(column, dict(enumerate(class_names(run))), label, run, filters, name)
        return

    def count(choice: object) -> int:
        changes: dict[str, Any] = {name: choice}
        return int(filter_mask(run, replace(filters, **changes)).sum())

    changed = state_widget_args(name, getattr(filters, name))
    if kind is bool:
        st.toggle(with_count(label, count(True)), **changed)
    elif get_origin(kind) is Literal:
        choices = {choice: f"{choice.capitalize()} {count(choice):,}" for choice in get_args(kind)}
        st.segmented_control(label, list(choices), format_func=choices.__getitem__, required=True, **changed)
    else:
        (bounds,) = kind.__metadata__
        st.number_input(label, bounds.ge, bounds.le, **changed)


def render_column_filter(run: Run, filters: Filters, name: str) -> None:
    """Render the control of a column of numbers, of few values, or of texts, with how many examples a value leaves.

    Args:
        run: whose examples are filtered.
        filters: that are on.
        name: of the column: a score, another number of the run, or one of the user's own.
    """
    column, numbers = table(run)[name], run_numbers(run)
    if name in numbers:
        number = numbers[name]
        label = f"{number.label}, {number.unit}" if number.unit else number.label
        _render_range(column, label, filters.on_column(name, "ranges"), "ranges")
        return
    on, label = filters.on_column(name), one_line(name)
    match own_columns(run)[name]:
        case "number":
            _render_range(column, label, on, "columns")
        case "category":
            texts = as_texts(column)
            choices = {text: one_line(text) for text in sorted({*texts.unique(), *on.values})}
            _render_values(texts, choices, label, run, filters, "columns")
        case "text":
            st.text_input(
                f"{as_markdown(label)} contains",
                **state_widget_args(
                    f"contains-{name}", on.contains, lambda new: update_state(filters=_put(on, "columns", contains=new))
                ),
            )


def _put(on: ColumnFilter, field: str, **changes: Any) -> Callable[[Filters], Filters]:
    """Return what changes attributes of the filter on a column, as it is by then."""

    def put(filters: Filters) -> Filters:
        changed = replace(filters.on_column(on.name, field), **changes)
        low, high = sorted((changed.low, changed.high))
        return filters.with_column(replace(changed, low=low, high=high), field)

    return put


def _render_values(
    column: "pd.Series[Any]", choices: Mapping[Any, str], label: str, run: Run, filters: Filters, field: str
) -> None:
    """Render a choice of values of a column.

    Streamlit's browser says by its text what is chosen. It gets the texts of now where other filters changed the counts
    in them, and what it says with those of before is read all the same.
    """
    on = filters.on_column(str(column.name), field)
    others = filters.with_column(ColumnFilter(on.name), field)
    left = column[filter_mask(run, others)].explode().value_counts()
    labels = {each: with_count(text, int(left.get(each, 0))) for each, text in choices.items()}

    def choose(new: list[Any]) -> None:
        by_text = {text: each for each, text in choices.items()}
        values = (each if each in choices else by_text.get(each.rpartition(" ")[0]) for each in new)
        update_state(filters=_put(on, field, values=tuple(each for each in values if each is not None)))

    widget = state_widget_args(f"values-{on.name}", list(on.values), choose)
    labels_before = session_store().setdefault(LABELS, {})
    if on.values and labels_before.get(on.name) != labels:
        st.session_state[widget["key"]] = list(on.values)
    labels_before[on.name] = labels
    st.multiselect(
        as_markdown(label),
        list(choices),
        format_func=labels.__getitem__,
        placeholder=f"any of {len(choices):,}",
        **widget,
    )


def _render_range(column: "pd.Series[Any]", label: str, on: ColumnFilter, field: str) -> None:
    """Render a slider over the numbers of a column, and both ends as fields; a field that is empty leaves one open.

    The ends of the slider are whole steps, as the browser rounds to them and Streamlit then compares.
    """
    values = column.to_numpy(np.float64, na_value=np.nan)
    values = values[np.isfinite(values)]
    if not len(values) or values.min() == values.max():
        return
    lowest, highest = float(values.min()), float(values.max())
    digits = _digits(highest - lowest) if pd.api.types.is_float_dtype(column) else 0
    low, high = _round_outwards(lowest, highest, digits)
    kept_low, kept_high = (float(np.clip(end, low, high)) for end in (on.low, on.high))

    def slide(new: tuple[float, float]) -> None:
        ends = {"low": -inf if new[0] <= low else new[0], "high": inf if new[1] >= high else new[1]}
        update_state(filters=_put(on, field, **ends))

    st.slider(
        as_markdown(label),
        low,
        high,
        step=10.0**-digits,
        format=f"%.{digits}f",
        **state_widget_args(f"range-{on.name}", _round_outwards(kept_low, kept_high, digits), slide),
    )
    with st.container(horizontal=True):
        for end, word, value, nearest in (("low", "from", on.low, lowest), ("high", "to", on.high, highest)):
            _render_end(end, word, value if isfinite(value) else None, nearest, on, field)


def _render_end(end: str, word: str, value: float | None, nearest: float, on: ColumnFilter, field: str) -> None:
    def change(new: float | None) -> None:
        unbounded = -inf if end == "low" else inf
        update_state(filters=_put(on, field, **{end: unbounded if new is None else new}))

    st.number_input(
        word,
        value=None,
        placeholder=f"{nearest:.4g}",
        format="%g",
        **state_widget_args(f"{end}-{on.name}", value, change, may_be_empty=True),
    )


def _digits(span: float) -> int:
    """Return how many digits after the point the steps of a slider have."""
    return DIGITS if 0.01 <= span <= 10 else int(np.clip(DIGITS - np.floor(np.log10(span)), 0, MOST_DIGITS))


def _round_outwards(low: float, high: float, digits: int) -> tuple[float, float]:
    """Round to whole steps below and above, so that what is between stays between."""
    below, above, step = round(low, digits), round(high, digits), 10.0**-digits
    return (
        below if below <= low else round(below - step, digits),
        above if above >= high else round(above + step, digits),
    )
