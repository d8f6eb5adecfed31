"""The rail beside the views: ranking, distributions and filters with counts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from math import inf, isfinite
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.address import address_fields, parse_whole
from mcviz.app.components import keys, load_assets
from mcviz.app.filters import CLASSES, FILTERS, OF_CLASSES, ColumnFilter, Filters
from mcviz.app.navigation import score_chooser, target_chooser
from mcviz.app.resources import (
    cached_for_run,
    class_names,
    class_sets,
    columns_as_scores,
    find_example,
    grouping_columns,
    has,
    names_key,
    own_columns,
    run_numbers,
    run_scores,
    searched_columns,
    table,
    table_key,
)
from mcviz.app.selection import Selection, filter_mask, find_rank, label_error_ranking, mistakes, select
from mcviz.app.state import (
    BRUSHES,
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
from mcviz.app.wording import as_markdown, counted, describe_scores, direction, with_count
from mcviz.app.work import refusal
from mcviz.errors import McvizError
from mcviz.permission import may_write
from mcviz.runs import Run, labelled_numbers
from mcviz.runs.columns import as_texts
from mcviz.runs.storage import is_shipped
from mcviz.text import one_line, true_minus

COLUMN_ENDS = "high", "low"  # of a column that becomes a score: the uncertain one
LABELS = "labels-of-values"  # in the session: of the choices of each column, when they were drawn last
FIND, EMPTY = "find", "find-empty"  # keys: of the field; in the session, whether it is to be emptied
FIND_WIDTH = 26  # letters, that the field shows
DIGITS = 3  # of a score, after the point, on its slider
MOST_DIGITS = 12

_mounted = st.components.v2.component(
    "mcviz_brush", css=load_assets("brush.css"), js=load_assets("element.js", "latest_data.js", "brush.js")
)

BINS = 40  # at most
STEPS = (1, 2, 2.5, 5, 10)  # times a power of ten: how wide a bin is, so that its ends are short numbers


def render_rail(selection: Selection) -> None:
    """Render ranking, distribution, filters, and a reset."""
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
        keys({"/": FIND})


def render_rail_of_run(selection: Selection) -> None:
    """Render the options of a view of the whole run."""
    run, state = selection.run, selection.state
    with st.sidebar, st.container(key="rail", gap="small"):
        if has(run, "targets"):
            target_chooser(run, state)
        else:
            score_chooser("Score", run, state)
        labelled = counted(len(labelled_numbers(run)), "labelled example")
        st.caption(f"Figures of the whole run, {labelled}; the filters do not apply.")


def _render_ranking(run: Run, state: PageState) -> None:
    scores = run_scores(run)
    columns = columns_as_scores(run) if may_write() and not is_shipped(run.path) else {}
    labels = ranking_labels(run)
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


def ranking_labels(run: Run) -> dict[tuple[str, str], str]:
    """Return names of rankings by score and order."""
    scores = run_scores(run)
    labels: dict[tuple[str, str], str] = {
        (name, order): f"{score.label}, {direction(score, order)} first"
        for order in ORDERS
        for name, score in scores.items()
    }
    if run.task.label_score in scores:
        by_label = label_error_ranking(run)
        labels[by_label["score"], by_label["order"]] = "Probable label errors"
    return labels


def _render_more(run: Run, filters: Filters) -> None:
    numbers, own = run_numbers(run), own_columns(run)
    count = len(own) - ("id" in own)  # which every run has
    columns = f", {counted(count, 'column')} of your own" if count else ""
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
    typed, searched = task_renderer(run).filter_words(run), list(searched_columns(run).values())
    more = ["a word" if "text" in searched else "an id"] if searched else typed[1:]
    examples = ["#12", *more, *typed[:1]]
    while len(", or ".join(examples)) > FIND_WIDTH and len(examples) > 1:
        examples.pop()

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
    st.text_input("`/` Find", placeholder=", or ".join(examples), key=FIND, on_change=understood)


def _find_one(run: Run, words: str) -> int | None:
    number = parse_whole(words)
    return number if number is not None and 0 <= number < len(run) else find_example(run, words)


def _look_at(run: Run, example: int) -> None:
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
    """Render the control of a filter by its type, with counts.

    Args:
        run: whose examples are filtered; nothing is rendered where it lacks what the filter needs.
        filters: that are on.
        name: of the filter's field.
    """
    label, kind = FILTERS[name].label, next(field.kind for field in address_fields(Filters) if field.name == name)
    if not label or not all(has(run, need) for need in FILTERS[name].needs):
        return
    if name in OF_CLASSES:
        _render_values(run, filters, name, name, label, dict(enumerate(class_names(run))))
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
    """Render the control of a column with counts.

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
            choices = {text: one_line(text) for text in sorted({*as_texts(column).unique(), *on.values})}
            _render_values(run, filters, name, "columns", label, choices)
        case "text":
            st.text_input(
                f"{as_markdown(label)} contains",
                **state_widget_args(
                    f"contains-{name}", on.contains, lambda new: update_state(filters=_put(on, "columns", contains=new))
                ),
            )


