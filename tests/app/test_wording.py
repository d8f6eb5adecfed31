"""Sentences say what the numbers say."""

import numpy as np

from mcviz.app import wording
from mcviz.measures import scores, summarise

NAMES = ["cat", "dog", "owl"]


def passes(*votes: int) -> np.ndarray:
    """One pass a vote, each with 0.8 for the class voted for."""
    return np.full((len(votes), 3), 0.1) + 0.7 * np.eye(3)[list(votes)]


def test_a_count_has_its_noun_in_the_right_number() -> None:
    assert [wording.counted(*each) for each in ((1, "pass"), (500, "pass"), (1, "example"), (10_000, "example"))] == [
        "1 pass",
        "500 passes",
        "1 example",
        "10,000 examples",
    ]


def test_a_value_is_abbreviated() -> None:
    assert [wording.abbreviated(value) for value in ("over 99.9%", "under 0.1%", "0.322 nats")] == [
        ">99.9%",
        "<0.1%",
        "0.322 nats",
    ]


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


def test_a_confident_prediction_has_no_reasons_for_uncertainty() -> None:
    confident = np.tile([0.98, 0.01, 0.01], (20, 1)).astype(np.float32)
    assert wording.reasons(confident, summarise(confident), described(confident), NAMES) == [
        "No sign of uncertainty: the passes agree, and each is confident."
    ]


def test_two_groups_of_passes_are_told_from_one_spread_and_model_from_data_uncertainty() -> None:
    groups = np.array([[0.98, 0.01, 0.01]] * 11 + [[0.01, 0.98, 0.01]] * 9, dtype=np.float32)
    ambiguous = np.tile([0.4, 0.35, 0.25], (20, 1)).astype(np.float32)
    of_groups, of_ambiguous = (
        " ".join(wording.reasons(probs, summarise(probs), described(probs), NAMES)) for probs in (groups, ambiguous)
    )
    assert "Two groups of passes" in of_groups
    assert "Model (epistemic) uncertainty" in of_groups
    assert "Two groups of passes" not in of_ambiguous
    assert "Data (aleatoric) uncertainty" in of_ambiguous
    assert "cat leads dog by 5.0%" in of_ambiguous


def described(probs: np.ndarray) -> dict[str, float]:
    """The scores of one example."""
    return {name: float(values[0]) for name, values in scores(probs[:, None]).items()}
