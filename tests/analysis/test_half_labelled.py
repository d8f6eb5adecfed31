"""A run of which only some examples have a label: its figures are those of a run of these examples alone."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.analysis.comparison import compare_groups
from mcviz.analysis.labelling import count_label_errors, label_issues
from mcviz.analysis.requirements import judge_all, parse_non_inferiority, parse_requirement
from mcviz.analysis.slices import compare_slices
from mcviz.analysis.unlabelled import estimate_without_labels
from mcviz.data import DataSet
from mcviz.data.passes import open_passes
from mcviz.errors import InvalidInputError
from mcviz.runs import Run, labelled_examples, unlabelled_examples, verify_run
from mcviz.runs.data_set import data_set_of

COUNT = 160
KNOWN = np.arange(1, COUNT, 2)
TASKS = "classification", "regression"
OF_ALL = "run", "runs", "examples", "labelled", "in_words", "labels", "examples_in_words", "shared_examples", "changes"
OF_ALL += ("shared_of_most_uncertain",)  # which is of all examples, and takes no label


def make_runs(folder: Path, task: str, seed: int = 0) -> dict[str, tuple[Run, Run]]:
    """Two runs, each with half of its labels, and of the labelled examples alone."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"x": random.normal(size=COUNT), "site": random.choice(["a", "b", "c"], COUNT)})
    labels: np.ndarray
    if task == "classification":
        passes = random.dirichlet(np.ones(3) / 2, (2, 6, COUNT))
        deterministic = random.dirichlet(np.ones(3), COUNT)
        guessed = passes[0].mean(axis=0).argmax(axis=1)
        labels = np.where(random.random(COUNT) < 0.6, guessed, random.integers(3, size=COUNT)).astype(object)
        half = np.where(np.isin(np.arange(COUNT), KNOWN), labels, None)
    else:
        passes, deterministic = random.normal(size=(2, 6, COUNT)), random.normal(size=(COUNT, 1))
        labels = passes[0].mean(axis=0) + random.normal(0, 0.3, COUNT)
        half = np.where(np.isin(np.arange(COUNT), KNOWN), labels, np.nan)
    made = {}
    for name, of_run in zip(("one", "two"), passes, strict=True):
        whole: dict[str, Any] = {"data": (table, half), "deterministic": deterministic}
        some = {
            "data": (table.iloc[KNOWN].reset_index(drop=True), labels[KNOWN]),
            "deterministic": deterministic[KNOWN],
        }
        made[name] = (
            mcviz.write_run(folder / "half" / name, of_run, task=task, **whole),
            mcviz.write_run(folder / "some" / name, of_run[:, KNOWN], task=task, **some),
        )
    return made


@pytest.fixture(scope="module", params=TASKS)
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Run, Run]]:
    return make_runs(tmp_path_factory.mktemp("runs"), request.param)


def figures(found: Any) -> dict[str, Any]:
    """What is found, without what names the run or counts its examples."""
    content = json.loads(msgspec.json.encode(found, enc_hook=lambda value: value.tolist()))
    return {name: value for name, value in content.items() if name not in OF_ALL}


@pytest.mark.parametrize(
    "options", [{"by": "x"}, pytest.param({"by": "site", "group": "site"}, marks=pytest.mark.slow)], ids="-".join
)
def test_trust_is_that_of_a_run_of_the_labelled_examples(runs: dict[str, tuple[Run, Run]], options: dict) -> None:
    half, some = (mcviz.trust(run, **options) for run in runs["one"])
    assert figures(half.as_dict()) == figures(some.as_dict())
    assert half.as_dict()["labelled"] == len(KNOWN)
    assert f"{len(KNOWN)} of {COUNT} examples" in half.in_words
    assert "labelled" not in some.as_dict()


