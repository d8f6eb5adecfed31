"""Words for numbers: they say no more than the numbers."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcviz.text import fixed, format_duration, format_with_unit, percent, percent_at_least, significant

pytestmark = pytest.mark.lowest


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "under a second"), (1.2, "1 s"), (99, "99 s"), (100, "2 min"), (3569, "59 min"), (3580, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)  # fmt: skip
def test_a_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(1, "100.0%"), (0.99999, "over 99.9%"), (0.9994, "99.9%"), (0.5, "50.0%"), (0.00001, "under 0.1%"), (0, "0.0%")],
)
def test_percentages_never_round_to_certainty(fraction: float, words: str) -> None:
    assert percent(fraction) == words


@given(st.floats(0, 1), st.integers(0, 3))
def test_percentages_are_within_half_a_step(fraction: float, digits: int) -> None:
    words = percent(fraction, digits)
    number = float(words.split()[-1].rstrip("%"))
    if not words.startswith(("over", "under")):
        assert abs(number - 100 * fraction) <= 0.5000001 * 10**-digits
    if number in (0, 100) and not words.startswith(("over", "under")):
        assert fraction in (0, 1)


@given(st.floats(0, 1), st.integers(0, 3))
def test_a_lower_bound_is_never_rounded_up(fraction: float, digits: int) -> None:
    number = Decimal(percent_at_least(fraction, digits).rstrip("%"))
    exact = 100 * Decimal(str(fraction))
    assert number <= exact < number + Decimal(10) ** -digits


@pytest.mark.parametrize(
    ("fraction", "words"), [(0.999, "99.90%"), (0.99896, "99.89%"), (0.99999, "99.99%"), (1.0, "100.00%")]
)
def test_a_lower_bound_keeps_what_is_round(fraction: float, words: str) -> None:
    assert percent_at_least(fraction, 2) == words


@given(st.floats(-1, 1), st.integers(0, 6), st.sampled_from(["-", "+"]))
@example(0.0004, 2, "+")
@example(-1e-9, 0, "-")
@example(1e-12, 2, "+")
def test_a_difference_is_printed_as_zero_only_where_it_is_zero(value: float, digits: int, sign: str) -> None:
    text = fixed(value, digits, sign)
    assert bool(text.strip("+−0.")) == (round(value, 9) != 0), text
    if abs(value) > 10.0**-digits:
        assert len(text.partition(".")[2]) == digits, "no digit more than it takes"


def test_a_unit_that_others_wrote_is_shown_on_one_line() -> None:
    assert format_with_unit(452_312.7, "mg\n/dl") == "452,300 mg /dl"
    assert format_with_unit(0.25, "probability") == "0.25 probability", "of a regression it is no share of passes"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3.21, "3.21"),
        (0.1 + 0.2, "0.3"),
        (-0.05, "−0.05"),
        (0.0, "0"),
        (99.996, "100"),
        (452_312.7, "452,300"),
        (-12_345_678, "−12,350,000"),
        (1.23456e-7, "1.235e−07"),
        (float("inf"), "inf"),
        (float(np.float32(0.3)), "0.3"),
    ],
)
def test_numbers_of_any_size_have_four_digits_and_no_exponent_while_they_are_short(value: float, words: str) -> None:
    assert significant(value) == words


@given(st.floats(-1e15, 1e15))
def test_four_digits_are_within_half_a_step(value: float) -> None:
    assert abs(float(significant(value).replace(",", "").replace("−", "-")) - value) <= 5.0001e-4 * abs(value) + 1e-320


@pytest.mark.parametrize(("one", "other"), [(0.03875, 1 - 0.96125), (31 / 800, 0.96875 - 0.93), (0.99375, 1 - 0.00625)])
def test_one_figure_that_is_computed_in_two_ways_is_written_alike(one: float, other: float) -> None:
    assert percent(one, 2) == percent(other, 2)
    assert fixed(100 * one, 2, "+") == fixed(100 * other, 2, "+")
