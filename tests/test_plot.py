"""The charts of a run in a notebook: what they hold, and that the pages draw no chart of a run by other ways."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import ImageColor

import mcviz
from mcviz import Run, figures, plot
from mcviz.analysis.calibration_sentences import calibration_text
from mcviz.analysis.predictors import predictors
from mcviz.choices import PREDICTOR_NAMES
from mcviz.errors import InvalidInputError, McvizError
from mcviz.figures.style import WRONG
from mcviz.measures.calibration import CALIBRATION_MEASURES, calibration, calibration_table
from mcviz.plot import CAPTION, GAP, MARK, TILE, draw_contact_sheet
from tests.figures.reading import trace_named

PACKAGE = Path(mcviz.__file__).parent
SHIPPED = Path(__file__).parents[1] / "cache" / "mnist-cnn"
PAGES_ALONE = {
    "the axes and colours are chosen on the page: one line of plotly over `Run.table`": {"scatter", "coloured_map"},
    "a closer look at passes that `Run.predictions` gives": {
        "two_classes",
        "estimate_by_passes",
        "output_by_passes",
    },
    "of inputs that are not in the run, or changed, which the model predicts meanwhile": {
        "calibration_along",
        "class_counts",
        "curves_along",
        "effect_bars",
        "map_over_picture",
        "predictions_along",
        "score_comparison",
        "unusual_values",
    },
    "of OOD scores, which take a comparison first": {
        "auroc_of_sets",
        "ood_score_distributions",
        "roc_curve",
        "stopped_of_sets",
    },
}
COUNT, CLASSES, PASSES = 60, 3, 8
ECES = "ece", "ece_equal_mass"


def charts() -> set[str]:
    """The functions of `figures` that draw a chart."""
    modules = [importlib.import_module(f"mcviz.figures.{each.name}") for each in pkgutil.iter_modules(figures.__path__)]
    functions = [(each, function) for each in modules for _, function in inspect.getmembers(each, inspect.isfunction)]
    found = set()
    for module, function in functions:
        types = dict(inspect.get_annotations(function))
        makes_one = types.pop("return", None) is go.Figure and go.Figure not in types.values()
        if makes_one and function.__module__ == module.__name__ and not function.__name__.startswith("_"):
            found.add(function.__name__)
    return found


def names_in(path: Path) -> Iterator[str]:
    """What a module imports from `figures`, or takes from it by its name; and what it calls."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mcviz.figures"):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "figures":
            yield node.attr
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_every_chart_of_the_pages_is_one_of_plot_s_or_has_a_reason_not_to_be() -> None:
    on_pages = {name for path in (PACKAGE / "app").rglob("*.py") for name in names_in(path)}
    alone = set().union(*PAGES_ALONE.values())
    assert on_pages & charts() == alone
    assert charts() - set(names_in(PACKAGE / "plot.py")) <= alone, "each can be drawn in a notebook, or has a reason"
    assert not {name for name in on_pages if re.fullmatch(r"(go\.)?Figure|px\..*|make_subplots", name)}


@pytest.fixture(scope="module")
def probs() -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.full(CLASSES, 0.4), (PASSES, COUNT)).astype(np.float32)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(CLASSES, size=COUNT)


