"""What a user decides about a run: figures by labels that did not choose, and errors that are mistakes."""

import json
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy
from sklearn.metrics import f1_score, hamming_loss

import mcviz
from mcviz.analysis.requirements import parse_requirement
from mcviz.cli import main
from mcviz.errors import CorruptRunError, InvalidInputError
from mcviz.runs import Run, open_run
from mcviz.runs.decisions import FILE
from mcviz.runs.writer import rename_classes
from tests.runs.making import contents

NAMES = ["login", "pay", "rare"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A model that is too low for one class, right for another, and whose third has few labels."""
    random = np.random.default_rng(0)
    labels = (random.random((400, 3)) < [0.25, 0.5, 0.03]).astype(np.int8)
    odds = np.where(labels == 1, [-0.3, 1.5, 1.5], [-3, -1.5, -1.5]) + random.normal(0, 0.7, (3, 400, 3))
    probs = scipy.special.expit(odds).astype(np.float32)
    patients = pd.DataFrame({"patient": np.arange(400) // 4})
    return mcviz.write_run(
        tmp_path / "run",
        probs,
        labels=labels,
        task="multilabel",
        class_names=NAMES,
        deterministic=probs[0],
        columns=patients,
        ids=[f"item {number}" for number in range(400)],
    )


@pytest.fixture
def numbers(tmp_path: Path) -> Run:
    random = np.random.default_rng(0)
    labels = random.normal(50, 10, (300, 2)).astype(np.float32)
    spread = random.gamma(1, 4, (300, 1))
    outputs = labels + spread * random.normal(size=(300, 2)) + 0.1 * spread * random.normal(size=(4, 300, 2))
    return mcviz.write_run(
        tmp_path / "numbers",
        outputs.astype(np.float32),
        labels=labels,
        task="regression",
        target_names=["height", "width"],
        deterministic=outputs[0].astype(np.float32),
    )


def test_thresholds_are_chosen_by_one_half_and_judged_by_the_other(run: Run) -> None:
    before = contents(Path(run.path))
    result = mcviz.thresholds(run, best="f1")
    judging = ~run.choosing
    assert judging.sum() == 200
    limits = np.array([one.threshold for one in result.classes.values()])
    assert limits[0] < 0.5
    predicted = run.mean_probs > limits
    expected = f1_score(run.labels[judging, 0], predicted[judging, 0])
    trust = mcviz.trust(run)
    assert result.classes["login"].f1.value == pytest.approx(expected)
    assert trust.by_class["login"].f1.value == pytest.approx(expected)
    wrong = hamming_loss(run.labels[judging], predicted[judging])
    assert trust.figures["ensemble"]["accuracy"].value == pytest.approx(1 - wrong)
    gate = parse_requirement("f1 of login >= 1%").judge(trust.figures, run)
    assert gate.found.value == pytest.approx(expected)
    assert gate.parts[0].examples == run.labels[judging, 0].sum()
    table = run.scores()
    assert table["loss"].isna().equals(pd.Series(run.choosing, table.index))
    assert table["loss"].dropna().mean() == pytest.approx(wrong)
    assert mcviz.refer(run, budget=20).labelled == 200
    assert "login" in table["prediction"][np.flatnonzero(predicted[:, 0])[0]].split(";")
    after = contents(Path(run.path))
    assert {name: after[name] for name in before} == before, "the run itself stays as it was"
    mcviz.verify_run(run.path)
    assert json.loads((Path(run.path) / FILE).read_text())["decisions"]["thresholds"]["login"]["chosen_by"] == "f1"


def test_a_class_with_too_few_labels_keeps_its_threshold(run: Run) -> None:
    result = mcviz.thresholds(run, best="f1")
    assert "20 are needed" in result.classes["rare"].refused
    assert (result.classes["rare"].threshold, "rare" in run.decisions.thresholds) == (0.5, False)
    with pytest.raises(InvalidInputError, match="No class has enough labels"):
        mcviz.thresholds(run, recall=0.9, classes=["rare"])


def test_a_half_that_chose_goes_on_to_choose_and_groups_stay_whole(run: Run) -> None:
    mcviz.thresholds(run, best="f1", classes=["login"], group="patient")
    half = run.choosing
    assert (half.reshape(100, 4).any(axis=1) == half.reshape(100, 4).all(axis=1)).all()
    mcviz.thresholds(run, recall=0.95, classes=["pay"])
    assert np.array_equal(run.choosing, half)
    assert run.decisions.thresholds["pay"].chosen_by == "recall 0.95"
    chosen = run.mean_probs[half, 1] > run.decisions.thresholds["pay"].value
    assert chosen[run.labels[half, 1] == 1].mean() >= 0.95
    mcviz.thresholds(run, values={"login": 0.5, "pay": 0.4})
    assert not run.choosing.any(), "all labels judge again"


def test_a_threshold_by_hand_is_judged_by_all_labels_and_cleared(run: Run) -> None:
    version, at_half = run.scores_version, run.scores()["loss"]
    result = mcviz.thresholds(run, values={"login": 0.34})
    assert run.scores_version != version
    assert result.classes["login"].f1.value == pytest.approx(f1_score(run.labels[:, 0], run.mean_probs[:, 0] > 0.34))
    assert open_run(run.path).scores()["loss"].mean() < at_half.mean()
    assert run.undecided.scores()["loss"].equals(at_half)
    both = mcviz.compare(run.undecided, run)
    assert both.measures[0].difference.value == pytest.approx(at_half.mean() - run.scores()["loss"].mean(), abs=1e-6)
    mcviz.thresholds(run, clear=True)
    assert not (Path(run.path) / FILE).exists()
    assert run.scores()["loss"].equals(at_half)


def test_examples_that_chose_judge_no_comparison(run: Run) -> None:
    mcviz.thresholds(run, best="f1", classes=["login"])
    both = mcviz.compare(run.undecided, run)
    assert "200 examples chose thresholds, so their labels judge neither run." in both.notes
    wrong = hamming_loss(run.labels[~run.choosing], run.mean_probs[~run.choosing] > 0.5)
    assert both.measures[0].one.value == pytest.approx(1 - wrong)
    assert both.measures[0].other.value == pytest.approx(1 - run.scores()["loss"].mean(), abs=1e-6)


def test_thresholds_stay_with_their_classes_when_these_are_renamed_and_in_another_order(
    run: Run, tmp_path: Path
) -> None:
    mcviz.thresholds(run, values={"login": 0.34})
    loss = run.scores()["loss"]
    ids = list(run.scores()["id"])
    renamed = rename_classes(run, ("sign in", "pay", "rare"))
    assert renamed.decisions.thresholds["sign in"].value == 0.34
    assert renamed.scores()["loss"].equals(loss)
    turned = mcviz.write_run(
        tmp_path / "turned",
        renamed.probs_block(0, None)[..., ::-1],
        labels=renamed.labels[:, ::-1],
        task="multilabel",
        class_names=("rare", "pay", "sign in"),
        ids=ids,
    )
    other = mcviz.compare(turned, renamed)
    assert other.paired
    assert other.measures[0].other.value == pytest.approx(1 - loss.mean(), abs=1e-6)
    counts, back = other.changes.counts, mcviz.compare(renamed, turned).changes.counts
    assert counts["fewer labels wrong"] > counts["more labels wrong"]
    assert (back["more labels wrong"], back["fewer labels wrong"]) == (
        counts["fewer labels wrong"],
        counts["more labels wrong"],
    )


def test_what_one_half_costs_is_said(run: Run) -> None:
    words = mcviz.trust(run).in_words
    assert "A threshold of 0.5 costs the F1 of login" in words
    mcviz.thresholds(run, best="f1")
    assert "costs the F1" not in mcviz.trust(run).in_words


def test_several_targets_are_right_where_every_error_is_within_its_tolerance(numbers: Run) -> None:
    at_half = mcviz.trust(numbers).table
    result = mcviz.thresholds(numbers, tolerance={"height": 4, "width": "10%"})
    errors = np.abs(numbers.mean_predictions.astype(float) - numbers.labels)
    right = (errors[:, 0] <= 4) & (errors[:, 1] <= 0.1 * np.abs(numbers.labels[:, 1]))
    assert 0.2 < right.mean() < 0.95
    assert result.within_tolerance.value == pytest.approx(right.mean())
    assert (numbers.scores()["within_tolerance"] == right).all()
    trust = mcviz.trust(numbers)
    exact = scipy.stats.binomtest(int(right.sum()), 300).proportion_ci(0.95, "exact")
    assert astuple(trust.figures["ensemble"]["within_tolerance"]) == pytest.approx(
        (right.mean(), exact.low, exact.high)
    )
    assert trust.table[list(at_half)].equals(at_half), "other figures stay"
    gate = parse_requirement("within_tolerance >= 95%").judge(trust.figures, numbers)
    assert not gate.met
    referral = mcviz.refer(numbers, accuracy=0.9)
    assert referral.on_labels.caught + referral.on_labels.missed == (~right).sum()
    rest = np.setdiff1d(np.arange(300), referral.examples)
    assert right[rest].mean() == pytest.approx(referral.quality_of_rest)
    assert referral.quality_of_rest >= 0.9
    assert "mistakes" in mcviz.slices(numbers).counts
    assert "finds mistakes best" in trust.in_words
    mcviz.verify_run(numbers.path)


def test_a_tolerance_counts_the_examples_that_have_a_label(numbers: Run, tmp_path: Path) -> None:
    labels = numbers.labels.copy()
    labels[::3, 0] = np.nan
    outputs = numbers.predictions_block(0, None)
    run = mcviz.write_run(tmp_path / "half", outputs, labels=labels, task="regression")
    result = mcviz.thresholds(run, tolerance=dict.fromkeys(run.targets, 4))
    known = np.isfinite(labels).all(axis=1)
    right = (np.abs(run.mean_predictions.astype(float) - labels) <= 4).all(axis=1)[known]
    assert result.within_tolerance.value == pytest.approx(right.mean())
    assert run.scores()["within_tolerance"].isna().equals(pd.Series(~known).rename_axis("example"))
    assert mcviz.trust(run).figures["ensemble"]["within_tolerance"].value == pytest.approx(right.mean())
    assert mcviz.refer(run, budget=20).labelled == known.sum()


def test_a_comparison_takes_the_tolerance_of_the_first_run(numbers: Run) -> None:
    mcviz.thresholds(numbers, tolerance={"height": 4, "width": 4})
    both = mcviz.compare(numbers, numbers.undecided)
    within = next(each for each in both.measures if each.measure.name == "within_tolerance")
    assert within.one == within.other
    assert all(each.measure.name != "within_tolerance" for each in mcviz.compare(numbers.undecided, numbers).measures)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "one for each of height, width"),
        ({"height": 3, "depth": 1}, "one for each of height, width"),
        ({"height": 0, "width": 1}, "a number above 0, or a share such as 5%"),
        ({"height": "x", "width": 1}, "a number above 0, or a share such as 5%"),
        ({"height": "nan", "width": 1}, "a number above 0, or a share such as 5%"),
    ],
)
def test_a_tolerance_that_cannot_be_is_refused(numbers: Run, given, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        mcviz.thresholds(numbers, tolerance=given)
    with pytest.raises(InvalidInputError, match="takes a loss that has a bound"):
        mcviz.refer(numbers, budget=3)


def test_a_share_of_a_label_of_0_is_refused(tmp_path: Path) -> None:
    labels = np.arange(6, dtype=np.float32)[:, None]
    run = mcviz.write_run(tmp_path / "run", np.stack([labels, labels + 1]), labels=labels, task="regression")
    with pytest.raises(InvalidInputError, match=r"1 labels of .* that are 0"):
        mcviz.thresholds(run, tolerance="5%")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"values": {"horse": 0.3}}, "The classes are login, pay, rare. Received: horse"),
        ({"values": {"login": 1}}, "above 0 and below 1"),
        ({"best": "f2"}, "best"),
        ({"best": "f1", "recall": 0.9}, "by one target"),
        ({"tolerance": 3}, "A tolerance is of a regression"),
    ],
)
def test_thresholds_that_cannot_be_are_refused(run: Run, given, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        mcviz.thresholds(run, **given)
    assert not (Path(run.path) / FILE).exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [('"login"', '"horse"'), ('"value": 0.3', '"value": 3'), ('"examples": "', '"examples": "0'), ("{", "")],
)
def test_decisions_that_cannot_be_read_change_no_figure_silently(run: Run, capsys, old: str, new: str) -> None:
    mcviz.thresholds(run, values={"login": 0.3})
    file = Path(run.path) / FILE
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(CorruptRunError, match=r"decisions\.json cannot be used"):
        open_run(run.path).scores()
    assert main(["trust", run.path]) == 2
    assert main(["thresholds", run.path, "--clear"]) == 0
    assert open_run(run.path).scores()["loss"].notna().all()
    assert "Every class is predicted above 0.5" in capsys.readouterr().out


def test_thresholds_of_another_task_are_refused(run: Run, tmp_path: Path) -> None:
    mcviz.thresholds(run, best="f1", classes=["login"])
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (2, 400)).astype(np.float32)
    other = mcviz.write_run(tmp_path / "other", probs, labels=np.arange(400) % 3, class_names=NAMES)
    stored = (Path(run.path) / FILE).read_text().replace(run.manifest.examples.sha256, other.manifest.examples.sha256)
    (tmp_path / "other" / FILE).write_text(stored)
    with pytest.raises(CorruptRunError, match="its thresholds are of two classes, or of several labels"):
        mcviz.trust(other)
    with pytest.raises(InvalidInputError, match="Thresholds are of two classes, or of several labels"):
        mcviz.thresholds(other, clear=True)
    assert other.task.decides == "class", "the file is gone"


def test_the_command_decides_and_prints(run: Run, numbers: Run, capsys) -> None:
    assert main(["thresholds", run.path, "--set", "login=0.34", "--recall", "90%", "--class", "pay"]) == 0
    printed = capsys.readouterr().out
    assert "login above 0.34" in printed
    assert run.decisions.thresholds["pay"].chosen_by == "recall 0.9"
    assert main(["thresholds", run.path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"]["login"]["threshold"] == 0.34
    assert main(["thresholds", numbers.path, "--tolerance", "height=4", "--tolerance", "width=5%"]) == 0
    assert "height 4, width 5% of the label" in capsys.readouterr().out
    assert main(["trust", numbers.path, "--require", "within_tolerance >= 99%"]) == 1
    assert main(["thresholds", run.path, "--set", "login"]) == 2
    assert "CLASS=NUMBER" in capsys.readouterr().err
