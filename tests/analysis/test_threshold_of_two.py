"""The threshold of one of two classes: predictions, mistakes and figures follow it, and sealed values do not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy
from sklearn.metrics import accuracy_score, f1_score, recall_score

import mcviz
from mcviz.analysis.base import mistakes_in_order
from mcviz.analysis.labelling import count_label_errors
from mcviz.analysis.requirements import parse_requirement
from mcviz.analysis.unlabelled import estimate_without_labels
from mcviz.cli import main
from mcviz.errors import CorruptRunError, InvalidInputError
from mcviz.measures.calibration import calibration_terms
from mcviz.reviews.answers import label_answers_of
from mcviz.runs import Run, labelled_numbers, open_run
from mcviz.runs.decisions import FILE
from mcviz.runs.folder import list_runs
from mcviz.runs.writer import rename_classes

COUNT = 400
NAMES = ["benign", "rare"]


def draw_two(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(5, N, 2) passes of a model that is too low for the second class, and (N,) labels."""
    random = np.random.default_rng(seed)
    labels = (random.random(COUNT) < 0.25).astype(int)
    odds = np.where(labels == 1, -0.7, -2.5) + random.normal(0, 0.8, COUNT) + random.normal(0, 0.7, (5, COUNT))
    probs = scipy.special.expit(odds)
    return np.stack([1 - probs, probs], axis=-1).astype(np.float32), labels


@pytest.fixture
def run(tmp_path: Path) -> Run:
    passes, labels = draw_two()
    return write(tmp_path / "run", passes, labels)


def write(path: Path, passes: np.ndarray, labels: Any = None, names: list[str] = NAMES) -> Run:
    ids = [f"item {number}" for number in range(passes.shape[1])]
    options: dict[str, Any] = {"ids": ids, "columns": pd.DataFrame({"site": np.arange(len(ids)) % 3})}
    return mcviz.write_run(path, passes, labels=labels, class_names=names, deterministic=passes[0], **options)


def test_a_threshold_is_chosen_by_one_half_and_every_figure_is_by_the_other(run: Run) -> None:
    assert "A threshold of 0.5 costs the F1 of rare" in mcviz.trust(run).in_words
    sealed = run.manifest.quality, run.ensemble_accuracy[-1], run.deterministic_accuracy
    rare = mcviz.thresholds(run, best="f1").classes["rare"]
    judging = ~run.choosing
    labels, predicted = run.labels[judging], (run.mean_probs[judging, 1] > rare.threshold).astype(int)
    assert (judging.sum(), rare.examples, rare.chosen_by) == (200, labels.sum(), "f1")
    assert rare.threshold < 0.5
    assert rare.f1.value == pytest.approx(f1_score(labels, predicted))
    assert rare.f1_at_half == pytest.approx(f1_score(labels, run.mean_probs[judging, 1] > 0.5))
    trust = mcviz.trust(run)
    assert "costs the F1" not in trust.in_words
    by_site = mcviz.trust(run, by="site").by_group["1"].figures["ensemble"]["accuracy"].value
    assert by_site == pytest.approx((labels == predicted)[np.flatnonzero(judging) % 3 == 1].mean())
    assert "The labels of 200 examples chose, and judge nothing; those of the other 200 do." in trust.in_words
    accuracy = accuracy_score(labels, predicted)
    assert trust.figures["ensemble"]["accuracy"].value == pytest.approx(accuracy)
    off = run.deterministic_probs[judging, 1] > rare.threshold
    assert trust.figures["deterministic"]["accuracy"].value == pytest.approx(accuracy_score(labels, off))
    passes = run.probs_block(0, None)[:, judging, 1] > rare.threshold
    assert trust.figures["single_pass"]["accuracy"].value == pytest.approx((passes == labels).mean())
    assert trust.convergence.accuracy[-1] == pytest.approx(accuracy)
    gate = parse_requirement("recall of rare >= 1%").judge(trust.figures, run)
    assert gate.found.value == pytest.approx(recall_score(labels, predicted))
    table = run.scores()
    assert np.array_equal(table["prediction"][judging], predicted)
    assert np.array_equal(table["correct"].isna(), run.choosing)
    assert table["correct"].mean() == pytest.approx(accuracy)
    assert mcviz.refer(run, budget=20).labelled == 200
    assert mistakes_in_order(run, np.arange(COUNT)).sum() == (labels != predicted).sum()
    assert np.array_equal(label_answers_of(run)._prediction, table["prediction"])
    assert run.summary(3).prediction == table["prediction"][3]
    assert (run.manifest.quality, run.ensemble_accuracy[-1], run.deterministic_accuracy) == sealed
    assert next(iter(list_runs(Path(run.path).parent))).measure == "accuracy at 0.5"
    mcviz.verify_run(run.path)
    assert count_label_errors(run) == count_label_errors(run.undecided), "labels that chose may be wrong, too"


