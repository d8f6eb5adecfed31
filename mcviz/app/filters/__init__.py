"""Filters: which examples of a run are selected, in a form that fits into an address.

A filter is one class, with its mask, its chips, its text and its control, and one field of `Filters`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mcviz.app.address_text import ALL_OFFERED, Offered, address_fields, read_fields, write_fields
from mcviz.app.filters.base import Chip, Filter, FilterControl, Names, Positions, filter_field
from mcviz.app.filters.classes import (
    CLASSES,
    CORRECT,
    ClassFilter,
    CorrectFilter,
    DisagreeFilter,
    parse_words,
    two_classes,
)
from mcviz.app.filters.columns import ColumnFilter, Columns, ColumnsFilter, put_column
from mcviz.app.filters.geometry import round_corners, surrounded
from mcviz.app.filters.ranges import Ranges, RangesFilter, put_range
from mcviz.app.filters.view_filters import Area, AreaFilter, Lasso, LassoFilter, SelectedFilter
from mcviz.measures import Score

__all__ = [
    "CLASSES",
    "CORRECT",
    "Area",
    "ColumnFilter",
    "FilterControl",
    "Filters",
    "Lasso",
    "Names",
    "round_corners",
    "surrounded",
    "two_classes",
]


@dataclass(frozen=True)
class Filters:
    """Filters that all have to hold; without any, every example is selected. See the class of each."""

    label: tuple[int, ...] = filter_field(ClassFilter("label", "label"))
    prediction: tuple[int, ...] = filter_field(ClassFilter("prediction", "predicted"))
    correct: str = filter_field(CorrectFilter())
    disagree: bool = filter_field(DisagreeFilter())
    ranges: Ranges = filter_field(RangesFilter(), "range")
    columns: Columns = filter_field(ColumnsFilter())
    lasso: Lasso | None = filter_field(LassoFilter())
    area: Area | None = filter_field(AreaFilter())
    selected: tuple[int, ...] = filter_field(SelectedFilter())

    def fields(self) -> Iterator[tuple[str, Filter[Any], Any]]:
        """Yield the name of each filter, the filter, and its value."""
        for declared, _, each in address_fields(self):
            assert isinstance(each, Filter)
            yield declared.name, each, getattr(self, declared.name)

    def mask(self, table: pd.DataFrame, positions: Positions = lambda _: None) -> np.ndarray:
        """Find the examples that pass every filter.

        Args:
            table: of a run: scores, one row an example, with the user's own columns.
            positions: gives (N, 2) where examples lie in a layout of the map; without, the area keeps all.

        Returns:
            (N,) bool.
        """
        kept = np.ones(len(table), dtype=bool)
        for _, each, value in self.fields():
            if value != each.off:
                kept &= each.mask(value, table, positions)
        return kept

    def put(self, name: str, value: object) -> "Filters":
        """Return the same filters with this value of one of them."""
        changes: dict[str, Any] = {name: value}
        return replace(self, **changes)

    def without(self, *names: str) -> "Filters":
        """Return the same filters, without those of these names."""
        return replace(self, **{name: getattr(Filters, name) for name in names})

    def with_range(self, score: str, low: float, high: float) -> "Filters":
        """Return the same filters, with this range for a score in place of an earlier one; with none, if it is open."""
        return replace(self, ranges=put_range(score, low, high, self.ranges))

    def with_column(self, wanted: ColumnFilter) -> "Filters":
        """Return the same filters, with this one for its column in place of an earlier one; with none, if open."""
        return replace(self, columns=put_column(wanted, self.columns))

    def narrow(self, words: str, class_names: tuple[str, ...]) -> "Filters":
        """Narrow the filters by words that a person types; see `parse_words`.

        Raises:
            ValueError: the words are no filter.
        """
        return replace(self, **parse_words(words, class_names))

    def chips(self, class_names: tuple[str, ...], numbers: Mapping[str, Score]) -> list[Chip["Filters"]]:
        """Return the words of each filter, and what takes it off filters, which may be others by then.

        Args:
            class_names: C names.
            numbers: what ranges and lassos are of, by name.
        """
        return [
            (label, partial(_take_off, name, take_off))
            for name, each, value in self.fields()
            if value != each.off
            for label, take_off in each.chips(value, Names(class_names, numbers))
        ]

    def to_query(self) -> dict[str, str]:
        """Return the filters as part of an address; what is not filtered is left out."""
        return write_fields(self)

    @classmethod
    def from_query(cls, query: Mapping[str, str], offered: Offered = ALL_OFFERED) -> "Filters":
        """Read filters from an address. A part that means nothing for this run is passed over."""
        return cls(**read_fields(cls, query, offered))


def _take_off(name: str, take_off: Callable[[Any], Any], filters: Filters) -> Filters:
    return filters.put(name, take_off(getattr(filters, name)))
