"""Slim histograms over the views, on which a brush filters: the score of the ranking, and up to two more columns."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components import load_assets
from mcviz.app.filters import CLASSES, ColumnFilter, Filters
from mcviz.app.resources import (
    cached_for_run,
    class_names,
    grouping_columns,
    has,
    names_key,
    own_columns,
    run_numbers,
    run_scores,
    table,
)
from mcviz.app.selection import Selection, filter_mask
from mcviz.app.state import BRUSHES, PageState, latest_state, state_widget_args, update_state, widget_value
from mcviz.app.tasks import task_renderer
from mcviz.runs import Run
from mcviz.runs.columns import as_texts
from mcviz.text import one_line, true_minus

_mounted = st.components.v2.component(
    "mcviz_brush", css=load_assets("brush.css"), js=load_assets("element.js", "latest_data.js", "brush.js")
)

BINS = 40  # at most
STEPS = (1, 2, 2.5, 5, 10)  # times a power of ten: how wide a bin is, so that its ends are short numbers


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
    """Render a histogram: grey for all examples, coloured for those that are left.

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
    """A column of a run's table, cut into bins: of a range of numbers each, or of one value each.

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
        """Return filters with one from the first to the last of some bins; an end is open where no bin lies beyond."""
        if self.values:
            all_of_them = (first, last) == (0, len(self.values) - 1)
            on = ColumnFilter(self.name, () if all_of_them else self.values[first : last + 1])
        else:
            low = self.edges[first] if first > 0 else -inf
            on = ColumnFilter(self.name, low=low, high=self.edges[last + 1] if last < len(self.names) - 1 else inf)
        return filters.with_column(on, self.field)

    def places(self, filters: Filters) -> list[tuple[float, float]]:
        """Return where the filter on this column lets examples through: from where to where, in bins from 0."""
        on = filters.on_column(self.name, self.field)
        if self.values:
            return _stretches(self.values.index(value) for value in on.values if value in self.values)
        if (on.low, on.high) == (-inf, inf):
            return []
        low, high = np.interp([on.low, on.high], self.edges, np.arange(len(self.edges)))
        return [(float(low), float(high))]


def render_brushes(selection: Selection) -> None:
    """Render a histogram of the score of the ranking and of each column that was added."""
    names = _brushed(selection)
    with st.container(gap="small", key="brushes"):
        for place, name in enumerate(names):
            _render_brush(selection, name, place)


def more_brushes(selection: Selection) -> dict[str, str]:
    """Return the labels of the columns whose histogram can be added; none where there is no room for one."""
    names = _brushed(selection)
    offered = brush_labels(selection.run) if len(names) <= BRUSHES else {}
    return {name: label for name, label in offered.items() if name not in names}


def render_more_brushes(selection: Selection) -> None:
    """Render a choice of a column, whose histogram is added."""
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
    """Return the names of the columns that have a histogram."""
    state, offered = selection.state, brush_labels(selection.run)
    return [state.score, *(name for name in state.brushes if name in offered and name != state.score)]


def brush_labels(run: Run) -> dict[str, str]:
    """Return the label of each column that can be brushed: scores and numbers, classes, and the user's own."""
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
    marked = task_renderer(run).marks_mistakes and has(run, "labels")
    suspect = name in run_scores(run) and run_scores(run)[name].needs_labels
    wrong = ~table(run)["correct"].astype(bool).to_numpy() if marked else np.zeros(len(run), bool)
    left = filter_mask(run, column.without(filters))
    counts = [_counts(column, members) for members in (np.ones(len(run), bool), left, left & wrong)]

    brush(
        f"brush-{place}",  # so that another column is drawn in its place, which is quicker than a new component
        column.label,
        [Bin(*values) for values in zip(column.names, *counts, strict=True)],
        column.places(filters),
        column.scale,
        marked=("predicted otherwise" if suspect else "wrong") if marked else "",
        suspect=suspect,
        put=lambda first, last: update_state(filters=lambda filters: column.put(filters, first, last)),
        clear=lambda: update_state(filters=column.without),
        remove=None if name == selection.score else lambda: update_state(brushes=_others(selection.state, name)),
    )


def _others(state: PageState, name: str) -> tuple[str, ...]:
    return tuple(other for other in state.brushes if other != name)


def _counts(column: BrushColumn, members: np.ndarray) -> list[int]:
    within = column.members[members]
    return np.bincount(within[within >= 0], minlength=len(column.names)).tolist()


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
    """Return the smallest short number that is no less."""
    if least <= 0 or not np.isfinite(least):
        return 0.0
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(step * power for step in STEPS if step * power >= least * (1 - 1e-9)))


def _stretches(bins: Iterable[int]) -> list[tuple[float, float]]:
    """Return the stretches that bins fill, from where to where."""
    stretches: list[tuple[float, float]] = []
    for place in sorted(set(bins)):
        if stretches and stretches[-1][1] == place:
            stretches[-1] = stretches[-1][0], place + 1.0
        else:
            stretches.append((float(place), place + 1.0))
    return stretches
