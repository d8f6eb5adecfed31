"""Filters by a range of a score, or of another number of an example."""

from functools import partial
from math import inf, isfinite
from typing import Literal
from urllib.parse import unquote

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.address_text import Offered, escape, parse_finite
from mcviz.app.filters.base import Chip, Filter, FilterControl, Names, Positions, range_words
from mcviz.app.wording import as_markdown
from mcviz.measures import Score

Range = tuple[str, float, float]  # a number's name, the lowest, the highest; an end that is open is infinite
Ranges = tuple[Range, ...]  # at most one a number, none of them open at both ends
DIGITS = 3  # of a score, after the point, on its slider
MOST_DIGITS = 12


class RangesFilter(Filter[Ranges]):
    """Ranges of numbers, each by its name."""

    off = ()

    def mask(self, value: Ranges, table: pd.DataFrame, positions: Positions) -> np.ndarray:
        return np.logical_and.reduce([table[name].between(low, high).to_numpy() for name, low, high in value])

    def chips(self, value: Ranges, names: Names) -> list[Chip[Ranges]]:
        return [(_describe(names.numbers[name], low, high), partial(_remove, name)) for name, low, high in value]

    def parse(self, text: str, offered: Offered) -> Ranges:
        found: dict[str, Range] = {}
        for part in text.split("~"):
            name, *ends = part.split(":")
            name = unquote(name)
            values = parse_finite([end for end in ends if end])
            if name in offered.numbers and len(ends) == 2 and values:
                found[name] = (name, min(values) if ends[0] else -inf, max(values) if ends[1] else inf)
        return tuple(found.values())

    def format(self, value: Ranges) -> str:
        return "~".join(f"{escape(name)}:{_format_end(low)}:{_format_end(high)}" for name, low, high in value)

    def is_complete(self, text: str, understood: str) -> bool:
        return text.count("~") == understood.count("~") and bool(text) == bool(understood)

    def render(self, value: Ranges, control: FilterControl[Ranges]) -> None:
        """Render the choice of a number, a slider over it, and both ends as fields."""
        numbers = control.names.numbers
        name = st.selectbox(
            "Range of", list(numbers), format_func=lambda name: numbers[name].label, key="ranged", persist_state="page"
        )
        lowest, highest = float(control.table[name].min()), float(control.table[name].max())
        if lowest == highest:
            return
        _render_slider(numbers[name], name, (lowest, highest), value, control)
        with st.container(horizontal=True):
            _render_end("from", name, lowest, value, control)
            _render_end("to", name, highest, value, control)


def put_range(name: str, low: float, high: float, ranges: Ranges) -> Ranges:
    """Put a range in the place of an earlier one of the same number; none, if it is open at both ends."""
    others = _remove(name, ranges)
    return others if (low, high) == (-inf, inf) else (*others, (name, low, high))


def find_range(name: str, ranges: Ranges) -> tuple[float, float]:
    """Return the ends of the range of a number; infinite where they are open."""
    return next(((low, high) for each, low, high in ranges if each == name), (-inf, inf))


def _remove(name: str, ranges: Ranges) -> Ranges:
    return tuple(each for each in ranges if each[0] != name)


def _describe(number: Score, low: float, high: float) -> str:
    return f"{number.label} {range_words(number.format(low), number.format(high), low, high)}"


def _format_end(value: float) -> str:
    """Write an end exactly, so that no example at that end is lost; nothing where it is open."""
    return repr(float(value)) if np.isfinite(value) else ""


def _render_slider(
    number: Score, name: str, extremes: tuple[float, float], ranges: Ranges, control: FilterControl[Ranges]
) -> None:
    """Render a slider whose ends are whole steps, as the browser rounds to them and Streamlit then compares."""
    digits = _digits(extremes[1] - extremes[0])
    low, high = _round_outwards(*extremes, digits)
    kept_low, kept_high = np.clip(find_range(name, ranges), low, high)

    def change(new: tuple[float, float], by_then: Ranges) -> Ranges:
        return put_range(name, -inf if new[0] <= low else new[0], inf if new[1] >= high else new[1], by_then)

    st.slider(
        as_markdown(f"{number.label}, {number.unit}" if number.unit else number.label),
        low,
        high,
        step=10.0**-digits,
        format=f"%.{digits}f",
        **control.bind(f"range-{name}", _round_outwards(float(kept_low), float(kept_high), digits), change),
    )


def _render_end(
    word: Literal["from", "to"], name: str, nearest: float, ranges: Ranges, control: FilterControl[Ranges]
) -> None:
    """Render one end of a range as a number; a field that is empty leaves it open."""
    end = ("from", "to").index(word)
    shown = find_range(name, ranges)[end]

    def change(new: float | None, by_then: Ranges) -> Ranges:
        ends = list(find_range(name, by_then))
        ends[end] = (-inf, inf)[end] if new is None else new
        return put_range(name, min(ends), max(ends), by_then)

    st.number_input(
        word,
        value=None,
        placeholder=f"{nearest:.4g}",
        format="%g",
        **control.bind(f"range-{word}-{name}", shown if isfinite(shown) else None, change, may_be_empty=True),
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
