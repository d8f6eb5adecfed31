"""What came of reviewing agrees with other libraries and with slow loops, and files load where they are meant to."""

import base64
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import accuracy_score, cohen_kappa_score

import mcviz
from mcviz.errors import InvalidInputError
from mcviz.figures import png_url
from mcviz.reviews import Entry, ReviewSummary, compute_outcome, select_new_entries, summarise_reviews
from mcviz.reviews.files import (
    decisions_table,
    encode_csv,
    encode_label_studio,
    encode_npz,
    encode_parquet,
    label_studio_setup,
    read_label_studio,
)
from mcviz.reviews.store import ReviewRow
from tests.runs.making import make

EXAMPLES = 12
NAMES = ["=cat", "dög", "owl, tawny"]
IDS = [f"scans/{example}.png" for example in range(EXAMPLES)]
LABELS = np.arange(EXAMPLES) % 3
TEXTS = [f"“Text” {example}\nof two lines" for example in range(EXAMPLES)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, mcviz.Run]:
    folder, passes = tmp_path_factory.mktemp("runs"), np.random.default_rng(0).dirichlet(np.ones(3), (5, EXAMPLES))
    recipes = {
        "labelled": {"labels": LABELS, "ids": IDS, "data": TEXTS},
        "unlabelled": {"ids": IDS, "data": TEXTS},
        "numbers": {"labels": LABELS},
        "renamed": {"labels": LABELS, "class_names": ["dög", "=cat", "fox"]},
        "relabelled": {"labels": (LABELS + 1) % 3},
    }
    for name, more in recipes.items():
        mcviz.write_run(folder / name, passes.astype(np.float32), **{"class_names": NAMES, **more})
    return {name: mcviz.open_run(folder / name) for name in recipes}


def history(*entries: Entry) -> list[ReviewRow]:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    return [
        ReviewRow(
            number, entry.example, entry.reviewer, start + timedelta(seconds=number), entry.kind, entry.class_name,
            entry.label, entry.note, entry.undone,
        )
        for number, entry in enumerate(entries, 1)
    ]  # fmt: skip


def as_class(example: int, index: int, reviewer: str = "Ada") -> Entry:
    return Entry(example, reviewer, "class", class_name=NAMES[index], label=NAMES[LABELS[example]])


ROWS = history(
    as_class(0, 1),
    as_class(1, 1),
    Entry(2, "Ada", "none", label=NAMES[2]),
    Entry(3, "Ada", "wrong_label", label=NAMES[0]),
    Entry(4, "Ada", "skip", label=NAMES[1]),
    as_class(5, 0),
    as_class(0, 1, "Bob"),
    as_class(5, 2, "Bob"),
    Entry(5, "Bob", "note", note="*why?*"),
    as_class(6, 2, "Bob"),
    as_class(6, 1, "Bob"),
    Entry(6, "Bob", "undo", undone=11),
    as_class(7, 0, "Bob"),
    Entry(7, "Bob", "undo", undone=13),
)


def test_the_latest_that_is_not_undone_counts(runs: dict[str, mcviz.Run]) -> None:
    summary = summarise_reviews(runs["labelled"], ROWS)
    decisions = summary.decisions_by("Bob").values()
    assert {(decision.example, decision.kind, decision.class_index) for decision in decisions} == {
        (0, "class", 1), (5, "class", 2), (6, "class", 2),
    }  # fmt: skip
    assert summary.notes == {(5, "Bob"): "*why?*"}
    assert list(summary.disagreements()) == [5]
    assert summary.foreign == 0


