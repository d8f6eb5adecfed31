"""Filters of examples, in a form that fits into an address.

A filter is a field of `Filters`. Its type defines its text and its control, the `Filter` beside it its examples and
words.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf, isfinite
from operator import methodcaller
from typing import Annotated, Any, Literal, get_args, get_type_hints
from urllib.parse import unquote

import numpy as np
import pandas as pd

from mcviz.app.address import (
    ANY_RUN,
    InRun,
    OwnText,
    RunLimits,
    Whole,
    escape,
    parse_finite,
    read_fields,
    write_fields,
)
from mcviz.measures import Score
from mcviz.runs.columns import as_texts
from mcviz.text import true_minus

Correct = Literal["all", "wrong", "correct"]
CORRECT: tuple[Correct, ...] = get_args(Correct)
CLASSES: tuple[Literal["label", "prediction"], ...] = ("label", "prediction")  # of an example
OF_CLASSES = (*CLASSES, "wrong")  # the fields that hold numbers of classes
MOST_NAMED = 20  # classes that a message lists
CORNER_DIGITS = 8  # of the place of a corner: as many as tell points of a plane apart that is zoomed in on
Corners = tuple[tuple[float, float], ...]  # of a closed polygon, three at least
Numbers = Mapping[str, Score]  # what ranges and lassos are of, by name


@dataclass(frozen=True)
class ColumnFilter:
    """A filter on a column: values, a range, or part of a text.

    Attributes:
        name: of the column.
        values: one of which is the value: texts, or of a column of classes their indices; empty for any.
        low: the lowest number; infinite where that end is open.
        high: the highest number; infinite where that end is open.
        contains: a part of the value, in large or small letters; empty for any.
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float = -inf
    high: float = inf
    contains: str = ""

    def mask(self, table: pd.DataFrame) -> np.ndarray:
        """Return (N,) bool; a missing or non-numeric column passes all."""
        mask = np.ones(len(table), dtype=bool)
        if self.name not in table:
            return mask
        column = table[self.name]
        if self.values:
            mask &= as_texts(column).isin(self.values).to_numpy(bool)
        if (self.low, self.high) != (-inf, inf) and pd.api.types.is_numeric_dtype(column):
            mask &= column.between(self.low, self.high).fillna(False).to_numpy(bool)
        if self.contains:
            mask &= as_texts(column).str.contains(self.contains, case=False, regex=False).to_numpy(bool)
        return mask

    def words(self, numbers: Numbers) -> str:
        """Return the words of its chip."""
        number = numbers.get(self.name)
        name, write = (number.label, number.format) if number else (self.name, lambda value: true_minus(f"{value:g}"))
        if self.values:
            return f"{name} {' or '.join(self.values)}"
        if self.contains:
            return f"{name} contains {self.contains}"
        if self.low == -inf:
            return f"{name} up to {write(self.high)}"
        return (
            f"{name} from {write(self.low)}" if self.high == inf else f"{name} {write(self.low)} to {write(self.high)}"
        )


@dataclass(frozen=True)
class Lasso:
    """A closed polygon on two columns, kept as corners for short links.

    Attributes:
        x: name of the column along the x axis.
        y: name of the column along the y axis.
        corners: ((x, y), …), three at least.
        layout: of the map, whose columns these are; empty where they are the table's own.
    """

    x: str
    y: str
    corners: Corners
    layout: str = ""

    def mask(self, table: pd.DataFrame) -> np.ndarray:
        """Return (N,) bool of examples inside; all without the columns of its layout."""
        if self.layout and self.x not in table:
            return np.ones(len(table), dtype=bool)
        return surrounded(self.corners, table[self.x].to_numpy(), table[self.y].to_numpy())


def lasso_on_map(layout: str, corners: Corners = ()) -> Lasso:
    """Return a lasso on the columns of a layout of the map."""
    return Lasso(f"{layout} layout: x", f"{layout} layout: y", corners, layout)


