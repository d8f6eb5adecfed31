"""Decisions about numbers: right, wrong or another one; what they come to, and the files that say so."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.cli import main
from mcviz.errors import InvalidInputError
from mcviz.reviews import (
    ReviewSummary,
    answers_of,
    compute_outcome,
    corrected_labels,
    decisions_table,
    import_reviews,
    open_reviews,
    summarise_reviews,
)
from mcviz.reviews.files import encode_label_studio
from mcviz.reviews.store import Entry, decode_values, encode_values

LABELS = np.array([[1.1, 10], [2, 20], [3, 30], [np.nan, np.nan]], np.float32)
NAMES = ["height", "depth"]


@pytest.fixture
def run(tmp_path: Path) -> mcviz.Run:
    """Of one target, the first of both."""
    return make(tmp_path, 1)


def make(folder: Path, targets: int) -> mcviz.Run:
    passes = np.random.default_rng(0).normal(size=(5, len(LABELS), targets))
    given = {"labels": LABELS[:, :targets], "target_names": NAMES[:targets]}
    return mcviz.write_run(folder / f"of-{targets}", passes, task="regression", **given)


def said(run: mcviz.Run, example: int, reviewer: str, *values: float) -> Entry:
    """A number each, or else that the label is wrong."""
    text = encode_values(dict(zip(run.targets, values, strict=True))) if values else None
    kind = "values" if values else "wrong_label"
    return Entry(example, reviewer, kind, text, answers_of(run).label_text(example))


def known_of(run: mcviz.Run, *entries: Entry) -> ReviewSummary:
    store = open_reviews(run)
    store.add_all(list(entries))
    return summarise_reviews(run, store.rows())


def test_the_new_label_is_the_number_that_all_agree_about_and_old_and_new_are_written(run: mcviz.Run) -> None:
    known = known_of(
        run,
        said(run, 0, "Ada", 1.1),  # as it was given, though float32 is not 1.1
        said(run, 1, "Ada", 7.25),
        said(run, 1, "Bob"),
        said(run, 2, "Ada", 5.0),
        said(run, 2, "Bob", 6.0),
        said(run, 3, "Ada", -4.0),
    )
    outcome = compute_outcome(run, known)
    assert [decision.label_is_right for decision in known.decisions] == [True, False, False, False, False, None]
    assert sorted(known.disagreements()) == [2]
    np.testing.assert_array_equal(outcome.label_errors, [False, True, True, False])
    table = corrected_labels(run, known)
    assert table["old"].tolist()[:2] == [1.1, 2.0]
    assert np.isnan(table["old"].iloc[-1])
    assert dict(zip(table["id"], table["new"], strict=True)) == {"0": 1.1, "1": 7.25, "3": -4.0}
    predicted = run.mean_predictions[:, 0].astype(float)
    errors = np.abs(predicted[[0, 1, 3]] - [1.1, 7.25, -4.0])
    assert outcome.accuracy_after == pytest.approx(errors.mean(), rel=1e-6)
    assert decisions_table(run, known)["value"].tolist() == [1.1, 7.25, pd.NA, 5.0, 6.0, -4.0]


def test_of_several_targets_a_decision_has_all_of_them(tmp_path: Path) -> None:
    run = make(tmp_path, 2)
    known = known_of(
        run,
        said(run, 0, "Ada", 1.1, 10),
        said(run, 1, "Ada", 2, 25),
        Entry(2, "Ada", "values", encode_values({"height": 3.0})),
    )
    assert (len(known.decisions), known.foreign) == (2, 1)
    assert known.decisions[1].in_words(()) == "height 2, depth 25"
    assert corrected_labels(run, known)["new"].tolist() == ["1.1;10.0", "2.0;25.0", "3.0;30.0"]


def test_the_command_writes_old_and_new(run: mcviz.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known_of(run, said(run, 1, "Ada", 7.25))
    assert main(["review", "export", run.path, "--to", str(tmp_path / "new.csv")]) == 0
    printed = capsys.readouterr().out
    assert "3 labels are written" in printed
    assert "Changed: 1." in printed
    assert pd.read_csv(tmp_path / "new.csv")[["old", "new"]].to_numpy().tolist() == [[1.1, 1.1], [2, 7.25], [3, 3]]


def test_decisions_of_a_page_come_in_and_label_studio_has_no_form_for_them(run: mcviz.Run) -> None:
    made = {"example": 1, "kind": "values", "class_name": encode_values({"height": 9.5})}
    content = {"examples_sha256": run.manifest.examples.sha256, "reviewer": "Eve", "decisions": [made]}
    file = json.dumps(content).encode()
    assert import_reviews(run, open_reviews(run), file).added == 1
    assert import_reviews(run, open_reviews(run), file).added == 0
    with pytest.raises(InvalidInputError, match="choices are of classes"):
        encode_label_studio(run, summarise_reviews(run, open_reviews(run).rows()))


@pytest.mark.parametrize("text", ["{}[", '{"height": "tall"}', '{"height": NaN}', '{"height": 1e999}', "[1]"])
def test_what_is_no_number_is_refused(run: mcviz.Run, text: str) -> None:
    with pytest.raises(InvalidInputError, match="numbers of targets"):
        decode_values(text)
    with pytest.raises(InvalidInputError, match="numbers of targets"):
        open_reviews(run).add(0, "Ada", "values", class_name=text)


def test_the_labels_with_the_highest_crps_are_listed_first_and_none_is_estimated_to_be_wrong(
    run: mcviz.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs, labels = run.predictions_block(0, None)[..., 0].astype(float), LABELS[:, 0].astype(float)
    apart = np.abs(outputs[:, None] - outputs[None]).mean(axis=(0, 1)) / 2
    crps = np.abs(outputs - labels).mean(axis=0) - apart
    expected = [example for example in np.argsort(-crps) if not np.isnan(labels[example])]
    assert mcviz.label_issues(run)["example"].tolist() == expected
    assert main(["label-issues", run.path]) == 0
    printed = capsys.readouterr().out
    assert "How many of 3 labels are wrong is not estimated" in printed
    assert "3 highest by CRPS" in printed
