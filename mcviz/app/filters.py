"""Filters: which examples of a run are selected, in a form that fits into an address.

A filter is one class, with its mask, its chips and its text, and one field of `Filters`. Nothing here knows Streamlit.
A lasso is kept as its corners and not as the examples inside, so that a link stays short.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Any, Literal, TypeVar
from urllib.parse import unquote

import numpy as np
import pandas as pd

from mcviz.app.address_text import (
    ALL_OFFERED,
    AddressText,
    Indices,
    Offered,
    WrittenOtherwise,
    address_field,
    address_fields,
    escaped,
    indices,
    read_fields,
    write_fields,
)
from mcviz.app.wording import counted
from mcviz.measures import Score
from mcviz.runs.columns import as_texts

CORRECT = ("all", "correct", "wrong")
CLASSES: tuple[Literal["label", "prediction"], ...] = ("label", "prediction")  # of an example
CORNER_DIGITS = 8  # of the place of a corner: as many as tell points of a plane apart that is zoomed in on
MOST_NAMED = 20  # classes that a message lists
Range = tuple[str, float, float]
Positions = Callable[[str], np.ndarray | None]
T = TypeVar("T")
Chip = tuple[str, Callable[[T], T | None]]  # what it is called, and what takes its part off a filter


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
        return f"{self.name} {_ends_named(f'{self.low:g}', f'{self.high:g}', self.low, self.high)}"


@dataclass(frozen=True)
class Lasso:
    """A closed polygon drawn on the plane of two scores, or of other numbers of the table.

    Attributes:
        x: name of the number along the x axis.
        y: name of the number along the y axis.
        corners: ((x, y), …), three at least.
    """

    x: str
    y: str
    corners: tuple[tuple[float, float], ...]

    def contains(self, scores: pd.DataFrame) -> np.ndarray:
        """(N,) bool: the examples inside."""
        return surrounded(self.corners, scores[self.x].to_numpy(), scores[self.y].to_numpy())


@dataclass(frozen=True)
class Area:
    """A closed polygon drawn on a layout of the map.

    Attributes:
        layout: its name.
        corners: ((x, y), …), three at least.
    """

    layout: str
    corners: tuple[tuple[float, float], ...]

    def contains(self, positions: np.ndarray) -> np.ndarray:
        """(N,) bool: the examples inside, by their positions in the layout, (N, 2) floating point."""
        return surrounded(self.corners, positions[:, 0], positions[:, 1])


def surrounded(corners: tuple[tuple[float, float], ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N,) bool: which of N points lie inside a closed polygon, by the even-odd rule.

    Args:
        corners: of the polygon.
        x: (N,) floating point.
        y: (N,) floating point.
    """
    (left, bottom), (right, top) = np.min(corners, axis=0), np.max(corners, axis=0)
    near = np.flatnonzero((x >= left) & (x <= right) & (y >= bottom) & (y <= top))
    found, inside = np.zeros(len(x), dtype=bool), np.zeros(len(near), dtype=bool)
    x, y = x[near].astype(np.float64), y[near].astype(np.float64)
    previous = corners[-1]
    for corner in corners:
        (x0, y0), (x1, y1) = previous, corner
        crosses = (y0 > y) != (y1 > y)
        # The side of the edge on which a point lies, without a division that nearly level edges would overflow.
        side = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)
        inside ^= crosses & ((side > 0) == (y1 > y0))
        previous = corner
    found[near] = inside
    return found


@dataclass(frozen=True)
class Names:
    """What chips call things by.

    Attributes:
        classes: C names.
        numbers: what ranges and lassos are of, by name.
    """

    classes: tuple[str, ...]
    numbers: Mapping[str, Score]


