"""Sentences say what the numbers say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.app import wording

NAMES = ["cat", "dog", "owl"]


def passes(*votes: int) -> np.ndarray:
    """One pass a vote, each with 0.8 for the class voted for."""
    return np.full((len(votes), 3), 0.1) + 0.7 * np.eye(3)[list(votes)]


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(1, "100.0%"), (0.99999, ">99.9%"), (0.9994, "99.9%"), (0.5, "50.0%"), (0.00001, "<0.1%"), (0, "0.0%")],
)
def test_percentages_never_round_to_certainty(fraction: float, words: str) -> None:
    assert wording.percent(fraction) == words


@given(st.floats(0, 1), st.integers(0, 3))
def test_percentages_are_within_half_a_step(fraction: float, digits: int) -> None:
    words = wording.percent(fraction, digits)
    shown = float(words.strip("<>%"))
    if not words.startswith((">", "<")):
        assert abs(shown - 100 * fraction) <= 0.5000001 * 10**-digits
    if shown in (0, 100) and not words.startswith((">", "<")):
        assert fraction in (0, 1)


def test_votes_are_counted_and_ordered() -> None:
    assert wording.votes(passes(1, 1, 0, 1), NAMES) == "3 of 4 passes say dog, 1 say cat"
    assert wording.votes(passes(2, 2), NAMES) == "all 2 passes say owl"


def test_an_answer_names_class_probability_and_doubt() -> None:
    said = wording.answer(passes(1, 1, 0, 1), NAMES)
    assert said == "The ensemble says **dog** with 62.5% and is not sure: 3 of 4 passes say dog, 1 say cat."


def test_an_answer_is_judged_only_where_the_label_is_known() -> None:
    assert wording.judged(1, None, NAMES) == ""
    assert wording.judged(1, 1, NAMES) == "That is right."
    assert "**cat**" in wording.judged(1, 0, NAMES)


def test_an_answer_is_compared_with_the_runs_own() -> None:
    given_to_images = np.array([0.5, 0.6, 0.9, 0.99])
    assert "surer of this than of 75.0%" in wording.compared(0.95, given_to_images)
    assert "less sure of this than of 100.0%" in wording.compared(0.4, given_to_images)
