"""A task that is neither of classes nor of numbers is on every page, in every command and every export.

The toy is one file: a label is how an example is shared out among C classes, and the loss is the share that the
prediction puts elsewhere. What it has is shown, what it has not is said, and nothing falls over.
"""

# ruff: noqa: ARG002 (a method takes what the contract says)
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st

import mcviz
from mcviz.analysis.requirements import parse_non_inferiority
from mcviz.app.components import Explanation, render_explanation
from mcviz.app.tasks import TASK_RENDERERS
from mcviz.app.tasks.base import ExampleContext, Phrases, TaskRenderer, TileText
from mcviz.cli import main
from mcviz.data import DataSet
from mcviz.manifest import LabelMaps, Manifest
from mcviz.measures import Scores
from mcviz.measures.intervals import Interval, mean_intervals
from mcviz.measures.quality import Measure, Quality
from mcviz.measures.registry import MultilabelPredictions, Terms, register
from mcviz.runs import Run
from mcviz.tasks import TASKS
from mcviz.tasks.base import ROWS_VALUES, Aggregates, Changes, Loss, StoredArray, by_pass, compare_unlabelled
from mcviz.tasks.multilabel import IndependentPasses
from mcviz.tasks.probabilities import ClassProbabilities
from mcviz.validate import finite, shape
from tests.app.opening import opened_page
from tests.cases import one_in

SHARE_SCORES = Scores(MultilabelPredictions, "example|id|distance")


@register("Undecided", "probability", "high", "How much is left to others.", scores=SHARE_SCORES)
def undecided(probs: np.ndarray) -> np.ndarray:
    """One less the largest share."""
    return 1 - probs.mean(axis=0).max(axis=1)