class Filter(AddressText[T]):
    """A filter: which examples it keeps by its value, what its chips say, and how it is a text of an address.

    Attributes:
        off: the value that keeps all examples; no method is given it.
    """

    off: T | None = None

    def mask(self, value: T, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        """(N,) bool: the examples that pass.

        Args:
            value: of the filter.
            table: of a run: scores and the user's own columns.
            positions: gives (N, 2) where examples lie in a layout of the map, or None where that is not known.
        """
        raise NotImplementedError

    def label(self, value: T, names: Names) -> str:
        """What its only chip says."""
        raise NotImplementedError

    def chips(self, value: T, names: Names) -> list[Chip[T]]:
        """A chip for each of its parts."""
        return [(self.label(value, names), lambda _: self.off)]


class ClassFilter(Indices, Filter[tuple[int, ...]]):
    """Class indices, one of which is the label, or the ensemble's prediction; empty for any."""

    off = ()

    def __init__(self, column: Literal["label", "prediction"], called: str) -> None:
        self.column, self.called = column, called

    def mask(self, value: tuple[int, ...], table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return table[self.column].isin(value).to_numpy(dtype=bool)

    def label(self, value: tuple[int, ...], names: Names) -> str:
        return f"{self.called} {' or '.join(names.classes[c] for c in value)}"

    def parse(self, text: str, offered: Offered) -> tuple[int, ...] | None:
        return indices(text, offered.classes) if offered.labels or self.column != "label" else None


class CorrectFilter(Filter[str]):
    """One of `CORRECT`: which predictions are kept."""

    off = CORRECT[0]

    def mask(self, value: str, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return (table["correct"] == (value == "correct")).fillna(False).to_numpy(dtype=bool)

    def label(self, value: str, names: Names) -> str:
        return f"{value} predictions"

    def parse(self, text: str, offered: Offered) -> str | None:
        return text if text in CORRECT and offered.classes > 0 and offered.labels else None


class DisagreeFilter(Filter[bool]):
    """Whether only examples are kept whose passes do not all vote alike."""

    off = False

    def mask(self, value: bool, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return table["variation_ratio"].to_numpy() > 0

    def label(self, value: bool, names: Names) -> str:
        return "passes disagree"

    def parse(self, text: str, offered: Offered) -> bool:
        return text == "1" and offered.classes > 0

    def format(self, value: bool) -> str:
        return "1" if value else ""


class RangesFilter(Filter[tuple[Range, ...]]):
    """(score or other number, lowest, highest), at most one each; an end that is open is infinite."""

    off = ()

    def mask(self, value: tuple[Range, ...], table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return np.logical_and.reduce([table[name].between(low, high).to_numpy() for name, low, high in value])

    def chips(self, value: tuple[Range, ...], names: Names) -> list[Chip[tuple[Range, ...]]]:
        return [(_range_named(names.numbers[each[0]], *each[1:]), partial(_without, each[0])) for each in value]

    def parse(self, text: str, offered: Offered) -> tuple[Range, ...]:
        found: dict[str, Range] = {}
        for part in text.split("~"):
            name, *ends = part.split(":")
            name = unquote(name)
            values = _floats([end for end in ends if end])
            if name in offered.numbers and len(ends) == 2 and values:
                found[name] = (name, min(values) if ends[0] else -inf, max(values) if ends[1] else inf)
        return tuple(found.values())

    def format(self, value: tuple[Range, ...]) -> str:
        return "~".join(f"{escaped(name)}:{_end(low)}:{_end(high)}" for name, low, high in value)

    def says_no_more(self, text: str, understood: str) -> bool:
        return text.count("~") == understood.count("~") and bool(text) == bool(understood)


class ColumnsFilter(WrittenOtherwise[tuple[ColumnFilter, ...]], Filter[tuple[ColumnFilter, ...]]):
    """Filters on ids and the user's own columns, at most one a column, none of them open.

    They are written as JSON: a list of values, a text to be contained, or the ends of a range for each column.
    """

    off = ()

    def mask(self, value: tuple[ColumnFilter, ...], table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return np.logical_and.reduce([each.mask(table) for each in value])

    def chips(self, value: tuple[ColumnFilter, ...], names: Names) -> list[Chip[tuple[ColumnFilter, ...]]]:
        return [(str(each), partial(_without_column, each.name)) for each in value]

    def parse(self, text: str, offered: Offered) -> tuple[ColumnFilter, ...]:
        try:
            content = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            return ()
        items = content.items() if isinstance(content, dict) else ()
        found = [_column(name, wanted) for name, wanted in items if offered.columns is None or name in offered.columns]
        return tuple(each for each in found if each != ColumnFilter(each.name))

    def format(self, value: tuple[ColumnFilter, ...]) -> str:
        content: dict[str, Any] = {}
        for each in value:
            ends = {end: value for end, value in (("low", each.low), ("high", each.high)) if np.isfinite(value)}
            content[each.name] = list(each.values) or each.contains or ends
        return json.dumps(content, separators=(",", ":")) if content else ""


class LassoFilter(WrittenOtherwise[Lasso], Filter[Lasso]):
    """A lasso or a box over two scores."""

    def mask(self, value: Lasso, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return value.contains(table)

    def label(self, value: Lasso, names: Names) -> str:
        return f"lasso in {names.numbers[value.x].label} × {names.numbers[value.y].label}"

    def parse(self, text: str, offered: Offered) -> Lasso | None:
        x, _, rest = text.partition(":")
        y, _, written = rest.partition(":")
        x, y, corners = unquote(x), unquote(y), _corners(written)
        return Lasso(x, y, corners) if x in offered.numbers and y in offered.numbers and corners else None

    def format(self, value: Lasso) -> str:
        return f"{escaped(value.x)}:{escaped(value.y)}:{_corners_text(value.corners)}"


class AreaFilter(WrittenOtherwise[Area], Filter[Area]):
    """A lasso or a box on the map; it keeps all where its layout is not known."""

    def mask(self, value: Area, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        found = positions(value.layout)
        return np.ones(len(table), dtype=bool) if found is None else value.contains(found)

    def label(self, value: Area, names: Names) -> str:
        return "lasso on the map"

    def parse(self, text: str, offered: Offered) -> Area | None:
        layout, _, written = text.partition(":")
        corners = _corners(written)
        return Area(layout, corners) if layout in offered.layouts and corners else None

    def format(self, value: Area) -> str:
        return f"{value.layout}:{_corners_text(value.corners)}"


class SelectedFilter(Indices, Filter[tuple[int, ...]]):
    """Example numbers, chosen one by one; empty for any."""

    off = ()

    def mask(self, value: tuple[int, ...], table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return np.isin(np.arange(len(table)), value)

    def label(self, value: tuple[int, ...], names: Names) -> str:
        return counted(len(value), "selected example")

    def parse(self, text: str, offered: Offered) -> tuple[int, ...]:
        return indices(text, offered.examples)


def filter_field(of: Filter[T], key: str = "") -> T:
    """Declare a field of `Filters`, as `address_field` does."""
    off: Any = of.off
    declared: T = address_field(off, of, key)
    return declared


@dataclass(frozen=True)
class Filters:
    """Filters that all have to hold; without any, every example is selected. See the class of each."""

    label: tuple[int, ...] = filter_field(ClassFilter("label", "label"))
    prediction: tuple[int, ...] = filter_field(ClassFilter("prediction", "predicted"))
    correct: str = filter_field(CorrectFilter())
    disagree: bool = filter_field(DisagreeFilter())
    ranges: tuple[Range, ...] = filter_field(RangesFilter(), "range")
    columns: tuple[ColumnFilter, ...] = filter_field(ColumnsFilter())
    lasso: Lasso | None = filter_field(LassoFilter())
    area: Area | None = filter_field(AreaFilter())
    selected: tuple[int, ...] = filter_field(SelectedFilter())

    def mask(self, table: pd.DataFrame, positions: Positions = lambda _: None) -> np.ndarray:
        """The examples that pass every filter.

        Args:
            table: of a run: scores, one row an example, with the user's own columns.
            positions: gives (N, 2) where examples lie in a layout of the map; without, the area keeps all.

        Returns:
            (N,) bool.
        """
        kept = np.ones(len(table), dtype=bool)
        for _, each, value in self._on():
            kept &= each.mask(value, table, positions)
        return kept

    def without(self, *names: str) -> "Filters":
        """The same filters, without those of these attributes."""
        return replace(self, **{name: getattr(Filters, name) for name in names})

    def with_range(self, score: str, low: float, high: float) -> "Filters":
        """The same filters, with this range for a score in place of an earlier one; with none, if it is open."""
        others = tuple(kept for kept in self.ranges if kept[0] != score)
        return replace(self, ranges=others if (low, high) == (-inf, inf) else (*others, (score, low, high)))

    def with_column(self, wanted: ColumnFilter) -> "Filters":
        """The same filters, with this one for its column in place of an earlier one; with none, if it is open."""
        others = tuple(kept for kept in self.columns if kept.name != wanted.name)
        return replace(self, columns=others if wanted == ColumnFilter(wanted.name) else (*others, wanted))

    def chips(self, class_names: tuple[str, ...], numbers: Mapping[str, Score]) -> list[Chip["Filters"]]:
        """What each filter is called, and what takes it off filters, which may be others by then.

        Args:
            class_names: C names.
            numbers: what ranges and lassos are of, by name.
        """
        return [
            (label, partial(_change, name, take_off))
            for name, each, value in self._on()
            for label, take_off in each.chips(value, Names(class_names, numbers))
        ]

    def to_query(self) -> dict[str, str]:
        """The filters as part of an address; what is not filtered is left out."""
        return write_fields(self)

    @classmethod
    def from_query(cls, query: Mapping[str, str], offered: Offered = ALL_OFFERED) -> "Filters":
        """Read filters from an address. A part that means nothing for this run is passed over."""
        return cls(**read_fields(cls, query, offered))

    def narrowed_by(self, words: str, class_names: tuple[str, ...]) -> "Filters":
        """Narrow by what a person types: `cat as dog` (label cat, predicted dog), `cat`, `as dog`, `wrong`, `correct`.

        Raises:
            ValueError: the words are none of these, or name a class that is not there.
        """
        text = words.strip()
        if text.lower() in ("correct", "wrong"):
            return replace(self, correct=text.lower())
        parts = re.split(r"\sas\s", f" {text} ", maxsplit=1, flags=re.IGNORECASE)
        label, prediction = (part.strip() for part in (*parts, "")[:2])
        if not label and not prediction:
            raise ValueError(f"Type a class, or two as in “{two_classes(class_names)}”.")
        exact = {name: (c,) for c, name in enumerate(class_names)}
        by_name = {name.lower(): classes for name, classes in reversed(exact.items())} | exact

        def found(name: str, otherwise: tuple[int, ...]) -> tuple[int, ...]:
            if not name:
                return otherwise
            for written in (name, name.lower()):
                if written in by_name:
                    return by_name[written]
            known = ", ".join(class_names) if len(class_names) <= MOST_NAMED else f"{len(class_names):,} there are"
            raise ValueError(f"“{name}” is none of the classes {known}. Type “{two_classes(class_names)}”, say.")

        return replace(self, label=found(label, self.label), prediction=found(prediction, self.prediction))

    def _on(self) -> Iterator[tuple[str, Filter[Any], Any]]:
        for declared, _, each in address_fields(self):
            value = getattr(self, declared.name)
            if isinstance(each, Filter) and value != each.off:
                yield declared.name, each, value


def two_classes(class_names: tuple[str, ...]) -> str:
    """What a person may type to find one class that is predicted as another, such as "cat as dog"."""
    return f"{class_names[0]} as {class_names[-1]}"


def _change(name: str, change: Callable[[Any], Any], filters: Filters) -> Filters:
    return replace(filters, **{name: change(getattr(filters, name))})


def _without(name: str, ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    return tuple(each for each in ranges if each[0] != name)


def _without_column(name: str, columns: tuple[ColumnFilter, ...]) -> tuple[ColumnFilter, ...]:
    return tuple(each for each in columns if each.name != name)


def _range_named(number: Score, low: float, high: float) -> str:
    return f"{number.label} {_ends_named(number.format(low), number.format(high), low, high)}"


def _ends_named(lowest: str, highest: str, low: float, high: float) -> str:
    if low == -inf:
        return f"up to {highest}"
    return f"from {lowest}" if high == inf else f"{lowest} to {highest}"


def _end(value: float) -> str:
    """One end of a range, exactly, so that no example at that end is lost; nothing where it is open."""
    return repr(float(value)) if np.isfinite(value) else ""


def _floats(parts: list[str]) -> list[float]:
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return []
    return values if np.isfinite(values).all() else []


def _column(name: str, wanted: object) -> ColumnFilter:
    if isinstance(wanted, str):
        return ColumnFilter(name, contains=wanted)
    if isinstance(wanted, list):
        return ColumnFilter(name, values=tuple(dict.fromkeys(value for value in wanted if isinstance(value, str))))
    ends = wanted if isinstance(wanted, dict) else {}
    low, high = (_end_of(ends.get(key), otherwise) for key, otherwise in (("low", -inf), ("high", inf)))
    return ColumnFilter(name, low=min(low, high), high=max(low, high))


def _end_of(value: object, otherwise: float) -> float:
    found = _floats([str(value)]) if isinstance(value, int | float) and not isinstance(value, bool) else []
    return found[0] if found else otherwise


def as_written(corners: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Corners with as many digits as an address carries; none, where they are no polygon."""
    return _corners(_corners_text(corners))


def _corners_text(corners: tuple[tuple[float, float], ...]) -> str:
    return ",".join(f"{value:.{CORNER_DIGITS}g}" for corner in corners for value in corner)


def _corners(text: str) -> tuple[tuple[float, float], ...]:
    """Three corners or more, as a text of an address lists them; none, if it does not."""
    values = _floats(text.split(","))
    return () if len(values) < 6 or len(values) % 2 else tuple(zip(values[::2], values[1::2], strict=True))
