"""The pages of a regression: their figures are those that the run's arrays give, and the address says all of them."""

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import Run
from mcviz.analysis.quality_trust import measure_quality
from mcviz.app.filters import Lasso
from mcviz.app.selection import select
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.views import actions
from mcviz.measures.regression import FEWEST_UNBOUNDED
from mcviz.tasks import regression
from mcviz.text import fixed, significant
from tests.analysis.test_intervals import make as make_regions
from tests.app.kinds import EXAMPLES, REGRESSIONS
from tests.app.opening import opened_page
from tests.app.probing import sentences, table, widget, words
from tests.cases import one_in

KEPT = (  # those that keep no examples, or rows of numbers; the tests of all kinds open the others
    "regression-of-rows",
    "regression-without-labels",
    "regression-of-three-targets",
    "regression-without-errors",
    "regression-of-one-example",
    "regression-of-two-passes",
)
LABELLED = [name for name in KEPT if name != "regression-without-labels"]
SEPARATORS = ["a:b", "c~d", "100%25"]  # of what an address lists


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regressions")
    for name in KEPT:
        given = REGRESSIONS[name](np.random.default_rng(0))
        mcviz.write_run(folder / name, given.pop("passes"), task="regression", source="a test", **given)
    given = REGRESSIONS["regression-of-three-targets"](np.random.default_rng(1)) | {"target_names": SEPARATORS}
    mcviz.write_run(folder / "separators", given.pop("passes"), task="regression", source="a test", **given)
    return folder


@pytest.fixture
def open_page(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))

    def opened(name: str, run: str, **query: str) -> AppTest:
        app = opened_page(name, {"run": run, **query})
        assert not app.error
        return app

    return opened


def arrays(run: Run) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """(T, N, D) outputs, their variances, and (N, D) labels, as float64."""
    passes, targets = run.predictions_block(0, None).astype(np.float64), len(run.targets)
    variances = passes[..., targets:] if passes.shape[-1] > targets else None
    assert run.labels is not None
    return passes[..., :targets], variances, run.labels.astype(np.float64)


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(each.proto.spec) for each in app.get("plotly_chart")]