def test_comparisons_and_gates_are_those_of_runs_of_the_labelled_examples(runs: dict[str, tuple[Run, Run]]) -> None:
    half, some = (mcviz.compare(one, two) for one, two in zip(runs["one"], runs["two"], strict=True))
    assert figures(half.as_dict()) == figures(some.as_dict())
    assert f"of the {len(KNOWN)} that have one" in half.examples_in_words
    assert half.changes is not None
    assert half.changes.counts["no label known"] == COUNT - len(KNOWN)
    slices = [compare_slices(comparison) for comparison in (half, some)]
    assert figures(slices[0].as_dict()) == figures(slices[1].as_dict())
    assert repr(compare_groups(half, "site")) == repr(compare_groups(some, "site"))
    measure = "mae" if runs["one"][0].targets else "accuracy"
    gate = parse_non_inferiority(f"{measure} not worse by 0.001")
    assert repr(judge_all([gate], lambda each: each.judge(half))) == repr(
        judge_all([gate], lambda each: each.judge(some))
    )
    assert mcviz.compare(runs["one"][0], runs["one"][0]).is_unchanged
    for text in (f"{measure} <= 0.9 in every site", f"{measure} <= 0.9 in worst slice"):
        required = parse_requirement(text)
        judged = [required.judge(mcviz.trust(run).figures, run) for run in runs["one"]]
        assert repr(judged[0]) == repr(judged[1])


def test_lists_and_guarantees_rank_all_examples_and_measure_the_labelled(tmp_path: Path) -> None:
    half, some = make_runs(tmp_path, "classification")["one"]
    for target in ({"quality": 0.9}, {"miss": 0.2}):
        whole, alone = (mcviz.refer(run, **target) for run in (half, some))
        assert whole.on_labels.threshold == alone.on_labels.threshold
        assert repr(whole.guarantee) == repr(alone.guarantee)
        assert set(KNOWN[alone.examples]) == set(whole.examples) & set(KNOWN)
        assert len(whole.examples) > len(alone.examples)
    budget = mcviz.refer(half, budget=20)
    assert (len(budget.examples), budget.labelled) == (20, len(KNOWN))
    assert repr(count_label_errors(half)) == repr(count_label_errors(some))
    assert label_issues(half, COUNT)["id"].astype(int).tolist() == KNOWN[label_issues(some)["id"].astype(int)].tolist()
    for text in ("recall of every class >= 10%", "f1 of 1 >= 10%"):
        required = parse_requirement(text)
        judged = [required.judge(mcviz.trust(run).figures, run) for run in (half, some)]
        assert repr(judged[0]) == repr(judged[1])


def test_errors_within_a_tolerance_are_counted_of_the_labelled_examples(tmp_path: Path) -> None:
    half, some = make_runs(tmp_path, "regression")["one"]
    for run in (half, some):
        found = mcviz.thresholds(run, tolerance=0.3)
        assert f"of {len(KNOWN)} examples are right" in found.in_words
    assert figures(mcviz.trust(half).as_dict()) == figures(mcviz.trust(some).as_dict())
    required = parse_requirement("within_tolerance >= 10% in every site")
    assert len({repr(required.judge(mcviz.trust(run).figures, run)) for run in (half, some)}) == 1
    whole, alone = (mcviz.refer(run, miss=0.2) for run in (half, some))
    assert (whole.on_labels.threshold, repr(whole.guarantee)) == (alone.on_labels.threshold, repr(alone.guarantee))
    assert half.scores()["within_tolerance"].isna().sum() == COUNT - len(KNOWN)


def test_the_labelled_half_says_what_to_expect_of_the_other(runs: dict[str, tuple[Run, Run]]) -> None:
    half, some = runs["one"]
    estimate = estimate_without_labels(half, half)
    assert (len(estimate.run), len(estimate.calibrated_on)) == (COUNT - len(KNOWN), len(KNOWN))
    assert "taken for a random sample of all" in " ".join(estimate.sentences)
    assert estimate.warnings == ()
    if half.targets:
        assert estimate.coverage == mcviz.trust(some).figures["ensemble"]["coverage"]
    else:
        assert estimate.estimated == estimate_without_labels(unlabelled_examples(half), some).estimated
        warned = mcviz.refer(half, quality=0.4, calibrated_on=half, confidence=0.6)
        assert warned.warnings[0].startswith("The examples with a label are taken for a random sample of all")


