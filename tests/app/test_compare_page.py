"""Two ticked runs are compared on Runs; and what stays when the run is changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import Run
from mcviz.analysis.comparison import compare
from mcviz.app.address import RunLimits
from mcviz.app.filters import Filters
from mcviz.app.resources import join_runs, own_columns, run_numbers, table
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import compared_figures, sent, ticked_runs, widget
from tests.cases import one_in

EXAMPLES = 140
NAMES = ["cat", "*dog*", "owl"]
OpenPage = Callable[..., AppTest]
LABELS = np.random.default_rng(9).integers(3, size=EXAMPLES)


PART = np.random.default_rng(8).permutation(EXAMPLES)[:120]  # the examples of a run that lacks some, in its order
MENDED = np.where(np.arange(EXAMPLES) % 20 == 0, (LABELS + 1) % 3, LABELS)


def probs(seed: int, labels: np.ndarray) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(6, len(labels), 3)) + 0.6 * np.eye(3)[labels]
    return (np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)).astype(np.float32)


def images(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 5, 5, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the same examples (a, b, bare, columns), of a part, of others, and of regression (n, m)."""
    folder = tmp_path_factory.mktemp("cache")
    same: dict[str, Any] = {"data": images(0, EXAMPLES), "labels": LABELS, "class_names": NAMES}
    for name, seed, changes in (
        ("a", 1, {}),
        ("b", 2, {}),
        ("bare", 3, {"labels": None}),
        ("columns", 4, {"columns": pd.DataFrame({"change": np.arange(EXAMPLES) % 2, "other_margin": 1.0})}),
        ("others", 5, {"data": images(6, 90), "labels": LABELS[:90]}),
        ("part", 6, {"data": images(0, EXAMPLES)[PART], "labels": MENDED[PART]}),
    ):
        given = same | changes
        passes = probs(seed, LABELS)[:, PART] if name == "part" else probs(seed, LABELS)[:, : len(given["data"])]
        mcviz.write_run(folder / name, passes, **given)
    truth = np.linspace(0, 9, 40, dtype=np.float32)[:, None]
    for name, seed in (("m", 1), ("n", 2)):
        outputs = truth + np.random.default_rng(seed).normal(size=(7, 40, 1)).astype(np.float32)
        mcviz.write_run(folder / name, outputs, task="regression", data=images(3, 40), labels=truth, unit="kg")
    return folder


@pytest.fixture
def open_page(cache: Path, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))

    def opened(name: str = "runs", **query: str) -> AppTest:
        return opened_page(name, query)

    return opened


def words(app: AppTest) -> str:
    kinds = (app.title, app.caption, app.markdown, app.info, app.warning, app.error, app.header)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def test_a_link_opens_a_comparison_with_its_figures(open_page: OpenPage, cache: Path) -> None:
    app = open_page(run="a", other="b")
    found = compare(mcviz.open_run(cache / "a"), mcviz.open_run(cache / "b"))
    shown = compared_figures(app)
    assert shown.index.tolist() == [each.measure.label for each in found.measures]
    assert shown["a"].tolist() == [each.measure.format_interval(each.one) for each in found.measures]
    assert f"**{found.changes.counts['right to wrong']}** right to wrong" in words(app)
    assert f"**{100 * found.shared_top:.0f}** are the same" in words(app)
    assert ticked_runs(app) == {"a", "b"}
    assert [each.value for each in app.subheader][:2] == ["Right to wrong", "Wrong to right"]
    sentence, header = found.in_words.replace("*", r"\*"), [each.value for each in app.header]
    assert any(each.value.startswith(sentence) for each in app.markdown)
    assert header[:3] == ["b compared with a", "Which examples changed?", "By how much?"]


def test_the_example_that_the_address_names_is_shown_in_both(open_page: OpenPage, cache: Path) -> None:
    app = open_page(run="a", other="b", example="7")
    for name in "ab":
        summary = mcviz.open_run(cache / name).mean_probs[7]
        assert any(
            each.value.startswith(f"**{name}**: ") and f"{100 * summary.max():.1f}%" in each.value
            for each in app.markdown
        )


def test_runs_over_other_examples_are_compared_as_far_as_they_can_be(open_page: OpenPage) -> None:
    app = open_page(run="a", other="others")
    assert not app.error
    assert "No example is known to be in both runs" in words(app)
    assert "It is not known which run is better, since they share no example." in words(app)
    assert compared_figures(app).columns.tolist() == ["a", "others"]  # no difference, and no verdict
    assert "Which examples changed?" not in {each.value for each in app.header}


