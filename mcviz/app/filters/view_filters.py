"""Filters that are set in a view: a lasso over two numbers, an area of the map, and examples one by one.

A lasso is kept as its corners and not as the examples inside, so that a link stays short.
"""

from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import pandas as pd

from mcviz.app.address_text import Indices, LenientText, Offered, escape, parse_indices
from mcviz.app.filters.base import Filter, Names, Positions
from mcviz.app.filters.geometry import Corners, format_corners, parse_corners, surrounded
from mcviz.app.wording import counted


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
    corners: Corners

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
    corners: Corners

    def contains(self, positions: np.ndarray) -> np.ndarray:
        """(N,) bool: the examples inside, by their positions in the layout, (N, 2) floating point."""
        return surrounded(self.corners, positions[:, 0], positions[:, 1])


class LassoFilter(LenientText[Lasso], Filter[Lasso]):
    """A lasso or a box over two scores."""

    def mask(self, value: Lasso, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return value.contains(table)

    def label(self, value: Lasso, names: Names) -> str:
        return f"lasso in {names.numbers[value.x].label} × {names.numbers[value.y].label}"

    def parse(self, text: str, offered: Offered) -> Lasso | None:
        x, _, rest = text.partition(":")
        y, _, written = rest.partition(":")
        x, y, corners = unquote(x), unquote(y), parse_corners(written)
        return Lasso(x, y, corners) if x in offered.numbers and y in offered.numbers and corners else None

    def format(self, value: Lasso) -> str:
        return f"{escape(value.x)}:{escape(value.y)}:{format_corners(value.corners)}"


class AreaFilter(LenientText[Area], Filter[Area]):
    """A lasso or a box on the map; it keeps all where its layout is not known."""

    about = "examples"

    def mask(self, value: Area, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        found = positions(value.layout)
        return np.ones(len(table), dtype=bool) if found is None else value.contains(found)

    def label(self, value: Area, names: Names) -> str:
        return "lasso on the map"

    def parse(self, text: str, offered: Offered) -> Area | None:
        layout, _, written = text.partition(":")
        corners = parse_corners(written)
        return Area(layout, corners) if layout in offered.layouts and corners else None

    def format(self, value: Area) -> str:
        return f"{value.layout}:{format_corners(value.corners)}"


class SelectedFilter(Indices, Filter[tuple[int, ...]]):
    """Example numbers, chosen one by one; empty for any."""

    off = ()
    about = "examples"

    def mask(self, value: tuple[int, ...], table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return np.isin(np.arange(len(table)), value)

    def label(self, value: tuple[int, ...], names: Names) -> str:
        return counted(len(value), "selected example")

    def parse(self, text: str, offered: Offered) -> tuple[int, ...]:
        return parse_indices(text, offered.examples)