def _put(on: ColumnFilter, field: str, **changes: Any) -> Callable[[Filters], Filters]:
    def put(filters: Filters) -> Filters:
        changed = replace(filters.on_column(on.name, field), **changes)
        low, high = sorted((changed.low, changed.high))
        return filters.with_column(replace(changed, low=low, high=high), field)

    return put


def _render_values(run: Run, filters: Filters, name: str, field: str, label: str, choices: Mapping[Any, str]) -> None:
    """Render a choice of a column's values; both new and previous texts with counts are understood."""
    on = filters.on_column(name, field)
    left = _count_values(run, filters.with_column(ColumnFilter(name), field), name, field)
    labels = {each: with_count(text, left.get(each, 0)) for each, text in choices.items()}

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


@cached_for_run(table_key, max_entries=64)
def _count_values(run: Run, filters: Filters, name: str, field: str) -> dict[Any, int]:
    mask, sets = filter_mask(run, filters), class_sets(run).get(name) if field in OF_CLASSES else None
    if sets is not None:
        return dict(enumerate(sets[mask].sum(axis=0).tolist()))
    column = table(run)[name][mask]
    return (as_texts(column) if field == "columns" else column).value_counts().to_dict()


def _render_range(column: "pd.Series[Any]", label: str, on: ColumnFilter, field: str) -> None:
    """Render a range slider and fields for its ends, empty for open; ends are whole steps, as browsers round."""
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
    return DIGITS if 0.01 <= span <= 10 else int(np.clip(DIGITS - np.floor(np.log10(span)), 0, MOST_DIGITS))


def _round_outwards(low: float, high: float, digits: int) -> tuple[float, float]:
    below, above, step = round(low, digits), round(high, digits), 10.0**-digits
    return (
        below if below <= low else round(below - step, digits),
        above if above >= high else round(above + step, digits),
    )


@dataclass(frozen=True)
class Bin:
    """A bar of a histogram.

    Attributes:
        name: which values it holds.
        all: how many examples there are.
        left: how many of them are left by other filters.
        wrong: how many of these are wrong.
    """

    name: str
    all: int
    left: int
    wrong: int


def brush(
    key: str,
    label: str,
    bins: Sequence[Bin],
    places: Sequence[tuple[float, float]],
    scale: str,
    *,
    marked: str = "",
    suspect: bool = False,
    put: Callable[[int, int], None],
    clear: Callable[[], None],
    remove: Callable[[], None] | None = None,
) -> None:
    """Render a histogram: grey for all, coloured for remaining examples.

    Args:
        key: of the component.
        label: what the bins are of.
        bins: from left to right.
        places: what is chosen now, from where to where, in bins from 0; empty for all.
        scale: from which value to which the bins go.
        marked: what the wrong ones are called, which then have a colour of their own.
        suspect: whether their labels are suspect, and not the model; then that colour is a neutral one.
        put: takes the first and the last of the bins that were chosen.
        clear: chooses all.
        remove: takes the histogram off, where that can be done.
    """

    def changed() -> None:
        component = widget_value(key)  # which is gone where somebody left the page meanwhile
        match component.asked if component else None:
            case {"what": "range", "first": int(first), "last": int(last)} if 0 <= first <= last < len(bins):
                put(first, last)
            case {"what": "clear"}:
                clear()
            case {"what": "remove"} if remove:
                remove()

    _mounted(
        key=key,
        data={
            "label": label,
            "bins": [asdict(bin_) for bin_ in bins],
            "places": [list(place) for place in places],
            "scale": scale,
            "marked": marked,
            "suspect": suspect,
            "removable": remove is not None,
        },
        on_asked_change=changed,
    )