def test_corrected_labels_are_those_that_nobody_contradicts(runs: dict[str, mcviz.Run]) -> None:
    run, outcome = runs["labelled"], compute_outcome(runs["labelled"], summarise_reviews(runs["labelled"], ROWS))
    assert outcome.labels.tolist() == [1, 1, -1, -1, 1, 2, 2, 1, 2, 0, 1, 2]
    assert np.flatnonzero(~outcome.mask).tolist() == [2, 3]
    assert np.flatnonzero(outcome.settled).tolist() == [0, 1, 2, 3, 6]
    assert np.flatnonzero(outcome.label_errors).tolist() == [0, 2, 3, 6]
    prediction = run.mean_probs.argmax(axis=1)
    assert outcome.accuracy_before == pytest.approx(accuracy_score(LABELS, prediction))
    assert outcome.accuracy_after == pytest.approx(
        accuracy_score(outcome.labels[outcome.mask], prediction[outcome.mask])
    )
    assert outcome.agreement_with_labels == pytest.approx(1 / 5)
    assert outcome.agreement_with_model == pytest.approx(np.mean(prediction[[0, 1, 6]] == [1, 1, 2]))
    for c, row in outcome.classes.iterrows():
        assert row["before"] == pytest.approx(np.mean([prediction[e] == c for e in range(12) if LABELS[e] == c]))
        assert row["after"] == pytest.approx(np.mean([prediction[e] == c for e in range(12) if outcome.labels[e] == c]))
    assert outcome.classes["label_errors"].tolist() == [3, 0, 1]


# What is decided about an example of the given label 0; "w": the label is wrong, "n": no class fits.
DECIDED = {
    "0": (0, True), "0 0": (0, True), "1": (1, True), "1 1 1": (1, True),
    "w": (-1, True), "w w": (-1, True), "n": (-1, True), "w n": (-1, True), "w 1": (1, True), "1 w 1": (1, True),
    "1 2": (-1, False), "1 1 2": (-1, False), "w 1 2": (-1, False), "1 n": (-1, False), "2 n w": (-1, False),
    "0 1": (0, False), "0 w": (0, False), "0 n": (0, False), "0 0 1": (0, False), "0 1 2": (0, False),
}  # fmt: skip


def answer(example: int, reviewer: str, given: str) -> Entry:
    if given in "wn":
        return Entry(example, reviewer, {"w": "wrong_label", "n": "none"}[given], label=NAMES[LABELS[example]])
    return as_class(example, int(given), reviewer)


@pytest.mark.parametrize("answers", DECIDED)
def test_whether_the_label_is_wrong_and_which_class_is_right_are_two_questions(
    runs: dict[str, mcviz.Run], answers: str
) -> None:
    given = zip("ABC", answers.split(), strict=False)
    known = summarise_reviews(
        runs["labelled"], history(*(answer(3, *each) for each in given))
    )  # an example of the label 0
    outcome, (label, settled) = compute_outcome(runs["labelled"], known), DECIDED[answers]
    assert (outcome.labels[3], outcome.mask[3], outcome.settled[3]) == (label, label >= 0, settled)
    assert outcome.label_errors[3] == ("0" not in answers)
    assert outcome.disagreements == len(known.disagreements()) == (not settled)
    assert outcome.agreement_with_labels == (None if "0" in answers and not settled else float(answers[0] == "0"))
    with np.load(io.BytesIO(encode_npz(runs["labelled"], known))) as exported:
        assert (exported["labels"][3], exported["mask"][3], exported["reviewed"][3]) == (label, label >= 0, settled)


@given(
    st.lists(
        st.tuples(st.integers(0, EXAMPLES - 1), st.sampled_from("ABC"), st.sampled_from(["0", "1", "2", "w", "n"])),
        max_size=40,
    ),
    st.sampled_from(["labelled", "unlabelled"]),
)
def test_what_is_exported_is_what_all_decisions_leave_possible(
    runs: dict[str, mcviz.Run], said: list[tuple[int, str, str]], name: str
) -> None:
    outcome = compute_outcome(runs[name], summarise_reviews(runs[name], history(*(answer(*each) for each in said))))
    latest = {(example, reviewer): given for example, reviewer, given in said}
    for example in range(EXAMPLES):
        label = LABELS[example] if name == "labelled" else -1
        possible: list[set[int | str]] = [
            {0, 1, 2, "none"} - {label} if given == "w" else {"none"} if given == "n" else {int(given)}
            for (about, _), given in latest.items()
            if about == example and (given != "w" or name == "labelled")
        ]
        left = set.intersection(*possible) if possible else set()
        if left:
            expected = left.pop() if len(left) == 1 else -1
            expected = -1 if expected == "none" else expected
        else:
            expected = label if not possible or any(label in each for each in possible) else -1
        assert (outcome.labels[example], outcome.mask[example]) == (expected, expected >= 0)


