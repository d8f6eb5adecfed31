"""Filters: which examples of a run are selected, in a form that fits into an address.

Nothing here knows Streamlit. A lasso is kept as its corners and not as the examples inside, so that a link stays short.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Literal
from urllib.parse import unquote

import numpy as np
import pandas as pd

from mcviz.app.wording import counted
from mcviz.measures import SCORES, Score
from mcviz.runs.columns import as_texts

CORRECT = ("all", "correct", "wrong")
CLASSES: tuple[Literal["label", "prediction"], ...] = ("label", "prediction")  # of an example
CORNER_DIGITS = 8  # of the place of a corner: as many as tell points of a plane apart that is zoomed in on
DIGITS = 18  # of the largest whole number that is read from an address
MOST_NAMED = 20  # classes that a message lists
Range = tuple[str, float, float]


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
class Filters:
    """Filters that all have to hold; without any, every example is selected.

    Attributes:
        label: class indices, one of which is the label; empty for any.
        prediction: class indices, one of which is the ensemble's prediction; empty for any.
        correct: one of `CORRECT`: which predictions are kept.
        disagree: keep only examples whose passes do not all vote alike.
        ranges: (score or other number, lowest, highest), at most one each; an end that is open is infinite.
        columns: filters on ids and the user's own columns, at most one a column, none of them open.
        lasso: a lasso or a box over two scores.
        area: a lasso or a box on the map.
        selected: example numbers, chosen one by one; empty for any.
    """

    label: tuple[int, ...] = ()
    prediction: tuple[int, ...] = ()
    correct: str = "all"
    disagree: bool = False
    ranges: tuple[Range, ...] = ()
    columns: tuple[ColumnFilter, ...] = ()
    lasso: Lasso | None = None
    area: Area | None = None
    selected: tuple[int, ...] = ()

    def mask(self, scores: pd.DataFrame) -> np.ndarray:
        """The examples that pass every filter but the area, which is of positions and not of scores.

        Args:
            scores: of a run, one row an example, with the user's own columns.

        Returns:
            (N,) bool.
        """
        kept = np.ones(len(scores), dtype=bool)
        for column, classes in (("label", self.label), ("prediction", self.prediction)):
            if classes:
                kept &= scores[column].isin(classes).to_numpy(dtype=bool)
        if self.correct != "all":
            kept &= (scores["correct"] == (self.correct == "correct")).fillna(False).to_numpy(dtype=bool)
        if self.disagree:
            kept &= scores["variation_ratio"].to_numpy() > 0
        for name, low, high in self.ranges:
            kept &= scores[name].between(low, high).to_numpy()
        for own in self.columns:
            kept &= own.mask(scores)
        if self.lasso:
            kept &= self.lasso.contains(scores)
        if self.selected:
            kept &= np.isin(np.arange(len(scores)), self.selected)
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

    def chips(self, class_names: tuple[str, ...], numbers: Mapping[str, Score]) -> list[tuple[str, "Filters"]]:
        """What each filter is called, and the filters without it.

        Args:
            class_names: C names.
            numbers: what ranges and lassos are of, by name.
        """
        found: list[tuple[str, Filters]] = []
        if self.label:
            found.append((f"label {_any_of(self.label, class_names)}", self.without("label")))
        if self.prediction:
            found.append((f"predicted {_any_of(self.prediction, class_names)}", self.without("prediction")))
        if self.correct != "all":
            found.append((f"{self.correct} predictions", self.without("correct")))
        if self.disagree:
            found.append(("passes disagree", self.without("disagree")))
        for kept in self.ranges:
            found.append((_range_named(numbers[kept[0]], *kept[1:]), self.with_range(kept[0], -inf, inf)))
        for own in self.columns:
            found.append((str(own), self.with_column(ColumnFilter(own.name))))
        if self.lasso:
            plane = f"{numbers[self.lasso.x].label} × {numbers[self.lasso.y].label}"
            found.append((f"lasso in {plane}", self.without("lasso")))
        if self.area:
            found.append(("lasso on the map", self.without("area")))
        if self.selected:
            found.append((counted(len(self.selected), "selected example"), self.without("selected")))
        return found

    def to_query(self) -> dict[str, str]:
        """The filters as part of an address; what is not filtered is left out."""
        query = {
            "label": numbers_text(self.label),
            "prediction": numbers_text(self.prediction),
            "correct": "" if self.correct == "all" else self.correct,
            "disagree": "1" if self.disagree else "",
            "range": "~".join(f"{escaped(name)}:{_end(low)}:{_end(high)}" for name, low, high in self.ranges),
            "columns": _columns_text(self.columns),
            "selected": numbers_text(self.selected),
        }
        if self.lasso:
            query["lasso"] = f"{escaped(self.lasso.x)}:{escaped(self.lasso.y)}:{_corners_text(self.lasso.corners)}"
        if self.area:
            query["area"] = f"{self.area.layout}:{_corners_text(self.area.corners)}"
        return {key: value for key, value in query.items() if value}

    @classmethod
    def from_query(
        cls,
        query: Mapping[str, str],
        examples: int,
        classes: int,
        columns: Collection[str] | None = None,
        numbers: Collection[str] = SCORES,
        layouts: Collection[str] = (),
    ) -> "Filters":
        """Read filters from an address. A part that means nothing for this run is passed over.

        Args:
            query: as `to_query` writes it; other keys are left alone.
            examples: how many examples the run has, N.
            classes: how many classes the run has, C.
            columns: the names of those that can be filtered; None for all.
            numbers: the names of the scores and other numbers that can be filtered by a range or a lasso.
            layouts: the names of the layouts of the map that are there.
        """
        filtered = _columns(query.get("columns", ""))
        correct = query.get("correct", "all")
        return cls(
            label=indices(query.get("label", ""), classes),
            prediction=indices(query.get("prediction", ""), classes),
            correct=correct if correct in CORRECT and classes > 0 else "all",
            disagree=query.get("disagree") == "1" and classes > 0,
            ranges=_ranges(query.get("range", ""), numbers),
            columns=tuple(each for each in filtered if columns is None or each.name in columns),
            lasso=_lasso(query.get("lasso", ""), numbers),
            area=_area(query.get("area", ""), layouts),
            selected=indices(query.get("selected", ""), examples),
        )

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


def two_classes(class_names: tuple[str, ...]) -> str:
    """What a person may type to find one class that is predicted as another, such as "cat as dog"."""
    return f"{class_names[0]} as {class_names[-1]}"


def _any_of(classes: tuple[int, ...], class_names: tuple[str, ...]) -> str:
    return " or ".join(class_names[c] for c in classes)


def _range_named(number: Score, low: float, high: float) -> str:
    return f"{number.label} {_ends_named(number.format(low), number.format(high), low, high)}"


def _ends_named(lowest: str, highest: str, low: float, high: float) -> str:
    if low == -inf:
        return f"up to {highest}"
    return f"from {lowest}" if high == inf else f"{lowest} to {highest}"


def _end(value: float) -> str:
    """One end of a range, exactly, so that no example at that end is lost; nothing where it is open."""
    return repr(float(value)) if np.isfinite(value) else ""


def escaped(name: str) -> str:
    """The name of a number, which others may have written, without what separates it from what follows."""
    return re.sub("[%:~]", lambda found: f"%{ord(found[0]):02X}", name)


def numbers_text(values: tuple[int, ...]) -> str:
    """Whole numbers as the text of an address."""
    return ",".join(str(value) for value in values)


def whole(text: str) -> int | None:
    """The whole number that a text of an address is, or None."""
    return int(text) if len(text) <= DIGITS and text.isascii() and text.isdigit() else None


def indices(text: str, count: int) -> tuple[int, ...]:
    """The numbers below `count` that a text of an address lists, each once."""
    values = [whole(part) for part in text.split(",")]
    return tuple(dict.fromkeys(value for value in values if value is not None and value < count))


def _floats(parts: list[str]) -> list[float]:
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return []
    return values if np.isfinite(values).all() else []


def _ranges(text: str, numbers: Collection[str]) -> tuple[Range, ...]:
    found: dict[str, Range] = {}
    for part in text.split("~"):
        name, *ends = part.split(":")
        name = unquote(name)
        values = _floats([end for end in ends if end])
        if name in numbers and len(ends) == 2 and values:
            found[name] = (name, min(values) if ends[0] else -inf, max(values) if ends[1] else inf)
    return tuple(found.values())


def _columns_text(columns: tuple[ColumnFilter, ...]) -> str:
    """A list of values, a text to be contained, or the ends of a range for each column, as JSON."""
    content: dict[str, Any] = {}
    for each in columns:
        ends = {"low": each.low, "high": each.high}
        content[each.name] = (
            list(each.values) or each.contains or {end: value for end, value in ends.items() if np.isfinite(value)}
        )
    return json.dumps(content, separators=(",", ":")) if content else ""


def _columns(text: str) -> tuple[ColumnFilter, ...]:
    try:
        content = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return ()
    items = content.items() if isinstance(content, dict) else ()
    return tuple(found for name, wanted in items if (found := _column(name, wanted)) != ColumnFilter(name))


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


def _lasso(text: str, numbers: Collection[str]) -> Lasso | None:
    x, _, rest = text.partition(":")
    y, _, written = rest.partition(":")
    x, y, corners = unquote(x), unquote(y), _corners(written)
    return Lasso(x, y, corners) if x in numbers and y in numbers and corners else None


def _area(text: str, layouts: Collection[str]) -> Area | None:
    layout, _, written = text.partition(":")
    corners = _corners(written)
    return Area(layout, corners) if layout in layouts and corners else None


def as_written(corners: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Corners with as many digits as an address carries; none, where they are no polygon."""
    return _corners(_corners_text(corners))


def _corners_text(corners: tuple[tuple[float, float], ...]) -> str:
    return ",".join(f"{value:.{CORNER_DIGITS}g}" for corner in corners for value in corner)


def _corners(text: str) -> tuple[tuple[float, float], ...]:
    """Three corners or more, as a text of an address lists them; none, if it does not."""
    values = _floats(text.split(","))
    return () if len(values) < 6 or len(values) % 2 else tuple(zip(values[::2], values[1::2], strict=True))