def test_a_part_of_the_examples_in_another_order_is_compared(open_page: OpenPage, cache: Path) -> None:
    found = compare(mcviz.open_run(cache / "a"), mcviz.open_run(cache / "part"))
    missing = int(np.setdiff1d(np.arange(EXAMPLES), PART)[0])
    app = open_page(run="a", other="part", example=str(missing))
    assert found.examples_in_words in words(app)
    assert "part does not have this example" in words(app)
    assert f"**{found.changes.counts['right to wrong']}** right to wrong" in words(app)
    place = int(np.flatnonzero(PART.min() == PART)[0])
    app = open_page(run="a", other="part", example=str(PART.min()))
    summary = mcviz.open_run(cache / "part").mean_probs[place]
    assert any(
        each.value.startswith("**part**: ") and f"{100 * summary.max():.1f}%" in each.value for each in app.markdown
    )
    app = open_page("uncertain", run="a", other="part", columns='{"change":["not in the other run"]}')
    assert f"**{EXAMPLES - len(PART)}** of {EXAMPLES} examples" in words(app)
    for query in ({"columns": '{"change":["not in the other run"]}'}, {}):
        app = open_page("uncertain", run="a", other="part", view="scatter", x="margin", y="other_margin", **query)
        assert_sound(app)


def test_the_labels_that_both_runs_are_measured_by_are_chosen(open_page: OpenPage, cache: Path) -> None:
    runs = [mcviz.open_run(cache / name) for name in ("a", "part")]
    app, shown = open_page(run="a", other="part"), {}
    assert f"{(MENDED != LABELS)[PART].sum()} labels are not the same" in words(app)
    for which in ("new", "old"):
        if which == "old":
            widget(app.radio, "labels_of").set_value("old").run()
        accuracy = compare(*runs, labels=which).measures[0]
        shown[which] = compared_figures(app)["a"].iloc[0]
        assert shown[which] == accuracy.measure.format_interval(accuracy.one)
    assert shown["new"] != shown["old"]
    assert addressed(app) == {"run": "a", "other": "part", "labels_of": "old"}
    assert len(open_page(run="a", other="b").radio) == 0  # whose labels are the same


def test_without_labels_what_is_predicted_is_compared(open_page: OpenPage, cache: Path) -> None:
    app = open_page(run="bare", other="a")
    assert "Only the second run has labels" in words(app)
    assert len(compared_figures(app))


def test_a_regression_is_compared_in_its_unit(open_page: OpenPage, cache: Path) -> None:
    app = open_page(run="m", other="n")
    assert compared_figures(app)["m"].iloc[0].partition(" (")[0].endswith(" kg")
    assert "larger error" in words(app)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"run": "a"}, "Tick one to see what it is, two to compare them."),
        ({"run": "a", "other": "a"}, "**a** is finished"),
        ({"run": "a", "other": "nothing"}, "There is no run “nothing” here"),
        ({"run": "a", "other": "m"}, "**No verdict.** One run is of classification"),
    ],
)
def test_what_cannot_be_compared_is_said(open_page: OpenPage, query: dict[str, str], said: str) -> None:
    assert said in words(open_page(**query))


