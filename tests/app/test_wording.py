"""Sentences say what the numbers say."""

import numpy as np

from mcviz.app import wording
from mcviz.measures import scores, summarise

NAMES = ["cat", "dog", "owl"]


def passes(*votes: int) -> np.ndarray:
    """One pass a vote, each with 0.8 for the class voted for."""
    return np.full((len(votes), 3), 0.1) + 0.7 * np.eye(3)[list(votes)]


def test_votes_are_counted_and_ordered() -> None:
    assert wording.votes(summarise(passes(1, 1, 0, 1)), NAMES) == "3 of 4 passes predict dog, 1 predicts cat"
    assert wording.votes(summarise(passes(2, 2)), NAMES) == "all 2 passes predict owl"


def test_a_prediction_names_class_probability_and_votes() -> None:
    words = wording.predicted(summarise(passes(1, 1, 0, 1)), NAMES)
    assert words == (
        "The ensemble predicts **dog** with 62.5% and is uncertain: 3 of 4 passes predict dog, 1 predicts cat."
    )


def test_a_prediction_is_judged_only_where_the_label_is_known() -> None:
    assert wording.judged(1, None, NAMES) == ""
    assert wording.judged(1, 1, NAMES) == "That is correct."
    assert "**cat**" in wording.judged(1, 0, NAMES)


def test_a_confident_prediction_has_no_reasons_for_doubt() -> None:
    confident = np.tile([0.98, 0.01, 0.01], (20, 1)).astype(np.float32)
    assert wording.reasons(confident, summarise(confident), described(confident), NAMES) == [
        "Nothing here speaks for doubt: the passes agree, and each is confident."
    ]


def test_two_camps_are_told_from_one_spread_and_model_doubt_from_data_doubt() -> None:
    camps = np.array([[0.98, 0.01, 0.01]] * 11 + [[0.01, 0.98, 0.01]] * 9, dtype=np.float32)
    torn = np.tile([0.4, 0.35, 0.25], (20, 1)).astype(np.float32)
    of_camps, of_torn = (
        " ".join(wording.reasons(probs, summarise(probs), described(probs), NAMES)) for probs in (camps, torn)
    )
    assert "Two camps" in of_camps
    assert "Doubt in the model" in of_camps
    assert "Two camps" not in of_torn
    assert "Doubt in the data" in of_torn
    assert "cat leads dog by 5.0%" in of_torn


def described(probs: np.ndarray) -> dict[str, float]:
    """The scores of one example."""
    return {name: float(values[0]) for name, values in scores(probs[:, None]).items()}
