"""Decisions about several labels an example: what they settle, where they contradict each other, and how they leave."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcviz
from mcviz.cli import main
from mcviz.decisions import Decisions, Threshold, pack_choosing
from mcviz.errors import InvalidInputError
from mcviz.reviews import (
    Entry,
    ReviewSummary,
    compute_outcome,
    corrected_labels,
    open_reviews,
    select_new_entries,
    summarise_reviews,
)
from mcviz.reviews.files import (
    decisions_table,
    encode_csv,
    encode_label_studio,
    encode_npz,
    encode_parquet,
    label_studio_setup,
    read_label_studio,
)
from mcviz.reviews.store import encode_classes
from tests.reviews.test_outcome import history

EXAMPLES, UNKNOWN = 8, -1
NAMES = ["cat", "dög", "owl"]
LABELS = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0], [1, -1, 0], [-1, -1, -1], [0, 1, 1], [1, 0, 0], [0, 0, 1]])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, mcviz.Run]:
    folder, passes = tmp_path_factory.mktemp("runs"), np.random.default_rng(0).random((5, EXAMPLES, 3))
    known = np.where(LABELS == UNKNOWN, np.nan, LABELS)
    recipes = {
        "labelled": {"labels": known},
        "unlabelled": {},
        "reordered": {"labels": known[:, ::-1], "class_names": NAMES[::-1]},
        "fewer": {"labels": known[:, :2], "class_names": NAMES[:2]},
        "relabelled": {"labels": np.roll(known, 1, axis=0)},
    }
    for name, more in recipes.items():
        of = passes[..., :2] if name == "fewer" else passes[..., ::-1] if name == "reordered" else passes
        mcviz.write_run(folder / name, of, task="multilabel", **{"class_names": NAMES, **more})
    probs = np.random.default_rng(1).dirichlet(np.ones(3), (5, EXAMPLES))
    mcviz.write_run(folder / "one class", probs, labels=np.arange(EXAMPLES) % 3, class_names=NAMES)
    return {name: mcviz.open_run(folder / name) for name in (*recipes, "one class")}


def label_text(example: int) -> str | None:
    known = {name: bool(label) for name, label in zip(NAMES, LABELS[example], strict=True) if label != UNKNOWN}
    return encode_classes(known) if known else None


def said(example: int, reviewer: str, answer: str) -> Entry:
    """A decision: "w" that the label is wrong, or of each class 1, 0 or "-" for nothing."""
    if answer == "w":
        return Entry(example, reviewer, "wrong_label", label=label_text(example))
    classes = {name: value == "1" for name, value in zip(NAMES, answer, strict=True) if value != "-"}
    return Entry(example, reviewer, "classes", class_name=encode_classes(classes), label=label_text(example))


def known_of(run: mcviz.Run, *entries: Entry) -> ReviewSummary:
    return summarise_reviews(run, history(*entries))


# Of example 1, whose labels are 110: what is settled, whether that is without a dispute, and whether a label was wrong.
DECIDED = {
    "110": ("110", True, False),
    "100": ("100", True, True),
    "000": ("000", True, True),
    "100 100": ("100", True, True),
    "11-": ("110", True, False),
    "1-1": ("111", True, True),
    "w": ("---", True, True),
    "w 100": ("100", True, True),
    "w 1-1": ("111", True, True),
    "100 010": ("--0", False, True),
    "110 100": ("110", False, False),
    "110 w": ("110", False, False),
    "11- 110": ("110", True, False),
}


@pytest.mark.parametrize("answers", DECIDED)
def test_whether_a_label_is_wrong_and_which_classes_are_right_are_two_questions(
    runs: dict[str, mcviz.Run], answers: str
) -> None:
    run, (labels, settled, wrong) = runs["labelled"], DECIDED[answers]
    entries = [said(1, reviewer, answer) for reviewer, answer in zip("ABC", answers.split(), strict=False)]
    known = known_of(run, *entries)
    outcome = compute_outcome(run, known)
    assert "".join("-" if label == UNKNOWN else str(label) for label in outcome.labels[1]) == labels
    assert (outcome.settled[1], outcome.label_errors[1]) == (settled, wrong)
    assert outcome.mask[1] == (labels != "---")
    assert outcome.disagreements == len(known.disagreements()) == (not settled)
    np.testing.assert_array_equal(np.delete(outcome.labels, 1, axis=0), np.delete(LABELS, 1, axis=0))


ANSWERS = st.text("01-", min_size=3, max_size=3).filter(lambda answer: answer != "---") | st.just("w")


@given(st.lists(st.tuples(st.integers(0, EXAMPLES - 1), st.sampled_from("ABC"), ANSWERS), max_size=20))
def test_labels_are_those_that_nobody_contradicts(
    runs: dict[str, mcviz.Run], decided: list[tuple[int, str, str]]
) -> None:
    """By a loop over the classes of each example."""
    run = runs["labelled"]
    outcome = compute_outcome(run, known_of(run, *(said(*one) for one in decided)))
    latest = {(example, reviewer): answer for example, reviewer, answer in decided}
    for example, given_labels in enumerate(LABELS.tolist()):
        is_known = any(label != UNKNOWN for label in given_labels)
        answers = [answer for (about, _), answer in latest.items() if about == example]
        answers = [answer for answer in answers if answer != "w" or is_known]
        rights = [is_right(answer, given_labels) for answer in answers]
        votes = [{answer[c] for answer in answers if answer != "w"} - {"-"} for c in range(3)]
        disputed = {True, False} <= set(rights) or any(len(of) > 1 for of in votes)
        wrong = bool(answers) and all(right is False for right in rights)
        assert (outcome.settled[example], outcome.label_errors[example]) == (bool(answers) and not disputed, wrong)
        expected = list(given_labels)
        if answers and (wrong or not disputed):
            found = any(
                {int(vote) for vote in of} - {label}
                for of, label in zip(votes, given_labels, strict=True)
                if label >= 0
            )
            for c, of in enumerate(votes):
                if of:
                    expected[c] = int(next(iter(of))) if len(of) == 1 else UNKNOWN
                elif "w" in answers and not found:
                    expected[c] = UNKNOWN
        assert outcome.labels[example].tolist() == expected


def is_right(answer: str, labels: Sequence[int]) -> bool | None:
    if answer == "w":
        return False
    both = [(int(value), label) for value, label in zip(answer, labels, strict=True) if value != "-" and label >= 0]
    return all(value == label for value, label in both) if both else None


def test_the_accuracy_is_that_over_known_labels(runs: dict[str, mcviz.Run]) -> None:
    run = runs["labelled"]
    outcome = compute_outcome(run, known_of(run, said(0, "A", "110"), said(6, "A", "100"), said(2, "A", "w")))
    predicted = run.mean_probs > 0.5

    def accuracy(labels: np.ndarray, examples: Sequence[int]) -> float:
        rows = [np.mean([p == y for p, y in zip(predicted[e], labels[e], strict=True) if y >= 0]) for e in examples]
        return float(np.mean(rows))

    assert outcome.accuracy_before == pytest.approx(accuracy(LABELS, [0, 1, 2, 3, 5, 6, 7]))
    assert outcome.accuracy_after == pytest.approx(accuracy(outcome.labels, [0, 1, 3, 5, 6, 7]))
    assert outcome.agreement_with_model == pytest.approx(accuracy(outcome.labels, [0, 6]))
    assert outcome.agreement_with_labels == pytest.approx(1 / 3)
    assert outcome.classes["label_errors"].tolist() == [1, 0, 0]
    for c, row in outcome.classes.iterrows():
        for name, labels in (("before", LABELS), ("after", outcome.labels)):
            known = [e for e in range(EXAMPLES) if labels[e, c] >= 0]
            assert row[name] == pytest.approx(np.mean([predicted[e, c] == labels[e, c] for e in known]))


def test_decisions_mean_the_same_classes_by_their_names(runs: dict[str, mcviz.Run]) -> None:
    entries = [said(0, "A", "110"), said(1, "A", "w"), Entry(2, "A", "skip"), said(3, "A", "11-")]
    known = known_of(runs["reordered"], *entries)
    assert known.foreign == 0
    assert known.decisions_by("A")[0].classes == (0, 1, 1)
    assert known.decisions_by("A")[3].classes == (UNKNOWN, 1, 1)
    fewer = known_of(runs["fewer"], *entries)
    assert set(fewer.decisions_by("A")) == {2, 3}, "an owl is no class of it, and its labels are others"
    assert fewer.foreign == 2
    relabelled = known_of(runs["relabelled"], *entries)
    assert set(relabelled.decisions_by("A")) == {0, 2, 3}


def test_decisions_of_one_class_and_of_several_mean_nothing_to_each_other(runs: dict[str, mcviz.Run]) -> None:
    of_one = [Entry(0, "A", "class", class_name="cat"), Entry(1, "A", "none"), Entry(2, "A", "skip")]
    assert known_of(runs["labelled"], *of_one).foreign == 2
    assert known_of(runs["one class"], said(0, "A", "100"), *of_one[1:]).foreign == 1


@pytest.mark.parametrize("name", ["labelled", "unlabelled"])
@pytest.mark.parametrize("decided", [True, False])
def test_tables_load_as_they_were_written(runs: dict[str, mcviz.Run], name: str, decided: bool) -> None:
    run = runs[name]
    entries = [said(0, "A", "110"), said(3, "A", "1-0"), said(2, "B", "000"), Entry(2, "B", "note", note="why?")]
    known = known_of(run, *(entries if decided else []))
    table = decisions_table(run, known)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(encode_parquet(run, known))), table, check_dtype=False)
    read = pd.read_csv(io.BytesIO(encode_csv(run, known)), keep_default_na=False)
    assert read["classes"].tolist() == (["cat;dög", "cat", ""] if decided else [])
    assert read["undecided"].tolist() == (["", "dög", ""] if decided else [])
    assert read["note"].tolist() == (["", "", "why?"] if decided else [])
    assert (read["decision"] == "classes").all()


@pytest.mark.parametrize("name", ["labelled", "unlabelled"])
def test_corrected_labels_are_those_of_a_new_run(runs: dict[str, mcviz.Run], name: str, tmp_path: Path) -> None:
    run = runs[name]
    known = known_of(run, said(0, "A", "110"), said(4, "A", "0-1"))
    with np.load(io.BytesIO(encode_npz(run, known)), allow_pickle=False) as file:
        labels, names, mask = file["labels"], file["class_names"].tolist(), file["mask"]
        assert file["given"].tolist() == (LABELS if name == "labelled" else np.full_like(LABELS, UNKNOWN)).tolist()
        assert np.flatnonzero(file["reviewed"]).tolist() == [0, 4]
    assert (labels[0].tolist(), labels[4].tolist()) == ([1, 1, 0], [0, UNKNOWN, 1])
    assert mask.all() if name == "labelled" else np.flatnonzero(mask).tolist() == [0, 4]
    passes = run.probs_block(0, None)
    new = mcviz.write_run(tmp_path / "new", passes, labels=labels, class_names=names, task="multilabel")
    np.testing.assert_array_equal(new.labels, labels)
    quality = new.manifest.quality
    assert quality == pytest.approx(compute_outcome(run, known).accuracy_after)
    table = corrected_labels(run, known).set_index("id")
    assert table.loc["0", ["new", "unknown"]].tolist() == ["cat;dög", ""]
    assert table.loc["4", ["old", "new", "unknown"]].tolist() == ["", "owl", "dög"]


def test_the_command_writes_corrected_labels_and_moves_no_files(
    runs: dict[str, mcviz.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs["labelled"]
    open_reviews(run).add(0, "A", "classes", class_name=said(0, "A", "110").class_name)
    assert main(["review", "export", run.path, "--to", str(tmp_path / "labels.csv")]) == 0
    assert pd.read_csv(tmp_path / "labels.csv")["new"][0] == "cat;dög"
    assert main(["review", "export", run.path, "--to-folders", str(tmp_path)]) == 2
    assert "takes one class an example" in capsys.readouterr().err


def test_what_label_studio_is_given_comes_back_as_it_was(runs: dict[str, mcviz.Run]) -> None:
    run = runs["labelled"]
    entries = [said(0, "A", "110"), said(1, "A", "w"), said(2, "B", "000"), Entry(2, "B", "note", note="why?")]
    known = known_of(run, *entries, said(3, "A", "1-0"))
    assert 'choice="multiple"' in label_studio_setup(run)
    content = encode_label_studio(run, known)
    annotations = {task["data"]["example"]: task["annotations"] for task in json.loads(content)}
    assert annotations[3] == [], "what says nothing of some class has no form there"
    read = read_label_studio(run, content)
    again = known_of(run, *read)
    for example in (0, 1, 2):
        expected = {(one.reviewer, one.kind, one.classes) for one in known.by_example()[example]}
        assert {(one.reviewer, one.kind, one.classes) for one in again.by_example()[example]} == expected
    assert again.notes == known.notes
    assert select_new_entries(read, known, run.class_names) == []
    assert select_new_entries(read, ReviewSummary(), run.class_names) == read


@pytest.mark.parametrize(
    ("choices", "message"),
    [([], "a choice or more; one of task 1 has 0"), (["cat", "fox"], "“fox”"), (["cat", "no class fits"], "“no class")],
)
def test_choices_that_mean_nothing_are_refused(runs: dict[str, mcviz.Run], choices: list[str], message: str) -> None:
    annotation = {"completed_by": 1, "result": [{"type": "choices", "value": {"choices": choices}}]}
    content = json.dumps([{"data": {"example": 0}, "annotations": [annotation]}]).encode()
    with pytest.raises(InvalidInputError, match=message):
        read_label_studio(runs["labelled"], content)


def test_labels_that_chose_a_threshold_do_not_judge_the_model(tmp_path: Path) -> None:
    passes = np.random.default_rng(0).random((5, EXAMPLES, 3))
    mcviz.write_run(tmp_path / "run", passes, task="multilabel", labels=LABELS == 1, class_names=NAMES)
    run = mcviz.open_run(tmp_path / "run")
    choosing = np.arange(EXAMPLES) < 4
    run.decide(Decisions({"owl": Threshold(0.7, "f1")}, chosen_on=pack_choosing(choosing)))
    known = known_of(run, said(0, "Ada", "000"), said(5, "Ada", "000"))
    outcome = compute_outcome(run, known)
    is_right = (run.mean_probs > [0.5, 0.5, 0.7]) == (LABELS == 1)
    after = (run.mean_probs > [0.5, 0.5, 0.7]) == np.where(np.arange(EXAMPLES)[:, None] == 5, 0, LABELS == 1)
    assert outcome.accuracy_before == pytest.approx(is_right[4:].mean())
    assert outcome.accuracy_after == pytest.approx(after[4:].mean())
    assert outcome.agreement_with_model == pytest.approx(after[5].mean())
    assert outcome.classes["before"].tolist() == pytest.approx(is_right[4:].mean(axis=0).tolist())
    assert outcome.mask.all()
    assert outcome.agreement_with_labels == 0  # of both that were decided
