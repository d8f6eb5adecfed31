"""The figures of regression: what they hold, looked up in their data."""

import numpy as np
import pytest
from plotly.basedatatypes import BaseTraceType
from plotly.graph_objects import Figure
from scipy import stats

from mcviz import figures
from mcviz.figures import regression
from mcviz.figures.scores import FADED, MOST_DRAWN_POINTS
from mcviz.measures import RegressionPredictions
from mcviz.measures.conformal import interval_calibration
from tests.figures.reading import trace_named

RANDOM = np.random.default_rng(0)
LABELS, EXAMPLES = RANDOM.normal(50, 20, 40), np.arange(100, 140)
PREDICTIONS, SCORE = LABELS + RANDOM.normal(0, 5, 40), RANDOM.random(40)


def points(figure: Figure) -> list[BaseTraceType]:
    """The traces that a lasso and a click find."""
    return [trace for trace in figure.data if trace.customdata is not None]


@pytest.mark.parametrize("score", [None, SCORE])
def test_every_example_stands_at_its_label_and_prediction_and_carries_its_number(score: np.ndarray | None) -> None:
    figure = figures.predicted_against_true(LABELS, PREDICTIONS, EXAMPLES, unit="mg/dl", score=score, title="doubt")
    (trace,) = points(figure)
    rows = np.asarray(trace.customdata) - 100
    assert sorted(rows) == list(range(40))
    np.testing.assert_allclose(trace.x, LABELS[rows], rtol=1e-6)
    np.testing.assert_allclose(trace.y, PREDICTIONS[rows], rtol=1e-6)
    if score is not None:
        np.testing.assert_allclose(trace.marker.color, score[rows], rtol=1e-6)
        assert trace.marker.colorbar.title.text == "doubt"
    assert "example %{customdata}: label %{x:,.4~r}, prediction %{y:,.4~r}" in trace.hovertemplate
    assert figure.layout.xaxis.title.text == "label, mg/dl"
    assert figure.layout.yaxis.title.text == "prediction, mg/dl"
    assert figure.layout.xaxis.visible is not False
    assert figure.layout.yaxis.scaleanchor is None
    assert figure.layout.dragmode == "lasso"


def test_the_diagonal_is_where_prediction_and_label_agree() -> None:
    (line,) = figures.predicted_against_true(LABELS, PREDICTIONS, EXAMPLES).layout.shapes
    assert (line.x0, line.x1) == (line.y0, line.y1)
    assert line.x0 <= min(LABELS.min(), PREDICTIONS.min())
    assert line.x1 >= max(LABELS.max(), PREDICTIONS.max())


@pytest.mark.parametrize("score", [None, SCORE])
def test_error_bars_are_of_few_examples_and_no_lasso_takes_them(score: np.ndarray | None) -> None:
    std = RANDOM.random(40) + 1
    figure = figures.predicted_against_true(LABELS, PREDICTIONS, EXAMPLES, std=std, score=score)
    bars = trace_named(figure, "one std")
    assert bars.mode == "lines"
    assert bars.customdata is None
    ends = np.asarray(bars.y).reshape(40, 3)
    np.testing.assert_allclose(ends[:, 0], PREDICTIONS - std)
    np.testing.assert_allclose(ends[:, 1], PREDICTIONS + std)
    assert np.isnan(ends[:, 2]).all()
    many = np.tile(LABELS, 10)
    figure = figures.predicted_against_true(many, many, np.arange(400), std=np.ones(400), score=None)
    assert len(figure.data) == 1


@pytest.mark.parametrize("score", [None, SCORE])
def test_what_is_selected_stands_out_within_its_outline(score: np.ndarray | None) -> None:
    selected = np.arange(40) < 7
    figure = figures.predicted_against_true(
        LABELS,
        PREDICTIONS,
        EXAMPLES,
        score=score,
        selected=selected,
        outline=[(0, 0), (9, 0), (9, 9)],
    )
    for trace in points(figure):
        bright = np.asarray(trace.marker.opacity) > FADED
        np.testing.assert_array_equal(bright, np.asarray(trace.customdata) < 107)
    assert [shape.type for shape in figure.layout.shapes] == ["path", "line"]


def test_errors_are_drawn_against_doubt_with_the_medians_of_tenths() -> None:
    errors = np.abs(LABELS - PREDICTIONS)
    figure = figures.error_against_score(SCORE, errors, EXAMPLES, title="Predictive std, mg/dl", unit="mg/dl")
    (trace,) = points(figure)
    np.testing.assert_allclose(trace.y, errors[np.asarray(trace.customdata) - 100], rtol=1e-6)
    line = trace_named(figure, "median")
    assert len(line.x) == 10
    order = np.argsort(SCORE)
    for i in range(10):
        members = order[4 * i : 4 * i + 4]
        assert (line.x[i], line.y[i]) == pytest.approx((np.median(SCORE[members]), np.median(errors[members])))
    assert line.mode == "lines"
    assert figure.layout.yaxis.title.text == "absolute error, mg/dl"
    few = figures.error_against_score(SCORE[:3], errors[:3], EXAMPLES[:3], title="doubt")
    assert sorted(trace_named(few, "median").y) == sorted(errors[:3])


def test_very_many_examples_become_cells_below_the_line() -> None:
    count = MOST_DRAWN_POINTS + 1
    values, errors = RANDOM.random(count), RANDOM.random(count)
    figure = figures.error_against_score(values, errors, np.arange(count), title="doubt")
    assert len(figure.layout.images) == 1
    assert not points(figure)
    assert len(trace_named(figure, "median").x) == 10