def test_a_run_keeps_which_labels_are_not_known(runs: dict[str, tuple[Run, Run]], tmp_path: Path) -> None:
    half, some = runs["one"]
    verify_run(half.path)
    assert (half.manifest.examples_with_labels, some.manifest.examples_with_labels) == (len(KNOWN), None)
    assert half.manifest.quality == pytest.approx(some.manifest.quality)
    name = next(name for name in half.scores() if name.startswith("label"))
    assert half.scores()[name].notna().to_numpy().nonzero()[0].tolist() == KNOWN.tolist()
    manifests = [json.loads((Path(run.path) / "manifest.json").read_text()) for run in (half, some)]
    assert [manifest.get("revision") for manifest in manifests] == [1, None]
    assert ["examples_with_labels" in manifest for manifest in manifests] == [True, False]
    passes, task = half.predictions_block(0, None), half.manifest.task
    data = data_set_of(half)
    again = mcviz.write_run(
        tmp_path / "again", passes, data=data, task=task, deterministic=half.deterministic_predictions
    )
    assert again.manifest.labels_sha256 == half.manifest.labels_sha256
    mcviz.export_run(half, tmp_path / "half.npz")
    with np.load(tmp_path / "half.npz") as exported:
        np.testing.assert_array_equal(np.isnan(exported["labels"].reshape(COUNT, -1)[:, 0]).nonzero()[0] % 2, 0)
    with open_passes(str(tmp_path / "half.npz"), half.task.pass_names) as opened:
        back = DataSet(None).with_labels(opened.labels, task)
    assert back.labelled == len(KNOWN)


def test_whatever_nan_stands_for_an_unknown_number_the_run_is_the_same(tmp_path: Path) -> None:
    outputs = np.random.default_rng(0).normal(size=(3, 4, 1))
    other = np.array([0x7FC00001], np.uint32).view(np.float32)[0]
    given = [np.array([1, nan, 2, 3], np.float32) for nan in (np.nan, other, -np.float32(np.nan))]
    digests = {
        mcviz.write_run(
            tmp_path / str(place), outputs, data=DataSet(None).with_targets(labels), task="regression"
        ).digest
        for place, labels in enumerate(given)
    }
    assert len(digests) == 1


def test_the_parts_hold_what_the_run_holds_of_their_examples(runs: dict[str, tuple[Run, Run]]) -> None:
    half, some = runs["one"]
    labelled = labelled_examples(half)
    assert labelled_examples(some) is some is unlabelled_examples(some)
    for name in ("mean_predictions", "deterministic_predictions", "labels"):
        np.testing.assert_array_equal(getattr(labelled, name), getattr(some, name))
    np.testing.assert_array_equal(labelled.predictions_block(3, 9), some.predictions_block(3, 9))
    np.testing.assert_array_equal(labelled.predictions(5), some.predictions(5))
    pd.testing.assert_frame_equal(
        labelled.table().drop(columns="id"), some.table().drop(columns="id"), check_dtype=False
    )
    np.testing.assert_allclose(labelled.quality_by_pass, some.quality_by_pass)


def test_one_label_is_too_few(tmp_path: Path) -> None:
    run = mcviz.write_run(
        tmp_path / "run", np.array([[[0.5, 0.5]] * 3, [[0.6, 0.4]] * 3]), data=([[1.0], [2.0], [3.0]], [0, None, None])
    )
    with pytest.raises(InvalidInputError, match=r"2 labelled examples or more\. Received: .*, with 1"):
        mcviz.trust(run)
