"""The base of filters: the examples that one keeps, its chips, its text in an address, and its control."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import pandas as pd

from mcviz.app.address_text import AddressText, address_field
from mcviz.measures import Score
from mcviz.runs import Run
from mcviz.runs.columns import ColumnKind

T = TypeVar("T")
S = TypeVar("S")
Positions = Callable[[str], np.ndarray | None]
Chip = tuple[str, Callable[[T], T | None]]  # its words, and what takes its part off a filter


@dataclass(frozen=True)
class Names:
    """The names that chips and controls show.

    Attributes:
        classes: C names.
        numbers: what ranges and lassos are of, by name.
    """

    classes: tuple[str, ...]
    numbers: Mapping[str, Score]


class Bind(Protocol[T]):
    """Binds a widget to a filter of values T."""

    def __call__(
        self, key: str, shown: S, change: Callable[[S, T], T], *, may_be_empty: bool = False
    ) -> dict[str, Any]:
        """Return the keyword arguments of a widget.

        Args:
            key: that the widget's key begins with.
            shown: what the widget shows.
            change: takes what somebody chose and the filter's value by then, and returns its new value.
            may_be_empty: whether somebody can empty the widget.
        """


@dataclass(frozen=True)
class FilterControl(Generic[T]):
    """The data and the binding of a filter's control.

    Attributes:
        run: whose examples are filtered.
        table: of the run.
        names: of its classes and numbers.
        columns: the kind of each of the user's own columns, by its name.
        mask: gives (N,) bool: the examples that pass with this value of the filter, beside all other filters.
        bind: binds a widget to the filter.
    """

    run: Run
    table: pd.DataFrame
    names: Names
    columns: Mapping[str, ColumnKind]
    mask: Callable[[T], np.ndarray]
    bind: Bind[T]


class Filter(AddressText[T]):
    """A filter of values T: which examples pass, its chips, its text in an address, and its control.

    Attributes:
        off: the value that keeps all examples; of the other methods only `render` is given it.
    """

    off: T | None = None

    def mask(self, value: T, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        """Find the examples that pass.

        Args:
            value: of the filter.
            table: of a run: scores and the user's own columns.
            positions: gives (N, 2) where examples lie in a layout of the map, or None where that is not known.

        Returns:
            (N,) bool.
        """
        raise NotImplementedError

    def label(self, value: T, names: Names) -> str:
        """Return the words of its only chip."""
        raise NotImplementedError

    def chips(self, value: T, names: Names) -> list[Chip[T]]:
        """Return a chip for each of its parts."""
        return [(self.label(value, names), lambda _: self.off)]

    def render(self, value: T, control: FilterControl[T]) -> None:
        """Render its control under “Filters”, where a run has what it filters by; nothing if it is set in a view."""


def filter_field(of: Filter[T], key: str = "") -> T:
    """Declare a field of `Filters`, as `address_field` does."""
    off: Any = of.off
    declared: T = address_field(off, of, key)
    return declared


def range_words(lowest: str, highest: str, low: float, high: float) -> str:
    """Return a range in words, of its ends as texts; an end that is infinite is open."""
    if low == -inf:
        return f"up to {highest}"
    return f"from {lowest}" if high == inf else f"{lowest} to {highest}"