def decoded(values: Any) -> list[float]:
    """The numbers of a trace, which plotly writes as bytes where there are many."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
    return list(values)


def plain(text: str) -> str:
    """A text in Markdown without its escapes."""
    return text.replace("\\", "").replace("\u2060", "")


def numbers(text: str) -> list[float]:
    return [float(each.replace(",", "")) for each in re.findall(r"-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?", text)]


@pytest.mark.parametrize("name", LABELLED)
def test_the_cards_and_the_table_are_what_the_passes_give(
    cache: Path, open_page: Callable[..., AppTest], name: str
) -> None:
    app, run = open_page("overview", name), mcviz.open_run(cache / name)
    outputs, _, labels = arrays(run)
    rows: dict[str, np.ndarray] = {}
    if run.deterministic_predictions is not None:
        rows["Deterministic"] = run.deterministic_predictions[None, :, : len(run.targets)].astype(np.float64) - labels
    rows["One pass"] = outputs - labels
    rows["All passes"] = outputs.mean(axis=0, keepdims=True) - labels
    rmse = {label: float(np.sqrt((errors**2).mean())) for label, errors in rows.items()}
    assert [each.label for each in app.metric] == list(rows)
    assert [plain(each.value) for each in app.metric] == [significant(value) for value in rmse.values()]
    assert (f"RMSE in {run.manifest.unit}." if run.manifest.unit else "RMSE.") in plain(words(app))
    if len(run) == 1:
        assert "One example is too few to tell how wrong the model is." in words(app)
        return
    (measures,) = (each.value for each in app.table)
    labels_of = {"deterministic": "Deterministic", "single pass": "One pass", "ensemble": "All passes"}
    assert {labels_of[name] for name in measures} == set(rows)
    for name in measures:
        errors, label = rows[labels_of[name]], labels_of[name]
        squared, absolute = (plain(cell).replace("(no interval)", "") for cell in measures[name].loc[["RMSE", "MAE"]])
        assert numbers(squared)[0] == pytest.approx(rmse[label], rel=1e-3, abs=1e-9)
        assert numbers(absolute)[0] == pytest.approx(np.abs(errors).mean(), rel=1e-3, abs=1e-9)
        for cell in (squared, absolute):
            value, *ends = numbers(cell.replace(" to ", " ; "))
            assert len(ends) == (2 if len(run) >= FEWEST_UNBOUNDED else 0), "of too few examples there is no interval"
            assert not ends or ends[0] <= value <= ends[1]


@pytest.mark.parametrize("name", ["regression-of-rows", "regression-of-three-targets"])
def test_passes_are_enough_from_where_on_the_rmse_stays_within_a_hundredth_of_that_of_all(
    cache: Path, open_page: Callable[..., AppTest], name: str
) -> None:
    outputs, _, labels = arrays(mcviz.open_run(cache / name))
    counts = np.arange(1, len(outputs) + 1)
    means = outputs.cumsum(axis=0) / counts[:, None, None]
    rmse = np.sqrt(((means - labels) ** 2).mean(axis=(1, 2)))
    far = np.abs(rmse / rmse[-1] - 1) > 0.01
    enough = counts[~np.logical_or.accumulate(far[::-1])[::-1]][0]
    said = words(open_page("overview", name, section="passes"))
    assert (f"**{enough} passes are enough**" in said) == (enough < len(outputs))
    assert (f"**{len(outputs)} passes may be too few**" in said) == (enough == len(outputs))


@pytest.mark.parametrize(("name", "is_named"), [("regression-of-rows", False), ("regression-of-three-targets", True)])
def test_a_target_is_named_where_there_are_several(
    open_page: Callable[..., AppTest], name: str, is_named: bool
) -> None:
    found = sentences(open_page("example", name, example="0"))
    predicted = next(each for each in found if each.startswith("The ensemble predicts"))
    assert (" for " in predicted) == is_named


@pytest.mark.parametrize("name", ["regression-of-rows", "regression-of-two-passes"])
def test_the_crps_of_the_table_is_that_of_the_passes_by_its_definition(
    cache: Path, open_page: Callable[..., AppTest], name: str
) -> None:
    outputs, _, labels = arrays(mcviz.open_run(cache / name))
    apart = np.abs(outputs[:, None] - outputs[None]).mean(axis=(0, 1)) / 2
    crps = (np.abs(outputs - labels).mean(axis=0) - apart).mean()
    cell = table(open_page("overview", name), "ensemble").loc["CRPS", "ensemble"]
    assert numbers(plain(cell))[0] == pytest.approx(crps, rel=1e-3)


def test_page_and_command_line_say_the_same_of_errors_and_intervals(
    cache: Path, open_page: Callable[..., AppTest]
) -> None:
    trusted = measure_quality(mcviz.open_run(cache / "regression-of-rows"))
    app = open_page("overview", "regression-of-rows")
    assert trusted.in_words in plain(words(app)).replace("**", "")
    (_, *predictors), *rows = zip(*trusted.text_rows, strict=True)
    measures = table(app, "ensemble")
    assert list(measures) == predictors
    assert [tuple(plain(cell) for cell in row) for row in measures.itertuples()] == rows


def test_without_labels_the_most_uncertain_are_shown_and_what_labels_would_give(
    open_page: Callable[..., AppTest],
) -> None:
    app = open_page("overview", "regression-without-labels")
    assert not app.metric
    assert len(charts(app)) == 1, "the distribution of the uncertainty"
    assert "To measure how right they are, import them again with labels." in words(app)
    assert "Predictive std, highest first" in words(app)


def test_what_takes_long_is_computed_once_and_kept_beside_the_run(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = REGRESSIONS["regression-of-three-targets"](np.random.default_rng(2))
    mcviz.write_run(tmp_path / "run", given.pop("passes"), task="regression", **given)
    first = mcviz.trust(mcviz.open_run(tmp_path / "run"))
    monkeypatch.setattr(regression, "regression_terms", None)
    again = mcviz.trust(mcviz.open_run(tmp_path / "run"))
    kept, computed = ((each.figures, each.differences, each.sentences) for each in (again, first))
    assert repr(kept) == repr(computed), "NaN is not equal to itself"


@pytest.mark.parametrize("name", one_in(3, LABELLED))
@pytest.mark.parametrize("target", [0, 2])
def test_one_example_is_told_as_its_passes_are(
    cache: Path, open_page: Callable[..., AppTest], name: str, target: int
) -> None:
    run = mcviz.open_run(cache / name)
    target = min(target, len(run.targets) - 1)
    example = min(7, len(run) - 1)
    app = open_page("example", name, example=str(example), target=str(target), coverage="80", closer_look="passes")
    outputs, variances, labels = (None if each is None else each[..., example, target] for each in arrays(run))
    assert outputs is not None
    spread = outputs.var() + (0 if variances is None else variances.mean())
    shown = table(app, "80% interval").iloc[target]
    assert numbers(shown["prediction"])[0] == pytest.approx(outputs.mean(), rel=1e-3)
    assert numbers(shown["std"])[0] == pytest.approx(np.sqrt(spread), rel=1e-2)
    low, high = numbers(shown["80% interval"].replace(" to ", " ; "))
    if variances is None:
        assert (low, high) == pytest.approx(np.quantile(outputs, [0.1, 0.9], method="weibull"), rel=1e-3)
    else:
        assert (low + high) / 2 == pytest.approx(outputs.mean(), rel=1e-3)
        assert high - low == pytest.approx(2 * 1.2815516 * np.sqrt(spread), rel=1e-2)
    inside = "does **not** hold it" not in words(app)
    assert inside == bool(low <= labels <= high)
    assert ("predicts no variance" in words(app)) == (variances is None)
    if variances is not None:
        share = variances.mean() / spread
        assert f"The model puts {100 * share:.0f}% of the variance down to the data and the rest to itself." in words(
            app
        )
    histogram, settling = charts(app)[-2:]
    (bars,) = (trace for trace in histogram["data"] if trace["type"] == "bar")
    assert f"label {significant(float(labels))}" in [trace.get("name") for trace in histogram["data"]]
    assert bars["name"] == "single passes"
    assert settling["layout"]["xaxis"]["title"]["text"] == "passes"


def test_the_target_is_chosen_once_and_the_address_says_it(open_page: Callable[..., AppTest]) -> None:
    app = open_page("example", "separators", example="3")
    widget(app.selectbox, "target").set_value(1).run()
    assert app.query_params["target"] == ["1"] or app.query_params["target"] == "1"
    for page, query in (("example", {"example": "3"}), ("side_by_side", {"pinned": "1,2"}), ("uncertain", {})):
        for view in ("predicted", "intervals") if page == "uncertain" else ("",):
            again = open_page(page, "separators", target="1", view=view, **query)
            assert widget(again.selectbox, "target").value == 1
    for beyond in ("3", "-1", "x"):
        assert widget(open_page("example", "separators", target=beyond).selectbox, "target").value == 0
    assert not [each for each in open_page("example", "regression-of-rows").selectbox if each.label == "Target"]


@pytest.mark.parametrize("target", one_in(2, [0, 1, 2]))
def test_a_lasso_and_a_range_over_any_target_select_the_same_as_the_table(
    cache: Path, open_page: Callable[..., AppTest], target: int
) -> None:
    run, name = mcviz.open_run(cache / "separators"), SEPARATORS[target]
    rows = run.table()
    low = float(rows[f"label_{name}"].median())
    state = PageState(target=target, view="predicted")
    filters = state.filters.with_range(f"label_{name}", low, float("inf"))
    app = open_page("uncertain", "separators", **state.link(filters=filters))
    expected = int((rows[f"label_{name}"] >= low).sum())
    assert f"**{expected}** of {EXAMPLES} examples" in words(app)
    assert f"True value of {name} from" in plain(next(each.label for each in app.button if each.key == "chip-0"))
    top = float(rows[f"prediction_{name}"].median())
    box = ((-1e4, -1e4), (1e4, -1e4), (1e4, top), (-1e4, top))
    filters = replace(state.filters, lasso=Lasso(f"label_{name}", f"prediction_{name}", box))
    app = open_page("uncertain", "separators", **state.link(filters=filters))
    inside = int((rows[f"prediction_{name}"] < float(f"{top:.5g}")).sum())
    assert f"**{inside}** of {EXAMPLES} examples" in words(app)
    drawn, _beside = charts(app)  # and that of the example that is looked at
    points = next(trace for trace in drawn["data"] if "customdata" in trace and trace["mode"] == "markers")
    assert sorted(decoded(points["y"])) == pytest.approx(sorted(rows[f"prediction_{name}"]), rel=1e-6)
    assert [shape["type"] for shape in drawn["layout"]["shapes"]].count("path") == 1


@pytest.mark.parametrize("coverage", one_in(3, [80, 90, 95]))
@pytest.mark.parametrize("name", ["regression-of-rows", "regression-of-three-targets"])
def test_the_intervals_hold_what_is_counted(
    cache: Path, open_page: Callable[..., AppTest], name: str, coverage: int
) -> None:
    app, run = open_page("uncertain", name, view="intervals", coverage=str(coverage)), mcviz.open_run(cache / name)
    outputs, variances, labels = arrays(run)
    shown, share = table(app, "mean width"), coverage / 100
    mean = outputs.mean(axis=0)
    if variances is None:
        low, high = np.quantile(outputs, [(1 - share) / 2, (1 + share) / 2], axis=0, method="weibull")
    else:
        radius = {80: 1.2815516, 90: 1.6448536, 95: 1.9599640}[coverage] * np.sqrt(
            outputs.var(axis=0) + variances.mean(axis=0)
        )
        low, high = mean - radius, mean + radius
    held = ((low <= labels) & (labels <= high))[:, 0].mean()
    said, ends = words(app), stats.binomtest(round(held * len(run)), len(run)).proportion_ci()
    assert ("of the passes are too narrow" in said) == (ends.high < share)
    assert ("of the passes are too wide" in said) == (ends.low > share)
    fewest = {80: 9, 90: 19, 95: 39}[coverage]
    few = f"They take at least {fewest} passes, and this run has {run.passes}."
    assert (few in said) == (variances is None and run.passes < fewest)
    by_passes = shown.loc["by the passes"]
    assert numbers(by_passes["hold"])[0] == pytest.approx(100 * held, abs=0.06)
    assert numbers(plain(by_passes["mean width"]))[0] == pytest.approx((high - low)[:, 0].mean(), rel=1e-3)
    for method in shown.index[1:]:  # what conformal prediction promises, but for the chance of halves
        assert numbers(shown.loc[method, "hold"])[0] >= coverage - 10
    assert len(shown) == 3
    widget(app.segmented_control, "coverage").set_value(95).run()
    assert app.query_params.get("coverage", ["95"]) in (["95"], "95")


def test_intervals_of_too_few_examples_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    outputs, labels = rng.normal(size=(5, 6, 1)), rng.normal(size=(6, 1))
    run = mcviz.write_run(tmp_path / "run", outputs, task="regression", labels=labels)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    widths = table(opened_page("uncertain", {"run": run.name, "view": "intervals", "coverage": "95"}), "mean width")
    assert widths.loc["split-conformal, of one width", "mean width"] == "unbounded: too few examples"
    assert numbers(widths.loc["by the passes", "mean width"])


@pytest.mark.parametrize("score", ["predictive_std", None, "absolute_error"])
def test_errors_are_drawn_against_the_score_of_the_ranking_unless_that_looks_at_them(
    cache: Path, open_page: Callable[..., AppTest], score: str | None
) -> None:
    query = {} if score is None else {"score": score}
    app = open_page("uncertain", "regression-of-three-targets", view="errors", **query)
    rows = mcviz.open_run(cache / "regression-of-three-targets").table()
    against = score if score == "predictive_std" else "total_std"  # the first, where variances are predicted
    assert ("looks at the label itself" in words(app)) == (score == "absolute_error")
    ranks = rows[[against, "absolute_error"]].rank()
    correlation = np.corrcoef(ranks.to_numpy().T)[0, 1]
    assert f"The rank correlation of the two is {fixed(correlation, 2)}" in words(app)


@pytest.mark.parametrize("name", LABELLED)
def test_the_story_counts_the_largest_errors_among_the_most_uncertain(
    cache: Path, open_page: Callable[..., AppTest], name: str
) -> None:
    run = mcviz.open_run(cache / name)
    story = task_renderer(run).story
    assert story is not None
    rows, app = run.table(), open_page("story", name, step=str(len(story.steps(run))))
    sentence = f"{app.header[0].value} {words(app)}"
    if name == "regression-without-errors":
        assert "makes no error here: there is none to find." in sentence
        return
    doubt = "total_std" if "total_std" in rows else "predictive_std"
    count = max(1, len(rows) // 20)
    doubtful, wrong = (set(rows[column].nlargest(count).index) for column in (doubt, "absolute_error"))
    assert f"**{len(doubtful & wrong)}** of {count} largest error" in sentence
    chance = stats.hypergeom.sf(len(doubtful & wrong) - 1, len(rows), count, count)
    assert ("uncertainty is useful" in sentence) == (chance <= 0.05)


@pytest.mark.parametrize("name", ["regression-of-rows", "regression-without-labels", "regression-of-three-targets"])
def test_exports_hold_all_numbers(cache: Path, name: str) -> None:
    run = mcviz.open_run(cache / name)
    selection = select(run, PageState(score="predictive_std"))
    rows = run.table().iloc[selection.examples]
    for read in (
        pd.read_csv(io.BytesIO(actions.csv(selection))),
        pd.read_parquet(io.BytesIO(actions.parquet(selection))),
    ):
        assert list(read) == ["example", *rows]
        assert read["example"].tolist() == selection.examples.tolist()
        np.testing.assert_allclose(read["predictive_std"], rows["predictive_std"], rtol=1e-6)


def test_an_address_of_classes_filters_no_regression(open_page: Callable[..., AppTest]) -> None:
    app = open_page("uncertain", "regression-of-rows", correct="wrong", label="1", prediction="2", disagree="1")
    assert f"{EXAMPLES} examples, ranked" in words(app)


def test_groups_have_the_mean_absolute_error_of_their_examples_the_worst_first(
    cache: Path, open_page: Callable[..., AppTest]
) -> None:
    app = open_page("uncertain", "regression-of-rows", view="groups", column="source")
    rows = mcviz.open_run(cache / "regression-of-rows").table()
    shown, *_beside = (each.value for each in app.dataframe)
    expected = rows.groupby("source")["absolute_error"].mean().sort_values(ascending=False)
    np.testing.assert_allclose(shown["absolute_error"].astype(float), expected, rtol=1e-6)
    assert "mean absolute error, mg/dl" in app.dataframe[0].proto.columns


def test_a_tolerance_is_set_on_trust_and_errors_are_mistakes_from_then_on(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "runs" / "regression-of-rows"
    shutil.copytree(cache / "regression-of-rows", copy)
    monkeypatch.setenv("MCVIZ_CACHE", str(copy.parent))
    app = opened_page("trust", {})
    assert "Who looks at what?" not in words(app), "nothing is computed before it is set"
    (field,) = (each for each in app.text_input if each.key.startswith("tolerance-field"))
    run = mcviz.open_run(copy)
    errors = np.abs(run.mean_predictions[:, 0].astype(float) - run.labels[:, 0])
    assert 0.8 < (errors <= float(field.value)).mean() < 1
    field.set_value("nothing").run()
    press = lambda name: next(each for each in app.button if each.key == f"tolerance-{name}").click().run()  # noqa: E731
    press("set")
    assert "a number above 0, or a share such as 5%" in words(app)
    (field,) = (each for each in app.text_input if each.key.startswith("tolerance-field"))
    limit = float(np.median(errors))
    field.set_value(f"{limit:.6g}").run()
    press("set")
    assert not app.exception
    right = errors <= float(f"{limit:.6g}")
    assert f"{100 * right.mean():.2f}% (" in words(app)
    assert "Who looks at what?" in words(app)
    assert [f"of {(~right).sum():,}" in each.value for each in app.caption].count(True)
    coloured = opened_page("uncertain", {"view": "scatter", "colour": "correct"})
    assert widget(coloured.selectbox, "colour").value == "correct"
    press("clear")
    assert not mcviz.open_run(copy).decisions.tolerances


def test_groups_on_trust_have_their_rmse_and_what_intervals_hold_the_worst_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    run = make_regions(tmp_path / "regions")
    app = opened_page("trust", {"run": "regions", "details": "groups"})
    assert "**Worse than chance explains: north.**" in words(app)
    assert "First to look at" in words(app)
    shown = table(app, "RMSE")
    outputs, _, labels = arrays(run)
    ends = np.quantile(outputs, [0.05, 0.95], axis=0, method="weibull")
    held, error = (ends[0] <= labels) & (labels <= ends[1]), outputs.mean(axis=0) - labels
    rmse = {}
    for name in ("north", "south"):
        within = (run.table()["region"] == name).to_numpy()
        rmse[name] = float(np.sqrt(np.mean(error[within] ** 2)))
        row = shown.loc[name]
        assert numbers(plain(row["RMSE"]))[0] == pytest.approx(rmse[name], rel=1e-3)
        assert numbers(plain(row["coverage of 90% intervals"]))[0] == pytest.approx(100 * held[within].mean(), abs=0.01)
    assert shown.index.tolist() == sorted(rmse, key=lambda name: -rmse[name])