def test_without_labels_there_is_what_can_be_known(runs: dict[str, mcviz.Run]) -> None:
    outcome = compute_outcome(runs["unlabelled"], summarise_reviews(runs["unlabelled"], ROWS))
    assert outcome.labels.tolist() == [1, 1, -1, -1, -1, -1, 2, -1, -1, -1, -1, -1]
    assert outcome.accuracy_before is outcome.agreement_with_labels is None
    assert not outcome.label_errors.any()
    assert outcome.accuracy_after == outcome.agreement_with_model
    nothing = compute_outcome(runs["unlabelled"], ReviewSummary())
    assert nothing.accuracy_after is nothing.agreement_with_model is None


def test_decisions_mean_the_same_class_by_its_name(runs: dict[str, mcviz.Run]) -> None:
    summary = summarise_reviews(runs["renamed"], ROWS)
    assert summary.decisions_by("Ada")[5].class_index == 1
    assert summary.foreign == 3  # two owls, and a label that is named otherwise here
    relabelled = summarise_reviews(runs["relabelled"], ROWS)
    assert 3 not in relabelled.decisions_by("Ada")
    assert relabelled.foreign == 1


@given(st.lists(st.tuples(st.integers(0, EXAMPLES - 1), st.sampled_from("AB"), st.integers(-1, 2)), max_size=40))
def test_agreement_is_scikit_learn_s_kappa(runs: dict[str, mcviz.Run], said: list[tuple[int, str, int]]) -> None:
    entries = [Entry(e, who, "none") if c < 0 else as_class(e, c, who) for e, who, c in said]
    latest = {(who, e): c for e, who, c in said}
    both = [e for e in range(EXAMPLES) if ("A", e) in latest and ("B", e) in latest]
    agreements = summarise_reviews(runs["labelled"], history(*entries)).agreements()
    assert len(agreements) == bool(both)
    if both:
        answers = [[latest[who, e] for e in both] for who in "AB"]
        assert (agreements[0].examples, agreements[0].same) == (len(both), sum(map(int.__eq__, *answers)))
        if len({*answers[0], *answers[1]}) == 1:
            assert agreements[0].kappa is None
        else:
            assert agreements[0].kappa == pytest.approx(cohen_kappa_score(*answers))


@pytest.mark.parametrize("name", ["labelled", "unlabelled", "numbers"])
@pytest.mark.parametrize("rows", [ROWS, []])
def test_tables_load_as_they_were_written(runs: dict[str, mcviz.Run], name: str, rows: list[ReviewRow]) -> None:
    known = summarise_reviews(runs[name], rows)
    table = decisions_table(runs[name], known)
    assert len(table) == len(known.decisions)
    assert table["class_name"].dropna().isin(NAMES).all()
    pd.testing.assert_frame_equal(
        pd.read_parquet(io.BytesIO(encode_parquet(runs[name], known))), table, check_dtype=False
    )
    read = pd.read_csv(io.BytesIO(encode_csv(runs[name], known)), keep_default_na=False)
    for column in ("example", "id", "reviewer", "decision", "note"):
        assert read[column].astype(str).tolist() == table[column].astype(str).tolist()


@pytest.mark.parametrize("name", ["labelled", "unlabelled"])
def test_corrected_labels_load_without_pickle(runs: dict[str, mcviz.Run], name: str) -> None:
    known = summarise_reviews(runs[name], ROWS)
    outcome, given = compute_outcome(runs[name], known), LABELS if name == "labelled" else np.full(EXAMPLES, -1)
    with np.load(io.BytesIO(encode_npz(runs[name], known)), allow_pickle=False) as file:
        assert file["labels"].tolist() == outcome.labels.tolist()
        assert file["mask"].tolist() == (file["labels"] >= 0).tolist()
        assert file["reviewed"].tolist() == outcome.settled.tolist()
        assert file["given"].tolist() == given.tolist()
        assert file["class_names"].tolist() == NAMES