@dataclass(frozen=True)
class BrushColumn:
    """A column cut into bins of a range or a value.

    Attributes:
        label: what it is called, as plain text.
        field: of `Filters`, which has the filter on it.
        name: of the column.
        names: of the bins, as plain text.
        members: (N,) int64, the bin of each example; -1 for none.
        values: of the bins, where each has one.
        edges: the ends of the bins, one more than there are, where they are ranges.
        scale: from which value to which the bins go, as plain text, where they are ranges.
    """

    label: str
    field: str
    name: str
    names: tuple[str, ...]
    members: np.ndarray
    values: tuple[Any, ...] = ()
    edges: tuple[float, ...] = ()
    scale: str = ""

    def without(self, filters: Filters) -> Filters:
        """Return filters without the one on this column."""
        return filters.with_column(ColumnFilter(self.name), self.field)

    def put(self, filters: Filters, first: int, last: int) -> Filters:
        """Set a filter over a range of bins; an outermost end is open."""
        if self.values:
            all_of_them = (first, last) == (0, len(self.values) - 1)
            on = ColumnFilter(self.name, () if all_of_them else self.values[first : last + 1])
        else:
            low = self.edges[first] if first > 0 else -inf
            on = ColumnFilter(self.name, low=low, high=self.edges[last + 1] if last < len(self.names) - 1 else inf)
        return filters.with_column(on, self.field)

    def places(self, filters: Filters) -> list[tuple[float, float]]:
        """Return the filter's ends in bins from 0."""
        on = filters.on_column(self.name, self.field)
        if self.values:
            return _stretches(self.values.index(value) for value in on.values if value in self.values)
        if (on.low, on.high) == (-inf, inf):
            return []
        low, high = np.interp([on.low, on.high], self.edges, np.arange(len(self.edges)))
        return [(float(low), float(high))]


def render_brushes(selection: Selection) -> None:
    """Render histograms of the ranking score and of added columns."""
    names = _brushed(selection)
    with st.container(gap="small", key="brushes"):
        for place, name in enumerate(names):
            _render_brush(selection, name, place)


def more_brushes(selection: Selection) -> dict[str, str]:
    """Return labels of columns that can be added; none if full."""
    names = _brushed(selection)
    offered = brush_labels(selection.run) if len(names) <= BRUSHES else {}
    return {name: label for name, label in offered.items() if name not in names}


def render_more_brushes(selection: Selection) -> None:
    """Render a choice of a column to add."""
    if more := more_brushes(selection):
        st.selectbox(
            "Add a histogram of",
            list(more),
            index=None,
            format_func=more.__getitem__,
            **state_widget_args("histogram", None, _add_brush),
        )


def _add_brush(name: str | None) -> None:
    if name is not None:
        update_state(brushes=(*latest_state().brushes, name)[-BRUSHES:])


def _brushed(selection: Selection) -> list[str]:
    state, offered = selection.state, brush_labels(selection.run)
    return [state.score, *(name for name in state.brushes if name in offered and name != state.score)]


def brush_labels(run: Run) -> dict[str, str]:
    """Return labels of columns with brushes: scores, classes, own."""
    known = [name for name in CLASSES if has(run, "classes") and (name == "prediction" or has(run, "labels"))]
    numbers = {name: number.label for name, number in run_numbers(run).items()}
    own = {name: one_line(name) for name in grouping_columns(run)}
    return own | numbers | {name: name for name in known}


