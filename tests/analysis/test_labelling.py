"""Which labels are doubted, and what to label next; on the command line too."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.analysis.labelling import acquire, count_label_errors, label_issues
from mcviz.choices import METHODS
from mcviz.measures.labels import batch_bald, estimate_label_errors, power_bald
from mcviz.runs import Run
from tests.commands import output_of, refusal_of
from tests.runs.making import make


def test_labels_that_were_exchanged_are_listed_first(tmp_path: Path, capsys) -> None:
    random = np.random.default_rng(0)
    truth = random.integers(3, size=300)
    probs = (0.1 * random.dirichlet(np.ones(3), (4, 300)) + 0.9 * np.eye(3)[truth]).astype(np.float32)
    labels = truth.copy()
    labels[::30] = (labels[::30] + 1) % 3
    run = mcviz.write_run(tmp_path / "run", probs, labels=labels, class_names=["a", "b", "c"])
    command = ["label-issues", run.path, "--first", "10"]
    output = output_of(capsys, *command, "--to", tmp_path / "issues.csv")
    count = count_label_errors(run)
    assert count.low <= 10 <= count.high
    assert f"About {round(count.value)} of 300 labels are estimated to be wrong (95% interval " in output
    assert "Was the model trained on these labels?" in output
    found = pd.read_csv(tmp_path / "issues.csv")
    assert set(found["example"]) == set(range(0, 300, 30))
    assert found["self_confidence"].is_monotonic_increasing
    assert (found["prediction_name"] != found["label_name"]).all()
    assert found["label_name"].tolist() == [run.class_names[label] for label in labels[found["example"]]]
    assert "The ensemble predicts another class for 10." in output
    assert output.splitlines()[-1] == f"10 rows are written to {tmp_path / 'issues.csv'}: as --first says."
    assert len(label_issues(run)) == round(count.value)
    listed = json.loads(output_of(capsys, *command, "--json", "--confidence", "50%"))
    assert listed["ids"] == list(map(str, found["id"]))
    assert listed["estimated"] == {"confidence": 0.5, **vars(count_label_errors(run, 0.5))}
    assert len(label_issues(run, 1000)) == 300


def test_of_a_weak_model_no_number_of_wrong_labels_is_printed(tmp_path: Path, capsys) -> None:
    """Its probabilities are true, and no label is wrong: it is mostly wrong itself, and knows that."""
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(10, 2.0), 326)
    labels = (probs.cumsum(axis=1) > rng.random((326, 1))).argmax(axis=1)
    run = mcviz.write_run(tmp_path / "run", np.stack([probs, probs + 1e-6 * rng.random(probs.shape)]), labels=labels)
    count = count_label_errors(run)
    mistakes = run.mean_probs.argmax(axis=1) != labels
    own = run.mean_probs[np.arange(326), labels]
    confident = int((mistakes & (run.mean_probs.max(axis=1) >= 2 * own)).sum())
    assert estimate_label_errors(run.mean_probs, labels).value > 200
    assert (np.isnan(count.value), count.mistakes, count.confident) == (True, mistakes.sum(), confident)
    printed = output_of(capsys, "label-issues", run.path)
    assert printed.splitlines()[-1].startswith("100 rows are listed; --to FILE writes them: at most 100, since")
    assert printed.startswith("How many of 326 labels are wrong is not estimated: ")
    assert f"above the {confident} of {mistakes.sum()} mistakes in which" in printed
    listed = json.loads(output_of(capsys, "label-issues", run.path, "--json"))
    assert listed["estimated"]["value"] is None
    assert printed.startswith(listed["in_words"])


def test_no_end_is_above_the_mistakes_and_several_labels_have_an_estimate_too(tmp_path: Path, capsys) -> None:
    rng = np.random.default_rng(0)
    true = (rng.random((200, 3)) < 0.4).astype(int)
    probs = np.clip(np.where(true, 0.9, 0.1) + rng.uniform(-0.05, 0.05, (4, 200, 3)), 0, 1)
    labels = true.copy()
    labels[::20, 1] = 1 - labels[::20, 1]
    run = mcviz.write_run(tmp_path / "run", probs, labels=labels, task="multilabel")
    count = count_label_errors(run)
    assert count.low < 10 == round(count.value) == count.high == count.mistakes
    assert estimate_label_errors(run.mean_probs, labels).high > 10
    said = f"About 10 of 600 labels are estimated to be wrong (95% interval {math.floor(count.low)} to 10)."
    output = output_of(capsys, "label-issues", run.path, "--to", tmp_path / "issues.csv")
    assert output.startswith(said)
    assert output.splitlines()[-1] == (
        f"10 rows are written to {tmp_path / 'issues.csv'}: as many as are estimated to be wrong."
    )
    found = pd.read_csv(tmp_path / "issues.csv")
    assert set(zip(found["example"], found["class"], strict=True)) == {(example, 1) for example in range(0, 200, 20)}
    assert found["given"].tolist() == labels[found["example"], 1].tolist()
    np.testing.assert_allclose(found["probability"], run.mean_probs[found["example"], 1], rtol=1e-6)
    listed = json.loads(output_of(capsys, "label-issues", run.path, "--json"))
    assert (listed["classes"], listed["ids"]) == (["1"] * 10, list(map(str, found["id"])))


@pytest.mark.parametrize("method", METHODS)
def test_what_to_label_next_is_that_of_the_measures(new: Run, method: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "next.parquet"
    output_of(capsys, "acquire", new.path, "--method", method, "--batch", 12, "--seed", 3, "--to", file)
    found, scores = pd.read_parquet(file), new.scores()
    expected = {
        "bald": scores["mutual_information"].sort_values(ascending=False, kind="stable").index[:12],
        "entropy": scores["predictive_entropy"].sort_values(ascending=False, kind="stable").index[:12],
        "power-bald": power_bald(scores["mutual_information"].to_numpy(np.float64), 12, 3),
        "batch-bald": batch_bald(new.probs_block(0, None), 12, 3),
        "random": np.random.default_rng(3).permutation(1000)[:12],
    }
    assert found["example"].tolist() == list(expected[method])
    assert found["id"].tolist() == [f"item {example}" for example in found["example"]]


def test_batch_bald_needs_masks_per_pass(tmp_path: Path, capsys) -> None:
    run = make(tmp_path / "run", masks="per_example")
    command = ["acquire", run.path, "--method", "batch-bald", "--batch", 2, "--to", tmp_path / "next.csv"]
    assert "masks per_pass" in refusal_of(capsys, *command)
    assert len(acquire(run, "power-bald", 2)) == 2
    assert len(acquire(make(tmp_path / "other"), "batch-bald", 2)) == 2
    assert not (tmp_path / "next.csv").exists()


def test_more_than_there_is_cannot_be_labelled(new: Run, tmp_path: Path, capsys) -> None:
    line = refusal_of(capsys, "acquire", new.path, "--method", "bald", "--batch", 1001, "--to", tmp_path / "next.csv")
    assert "`batch` should be a whole number" in line
    assert "Received: 1001" in line