def test_corrected_labels_are_those_of_a_new_run(runs: dict[str, mcviz.Run], tmp_path: Path) -> None:
    known = summarise_reviews(runs["labelled"], ROWS)
    with np.load(io.BytesIO(encode_npz(runs["labelled"], known)), allow_pickle=False) as file:
        labels, mask = file["labels"], file["mask"]
    passes = np.stack([runs["labelled"].probs(example) for example in np.flatnonzero(mask)], axis=1)
    mcviz.write_run(tmp_path / "new", passes, labels=labels[mask])
    accuracy = mcviz.open_run(tmp_path / "new").ensemble_accuracy[-1]
    assert accuracy == pytest.approx(compute_outcome(runs["labelled"], known).accuracy_after)


@pytest.mark.parametrize("name", ["labelled", "unlabelled", "numbers"])
def test_what_label_studio_is_given_comes_back_as_it_was(runs: dict[str, mcviz.Run], name: str) -> None:
    run = runs[name]
    rows = [row for row in ROWS if row.kind != "wrong_label" or run.labels is not None]
    known = summarise_reviews(run, rows)
    content = encode_label_studio(run, known)
    for task in json.loads(content):
        assert task["data"]["id"] == run.scores()["id"][task["data"]["example"]]
        for result in [*task["predictions"], *task["annotations"]]:
            assert {each["type"] for each in result["result"]} <= {"choices", "textarea"}
            assert all({"from_name", "to_name", "value"} <= set(each) for each in result["result"])
    entries = read_label_studio(run, content)
    again = summarise_reviews(run, history(*entries))
    assert again.by_example().keys() == known.by_example().keys()
    for example, decisions in known.by_example().items():
        said = {(each.reviewer, each.kind, each.class_index) for each in decisions}
        assert {(each.reviewer, each.kind, each.class_index) for each in again.by_example()[example]} == said
    assert again.notes == known.notes
    assert select_new_entries(entries, known, run.class_names) == []
    assert select_new_entries(entries, ReviewSummary(), run.class_names) == entries


@pytest.mark.parametrize("form", [{}, {"keep": False}, {"kind": "text"}, {"kind": "row"}, {"kind": "none"}])
def test_a_project_that_is_set_up_as_told_shows_each_example_and_its_decisions(
    form: dict[str, object], tmp_path: Path
) -> None:
    """As Label Studio 1.23 was found to want it: fields, names of controls and choices are those of the setup."""
    names = ('<a "b" & c>', "ö'", "7")
    run = make(tmp_path / "run", class_names=names, **form)
    labels = [names[label] for label in run.labels]
    rows = history(
        Entry(3, "Ada", "class", class_name=names[0], label=labels[3]),
        Entry(3, "Ada", "note", note="blurred", label=labels[3]),
        Entry(4, "Ada", "none", label=labels[4]),
        Entry(5, "Ada", "wrong_label", label=labels[5]),
    )
    setup = ElementTree.fromstring(label_studio_setup(run))
    (control,) = [each for each in setup if each.get("value")]
    kinds = {each.get("name"): each.tag.lower() for each in setup}
    choices = [each.get("value") for each in setup.iter("Choice")]
    assert [each.get("hotkey") for each in setup.iter("Choice")] == [None, None, "7", None, None]
    assert choices[:3] == list(names)
    for task in json.loads(encode_label_studio(run, summarise_reviews(run, rows), png_url)):
        example, content = task["data"]["example"], task["data"][control.get("value").removeprefix("$")]
        if control.tag == "Image":
            picture = Image.open(io.BytesIO(base64.b64decode(content.removeprefix("data:image/png;base64,"))))
            np.testing.assert_array_equal(np.asarray(picture), run.images[example][..., 0])
        elif control.tag == "Table":
            assert content == pytest.approx(run.content.iloc[example].to_dict())
        else:
            assert content == (run.content["text"][example] if form.get("kind") == "text" else str(example))
        for result in [result for each in [*task["predictions"], *task["annotations"]] for result in each["result"]]:
            assert (kinds[result["from_name"]], result["to_name"]) == (result["type"], control.get("name"))
            assert set(result["value"].get("choices", ())) <= set(choices)