@cached_for_run(names_key, max_entries=64)
def brush_column(run: Run, name: str) -> BrushColumn:
    """Cut a column into bins."""
    column, numbers = table(run)[name], run_numbers(run)
    if name in numbers or own_columns(run).get(name) == "number":
        number = numbers.get(name)
        field, label = ("ranges", number.label) if number else ("columns", one_line(name))
        write = number.format if number else lambda value: true_minus(f"{value:g}")
        edges, members = cut(column.to_numpy(np.float64, na_value=np.nan))
        names = tuple(f"{write(low)} to {write(high)}" for low, high in pairwise(edges))
        scale = f"{write(edges[0])} to {write(edges[-1])}"
        return BrushColumn(label, field, name, names, members, edges=edges, scale=scale)
    if name in CLASSES and has(run, "classes"):
        classes = class_names(run)
        members, values = column.to_numpy(np.int64), tuple(range(len(classes)))
        return BrushColumn(name.capitalize(), name, name, classes, members, values)
    categories = pd.Categorical(as_texts(column))
    texts = tuple(map(str, categories.categories))
    return BrushColumn(
        one_line(name), "columns", name, tuple(map(one_line, texts)), categories.codes.astype(np.int64), texts
    )


def _render_brush(selection: Selection, name: str, place: int) -> None:
    run, filters, column = selection.run, selection.filters, brush_column(selection.run, name)
    suspect = name in run_scores(run) and run_scores(run)[name].needs_labels
    counts = _count_bins(run, column.without(filters), name)

    brush(
        f"brush-{place}",  # so that another column is drawn in its place, which is quicker than a new component
        column.label,
        [Bin(*values) for values in zip(column.names, *counts, strict=True)],
        column.places(filters),
        column.scale,
        marked="" if mistakes(run) is None else "predicted otherwise" if suspect else "wrong",
        suspect=suspect,
        put=lambda first, last: update_state(filters=lambda filters: column.put(filters, first, last)),
        clear=lambda: update_state(filters=column.without),
        remove=None if name == selection.score else lambda: update_state(brushes=_others(selection.state, name)),
    )


def _others(state: PageState, name: str) -> tuple[str, ...]:
    return tuple(other for other in state.brushes if other != name)


@cached_for_run(names_key, max_entries=64)
def _count_bins(run: Run, filters: Filters, name: str) -> tuple[list[int], ...]:
    column, left, wrong = brush_column(run, name), filter_mask(run, filters), mistakes(run)
    masks = left | True, left, np.zeros_like(left) if wrong is None else left & wrong
    within = (column.members[mask & (column.members >= 0)] for mask in masks)
    return tuple(np.bincount(members, minlength=len(column.names)).tolist() for members in within)


def cut(values: np.ndarray) -> tuple[tuple[float, ...], np.ndarray]:
    """Cut numbers into bins of one width.

    Args:
        values: (N,) float64.

    Returns:
        The bins' ends, one more than there are bins; and (N,) int64, the bin of each number, -1 for what is no number.
    """
    finite = np.isfinite(values)
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 0.0)
    step = _step(high / BINS - low / BINS) or 1.0
    start = np.floor(low / step)
    count = int(max(1, np.ceil(high / step) - start))
    digits = 2 - int(np.floor(np.log10(step)))  # more than the ends of a bin have
    edges = tuple(round(float((start + edge) * step), digits) for edge in range(count + 1))
    within = np.clip(np.searchsorted(edges, np.where(finite, values, low), side="right") - 1, 0, count - 1)
    return edges, np.where(finite, within, -1)


def _step(least: float) -> float:
    """Return the smallest round number of at least this."""
    if least <= 0 or not np.isfinite(least):
        return 0.0
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(step * power for step in STEPS if step * power >= least * (1 - 1e-9)))


def _stretches(bins: Iterable[int]) -> list[tuple[float, float]]:
    stretches: list[tuple[float, float]] = []
    for place in sorted(set(bins)):
        if stretches and stretches[-1][1] == place:
            stretches[-1] = stretches[-1][0], place + 1.0
        else:
            stretches.append((float(place), place + 1.0))
    return stretches
