"""Sentences say what the numbers say."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcviz
from mcviz.app import wording
from mcviz.measures import scores, summarise
from mcviz.runs.storage import SHIPPED_RUNS

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


def test_confidence_has_a_word_for_each_bound() -> None:
    assert [wording.confidence(each) for each in (0.99, 0.98, 0.9, 0.7, 0.69)] == [
        "very confident",
        "confident",
        "confident",
        "fairly confident",
        "uncertain",
    ]


def test_votes_are_counted_and_ordered() -> None:
    assert wording.votes(summarise(passes(1, 1, 0, 1)), NAMES) == "3 of 4 passes predict dog, 1 predicts cat"
    assert wording.votes(summarise(passes(2, 2)), NAMES) == "all 2 passes predict owl"


def test_the_rest_of_the_votes_is_counted() -> None:
    voted = np.eye(6)[[0, 0, 0, 1, 1, 2, 3]]
    said = wording.votes(summarise(voted), "abcdef")
    assert said == "3 of 7 passes predict a, 2 predict b, 1 predicts c, 1 predicts another"
    assert wording.votes(summarise(np.eye(6)[[0, 1, 2, 3, 4]]), "abcdef").endswith(", 2 predict others")


def test_a_prediction_names_class_probability_and_votes() -> None:
    words = wording.prediction_sentence(summarise(passes(1, 1, 0, 1)), NAMES)
    assert words == (
        "The ensemble predicts **dog** with 62.5% and is uncertain: 3 of 4 passes predict dog, 1 predicts cat."
    )


def test_a_prediction_is_judged_only_where_the_label_is_known() -> None:
    assert wording.correctness_sentence(1, None, NAMES) == ""
    assert wording.correctness_sentence(1, 1, NAMES) == "That is correct."
    assert "**cat**" in wording.correctness_sentence(1, 0, NAMES)


def test_a_confident_prediction_has_no_reasons_for_uncertainty() -> None:
    confident = np.tile([0.98, 0.01, 0.01], (20, 1)).astype(np.float32)
    assert wording.doubt_sentences(summarise(confident), described(confident), NAMES) == [
        "No sign of uncertainty: the passes agree on the class, and together they are confident of it."
    ]


@pytest.mark.slow
@pytest.mark.parametrize("run", SHIPPED_RUNS[:2], ids=lambda run: run.name)  # those of classes
def test_passes_of_the_shipped_runs_agree_or_differ_where_it_is_said(run: Path) -> None:
    opened = mcviz.open_run(run)
    check_what_is_said_of_agreement(opened.probs_block(0, None), opened.scores(), opened.labels)


@given(seed=st.integers(0, 10**6), passes=st.integers(1, 9), sharpness=st.floats(0.5, 8))
def test_passes_of_any_run_agree_or_differ_where_it_is_said(seed: int, passes: int, sharpness: float) -> None:
    random = np.random.default_rng(seed)
    logits = sharpness * (random.normal(size=(1, 20, 3)) + 0.4 * random.normal(size=(passes, 20, 3)))
    probs = (np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)).astype(np.float32)
    table = pd.DataFrame({name: values for name, values in scores(probs).items() if values.shape == (20,)})
    check_what_is_said_of_agreement(probs, table, random.integers(3, size=20))


def check_what_is_said_of_agreement(probs: np.ndarray, table: pd.DataFrame, labels: np.ndarray) -> None:
    """Of every example, against votes that are counted here."""
    names = [f"class {number}" for number in range(probs.shape[2])]
    alike, rows = 0, table.to_dict("records")
    for example, row in enumerate(rows):
        summary = summarise(probs[:, example])
        votes = probs[:, example].argmax(axis=1)
        others = int((votes != summary.mean.argmax()).sum())
        said = " ".join(
            [
                *wording.doubt_sentences(summary, row, names, int(labels[example])),
                wording.prediction_sentence(summary, names),
            ]
        )
        assert ("agree on the class" not in said) or others == 0
        assert (f"all {len(votes)} passes" in said or "the one pass" in said) == (len(set(votes)) == 1)
        counted = re.findall(r"(\d+) of \d+ pass(?:es)? predicts? another class", said)
        assert all(int(each) == others for each in counted)
        assert "some passes" not in said
        alike += "agree on the class" in said
    assert alike <= (probs.argmax(axis=2) == probs.argmax(axis=2)[0]).all(axis=0).sum()


def test_two_groups_of_passes_are_told_from_one_spread_and_model_from_data_uncertainty() -> None:
    groups = np.array([[0.98, 0.01, 0.01]] * 11 + [[0.01, 0.98, 0.01]] * 9, dtype=np.float32)
    ambiguous = np.tile([0.4, 0.35, 0.25], (20, 1)).astype(np.float32)
    of_groups, of_ambiguous = (
        " ".join(wording.doubt_sentences(summarise(probs), described(probs), NAMES)) for probs in (groups, ambiguous)
    )
    assert "Two groups of passes" in of_groups
    assert "Model (epistemic) uncertainty" in of_groups
    assert "Two groups of passes" not in of_ambiguous
    assert "Data (aleatoric) uncertainty" in of_ambiguous
    assert "cat leads dog by 9.7 percentage points" in of_groups
    assert "**Between 3 classes**: cat, dog and owl." in of_ambiguous


@given(shares=st.lists(st.floats(0.001, 1), min_size=3, max_size=8), passes=st.integers(1, 9))
def test_a_prediction_that_sounds_confident_is_not_between_classes(shares: list[float], passes: int) -> None:
    mean = np.array(shares) / sum(shares)
    probs, names = np.tile(mean, (passes, 1)), [f"class {c}" for c in range(len(mean))]
    summary = summarise(probs)
    said = wording.doubt_sentences(summary, described(probs), names)[0]
    if "confident" in wording.confidence(mean.max()):
        assert "Between" not in said
    assert ("Between two" in said) == (mean.max() < 0.95 and (mean >= mean.max() / 2).sum() == 2)


def described(probs: np.ndarray) -> dict[str, float]:
    """The scores of one example."""
    return {name: float(values[0]) for name, values in scores(probs[:, None]).items()}
