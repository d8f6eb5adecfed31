"""The slices that a run's model, or a newer one, is worse on; on the command line too, and as filters of the pages."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.analysis.base import find_groups
from mcviz.analysis.slices import Slices, compare_slices
from mcviz.app.address import RunLimits
from mcviz.app.calibration import slice_filters
from mcviz.app.filters import Filters
from mcviz.app.selection import filter_mask
from mcviz.errors import InvalidInputError
from mcviz.runs import Run
from tests.commands import output_of, refusal_of

COUNT = 1000
RANDOM = np.random.default_rng(3)
LABELS = RANDOM.integers(3, size=COUNT)
COLUMNS = pd.DataFrame(
    {
        "site": RANDOM.choice(["a", "*b*", "c"], COUNT),
        "age": RANDOM.normal(50, 15, COUNT).astype(np.float32),
        "note": [f"text {example}" for example in range(COUNT)],
    }
)
COLUMNS.loc[:9, "age"] = np.nan
PLANTED = ((COLUMNS["site"] == "*b*") & (COLUMNS["age"] > np.nanquantile(COLUMNS["age"], 0.8))).to_numpy()
NOWHERE = np.zeros(COUNT, bool)


def classes(path: Path, seed: int, worse: np.ndarray, columns: pd.DataFrame | None = COLUMNS) -> Run:
    """A run that is wrong in 2%, and in 50% of what is `worse`."""
    random = np.random.default_rng(seed)
    predicted = np.where(random.random(COUNT) < np.where(worse, 0.5, 0.02), (LABELS + 1) % 3, LABELS)
    probs = np.full((3, COUNT, 3), 0.02) + random.uniform(0, 0.01, (3, COUNT, 3))
    probs[:, np.arange(COUNT), predicted] = 0.94
    probs /= probs.sum(axis=2, keepdims=True)
    names = ["cat", "dog", "owl"]
    return mcviz.write_run(path, probs.astype(np.float32), labels=LABELS, columns=columns, class_names=names)


def numbers(path: Path, seed: int, worse: np.ndarray) -> Run:
    """A regression whose errors are three times as large in what is `worse`."""
    outputs = np.random.default_rng(seed).normal(size=(3, COUNT, 1)) / 9 + np.linspace(0, 9, COUNT)[:, None]
    errors = np.random.default_rng(seed + 1).normal(size=(COUNT, 1)) * np.where(worse, 3, 1)[:, None]
    passes = (outputs + errors).astype(np.float32)
    labels = np.linspace(0, 9, COUNT, dtype=np.float32)
    return mcviz.write_run(path, passes, labels=labels, task="regression", columns=COLUMNS, unit="kg")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("slices")
    return {
        "old": classes(folder / "old", 1, NOWHERE),
        "new": classes(folder / "new", 2, PLANTED),
        "old numbers": numbers(folder / "old-numbers", 3, NOWHERE),
        "new numbers": numbers(folder / "new-numbers", 5, COLUMNS["site"].to_numpy() == "c"),
    }


@pytest.fixture(scope="module")
def found(runs: dict[str, Run]) -> dict[str, Slices]:
    return {name: mcviz.slices(runs[name]) for name in ("old", "new", "new numbers")}


def conditions(found: Slices) -> list[tuple[str, ...]]:
    return [tuple(each.column for each in one.conditions) for one in found.slices]


def test_the_slice_that_is_worse_is_named_with_its_examples_and_its_share(
    runs: dict[str, Run], found: dict[str, Slices]
) -> None:
    worst = found["new"].slices[0]
    assert worst.measure == "mistakes"
    assert [each.column for each in worst.conditions] == ["site", "age"]
    assert (np.isin(np.arange(COUNT), worst.examples) == PLANTED).mean() > 0.99
    wrong = ~runs["new"].scores()["correct"].to_numpy(bool)
    assert worst.value == wrong[worst.examples].mean()
    assert worst.of_rest == np.delete(wrong, worst.examples).mean()
    assert found["new"].in_words.startswith(f"The worst slice is site *b* and age {worst.conditions[1].name}: ")
    assert any(each.measure == "overconfidence" for each in found["new"].slices)
    assert not found["old"].slices
    assert found["old"].in_words.startswith("No slice is worse than chance explains, of ")
    assert conditions(found["new numbers"])[0] == ("site",)
    assert found["new numbers"].slices[0].conditions[0].value == "c"


def all_filters(run: Run, found: Slices) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The examples of each slice, and those of its filters after they were in an address."""
    table, columns = run.table(), ["site", "age"]
    offered = RunLimits(columns=columns, numbers=["label", "prediction"])
    for each in found.slices:
        query = slice_filters(run, each).to_query()
        yield each.examples, np.flatnonzero(Filters.from_query(query, offered).mask(table))