def test_an_only_run_says_how_to_make_another(
    open_page: OpenPage, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only").symlink_to(cache / "a")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    assert "It is the only run here: sample its model again" in words(open_page())


def test_a_changed_example_shows_its_label_and_how_prediction_and_score_change(
    open_page: OpenPage, cache: Path
) -> None:
    one, other = (mcviz.open_run(cache / name) for name in "ab")
    (tile, *_), *_ = (data["tiles"] for data in sent(open_page(run="a", other="b"), "tiles"))
    names, example = one.class_names, tile["example"]
    means = [run.mean_probs[example] for run in (one, other)]
    (label, predictions), (score, confidences) = tile["facts"]
    assert label == f"label {names[one.labels[example]]}"
    assert predictions == " → ".join(names[mean.argmax()] for mean in means)
    assert score == "confidence"
    for said, mean in zip(confidences.split(" → "), means, strict=True):
        assert float(said.rstrip("%")) == pytest.approx(100 * mean.max(), abs=1)
    assert predictions.split(" → ")[0] == label.removeprefix("label "), "right to wrong"


def test_curves_and_scores_of_two_runs_open_on_a_click(open_page: OpenPage) -> None:
    app = open_page(run="a", other="b")
    titles = [each.label for each in app.expander]
    assert titles == ["Calibration, and accuracy left after review", "Each example in both runs"]
    assert "New run" not in {each.value for each in app.header}
    closed = len(app.get("plotly_chart"))
    app = open_page(run="a", other="b", details="both,curves")
    assert len(app.get("plotly_chart")) > closed


def test_those_that_changed_are_a_selection_like_any_other(open_page: OpenPage, cache: Path) -> None:
    found = compare(mcviz.open_run(cache / "a"), mcviz.open_run(cache / "b")).changes
    app = open_page("uncertain", run="a", other="b", columns='{"change":["right to wrong"]}')
    assert f"**{found.counts['right to wrong']}** of {EXAMPLES} examples" in words(app)
    assert any(button.label == "change right to wrong" for button in app.button)
    assert "compared with **b**" in words(app)


def test_a_lasso_over_two_runs_selects_on_every_page(open_page: OpenPage, cache: Path) -> None:
    one, other = (mcviz.open_run(cache / name).scores()["margin"].to_numpy() for name in "ab")
    inside = ((one < 0.2) & (other < 0.2)).sum()
    lasso = "margin:other_margin:-1,-1,0.2,-1,0.2,0.2,-1,0.2"
    app = open_page("uncertain", run="a", other="b", lasso=lasso, view="scatter", x="margin", y="other_margin")
    assert f"**{inside}** of {EXAMPLES} examples" in words(app)
    assert any("Margin in b" in button.label for button in app.button)
    alone = open_page("uncertain", run="a", lasso=lasso)  # which no other run gives a meaning
    assert f"{EXAMPLES} examples, ranked" in words(alone)


def test_a_run_beside_another_is_itself_otherwise(cache: Path) -> None:
    run, other = (mcviz.open_run(cache / name) for name in ("columns", "b"))
    beside = join_runs(run, other)
    assert beside.digest == run.digest
    assert beside.mean_probs is run.mean_probs  # what is read once is shared
    shown = table(beside)
    assert beside.change == "change_"  # the user's own column keeps its name
    assert shown["change"].tolist() == run.table()["change"].tolist()
    assert shown["other_margin"].tolist() == run.table()["other_margin"].tolist()
    assert shown["other_max_probability"].tolist() == other.scores()["max_probability"].tolist()
    assert own_columns(beside).keys() == own_columns(run).keys() | {"change_"}
    assert "other_max_probability" in run_numbers(beside)
    assert "other_max_probability" not in run_numbers(run)
    assert "change_" not in table(run)


KEPT = {
    "run": "a", "example": "7", "pinned": "3,4", "flagged": "5", "view": "table", "score": "margin",
    "label": "1", "range": "margin:0.1:0.5", "lasso": "margin:max_probability:0,0,1,0,1,1",
}  # fmt: skip


def addressed(app: AppTest) -> dict[str, str]:
    return {key: value[0] if isinstance(value, list) else value for key, value in app.query_params.items()}


def test_changing_the_run_keeps_all_where_the_examples_are_the_same(open_page: OpenPage) -> None:
    app = open_page("uncertain", **KEPT)
    before = addressed(app)
    widget(app.selectbox, "run").select("b").run()
    assert addressed(app) == before | {"run": "b"}
    assert "**b**" in words(app)


def test_changing_the_run_drops_what_is_of_other_examples(open_page: OpenPage) -> None:
    app = open_page("uncertain", **KEPT)
    widget(app.selectbox, "run").select("others").run()
    assert addressed(app) == {"run": "others"}


def test_classes_of_other_names_are_no_filter(
    open_page: OpenPage, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").symlink_to(cache / "a")
    mcviz.write_run(
        tmp_path / "renamed", probs(2, LABELS), data=images(0, EXAMPLES), labels=LABELS, class_names=["x", "y", "z"]
    )
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = open_page("uncertain", **KEPT)
    before = addressed(app)
    widget(app.selectbox, "run").select("renamed").run()
    del before["label"]
    assert addressed(app) == before | {"run": "renamed"}


def test_going_to_the_run_that_was_compared_with_turns_the_two_round(open_page: OpenPage) -> None:
    app = open_page(run="a", other="b", example="7")
    widget(app.selectbox, "run").select("b").run()
    assert addressed(app) == {"run": "b", "other": "a", "example": "7"}
    assert_sound(app)


@pytest.mark.parametrize(
    ("query", "names"),
    one_in(
        3,
        [
            ({"run": "a"}, "a"),
            ({"run": "a", "other": "b"}, "ab"),
            ({"run": "a", "ticked_run": "b"}, "b"),
            ({"run": "a", "ticked_run": "."}, ""),
            ({"run": "a", "ticked_run": "nothing"}, "a"),
            ({"run": "a", "ticked_run": "m", "other": "b"}, "ab"),
        ],
    ),
)
def test_the_address_says_which_runs_are_ticked_runs(open_page: OpenPage, query: dict[str, str], names: str) -> None:
    assert ticked_runs(open_page(**query)) == set(names)


def test_the_run_that_the_bar_opens_is_the_one_that_is_ticked_runs(open_page: OpenPage) -> None:
    app = open_page(run="a", ticked_run="part")
    assert "**part** is finished" in words(app)
    widget(app.selectbox, "run").select("b").run()
    assert addressed(app) == {"run": "b"}
    assert ticked_runs(app) == {"b"}


def test_filters_know_nothing_of_a_run_that_is_gone(run: Run) -> None:
    query = {"columns": '{"change":["right to wrong"]}', "lasso": "margin:other_margin:0,0,1,0,1,1"}
    found = Filters.from_query(query, RunLimits(len(run), 10, columns=own_columns(run), numbers=run_numbers(run)))
    assert found == Filters()