def surrounded(corners: Corners, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Find points inside a closed polygon, by the even-odd rule.

    Args:
        corners: of the polygon.
        x: (N,) floating point.
        y: (N,) floating point.

    Returns:
        (N,) bool.
    """
    (left, bottom), (right, top) = np.min(corners, axis=0), np.max(corners, axis=0)
    near = np.flatnonzero((x >= left) & (x <= right) & (y >= bottom) & (y <= top))
    mask, inside = np.zeros(len(x), dtype=bool), np.zeros(len(near), dtype=bool)
    x, y = x[near].astype(np.float64), y[near].astype(np.float64)
    previous = corners[-1]
    for corner in corners:
        (x0, y0), (x1, y1) = previous, corner
        crosses = (y0 > y) != (y1 > y)
        # The side of the edge on which a point lies, without a division that nearly level edges would overflow.
        side = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)
        inside ^= crosses & ((side > 0) == (y1 > y0))
        previous = corner
    mask[near] = inside
    return mask


def round_corners(corners: Corners) -> Corners:
    """Round corners for an address; empty for no polygon."""
    return _read_corners(_write_corners(corners))


def _read_corners(text: str) -> Corners:
    values = parse_finite(text.split(","))
    return () if len(values) < 6 or len(values) % 2 else tuple(zip(values[::2], values[1::2], strict=True))


def _write_corners(corners: Corners) -> str:
    return ",".join(f"{value:.{CORNER_DIGITS}g}" for corner in corners for value in corner)


def _read_lasso(text: str, run: RunLimits) -> Lasso | None:
    x, _, rest = text.partition(":")
    y, _, written = rest.partition(":")
    x, y, corners = unquote(x), unquote(y), _read_corners(written)
    return Lasso(x, y, corners) if x in run.numbers and y in run.numbers and corners else None


def _read_area(text: str, run: RunLimits) -> Lasso | None:
    layout, _, written = text.partition(":")
    corners = _read_corners(written)
    return lasso_on_map(layout, corners) if layout in run.layouts and corners else None


def _write_lasso(lasso: Lasso) -> str:
    return f"{escape(lasso.x)}:{escape(lasso.y)}:{_write_corners(lasso.corners)}"


def _write_area(lasso: Lasso) -> str:
    return f"{lasso.layout}:{_write_corners(lasso.corners)}"


def _read_ranges(text: str, run: RunLimits) -> tuple[ColumnFilter, ...]:
    filters: dict[str, ColumnFilter] = {}
    for part in text.split("~"):
        name, *ends = part.split(":")
        name = unquote(name)
        values = parse_finite([end for end in ends if end])
        if name in run.numbers and len(ends) == 2 and values:
            low, high = min(values) if ends[0] else -inf, max(values) if ends[1] else inf
            filters[name] = ColumnFilter(name, low=low, high=high)
    return tuple(filters.values())


def _write_ranges(value: tuple[ColumnFilter, ...]) -> str:
    ends = (
        (column.name, *(repr(float(end)) if isfinite(end) else "" for end in (column.low, column.high)))
        for column in value
    )
    return "~".join(f"{escape(name)}:{low}:{high}" for name, low, high in ends)


def _read_columns(text: str, run: RunLimits) -> tuple[ColumnFilter, ...]:
    try:
        content = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return ()
    items = content.items() if isinstance(content, dict) else ()
    filters = [_read_column(name, wanted) for name, wanted in items if run.columns is None or name in run.columns]
    return tuple(column for column in filters if column != ColumnFilter(column.name))


def _read_column(name: str, wanted: object) -> ColumnFilter:
    if isinstance(wanted, str):
        return ColumnFilter(name, contains=wanted)
    if isinstance(wanted, list):
        return ColumnFilter(name, values=tuple(dict.fromkeys(value for value in wanted if isinstance(value, str))))
    ends = wanted if isinstance(wanted, dict) else {}
    low, high = (_read_end(ends.get(key), unbounded) for key, unbounded in (("low", -inf), ("high", inf)))
    return ColumnFilter(name, low=min(low, high), high=max(low, high))


def _read_end(value: object, unbounded: float) -> float:
    numbers = parse_finite([str(value)]) if isinstance(value, int | float) and not isinstance(value, bool) else []
    return numbers[0] if numbers else unbounded


def _write_columns(value: tuple[ColumnFilter, ...]) -> str:
    content: dict[str, Any] = {}
    for column in value:
        ends = {end: value for end, value in (("low", column.low), ("high", column.high)) if isfinite(value)}
        content[column.name] = list(column.values) or column.contains or ends
    return json.dumps(content, separators=(",", ":"))


Chip = tuple[str, Callable[["Filters"], "Filters"]]  # its words, and what takes its filter off


@dataclass(frozen=True)
class Filter:
    """A filter of examples, beside the type of a field of `Filters`.

    Attributes:
        mask: gives (N,) bool, the examples that pass, of a value that is on and the table of a run.
        words: gives what a value is called on its chip, of the names of C classes and the numbers by name.
        label: of its control, which follows from the type; empty where it has none.
        needs: what a run has to have for the control.
    """

    mask: Callable[[Any, pd.DataFrame], np.ndarray]
    words: Callable[[Any, tuple[str, ...], Numbers], str]
    label: str = ""
    needs: frozenset[Literal["labels", "classes", "class filters", "class sets"]] = frozenset()


def _of_class(column: Literal["label", "prediction", "wrong"], called: str) -> Filter:
    return Filter(
        lambda value, table: _has_class(column, value, table),
        lambda value, names, _: f"{called} {' or '.join(names[index] for index in value)}",
        label=column.capitalize(),
        needs=frozenset({"class filters"} if column == "prediction" else {"labels", "class filters"}),
    )


def class_column(column: str, index: int) -> str:
    """Return the name of the column for membership in a class."""
    return f"{column}: class {index}"


def _has_class(column: str, value: tuple[int, ...], table: pd.DataFrame) -> np.ndarray:
    columns = [class_column(column, index) for index in value]
    if columns[0] in table:
        return table[columns].any(axis=1).to_numpy(bool)
    return table[column].isin(value).to_numpy(dtype=bool)


_LABEL = InRun(lambda run: run.classes if run.labels else 0, refers_to="classes")
_PREDICTION = InRun(lambda run: run.classes, refers_to="classes")
_WRONG = InRun(lambda run: 0 if run.one_class or not run.labels else run.classes, refers_to="classes")
_CORRECT = InRun(lambda run: CORRECT if run.classes and run.one_class and run.labels else ())
_SELECTED = InRun(lambda run: run.examples, refers_to="examples")
_DISAGREE = OwnText(lambda text, run: text == "1" and run.one_class and run.classes > 0, lambda _: "1")
_RANGES, _COLUMNS = OwnText(_read_ranges, _write_ranges, key="range"), OwnText(_read_columns, _write_columns)
_LASSO, _AREA = OwnText(_read_lasso, _write_lasso), OwnText(_read_area, _write_area, refers_to="examples")
BY_COLUMN = ("ranges", "columns")  # the fields of several filters: at most one a column, none of them open
_by_column = Filter(
    lambda value, table: np.logical_and.reduce([column.mask(table) for column in value]),
    lambda one, _, numbers: one.words(numbers),
)


@dataclass(frozen=True)
class Filters:
    """Filters that must all hold; without any, all examples pass.

    Attributes:
        label: class indices, one of which is the label; empty for any.
        prediction: the same of the ensemble's prediction.
        wrong: the same of the classes that are predicted wrongly or missed, of several labels an example.
        correct: which predictions are kept.
        disagree: whether only examples are kept whose passes do not all vote alike.
        ranges: of scores and of other numbers of the run.
        columns: on the ids, on texts and on the user's own columns.
        lasso: drawn on the plane of two numbers.
        area: a lasso that is drawn on the map.
        selected: example numbers, chosen one by one; empty for any.
    """

    label: Annotated[tuple[Whole, ...], _LABEL, _of_class("label", "label")] = ()
    prediction: Annotated[tuple[Whole, ...], _PREDICTION, _of_class("prediction", "predicted")] = ()
    wrong: Annotated[tuple[Whole, ...], _WRONG, replace(
        _of_class("wrong", "wrong on"), label="Wrong or missed", needs=frozenset({"labels", "class sets"})
    )] = ()  # fmt: skip
    correct: Annotated[Correct, _CORRECT, Filter(
        lambda value, table: (table["correct"] == (value == "correct")).fillna(False).to_numpy(dtype=bool),
        lambda value, *_: f"{value} predictions",
        label="Predictions",
        needs=frozenset({"labels", "classes"}),
    )] = "all"  # fmt: skip
    disagree: Annotated[bool, _DISAGREE, Filter(
        lambda _, table: table["variation_ratio"].to_numpy() > 0,
        lambda *_: "passes disagree",
        label="Passes disagree",
        needs=frozenset({"classes"}),
    )] = False  # fmt: skip
    ranges: Annotated[tuple[ColumnFilter, ...], _RANGES, _by_column] = ()
    columns: Annotated[tuple[ColumnFilter, ...], _COLUMNS, _by_column] = ()
    lasso: Annotated[Lasso | None, _LASSO, Filter(
        lambda lasso, table: lasso.mask(table),
        lambda lasso, _, numbers: f"lasso in {numbers[lasso.x].label} × {numbers[lasso.y].label}",
    )] = None  # fmt: skip
    area: Annotated[Lasso | None, _AREA, Filter(
        lambda lasso, table: lasso.mask(table),
        lambda *_: "lasso on the map",
    )] = None  # fmt: skip
    selected: Annotated[tuple[Whole, ...], _SELECTED, Filter(
        lambda value, table: np.isin(np.arange(len(table)), value),
        lambda value, *_: "this example" if len(value) == 1 else f"these {len(value):,} examples",
    )] = ()  # fmt: skip

    def mask(self, table: pd.DataFrame) -> np.ndarray:
        """Find the examples that pass every filter.

        Args:
            table: of a run: scores, one row an example, with the user's own columns; and those of the area's layout,
                without which it keeps all.

        Returns:
            (N,) bool.
        """
        mask = np.ones(len(table), dtype=bool)
        for name in filter(self.is_on, FILTERS):
            mask &= FILTERS[name].mask(getattr(self, name), table)
        return mask

    def is_on(self, name: str) -> bool:
        """Return whether a filter keeps not all examples."""
        return bool(getattr(self, name) != getattr(Filters, name))

    def without(self, *names: str) -> "Filters":
        """Return the same filters, without those of these names."""
        return replace(self, **{name: getattr(Filters, name) for name in names})

    def on_column(self, name: str, field: str = "columns") -> ColumnFilter:
        """Return the filter on a column, or an open one."""
        if field in OF_CLASSES:
            return ColumnFilter(name, values=getattr(self, field))
        return next((column for column in getattr(self, field) if column.name == name), ColumnFilter(name))

    def with_column(self, wanted: ColumnFilter, field: str = "columns") -> "Filters":
        """Replace the filter on its column; drop an open one."""
        others = tuple(column for column in getattr(self, field) if field in BY_COLUMN and column.name != wanted.name)
        on = (
            wanted.values
            if field in OF_CLASSES
            else (*others, *((wanted,) if wanted != ColumnFilter(wanted.name) else ()))
        )
        changes: dict[str, Any] = {field: on}
        return replace(self, **changes)

    def with_range(self, number: str, low: float, high: float) -> "Filters":
        """Replace the range of a number; drop an open one."""
        return self.with_column(ColumnFilter(number, low=low, high=high), "ranges")

    def narrow(self, words: str, class_names: tuple[str, ...]) -> "Filters":
        """Add filters from words; see `parse_words`.

        Raises:
            ValueError: the words are no filter.
        """
        return replace(self, **parse_words(words, class_names))

    def chips(self, class_names: tuple[str, ...], numbers: Numbers) -> list[Chip]:
        """Return the words of each filter, and a function to remove it.

        Args:
            class_names: C names.
            numbers: what ranges and lassos are of, by name.
        """
        chips: list[Chip] = []
        for name in filter(self.is_on, FILTERS):
            words, value = FILTERS[name].words, getattr(self, name)
            if name in BY_COLUMN:
                take_off = {part: methodcaller("with_column", ColumnFilter(part.name), name) for part in value}
            else:
                take_off = {value: methodcaller("without", name)}
            chips += [(words(part, class_names, numbers), change) for part, change in take_off.items()]
        return chips

    def to_query(self) -> dict[str, str]:
        """Return the filters that are on, for an address."""
        return write_fields(self)

    @classmethod
    def from_query(cls, query: Mapping[str, str], run: RunLimits = ANY_RUN) -> "Filters":
        """Read filters from an address; skip parts invalid for the run."""
        return cls(**read_fields(cls, query, run))


FILTERS: dict[str, Filter] = {
    name: beside
    for name, hint in get_type_hints(Filters, include_extras=True).items()
    for beside in get_args(hint)
    if isinstance(beside, Filter)
}


def parse_words(words: str, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Parse words such as "cat as dog", "cat", "as dog", "wrong" or "correct".

    Returns:
        Values of `Filters` by the names of their fields: label cat, predicted dog.

    Raises:
        ValueError: the words are none of these, or name a class that is not there.
    """
    text = words.strip()
    if text.lower() in ("correct", "wrong"):
        return {"correct": text.lower()}
    parts = re.split(r"\sas\s", f" {text} ", maxsplit=1, flags=re.IGNORECASE)
    names = {kind: part.strip() for kind, part in zip(CLASSES, parts, strict=False) if part.strip()}
    if not names:
        raise ValueError(f"Type a class, or two as in “{two_classes(class_names)}”.")
    return {kind: (_class_index(name, class_names),) for kind, name in names.items()}


def two_classes(class_names: tuple[str, ...]) -> str:
    """Return words such as "cat as dog"."""
    return f"{class_names[0]} as {class_names[-1]}"


def _class_index(name: str, class_names: tuple[str, ...]) -> int:
    exact = {class_name: c for c, class_name in enumerate(class_names)}
    by_name = {class_name.lower(): c for class_name, c in reversed(exact.items())} | exact
    for written in (name, name.lower()):
        if written in by_name:
            return by_name[written]
    known = ", ".join(class_names) if len(class_names) <= MOST_NAMED else f"{len(class_names):,} there are"
    raise ValueError(f"“{name}” is none of the classes {known}. Type “{two_classes(class_names)}”, say.")
