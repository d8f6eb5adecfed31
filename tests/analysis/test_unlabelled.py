"""The accuracy of a run without labels is estimated by one with labels, with what speaks against it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mcviz
from mcviz.analysis.unlabelled import estimate_accuracy
from mcviz.errors import InvalidInputError
from mcviz.runs import Run
from tests.analysis.conftest import CACHE
from tests.commands import output_of, refusal_of
from tests.factories import make_doubtful_run


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The examples of `new`, with their labels."""
    return make_doubtful_run(tmp_path_factory.mktemp("unlabelled") / "labelled", 1000, 1)


def test_the_estimate_holds_the_accuracy_and_the_labels_of_the_run_are_not_looked_at(
    old: Run, new: Run, labelled: Run
) -> None:
    estimated = estimate_accuracy(new, old).estimated
    assert estimated == estimate_accuracy(labelled, old).estimated
    accuracy = estimated.accuracy
    assert accuracy.low <= (labelled.mean_probs.argmax(axis=1) == labelled.labels).mean() <= accuracy.high
    assert accuracy.high - accuracy.low < 0.03
    assert estimate_accuracy(old, old).estimated.accuracy.value == pytest.approx(old.ensemble_accuracy[-1])
    wide = estimate_accuracy(new, old, 0.99).estimated.accuracy
    assert wide.low < accuracy.low < accuracy.value == wide.value < accuracy.high < wide.high


def test_each_column_and_score_has_its_test_and_all_are_corrected_together(moved: Run, old: Run) -> None:
    found = estimate_accuracy(moved, old)
    by_name = {each.name: each for each in found.columns}
    assert {"prediction", "max_probability", "mutual_information", "source", "number"} <= set(by_name)
    assert "self_confidence" not in by_name
    for name in ("max_probability", "number"):
        expected = stats.ks_2samp(old.table()[name], moved.table()[name])
        assert by_name[name].p_value == pytest.approx(expected.pvalue)
    counts = [run.table()["prediction"].value_counts().sort_index() for run in (old, moved)]
    assert by_name["prediction"].p_value == pytest.approx(stats.chi2_contingency(counts, correction=False).pvalue)
    assert by_name["max_probability"].is_shifted
    assert not by_name["source"].is_shifted, "which is missing at some examples of both"
    assert all(each.corrected >= each.p_value for each in found.columns)
    assert [each.p_value for each in found.columns] == sorted(each.p_value for each in found.columns)
    assert "Confidence is distributed otherwise" in found.shift_sentences[0]


def test_numbers_that_are_missing_more_often_are_a_shift(tmp_path: Path) -> None:
    random, columns = np.random.default_rng(0), {}
    for name in ("old", "new"):
        columns[name] = pd.DataFrame({"age": random.normal(size=300)})
    columns["new"].loc[:120, "age"] = np.nan
    runs = [
        mcviz.write_run(
            tmp_path / name, random.dirichlet(np.ones(3), (4, 300)), labels=np.arange(300) % 3, columns=each
        )
        for name, each in columns.items()
    ]
    assert {each.name for each in estimate_accuracy(runs[1], runs[0]).columns if each.is_shifted} == {"age"}


def test_the_command_prints_the_estimate_and_the_table(labelled: Run, old: Run, capsys, tmp_path: Path) -> None:
    command = ["trust", labelled.path, "--calibrated-on", old.path]
    found = estimate_accuracy(labelled, old)
    text = output_of(capsys, *command, "--summary", tmp_path)
    assert " ".join(found.sentences) in text
    assert "do not say which model made them" in text
    assert "By the run's own labels, the accuracy is" in text
    rows = [line.split("  ")[0] for line in text.splitlines()]
    assert all(each.name in rows for each in found.columns)
    assert found.sentences[0].split(".")[0] in (tmp_path / "summary.md").read_text().replace("\\", "")
    as_json = json.loads(output_of(capsys, *command, "--json"))
    assert as_json["accuracy"] == vars(found.estimated.accuracy)
    assert [each["name"] for each in as_json["columns"]] == [each.name for each in found.columns]
    assert any("columns and scores are distributed otherwise" in warning for warning in as_json["warnings"])


def test_what_needs_labels_is_refused_with_the_way_out(old: Run, new: Run, capsys) -> None:
    command = ["trust", new.path, "--calibrated-on", old.path]
    for options in (["--by", "source"], ["--require", "accuracy >= 90%"], ["--mistake-cost", "3", "--look-cost", "1"]):
        assert options[0] in refusal_of(capsys, *command, *options)
    assert "--calibrated-on OLD, a labelled run of the same model" in refusal_of(capsys, "trust", new.path)
    assert "has none" in refusal_of(capsys, "trust", old.path, "--calibrated-on", new.path)
    with pytest.raises(InvalidInputError, match="`confidence` should be"):
        estimate_accuracy(new, old, confidence=1)


def test_too_few_labels_are_refused(tmp_path: Path) -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (4, 10)).astype(np.float32)
    runs = [mcviz.write_run(tmp_path / f"{n}", probs[:, :n], labels=np.arange(n) % 3) for n in (9, 10)]
    with pytest.raises(InvalidInputError, match=r"`calibrated_on` should be a run with 10 labels or more.*Received: 9"):
        estimate_accuracy(runs[1], runs[0])
    assert estimate_accuracy(runs[0], runs[1]).estimated.accuracy.low >= 0


def test_another_model_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="of two"):
        estimate_accuracy(*(mcviz.open_run(CACHE / name) for name in ("mnist-cnn", "fashion-cnn")))