def test_a_threshold_by_hand_is_of_either_class_and_judged_by_all_labels(run: Run, capsys) -> None:
    assert main(["thresholds", run.path, "--set", "benign=0.8"]) == 0
    printed = capsys.readouterr().out
    assert "Predicted is benign above 0.8, and otherwise the other class." in printed
    first = run.scores()
    assert np.array_equal(first["prediction"] == 0, run.mean_probs[:, 0] > 0.8)
    assert first["correct"].mean() == pytest.approx(accuracy_score(run.labels, first["prediction"]))
    mcviz.thresholds(run, values={"rare": 0.3})
    assert list(run.decisions.thresholds) == ["rare"], "one of two has a threshold"
    assert np.array_equal(run.scores()["prediction"] == 1, run.mean_probs[:, 1] > 0.3)
    predicted = run.scores()["prediction"]
    assert rename_classes(run, ("ok", "ill")).scores()["prediction"].equals(predicted)
    assert main(["thresholds", run.path, "--clear"]) == 0
    assert "Predicted is the likelier class." in capsys.readouterr().out
    assert not (Path(run.path) / FILE).exists()
    assert np.array_equal(open_run(run.path).scores()["prediction"], run.mean_probs.argmax(axis=1))


def test_confidence_is_the_probability_of_what_is_predicted() -> None:
    probs, labels = np.array([[0.7, 0.3], [0.9, 0.1], [0.4, 0.6]]), np.array([1, 0, 0])
    terms = calibration_terms(probs, labels, np.array([1, 0, 1]))
    assert terms["correct"].tolist() == [True, True, False]
    assert terms["confidence"].tolist() == [0.3, 0.9, 0.6]


def test_two_runs_are_compared_each_by_its_own_threshold_and_in_any_order_of_classes(run: Run, tmp_path: Path) -> None:
    turned = write(tmp_path / "turned", run.probs_block(0, None)[..., ::-1], 1 - run.labels, NAMES[::-1])
    mcviz.thresholds(turned, values={"rare": 0.3})
    found = mcviz.compare(run, turned)
    after = accuracy_score(run.labels, run.mean_probs[:, 1] > 0.3)
    assert found.measures[0].one.value == pytest.approx(run.ensemble_accuracy[-1])
    assert found.measures[0].other.value == pytest.approx(after)
    counts = found.changes.counts
    gained = counts["wrong to right"] - counts["right to wrong"]
    assert gained / COUNT == pytest.approx(after - run.ensemble_accuracy[-1])


def test_examples_that_chose_judge_no_comparison(run: Run) -> None:
    mcviz.thresholds(run, best="f1")
    both = mcviz.compare(run.undecided, run)
    judged = labelled_numbers(run)
    assert "200 examples chose thresholds, so their labels judge neither run." in both.notes
    at_half = accuracy_score(run.labels[judged], run.mean_probs[judged].argmax(axis=1))
    assert both.measures[0].one.value == pytest.approx(at_half)
    assert both.measures[0].other.value == pytest.approx(run.scores()["correct"].mean())


def test_of_half_labelled_runs_known_labels_choose_and_judge(tmp_path: Path) -> None:
    passes, labels = draw_two()
    known = np.arange(COUNT) % 4 > 0
    run = write(tmp_path / "half", passes, np.where(known, labels.astype(object), None))
    rare = mcviz.thresholds(run, best="f1").classes["rare"]
    judging = known & ~run.choosing
    assert np.array_equal(labelled_numbers(run), np.flatnonzero(judging))
    assert rare.f1.value == pytest.approx(f1_score(labels[judging], run.mean_probs[judging, 1] > rare.threshold))
    assert np.array_equal(run.scores()["correct"].notna(), judging)


def test_an_accuracy_without_labels_is_estimated_by_the_threshold(run: Run, tmp_path: Path) -> None:
    new = write(tmp_path / "new", run.probs_block(0, None))
    for each in (run, new):
        mcviz.thresholds(each, values={"rare": 0.3})
    found = estimate_without_labels(new, run)
    assert found.estimated.accuracy.value == pytest.approx(run.scores()["correct"].mean())
    assert not any("thresholds" in warning for warning in found.warnings)
    mcviz.thresholds(new, clear=True)
    assert any("other thresholds" in warning for warning in estimate_without_labels(new, run).warnings)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"values": {"rare": 0.3, "benign": 0.6}}, "one of two classes"),
        ({"best": "f1", "classes": NAMES}, "one of two"),
        ({"values": {"horse": 0.3}}, "The classes are benign, rare. Received: horse"),
    ],
)
def test_a_threshold_that_cannot_be_is_refused(run: Run, given: dict, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        mcviz.thresholds(run, **given)
    assert not (Path(run.path) / FILE).exists()


def test_too_few_labels_choose_nothing_and_a_file_with_two_thresholds_is_refused(tmp_path: Path) -> None:
    passes, labels = draw_two()
    run = write(tmp_path / "run", passes[:, :60], labels[:60])
    with pytest.raises(InvalidInputError, match="No class has enough labels"):
        mcviz.thresholds(run, best="f1")
    mcviz.thresholds(run, values={"rare": 0.3})
    file = Path(run.path) / FILE
    file.write_text(file.read_text().replace('"rare": {', '"benign": {"value": 0.4}, "rare": {'))
    with pytest.raises(CorruptRunError, match="both of two classes have thresholds"):
        open_run(run.path).scores()