@pytest.fixture(scope="module")
def classes(probs: np.ndarray, labels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Run:
    images = np.random.default_rng(2).integers(0, 256, (COUNT, 6, 5, 1)).astype(np.uint8)
    columns = pd.DataFrame({"source": ["a", "b"] * (COUNT // 2)})
    more = {"columns": columns, "ids": [f"item {place}" for place in range(COUNT)], "deterministic": probs[0]}
    out = tmp_path_factory.mktemp("runs") / "classes"
    return mcviz.write_run(out, probs, data=images, labels=labels, class_names=["cat", "dog", "<owl>"], **more)


@pytest.fixture(scope="module")
def outputs() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(PASSES, COUNT, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def targets() -> np.ndarray:
    return np.random.default_rng(4).normal(size=(COUNT, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def regression(outputs: np.ndarray, targets: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Run:
    names = {"target_names": ["height", "width"], "unit": "kg"}
    rows = np.random.default_rng(5).normal(size=(COUNT, 3)).astype(np.float32)
    out = tmp_path_factory.mktemp("runs") / "regression"
    return mcviz.write_run(out, outputs, task="regression", data=rows, labels=targets, **names)


@pytest.fixture(scope="module")
def unlabelled(probs: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return mcviz.write_run(tmp_path_factory.mktemp("runs") / "unlabelled", probs)


def test_passes_and_ensembles_are_as_good_as_their_labels_say(
    classes: Run, probs: np.ndarray, labels: np.ndarray, regression: Run, outputs: np.ndarray, targets: np.ndarray
) -> None:
    right = [(probs[:size].mean(axis=0).argmax(axis=1) == labels).mean() for size in range(1, PASSES + 1)]
    assert list(trace_named(plot.ensemble_size(classes), "ensemble").y) == pytest.approx(right)
    assert trace_named(plot.accuracy(classes), "ensemble").x[0] == pytest.approx(right[-1])
    assert trace_named(plot.accuracy(classes), "deterministic").x[0] == pytest.approx(right[0])
    error = np.sqrt(((outputs.mean(axis=0, dtype=np.float64) - targets) ** 2).mean())
    found = trace_named(plot.ensemble_size(regression), "ensemble").y
    assert found[-1] == pytest.approx(error)
    assert trace_named(plot.accuracy(regression), "ensemble").x[0] == pytest.approx(found[-1])


def test_a_reliability_diagram_counts_every_prediction(classes: Run, probs: np.ndarray, labels: np.ndarray) -> None:
    mean = probs.mean(axis=0)
    figure = plot.reliability(classes)
    (points,) = [each for each in figure.data if each.name == "ensemble" and each.mode == "markers"]
    counts = np.array(points.customdata)
    assert counts.sum() == COUNT
    gap = (mean.argmax(axis=1) == labels).mean() - mean.max(axis=1).mean()
    assert counts @ np.array(points.y) / COUNT == pytest.approx(100 * gap, abs=1e-2)
    assert {each.name for each in figure.data if each.name} == {"deterministic", "ensemble"}
    found = predictors(classes)
    found["ensemble"] = found["deterministic"]
    ahead, again = [each.y for each in plot.reliability(classes, found).data if each.name]
    assert list(ahead) == list(again), "what is there already is drawn"


def test_a_class_of_several_is_compared_with_the_examples_that_have_it(tmp_path: Path, classes: Run) -> None:
    random = np.random.default_rng(0)
    probs = random.random((COUNT, 2)) + random.uniform(-0.05, 0.05, (3, COUNT, 2))
    probs = probs.clip(0, 1)
    known = np.stack([random.random(COUNT) < probs[0, :, 0], np.full(COUNT, np.nan)], axis=1)
    run = mcviz.write_run(tmp_path / "run", probs, labels=known, class_names=["cat", "<owl>"], task="multilabel")
    dots = trace_named(plot.class_reliability(run, 0), "cat")
    assert len(dots.x) > 1
    assert (np.diff(dots.x) > 0).all()
    with pytest.raises(InvalidInputError, match="it is known whether it has <owl>"):
        plot.class_reliability(run, 1)
    with pytest.raises(InvalidInputError, match="`number` should be"):
        plot.class_reliability(run, 2)
    with pytest.raises(InvalidInputError, match="This is for several labels an example"):
        plot.class_reliability(classes)


def test_figures_of_each_predictor_are_dots_with_their_intervals(classes: Run) -> None:
    found = calibration(predictors(classes), resamples=50)
    figure = plot.calibration(classes, found)
    titles = {each.text.split(" (")[0]: number for number, each in enumerate(figure.layout.annotations)}
    for measure, title in ((name, measure.heading) for name, measure in CALIBRATION_MEASURES.items()):
        axis = f"x{titles[title] + 1}".replace("x1", "x")
        for name, each in found.figures.items():
            (dot,) = [one for one in figure.data if one.xaxis == axis and one.name == PREDICTOR_NAMES[name]]
            interval, scale = each[measure], 1 if measure in ("nll", "brier") else 100
            assert dot.x[0] == pytest.approx(scale * interval.value)
            if np.isnan(interval.low):
                assert dot.error_x.array is None
            else:
                assert dot.x[0] + dot.error_x.array[0] == pytest.approx(scale * interval.high)
                assert dot.x[0] - dot.error_x.arrayminus[0] == pytest.approx(scale * interval.low)
            assert calibration_table(found)[PREDICTOR_NAMES[name]][title] in dot.hovertext
            other = calibration_table(found).get(f"ensemble − {PREDICTOR_NAMES[name]}")
            assert ("ensemble − this" in dot.hovertext) == (other is not None)
            assert other is None or other[title] in dot.hovertext
    ticks = [each.x for each in figure.data if each.name is None]
    (first, second) = ([each[ece] for each in found.eces_by_chance.values()] for ece in ECES)
    for tick, chances in zip(ticks, (first, second), strict=True):
        assert sorted(tick) == pytest.approx(sorted(100 * each for each in chances))
    (zero,) = figure.layout.shapes
    assert (zero.xref, zero.x0) == (f"x{titles['confidence − accuracy'] + 1}", 0)
    spoken = calibration_text(found)
    for row in calibration_table(found).values():
        assert all(f"{measure} {number}" in spoken for measure, number in row.items())


def test_a_ranking_finds_the_mistakes_in_its_order(
    classes: Run, probs: np.ndarray, labels: np.ndarray, regression: Run, outputs: np.ndarray, targets: np.ndarray
) -> None:
    mean, errors = probs.mean(axis=0), np.sqrt(((outputs.mean(axis=0) - targets) ** 2).sum(axis=1))
    spread = np.sqrt(outputs.astype(np.float64).var(axis=0).sum(axis=1))
    wrong = (mean.argmax(axis=1) != labels)[np.argsort(mean.max(axis=1))]
    large = np.isin(np.argsort(-spread), np.argsort(-errors)[: COUNT // 20])
    for figure, in_order in ((plot.ranking(classes), wrong), (plot.ranking(regression), large)):
        line = trace_named(figure, "most uncertain first")
        reviewed = np.round(np.array(line.x) * COUNT).astype(int)
        assert reviewed[-1] == COUNT
        assert list(line.y) == pytest.approx([in_order[:some].sum() / in_order.sum() for some in reviewed])
        assert figure.layout.xaxis.ticktext == ("5%", "20%", "100%")


def test_the_rest_is_as_accurate_as_it_is_without_the_most_uncertain(
    classes: Run, probs: np.ndarray, labels: np.ndarray
) -> None:
    figure = plot.risk_coverage(classes, "predictive_entropy")
    mean = probs.mean(axis=0, dtype=np.float64)
    right = (mean.argmax(axis=1) == labels)[np.argsort((mean * np.log(mean)).sum(axis=1))]
    line = trace_named(figure, "Predictive entropy")
    assert list(line.y[:-1]) == pytest.approx([right[referred:].mean() for referred in range(COUNT - 1)])
    assert {trace.name for trace in figure.data} >= {"Deterministic confidence", "perfect order", "random order"}
    both = plot.risk_coverage(mcviz.compare(classes, classes))
    assert list(trace_named(both, "random order").y) == pytest.approx([right.mean()] * COUNT)


def test_a_confusion_matrix_and_a_distribution_are_of_the_rows_that_are_given(classes: Run) -> None:
    table = classes.table()
    some = table[table["source"] == "a"]
    for rows, given in ((table, {}), (some, {"rows": some})):
        cells = {
            int(number): int(re.search(r": (\d+) examples", text)[1])
            for bars in plot.confusion(classes, **given).select_traces({"type": "bar"})
            for number, text in zip(bars.customdata, bars.hovertext, strict=True)
        }
        counted = pd.crosstab(rows["label"], rows["prediction"]).stack()
        assert cells == {label * CLASSES + got: count for (label, got), count in counted.items() if count}
        bars = plot.distribution(classes, **given).data
        assert {bar.name.split(" ")[0]: sum(bar.customdata) for bar in bars} == {
            "correct": rows["correct"].sum(),
            "wrong": (~rows["correct"]).sum(),
        }


def test_each_class_is_as_good_as_its_examples(classes: Run) -> None:
    (dots,) = plot.classes(classes, "margin").data
    by_label = classes.table().groupby("label")
    np.testing.assert_allclose(dots.customdata, by_label["correct"].mean().astype(float))
    np.testing.assert_allclose(dots.x, by_label["margin"].mean(), rtol=1e-6)


def test_a_map_draws_each_example_where_it_lies(classes: Run) -> None:
    positions = np.random.default_rng(6).normal(size=(COUNT, 2))
    positions[7] = np.nan
    (points,) = plot.map(classes, positions=positions).data
    assert sorted(points.customdata) == [place for place in range(COUNT) if place != 7]
    np.testing.assert_allclose(points.x, positions[list(points.customdata), 0], rtol=1e-6)
    np.testing.assert_allclose(points.marker.color, classes.scores()["max_probability"].iloc[list(points.customdata)])


@pytest.mark.slow
def test_the_plane_of_a_map_holds_the_most_that_two_directions_can(classes: Run, regression: Run) -> None:
    (points,) = plot.map(classes).data
    pixels = np.asarray(classes.images[:]).reshape(COUNT, -1).astype(np.float64)
    most = np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False)[:2]
    np.testing.assert_allclose([np.linalg.norm(points.x), np.linalg.norm(points.y)], most, rtol=1e-3)
    assert len(plot.map(regression).data[0].x) == COUNT, "rows have a map as well"


def test_errors_and_predictions_of_a_regression_are_those_of_its_mean(
    regression: Run, outputs: np.ndarray, targets: np.ndarray
) -> None:
    some = regression.table().iloc[10:20]
    points = plot.predicted(regression, target=1, rows=some).data[-1]
    order = list(points.customdata)
    assert sorted(order) == list(range(10, 20))
    np.testing.assert_allclose(points.x, targets[order, 1], rtol=1e-6)
    np.testing.assert_allclose(points.y, outputs.mean(axis=0)[order, 1], rtol=1e-5)
    bars = plot.predicted(regression, target=1, rows=some).data[0]
    np.testing.assert_allclose((bars.y[1::3] - bars.y[::3]) / 2, outputs[:, 10:20, 1].std(axis=0), rtol=1e-4)
    points = plot.errors(regression, rows=some).data[0]
    off = np.sqrt(((outputs.mean(axis=0) - targets) ** 2).sum(axis=1))
    np.testing.assert_allclose(points.y, off[list(points.customdata)], rtol=1e-5)
    line = plot.intervals(regression, 1).data[1]
    low, high = np.quantile(outputs[..., 1], [0.25, 0.75], axis=0, method="weibull")
    held = ((low <= targets[:, 1]) & (targets[:, 1] <= high)).mean()
    assert dict(zip(np.round(line.x, 2), line.y, strict=True))[0.5] == pytest.approx(held)


def test_an_example_shows_the_mean_of_its_passes_and_a_new_input_does_too(
    classes: Run, probs: np.ndarray, labels: np.ndarray, regression: Run, outputs: np.ndarray, targets: np.ndarray
) -> None:
    for figure in (plot.example(classes, 7), plot.passes(classes, probs[:, 7], label=int(labels[7]))):
        heights = {name: height for bar in figure.data for name, height in zip(bar.x, bar.y, strict=True)}
        expected = dict(zip(("cat", "dog", "&lt;owl>"), probs[:, 7].mean(axis=0), strict=True))
        assert {name.replace("&gt;", ">"): height for name, height in heights.items()} == pytest.approx(
            expected, abs=1e-4
        )
    figure = plot.example(regression, 7, target=1, coverage=0.5)
    assert sum(trace_named(figure, "single passes").y) == PASSES
    assert trace_named(figure, "label").x[0] == pytest.approx(targets[7, 1])
    with pytest.raises(IndexError, match=r"0 to 59\. Received: 60"):
        plot.example(classes, 60)
    with pytest.raises(InvalidInputError, match=r"`target` should be .* 0 to 1"):
        plot.example(regression, 7, target=2)
    with pytest.raises(InvalidInputError, match=r"`coverage` should be .*Received: 90"):
        plot.example(regression, 7, coverage=90)
    with pytest.raises(InvalidInputError, match=r"`predictions` should .*\(T, K\).* Take those of one input"):
        plot.passes(classes, probs[:, :1])


def test_a_contact_sheet_takes_numbers_and_ids(classes: Run) -> None:
    sheet = plot.examples(classes, [3, 59])
    assert sheet == draw_contact_sheet(classes, [3, 59])
    assert plot.examples(classes, ["item 3", "item 59"]) == sheet
    for wrong, received in (([60], "60"), (["item 60"], "item 60"), ([], "none")):
        with pytest.raises(InvalidInputError, match=f"0 to 59, or their ids. Received: {received}"):
            plot.examples(classes, wrong)


OF_CLASSES = [plot.reliability, plot.calibration, plot.risk_coverage, plot.confusion, plot.classes, plot.convergence]
OF_TARGETS = [plot.intervals, plot.predicted, plot.errors]
WITH_LABELS = [plot.accuracy, plot.ensemble_size, plot.ranking, *OF_CLASSES]


@pytest.mark.parametrize("draw", OF_CLASSES)
def test_a_chart_of_classes_refuses_a_regression(draw: Callable[[Run], go.Figure], regression: Run) -> None:
    needs = "(one class an example|a loss that has a bound)"
    with pytest.raises(InvalidInputError, match=rf"This takes {needs}.* Received: .*, of regression"):
        draw(regression)


@pytest.mark.parametrize("draw", OF_TARGETS)
def test_a_chart_of_targets_refuses_classes(draw: Callable[[Run], go.Figure], classes: Run) -> None:
    with pytest.raises(InvalidInputError, match=r"for runs of regression\. Received: .*, of classification"):
        draw(classes)


@pytest.mark.parametrize("draw", WITH_LABELS)
def test_a_chart_of_mistakes_asks_for_labels(draw: Callable[[Run], go.Figure], unlabelled: Run) -> None:
    with pytest.raises(InvalidInputError, match=r"takes labels, and .* has none"):
        draw(unlabelled)


def test_a_score_that_is_not_there_is_refused(classes: Run, unlabelled: Run) -> None:
    with pytest.raises(InvalidInputError, match="`score` should be 'max_probability' or "):
        plot.distribution(classes, "doubt")
    with pytest.raises(InvalidInputError, match="Received: 'self_confidence'"):
        plot.ranking(classes, "self_confidence")  # which looks at the label
    with pytest.raises(InvalidInputError, match="has neither"):
        plot.map(unlabelled)
    assert len(plot.distribution(unlabelled).data) == 1


def test_every_example_is_on_the_sheet_and_every_mistake_is_marked() -> None:
    run, examples = mcviz.open_run(SHIPPED), [3, 247, 1709, 9999, 1039]
    sheet = np.asarray(draw_contact_sheet(run, examples, columns=2))
    side = 4 * 28
    table = run.scores()
    assert not table["correct"][examples].all()
    for place, example in enumerate(examples):
        top, left = GAP + place // 2 * (side + MARK + CAPTION + GAP), GAP + place % 2 * (side + GAP)
        picture = sheet[top : top + side, left : left + side]
        np.testing.assert_array_equal(picture[::4, ::4], np.repeat(run.pictures[example], 3, axis=-1))
        marked = (sheet[top + side, left : left + side] == ImageColor.getrgb(WRONG)).all()
        assert marked == (not table["correct"][example])


def test_photographs_are_scaled_down_and_a_regression_has_no_mistakes(tmp_path: Path) -> None:
    photographs = np.full((3, 300, 600, 3), (0, 0, 255), np.uint8)
    outputs = np.random.default_rng(0).normal(size=(4, 3, 1)).astype(np.float32)
    run = mcviz.write_run(tmp_path / "run", outputs, data=photographs, task="regression", labels=outputs[0])
    sheet = np.asarray(draw_contact_sheet(run, range(3)))
    assert (sheet == (0, 0, 255)).all(axis=2).sum() == 3 * TILE * TILE // 2
    assert not (sheet == ImageColor.getrgb(WRONG)).all(axis=2).any()


def test_examples_without_pictures_are_refused(tmp_path: Path) -> None:
    run = mcviz.write_run(tmp_path / "run", np.eye(2, dtype=np.float32)[[[0, 1, 1], [1, 0, 1]]])
    with pytest.raises(McvizError, match="without its images"):
        draw_contact_sheet(run, [0])