EXPORTED = {  # as Label Studio 1.x writes it
    "id": 7, "data": {"id": IDS[4], "image": "/data/upload/1/4.png"}, "project": 3, "inner_id": 1, "predictions": [],
    "annotations": [{
        "id": 11, "completed_by": 2, "was_cancelled": False, "ground_truth": False, "lead_time": 3.2, "result": [
            {"id": "x", "from_name": "c", "to_name": "i", "type": "choices", "origin": "manual",
             "value": {"choices": ["dög"]}}]}],
}  # fmt: skip


def exported(**changes: object) -> bytes:
    task = json.loads(json.dumps(EXPORTED))
    for path, value in changes.items():
        *way, last = path.split("__")
        at = task
        for step in way:
            at = at[int(step) if step.isdigit() else step]
        at[int(last) if last.isdigit() else last] = value
    return json.dumps([task]).encode()


def test_what_label_studio_exports_is_read(runs: dict[str, mcviz.Run]) -> None:
    run, label = runs["labelled"], NAMES[LABELS[4]]
    assert read_label_studio(run, exported()) == [
        Entry(4, "Label Studio, user 2", "class", class_name="dög", label=label)
    ]
    (who,) = read_label_studio(run, exported(annotations__0__completed_by={"id": 2, "email": "ada@example.org"}))
    assert who.reviewer == "ada@example.org"
    named = {"annotations__0__result__0__meta": {"text": ["Ada"]}}
    assert [each.reviewer for each in read_label_studio(run, exported(**named))] == ["Ada"]
    (changed,) = read_label_studio(run, exported(**named, annotations__0__updated_by=5))
    assert changed.reviewer == "Label Studio, user 5"  # what Ada decided is another class now, and not by her
    (changed,) = read_label_studio(
        run, exported(**named, annotations__0__updated_by=2, annotations__0__completed_by={"id": 2, "email": "b@x.org"})
    )
    assert changed.reviewer == "b@x.org"
    (skipped,) = read_label_studio(run, exported(annotations__0__was_cancelled=True, annotations__0__result=[]))
    assert skipped.kind == "skip"
    assert read_label_studio(run, exported(annotations=[])) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no JSON that Label Studio exports"),
        (b"{}", "no JSON that Label Studio exports"),
        (b"[" * 100_000, "no JSON that Label Studio exports"),
        (b'[{"id": 1}]', "no JSON that Label Studio exports"),
        (exported(data__id="elsewhere"), "Task 1 is about the id 'elsewhere'"),
        (exported(data={"example": 4}), "Task 1 is about the id None"),
        (exported(data={"id": ["x"]}), "Task 1 is about the id"),
        (exported(annotations__0__result=[]), "one of task 1 has 0"),
        (exported(annotations__0__result__0__value__choices=["dög", "=cat"]), "one of task 1 has 2"),
        (exported(annotations__0__result__0__value__choices=["\x1b[31mfox"]), "which is no class of this run"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(runs: dict[str, mcviz.Run], content: bytes, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said) as caught:
        read_label_studio(runs["labelled"], content)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("example", [-1, EXAMPLES, True, "4", 4.0])
def test_without_ids_an_example_is_named_by_its_number(runs: dict[str, mcviz.Run], example: object) -> None:
    with pytest.raises(InvalidInputError, match="Task 1 is about the example"):
        read_label_studio(runs["numbers"], exported(data={"example": example}))
    (entry,) = read_label_studio(runs["numbers"], exported(data={"example": 4}))
    assert entry.example == 4