def test_coverage_is_drawn_within_its_exact_intervals_beside_the_diagonal() -> None:
    outputs = RANDOM.normal(size=(30, 200, 1))
    (calibration,) = interval_calibration(RegressionPredictions(outputs, labels=RANDOM.normal(size=(200, 1))))
    figure = figures.interval_coverage(calibration)
    shade, line = figure.data
    np.testing.assert_array_equal(line.x, calibration.nominal)
    np.testing.assert_array_equal(line.y, calibration.observed)
    np.testing.assert_array_equal(shade.y, np.r_[calibration.high, calibration.low[::-1]])
    (shape,) = figure.layout.shapes
    assert (shape.x0, shape.y0, shape.x1, shape.y1) == (0, 0, 1, 1)


OUTPUTS = RANDOM.normal(120, 4, 200).astype(np.float32)


def test_one_example_s_passes_are_counted_beside_what_is_known_of_it() -> None:
    figure = figures.example_outputs(
        OUTPUTS, unit="mg/dl", deterministic=121.5, label=118.25, interval=(113, 127), coverage=0.9
    )
    bars = figure.data[0]
    assert sum(bars.y) == 200
    levels = {"predictive mean": OUTPUTS.mean(dtype=float), "deterministic": 121.5, "label": 118.25}
    for name, value in levels.items():
        assert list(trace_named(figure, name).x) == pytest.approx([value, value])
        assert trace_named(figure, name).name == f"{name} {value:.4g}"
    assert set(trace_named(figure, "90% interval").x) == {113, 127}
    assert figure.layout.xaxis.title.text == "prediction, mg/dl"
    bare = figures.example_outputs(OUTPUTS)
    assert [trace.name.split(" 1")[0] for trace in bare.data] == ["single passes", "predictive mean"]


def test_all_that_is_known_of_an_example_lies_within_the_chart() -> None:
    for known in ({"label": 300.0}, {"deterministic": -50.0}, {"interval": (0.0, 400.0)}, {"variances": OUTPUTS * 50}):
        figure = figures.example_outputs(OUTPUTS, **known)
        low, high = figure.layout.xaxis.range
        for trace in figure.data:
            assert low < min(trace.x) <= max(trace.x) < high
    endless = figures.example_outputs(OUTPUTS, interval=(-np.inf, np.inf))
    low, high = endless.layout.xaxis.range
    assert low < OUTPUTS.min() < OUTPUTS.max() < high
    assert set(trace_named(endless, "90% interval").x) == {low, high}


def test_the_density_is_that_of_the_mixture_at_the_scale_of_the_histogram() -> None:
    variances = RANDOM.gamma(2, size=200).astype(np.float32) + 1
    figure = figures.example_outputs(OUTPUTS, variances=variances)
    curve, bars = trace_named(figure, "predictive distribution"), figure.data[0]
    step = bars.x[1] - bars.x[0]
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(200 * step, rel=0.01)
    for x, y in list(zip(curve.x, curve.y, strict=True))[::40]:
        expected = stats.norm.pdf(x, OUTPUTS.astype(float), np.sqrt(variances.astype(float))).mean()
        assert y == pytest.approx(expected * 200 * step, rel=1e-6)
    assert figure.layout.yaxis.range[1] >= max(*curve.y, *bars.y)


def test_passes_that_all_agree_are_one_bar() -> None:
    figure = figures.example_outputs(np.full(5, 3.5, np.float32), label=3.5)
    assert sorted(figure.data[0].y)[-2:] == [0, 5]


def test_rmse_charts_show_passes_ensemble_and_deterministic_in_the_unit_of_the_target() -> None:
    rmse = RANDOM.normal(3, 0.1, 100)
    against = figures.rmse_against_ensemble(rmse, 2.5, 2.75, "mg/dl")
    assert sum(against.data[0].y) == 100
    assert set(trace_named(against, "ensemble 2.5").x) == {2.5}
    assert set(trace_named(against, "deterministic 2.75").x) == {2.75}
    low, high = against.layout.xaxis.range
    assert low < 2.5 < rmse.max() < high
    assert against.layout.xaxis.title.text == "RMSE, mg/dl"
    by_size = figures.rmse_by_ensemble_size(np.array([3.0, 2.75, 2.5]), None)
    assert list(by_size.data[0].x) == [1, 2, 3]
    assert list(by_size.data[0].y) == [3.0, 2.75, 2.5]
    assert by_size.layout.yaxis.title.text == "RMSE"
    assert len(by_size.data) == 1


def test_a_unit_is_shown_as_it_was_typed() -> None:
    unit = "<b>$x$"
    escaped = "&lt;b&gt;&#36;x&#36;"
    for figure, axis in (
        (figures.predicted_against_true(LABELS, PREDICTIONS, EXAMPLES, unit=unit), "xaxis"),
        (figures.error_against_score(SCORE, SCORE, EXAMPLES, title="doubt", unit=unit), "yaxis"),
        (figures.example_outputs(OUTPUTS, unit=unit), "xaxis"),
        (figures.output_by_passes(OUTPUTS, unit=unit), "yaxis"),
        (figures.rmse_against_ensemble(SCORE, 1, None, unit), "xaxis"),
        (figures.rmse_by_ensemble_size(SCORE, None, unit), "yaxis"),
    ):
        assert figure.layout[axis].title.text.endswith(f", {escaped}")


def test_error_bars_stop_where_they_would_hide_each_other() -> None:
    for count, traces in ((regression.ERROR_BARS, 2), (regression.ERROR_BARS + 1, 1)):
        ones = np.ones(count)
        assert len(figures.predicted_against_true(ones, ones, np.arange(count), std=ones).data) == traces