def test_every_slice_is_a_selection(runs: dict[str, Run], found: dict[str, Slices]) -> None:
    for name in ("new", "new numbers"):
        for examples, selected in all_filters(runs[name], found[name]):
            np.testing.assert_array_equal(examples, selected)


@pytest.mark.slow
def test_every_slice_by_label_and_range_is_a_selection(tmp_path: Path) -> None:
    worse = classes(tmp_path / "labels", 7, (LABELS == 1) & (COLUMNS["age"].to_numpy() < 37))
    large = numbers(tmp_path / "large", 9, np.linspace(0, 9, COUNT) > 7.2)
    cases = [(run, mcviz.slices(run)) for run in (worse, large)]
    assert {("label", "age"), ("label",)} <= {each for _, found in cases for each in conditions(found)}
    for run, found in cases:
        for examples, selected in all_filters(run, found):
            np.testing.assert_array_equal(examples, selected)


def test_what_says_which_predictions_are_wrong_makes_no_slice(tmp_path: Path) -> None:
    bare = classes(tmp_path / "bare", 2, NOWHERE, None).scores()
    given = {
        "truth": LABELS.astype(str),
        "answer": bare["prediction"].to_numpy().astype(str),
        "right": bare["correct"].to_numpy(bool),
    }
    found = mcviz.slices(classes(tmp_path / "run", 2, NOWHERE, pd.DataFrame(given)))
    assert not any(
        {"label", "truth"} & set(each) and {"prediction", "answer"} & set(each) for each in conditions(found)
    )
    assert "right is left out: each of its values is always right or always wrong." in found.notes
    alone = [each.conditions[0].column for each in found.slices if each.measure == "overconfidence"]
    assert not {"label", "truth"} & set(alone)


@pytest.mark.parametrize(("confidence", "elsewhere", "named"), [(0.7, 0.1, ["mistakes"]), (0.95, 0.3, [])])
def test_a_slice_that_is_no_more_over_confident_than_it_should_be_or_than_all_are_is_not_named(
    tmp_path: Path, confidence: float, elsewhere: float, named: list[str]
) -> None:
    share = np.where(COLUMNS["site"] == "c", 0.3, elsewhere)  # of mistakes
    predicted = np.where(np.random.default_rng(0).random(COUNT) < share, (LABELS + 1) % 3, LABELS)
    probs = np.where(np.eye(3)[predicted] > 0, confidence, (1 - confidence) / 2)
    passes = probs + np.array([[[0.001, -0.001, 0]], [[-0.001, 0.001, 0]]])
    found = mcviz.slices(mcviz.write_run(tmp_path / "run", passes, labels=LABELS, columns=COLUMNS[["site"]]))
    assert [each.measure for each in found.of_column("site")] == named
    assert not any(each.measure == "overconfidence" for each in found.slices)


def test_runs_without_slices_or_without_labels_are_told_so(tmp_path: Path) -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (2, 30)).astype(np.float32)
    few = mcviz.slices(mcviz.write_run(tmp_path / "few", probs, labels=LABELS[:30]))
    assert few.in_words.startswith("There is no slice to look at")
    assert not few.slices
    right = mcviz.slices(mcviz.write_run(tmp_path / "right", probs, labels=probs.mean(axis=0).argmax(axis=1)))
    assert not right.slices
    with pytest.raises(InvalidInputError, match="takes labels"):
        mcviz.slices(mcviz.write_run(tmp_path / "unlabelled", probs))


