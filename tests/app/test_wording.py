"""Sentences say what the numbers say."""

import numpy as np

from mcviz.app import wording
from mcviz.measures import scores

NAMES = ["cat", "dog", "owl"]


def passes(*votes: int) -> np.ndarray:
    """One pass a vote, each with 0.8 for the class voted for."""
    return np.full((len(votes), 3), 0.1) + 0.7 * np.eye(3)[list(votes)]


def test_votes_are_counted_and_ordered() -> None:
    assert wording.votes(passes(1, 1, 0, 1), NAMES) == "3 of 4 passes say dog, 1 says cat"
    assert wording.votes(passes(2, 2), NAMES) == "all 2 passes say owl"


def test_an_answer_names_class_probability_and_doubt() -> None:
    said = wording.answer(passes(1, 1, 0, 1), NAMES)
    assert said == "The ensemble says **dog** with 62.5% and is not sure: 3 of 4 passes say dog, 1 says cat."


def test_an_answer_is_judged_only_where_the_label_is_known() -> None:
    assert wording.judged(1, None, NAMES) == ""
    assert wording.judged(1, 1, NAMES) == "That is right."
    assert "**cat**" in wording.judged(1, 0, NAMES)


def test_a_sure_answer_has_no_reasons_for_doubt() -> None:
    sure = np.tile([0.98, 0.01, 0.01], (20, 1)).astype(np.float32)
    assert wording.reasons(sure, described(sure), NAMES) == [
        "Nothing here speaks for doubt: the passes agree, and each is sure."
    ]


def test_two_camps_are_told_from_one_spread_and_model_doubt_from_data_doubt() -> None:
    camps = np.array([[0.98, 0.01, 0.01]] * 11 + [[0.01, 0.98, 0.01]] * 9, dtype=np.float32)
    torn = np.tile([0.4, 0.35, 0.25], (20, 1)).astype(np.float32)
    of_camps, of_torn = (" ".join(wording.reasons(probs, described(probs), NAMES)) for probs in (camps, torn))
    assert "Two opinions" in of_camps
    assert "Doubt in the model" in of_camps
    assert "Two opinions" not in of_torn
    assert "Doubt in the data" in of_torn
    assert "cat leads dog by 5.0%" in of_torn


def described(probs: np.ndarray) -> dict[str, float]:
    """The scores of one image."""
    return {name: float(values[0]) for name, values in scores(probs[:, None]).items()}
