"""Numbers as text say no more than the numbers."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.measures.registry import Score, fixed, format_with_unit, percent, percent_at_least, significant


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(1, "100.0%"), (0.99999, "over 99.9%"), (0.9994, "99.9%"), (0.5, "50.0%"), (0.00001, "under 0.1%"), (0, "0.0%")],
)
def test_percentages_never_round_to_certainty(fraction: float, words: str) -> None:
    assert percent(fraction) == words


@given(st.floats(0, 1), st.integers(0, 3))
def test_percentages_are_within_half_a_step(fraction: float, digits: int) -> None:
    words = percent(fraction, digits)
    shown = float(words.split()[-1].rstrip("%"))
    if not words.startswith(("over", "under")):
        assert abs(shown - 100 * fraction) <= 0.5000001 * 10**-digits
    if shown in (0, 100) and not words.startswith(("over", "under")):
        assert fraction in (0, 1)


@given(st.floats(0, 1), st.integers(0, 3))
def test_a_lower_bound_is_never_rounded_up(fraction: float, digits: int) -> None:
    shown = Decimal(percent_at_least(fraction, digits).rstrip("%"))
    exact = 100 * Decimal(str(fraction))
    assert shown <= exact < shown + Decimal(10) ** -digits


@pytest.mark.parametrize(
    ("fraction", "words"), [(0.999, "99.90%"), (0.99896, "99.89%"), (0.99999, "99.99%"), (1.0, "100.00%")]
)
def test_a_lower_bound_keeps_what_is_round(fraction: float, words: str) -> None:
    assert percent_at_least(fraction, 2) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.971, "probability", "97.1%"),
        (0.9999, "share of passes", "over 99.9%"),
        (0.3219, "nats", "0.322 nats"),
        (3.14159, "pixels", "3.142 pixels"),
        (-0.05, "", "-0.05"),
        (12345678.0, "", "12,350,000"),
    ],
)
def test_only_shares_are_shown_in_percent(value: float, unit: str, words: str) -> None:
    assert Score("score", "Score", unit, "high", "", np.asarray).format(value) == words


def test_a_unit_that_others_wrote_is_shown_on_one_line() -> None:
    assert format_with_unit(452_312.7, "mg\n/dl") == "452,300 mg /dl"
    assert format_with_unit(0.25, "probability") == "0.25 probability", "of a regression it is no share of passes"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3.21, "3.21"),
        (0.1 + 0.2, "0.3"),
        (-0.05, "-0.05"),
        (0.0, "0"),
        (99.996, "100"),
        (452_312.7, "452,300"),
        (-12_345_678, "-12,350,000"),
        (1.23456e-7, "1.235e-07"),
        (float("inf"), "inf"),
        (float(np.float32(0.3)), "0.3"),
    ],
)
def test_numbers_of_any_size_have_four_digits_and_no_exponent_while_they_are_short(value: float, words: str) -> None:
    assert significant(value) == words


@given(st.floats(-1e15, 1e15))
def test_four_digits_are_within_half_a_step(value: float) -> None:
    assert abs(float(significant(value).replace(",", "")) - value) <= 5.0001e-4 * abs(value) + 1e-320


@pytest.mark.parametrize(("one", "other"), [(0.03875, 1 - 0.96125), (31 / 800, 0.96875 - 0.93), (0.99375, 1 - 0.00625)])
def test_one_figure_that_is_computed_in_two_ways_is_written_alike(one: float, other: float) -> None:
    assert percent(one, 2) == percent(other, 2)
    assert fixed(100 * one, 2, "+") == fixed(100 * other, 2, "+")