def test_the_command_prints_what_python_finds(
    runs: dict[str, Run], found: dict[str, Slices], capsys: pytest.CaptureFixture[str]
) -> None:
    assert output_of(capsys, "slices", runs["old"].path).splitlines()[0] == found["old"].in_words
    printed = json.loads(output_of(capsys, "slices", runs["new"].path, "--json"))
    assert printed["in_words"] == found["new"].in_words
    assert [each["examples"] for each in printed["slices"]] == [len(each.examples) for each in found["new"].slices]
    first = printed["slices"][0]["where"]
    assert (first["site"], first["age"].keys()) == ("*b*", {"low", "high"})
    refusal_of(capsys, "slices", "nothing-here")


def test_what_the_newer_model_is_worse_on_is_named(runs: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    old, new = runs["old"], runs["new"]
    printed = json.loads(output_of(capsys, "compare", old.path, new.path, "--by", "site", "--json"))
    assert [*printed["worse_on"]["slices"][0]["where"]] == ["site", "age"]
    right = [run.scores()["correct"].to_numpy(bool) & PLANTED for run in (old, new)]
    lost, gained = (right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()
    assert (
        f"{lost:,} were right and are wrong now, {gained:,} the other way round; the accuracy of the rest"
        in printed["worse_on"]["in_words"]
    )
    groups = printed["groups"]
    assert groups["*b*"]["other_is"] == "worse"
    assert {groups[site]["other_is"] for site in ("a", "c")} == {"few"}
    for site, each in groups.items():
        within = (COLUMNS["site"] == site).to_numpy()
        one, other = (run.scores()["correct"].to_numpy(bool)[within].mean() for run in (old, new))
        assert each["examples"] == within.sum()
        assert (each["one"]["value"], each["other"]["value"]) == (one, other)
        assert each["other_less_one"]["value"] == pytest.approx(other - one)


@pytest.mark.slow
def test_a_model_that_is_no_worse_is_not_called_worse_on_anything(
    runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    for one, other in (("new", "old"), ("old", "old")):
        output = output_of(capsys, "compare", runs[one].path, runs[other].path, "--by", "label")
        assert "Is it worse on anything? No slice got worse than the rest, beyond chance, of " in output
        assert not any(line.endswith("worse") for line in output.partition("accuracy by label")[2].splitlines())


def test_a_model_that_is_worse_everywhere_alike_is_said_to_be(runs: dict[str, Run], tmp_path: Path) -> None:
    """No slice stands out, and least the largest."""
    worse = np.random.default_rng(3).random(COUNT) < 0.2
    found = mcviz.compare(runs["old"], classes(tmp_path / "worse", 2, worse))
    slices = compare_slices(found)
    assert "has the worse accuracy" in found.in_words
    assert slices.in_words.startswith("Everywhere alike: no slice got worse than the rest, beyond chance, of ")


@pytest.mark.slow
def test_of_a_regression_the_larger_errors_are_named(runs: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    both = [runs[name] for name in ("old numbers", "new numbers")]
    output = output_of(capsys, "compare", *(run.path for run in both), "--by", "site")
    assert "The worst slice is site c: the mean absolute error of " in output
    (row,) = (line for line in output.splitlines() if line.startswith("c ("))
    assert row.endswith("worse")
    means = [run.table().loc[COLUMNS["site"] == "c", "absolute_error"].mean() for run in both]
    for mean in means:
        assert f"{mean:.3f} kg (" in row
    refusal_of(capsys, "compare", *(run.path for run in both), "--by", "nothing")


def labels_of_several(path: Path, seed: int, worse: np.ndarray) -> Run:
    """A run of three classes of which one in twenty labels is wrong, and one in three of what is `worse`."""
    labels = np.random.default_rng(0).random((COUNT, 3)) < [0.6, 0.3, 0.15]
    random = np.random.default_rng(seed)
    wrong = random.random((COUNT, 3)) < np.where(worse, 0.35, 0.05)[:, None]
    probs = np.clip(np.where(labels ^ wrong, 0.9, 0.1) + random.uniform(-0.05, 0.05, (4, COUNT, 3)), 0, 1)
    given = labels.astype(float)
    given[:30] = np.nan
    return mcviz.write_run(
        path, probs, labels=given, task="multilabel", columns=COLUMNS, class_names=["cat", "dog", "owl"]
    )


@pytest.mark.slow
def test_of_several_labels_a_class_that_is_given_makes_a_slice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_owl = np.random.default_rng(0).random((COUNT, 3))[:, 2] < 0.15
    run = labels_of_several(tmp_path / "run", 1, with_owl)
    found = mcviz.slices(run)
    worst = found.slices[0]
    assert [(each.column, each.name, each.value) for each in worst.conditions] == [("label", "owl", 2)]
    np.testing.assert_array_equal(worst.examples, np.flatnonzero(run.labels[:, 2] == 1))
    loss = run.table()["loss"].to_numpy()
    assert worst.value == pytest.approx(loss[worst.examples].mean())
    assert worst.in_words.startswith(f"label owl: the share of wrong labels of {len(worst.examples)} examples is ")
    selected = filter_mask(run, slice_filters(run, worst))
    np.testing.assert_array_equal(np.flatnonzero(selected), worst.examples)
    for each in found.slices:
        assert {one.column for one in each.conditions} != {"label", "prediction"}, "they say which labels are wrong"
    assert mcviz.trust(run).sentences[-1] == found.in_words
    assert found.in_words in output_of(capsys, "trust", run.path)
    quiet = labels_of_several(tmp_path / "quiet", 2, NOWHERE)
    named = {one.column for each in mcviz.slices(quiet).slices for one in each.conditions}
    assert named <= {"prediction"}, "of what is seldom right to be predicted, more labels are wrong"
    compared = compare_slices(mcviz.compare(quiet, run))
    assert compared.slices[0].conditions == worst.conditions
    assert compared.in_words.startswith("The worst slice is label owl: the share of wrong labels of ")


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a hundred patients, of whom a few are always wrong; they are of five hospitals."""
    columns = COLUMNS.assign(patient=np.arange(COUNT) // 10, hospital=np.arange(COUNT) // 10 % 5).astype(
        {"patient": "float64", "hospital": "str"}
    )
    columns.loc[:2, "patient"] = np.nan
    hard = np.isin(np.arange(COUNT) // 10, [3, 8, 13, 21, 40])
    return classes(tmp_path_factory.mktemp("grouped") / "run", 4, hard, columns)


def test_a_slice_of_few_patients_is_no_slice_where_patients_stay_whole(grouped: Run) -> None:
    assert any("hospital 3" in each.in_words for each in mcviz.slices(grouped).slices)
    found = mcviz.slices(grouped, group="patient")
    assert not found.slices
    assert found.thresholds["mistakes"] > mcviz.slices(grouped).thresholds["mistakes"]


def test_every_value_of_a_column_is_a_group_and_what_is_missing_belongs_to_none(grouped: Run) -> None:
    groups = find_groups(grouped, "patient")
    assert groups is not None
    assert len(set(groups[:3])) == 3
    assert len(set(groups[3:10])) == 1
    assert len(set(groups)) == 103
    assert find_groups(grouped, None) is None
    with pytest.raises(
        InvalidInputError, match=r"Received: group=ward\..* has id, site, age, note, patient, hospital\."
    ):
        mcviz.refer(grouped, budget=10, group="ward")


@pytest.mark.slow
def test_commands_take_groups_and_say_what_is_independent(
    grouped: Run, runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    widths, guaranteed = [], []
    for group in ([], ["--group", "patient"]):
        independent = "only between groups: 103 by patient." if group else "Examples count as independent."
        for command, *options in (["trust"], ["slices"], ["refer", "--budget", "50"]):
            assert independent in output_of(capsys, command, grouped.path, *options, *group)
        trust = json.loads(output_of(capsys, "trust", grouped.path, "--json", *group))
        accuracy = trust["figures"]["ensemble"]["accuracy"]
        widths.append(accuracy["high"] - accuracy["low"])
        referral = json.loads(output_of(capsys, "refer", grouped.path, "--budget", "50", "--json", *group))
        guaranteed.append(referral["guaranteed"]["accuracy_at_least"])
    assert widths[1] > 1.5 * widths[0]
    assert guaranteed[1] < guaranteed[0]
    for command in (["compare", runs["old"].path, runs["new"].path], ["trust", runs["new numbers"].path]):
        assert "only between groups: 3 by site." in output_of(capsys, *command, "--group", "site")
    refusal = refusal_of(capsys, "trust", grouped.path, "--group", "ward")
    assert "has id, site, age, note, patient, hospital" in refusal