def distance(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.abs(probs.astype(np.float64) - labels).sum(axis=-1) / 2


def share_terms(predictions: Any) -> dict[str, np.ndarray]:
    if predictions.labels is None:
        raise ValueError("Predictions are compared with labels.")
    return {"distance": distance(predictions.mean_probs, predictions.labels)}


def intervals(terms: Terms, **options: Any) -> dict[str, Interval]:
    return {"overlap": mean_intervals(1 - terms["distance"][:, None], **options)[0]}


def differences(one: Terms, other: Terms, measures: Collection[str], **options: Any) -> dict[str, Interval]:
    return {"overlap": mean_intervals((one["distance"] - other["distance"])[:, None], **options)[0]}


class Shares(ClassProbabilities):
    name = "shares"
    scores = SHARE_SCORES
    first_scores = ("undecided",)
    quality = Quality(
        (Measure("overlap", "overlap", "share", "high", (0, 1)),), "overlap", share_terms, intervals, differences
    )
    quality_name = "overlap"
    loss = Loss("distance", "distances", "Larger distances", "mean distance", 1.0)
    has_one_class = False
    instead = "Of shares, `mcviz trust` measures the overlap."
    outputs = "softmax"
    several_labels = True

    def label_arrays(self, manifest: Manifest) -> Iterator[StoredArray]:
        count, classes = manifest.examples.count, manifest.classes
        rows = min(count, ROWS_VALUES // classes)
        yield StoredArray("label", (count, classes), "float32", ("example", "category"), rows, rows, float("nan"), {})
        for name in ("distance_per_pass", "distance_by_ensemble_size", "labelled"):
            yield by_pass(name, manifest.passes, "float64", float("nan"), {})

    def aggregate(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> Aggregates:
        known = self.predictions(passes)
        arrays = {"mean_probs": known.mean_probs.astype(np.float32)}
        columns = {name: self.scores[name].compute(known).astype(np.float32) for name in manifest.scores}
        if labels is None:
            return Aggregates(arrays, {}, columns)
        sizes = np.arange(1, len(passes) + 1)
        totals = {
            "distance_per_pass": distance(passes, labels).sum(axis=1),
            "distance_by_ensemble_size": distance(passes.cumsum(axis=0) / sizes[:, None, None], labels).sum(axis=1),
            "labelled": np.full(len(passes), float(len(labels))),
        }
        return Aggregates(arrays, totals, columns | {"distance": distance(known.mean_probs, labels).astype(np.float32)})

    def table_columns(self, targets: Sequence[str]) -> dict[str, str]:
        return {"distance": "float32"}

    def predictions(
        self, passes: np.ndarray, labels: Any = None, deterministic: Any = None, *, targets: int = 0
    ) -> MultilabelPredictions:
        return MultilabelPredictions(passes, labels, deterministic)

    def compute_quality(
        self,
        predictions: np.ndarray,
        labels: np.ndarray,
        manifest: Manifest | None = None,
        *,
        label_maps: LabelMaps | None = None,
    ) -> float:
        return float(1 - distance(predictions, labels).mean())

    def loss_of_table(self, table: pd.DataFrame) -> np.ndarray:
        return table["distance"].to_numpy(np.float64)

    def loss_of_terms(self, terms: Terms) -> np.ndarray:
        return np.asarray(terms["distance"])

    def mean_measure(self, terms: Terms) -> tuple[str, np.ndarray]:
        return "overlap", 1 - terms["distance"]

    def quality_of_table(self, columns: Mapping[str, np.ndarray]) -> float | None:
        return float(1 - columns["distance"].mean()) if "distance" in columns else None

    def quality_by_pass(self, manifest: Manifest, totals: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        count = totals["labelled"]
        return 1 - totals["distance_per_pass"] / count, 1 - totals["distance_by_ensemble_size"] / count

    def pass_format(self, predicts: Any, from_logits: bool) -> IndependentPasses:
        return IndependentPasses(predicts, from_logits)

    def label(self, examples: DataSet, labels: Any, name: str) -> DataSet:
        rows = finite(name, np.asarray(labels, np.float32))
        return replace(examples, labels=shape(name, rows, ("N", "C")))

    def check_labels(self, examples: DataSet) -> DataSet:
        return self.label(examples, examples.labels, "labels")

    def names(self, examples: DataSet, width: int, predicts: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return examples.class_names or (), ()

    def reorder_labels(self, labels: np.ndarray, order: np.ndarray) -> np.ndarray:
        return labels[:, order]

    def guessing_hint(self, quality: float, labels: np.ndarray, width: int, which: str) -> str:
        return ""

    def rescaling_hint(self, quality: float, better: float) -> str:
        return ""

    def compare_predictions(
        self,
        manifest: Manifest,
        mean: np.ndarray,
        other: np.ndarray,
        labels: np.ndarray | None,
        other_task: Any = None,
    ) -> Changes:
        return compare_unlabelled(distance(mean, other), distance(mean, other) < 0.01)


def _no_model(*_: Any, **__: Any) -> Any:
    raise AssertionError("There is no model to ask.")


@dataclass(frozen=True)
class SharesPhrases(Phrases):
    def describe_disagreement(self, run: Run) -> str:
        return "the passes differ"

    def tile_text(self, run: Run, row: Mapping[Any, Any]) -> TileText:
        return TileText(f"{row['undecided']:.0%} left")

    def describe_prediction(self, run: Run, predictions: np.ndarray) -> str:
        return f"Shares of {len(run.class_names)} classes."

    describe_worst = describe_sweep = _no_model


class SharesRenderer(TaskRenderer):
    ood_score = "undecided"
    phrases = SharesPhrases(
        quality="an overlap of {}",
        beats="The ensemble beats {}.",
        group_column="distance",
        group="distance",
        mistake="largest distance",
        only_mistake="the largest distance",
        least_sure="that it is least sure of",
        prominent_first="first",
        worst_heading="The most",
        no_worst="None.",
        worst_clause="the most",
    )

    def render_passes(self, run: Run, state: Any) -> None:
        st.markdown("Shares of all passes")

    def table_columns(self, selection: Any, most: int) -> dict[str, Any]:
        return {"distance": selection.first(most)["distance"].to_numpy()}

    def render_summary(self, context: ExampleContext) -> None:
        st.markdown(self.phrases.describe_prediction(context.run, context.predictions))

    def render_charts(self, context: ExampleContext) -> None:
        render_explanation("shares", self.explain(context))

    def explain(self, context: ExampleContext) -> Explanation:
        return {"sentences": [self.phrases.describe_prediction(context.run, context.predictions)]}

    def render_pinned(self, context: ExampleContext) -> None:
        self.render_summary(context)

    def render_example_of_both(self, context: ExampleContext, comparison: Any) -> None:
        self.render_summary(context)

    render_probe = render_curves = choose_evidence = compute_scores = prominence = sweep_figure = _no_model


@pytest.fixture(scope="module", autouse=True)
def _toy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "shares", Shares())
        patch.setitem(TASK_RENDERERS, Shares, SharesRenderer())
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, _toy: None) -> Path:
    """Two runs of the toy, and two of several labels an example of which some are not known."""
    folder, random = tmp_path_factory.mktemp("runs"), np.random.default_rng(0)
    odds = random.normal(0, 2, (120, 3))
    labels = (random.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)
    labels[:10], labels[10:20, 0] = np.nan, np.nan
    columns = {"site": np.where(odds[:, 0] > 0, "east", "west")}
    for number, name in enumerate(("a", "b")):
        noisy = odds + random.normal(0, 1 + number, (6, *odds.shape))
        several = 1 / (1 + np.exp(-noisy))
        shares = several / several.sum(axis=2, keepdims=True)
        known = {"columns": columns, "class_names": ["cat", "dog", "owl"]}
        own = several[0], shares[0]
        mcviz.write_run(
            folder / f"multilabel-{name}", several, labels=labels, task="multilabel", deterministic=own[0], **known
        )
        mcviz.write_run(
            folder / f"shares-{name}",
            shares,
            labels=shares.mean(axis=0)[::-1],
            task="shares",
            deterministic=own[1],
            **known,
        )
    return folder


PAGES = [
    ("overview", {}),
    ("uncertain", {}),
    ("uncertain", {"view": "table"}),
    ("uncertain", {"view": "scatter"}),
    ("uncertain", {"view": "groups"}),
    ("uncertain", {"view": "confusion", "label": "1", "correct": "wrong", "disagree": "1", "example": "30"}),
    ("example", {"example": "30"}),
    ("side_by_side", {"pinned": "3,30"}),
    ("trust", {}),
    ("review", {}),
    ("probe", {}),
    ("story", {}),
    ("runs", {"other": "OTHER"}),
]


@pytest.mark.parametrize(
    ("task", "page", "query"),
    one_in(5, [(task, *page) for page in PAGES for task in ("shares", "multilabel")]),
)
def test_each_page_opens(
    cache: Path, monkeypatch: pytest.MonkeyPatch, task: str, page: str, query: dict[str, str]
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    other = {"other": f"{task}-b"} if "other" in query else {}
    app = opened_page(page, {"run": f"{task}-a", **query, **other})
    assert not app.error, app.error[0].value
    assert app.title
    if page in ("story", "probe") or (page == "review" and task == "shares"):
        assert app.info, "what is not there is said"


@pytest.mark.parametrize(("page", "query"), one_in(5, PAGES))
def test_a_task_that_no_page_can_show_is_said_on_each(
    cache: Path, monkeypatch: pytest.MonkeyPatch, page: str, query: dict[str, str]
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    monkeypatch.delitem(TASK_RENDERERS, Shares)
    app = opened_page(page, {"run": "shares-a", **{key: text for key, text in query.items() if key != "other"}})
    assert not app.error
    assert app.title
    if page != "runs":  # where all runs are listed
        assert "cannot show predictions of the task shares" in app.info[0].value
        assert Shares.instead.split("`")[0] in app.info[0].value


COMMANDS = [
    ("trust",),
    ("trust", "--json"),
    ("trust", "--require", "QUALITY >= 0.1"),
    ("trust", "--by", "site"),
    ("trust", "--mistake-cost", "3", "--look-cost", "1"),
    ("trust", "--by", "site", "--group", "site", "--summary", "summary"),
    ("slices",),
    ("refer", "--quality", "0.2"),
    ("refer", "--budget", "10", "--group", "site"),
    ("acquire", "--method", "random", "--batch", "3", "--to", "next.csv"),
    ("verify",),
    ("export", "--to", "out.parquet"),
    ("export", "--to", "out.npz"),
    ("export", "--to", "out.nc"),
    ("compare", "OTHER", "--by", "site", "--to", "compared.csv"),
    ("compare", "OTHER", "--json"),
]
NOT_THERE = [
    ("acquire", "--method", "batch-bald", "--batch", "3", "--to", "next.csv"),
    ("trust", "--by", "nothing"),
    ("refer", "--accuracy", "0.9"),
    ("trust", "--require", "accuracy of cat >= 1%"),
    ("thresholds", "--tolerance", "3"),
]


@pytest.mark.parametrize("task", ["shares", "multilabel"])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_each_command_answers(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *rest = arguments
    measure = {"shares": "overlap", "multilabel": "map"}[task]
    named = [one.replace("OTHER", str(cache / f"{task}-b")).replace("QUALITY", measure) for one in rest]
    assert main([command, str(cache / f"{task}-a"), *named]) == 0
    assert "--to" not in rest or (tmp_path / rest[rest.index("--to") + 1]).stat().st_size


@pytest.mark.parametrize("task", ["shares", "multilabel"])
@pytest.mark.parametrize("arguments", NOT_THERE, ids=" ".join)
def test_what_a_task_has_not_is_said(
    cache: Path, capsys: pytest.CaptureFixture[str], task: str, arguments: tuple[str, ...]
) -> None:
    command, *rest = arguments
    assert main([command, str(cache / f"{task}-a"), *rest]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_what_to_label_next_is_chosen_by_the_scores_that_a_run_has(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, run = tmp_path / "next.csv", mcviz.open_run(cache / "multilabel-a")
    for method, score in (("bald", "mutual_information"), ("entropy", "predictive_entropy")):
        assert main(["acquire", run.path, "--method", method, "--batch", "12", "--to", str(file)]) == 0
        ranked = run.scores()[score].sort_values(ascending=False, kind="stable").index[:12]
        assert pd.read_csv(file)["example"].tolist() == list(ranked)
    assert main(["acquire", run.path, "--method", "power-bald", "--batch", "12", "--to", str(file)]) == 0
    capsys.readouterr()
    for task, offered in (("shares", "random"), ("multilabel", "bald or power-bald or entropy or random")):
        command = ["acquire", str(cache / f"{task}-a"), "--method", "batch-bald"]
        assert main([*command, "--to", str(tmp_path / "no.csv")]) == 2
        assert f"What to label next is chosen there by {offered}." in capsys.readouterr().err
    assert not (tmp_path / "no.csv").exists()


def test_several_labels_are_measured_by_group_and_by_class(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = mcviz.open_run(cache / "multilabel-a")
    is_known, site = (run.labels != -1).any(axis=1), run.columns["site"].to_numpy()
    members = {"site": {name: site == name for name in ("east", "west")}}
    members["label"] = {name: run.labels[:, number] == 1 for number, name in enumerate(run.class_names)}
    members["prediction"] = {name: run.mean_probs[:, number] > 0.5 for number, name in enumerate(run.class_names)}
    for by, groups in members.items():
        found = mcviz.trust(run, by=by).by_group
        assert list(found) == list(groups)
        for name, within in groups.items():
            assert found[name].examples == (within & is_known).sum()
            loss = run.table()["loss"].to_numpy()[within & is_known]
            assert found[name].figures["accuracy"].value == pytest.approx(1 - loss.mean())
        assert main(["trust", run.path, "--by", by]) == 0
        lines = capsys.readouterr().out.splitlines()
        start = lines.index(f"accuracy over labels of the ensemble, by {by}")
        accuracies = [float(line.split()[2].removesuffix("%")) for line in lines[start + 1 : start + 1 + len(groups)]]
        assert accuracies == sorted(accuracies), "the worst comes first"


def test_requirements_on_groups_are_of_the_task_s_own_measures(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = mcviz.open_run(cache / "multilabel-a")
    found = mcviz.trust(run, by="site").by_group
    required = ["--require", "f1 >= 0.99 in every site", "--require", "deterministic.accuracy >= 0.1 in site=east"]
    assert main(["trust", run.path, *required]) == 1
    worst = min(group.figures["f1"].value for group in found.values())
    assert f"not met: f1 >= 0.99 in every site; F1, mean of classes is {worst:.6g} " in capsys.readouterr().err


@pytest.mark.parametrize("task", ["shares", "multilabel"])
def test_an_unchanged_run_passes_every_gate(cache: Path, task: str) -> None:
    one, other = (mcviz.open_run(cache / f"{task}-{name}") for name in "ab")
    found = mcviz.compare(one, one)
    gates = [each for each in one.task.quality.measures if each.better and each.has_interval]
    assert all(parse_non_inferiority(f"{measure.name} not worse").judge(found).met for measure in gates)
    assert found.in_words == "Nothing changed: all 120 examples have the same labels and predictions in both runs."
    assert not mcviz.compare(one, other).is_unchanged


def test_a_summary_names_no_class_where_a_number_happens_to_be_that_of_one(tmp_path: Path) -> None:
    probs = np.random.default_rng(0).random((3, 40, 2))
    labels = probs.mean(axis=0) > 0.5
    run = mcviz.write_run(tmp_path / "run", probs, labels=labels, task="multilabel", class_names=["zero", "one"])
    assert main(["trust", run.path, "--summary", str(tmp_path / "summary")]) == 0
    lines = (tmp_path / "summary" / "summary.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.replace("\\", "").split("|")] for line in lines]
    (head,) = (place for place, row in enumerate(rows) if "exact_match" in row)
    columns = dict(zip(rows[head], zip(*rows[head + 2 : head + 26], strict=True), strict=True))
    assert set(columns["loss"]) == {"0"}
    assert set(columns["exact_match"]) == {"1"}
    assert set(columns["prediction"]) <= {"", "zero", "one", "zero;one"}


def test_labels_that_are_probably_wrong_are_listed_where_a_task_has_a_score_of_them(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["label-issues", str(cache / "shares-a")]) == 2
    assert "takes labels of classes" in capsys.readouterr().err
    run = mcviz.open_run(cache / "multilabel-a")
    table = mcviz.label_issues(run, 10_000)
    assert len(table) == (run.labels >= 0).sum(), "a label that nobody knows counts nowhere"


def test_a_table_of_several_labels_has_the_names_of_the_classes(cache: Path, tmp_path: Path) -> None:
    run = mcviz.open_run(cache / "multilabel-a")
    assert main(["export", run.path, "--to", str(tmp_path / "run.parquet")]) == 0
    table, names = pd.read_parquet(tmp_path / "run.parquet"), np.array(run.class_names)
    assert table["label"].iloc[:10].isna().all()
    assert table["exact_match"].iloc[:10].isna().all()
    for example in range(20, 120):
        given, predicted = run.labels[example] == 1, run.mean_probs[example] > 0.5
        row = table.iloc[example]
        assert (row["label"], row["prediction"]) == (";".join(names[given]), ";".join(names[predicted]))
        assert (row["wrong"], row["exact_match"]) == (";".join(names[given != predicted]), (given == predicted).all())


@pytest.mark.parametrize(
    ("field", "column"), one_in(3, [("label", "label"), ("prediction", "prediction"), ("wrong", "wrong")])
)
def test_examples_are_filtered_by_a_class_that_is_given_predicted_or_wrong(
    cache: Path, monkeypatch: pytest.MonkeyPatch, field: str, column: str
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    app = opened_page("uncertain", {"run": "multilabel-a", field: "1"})
    table = mcviz.open_run(cache / "multilabel-a").table()
    with_dog = table[column].fillna("").str.split(";").map(lambda names: "dog" in names).sum()
    assert any(f"**{with_dog}** of 120 examples match" in one.value for one in app.markdown)
