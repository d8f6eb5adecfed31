"""What the charts of many examples, and of one example's passes, hold."""

from typing import Any, Literal

import numpy as np
import pytest
from plotly.basedatatypes import BaseTraceType

from mcviz import figures
from mcviz.figures.scores import FADED
from mcviz.measures import summarise

NAMES = ["cat", "dog", "owl"]


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def all_of(traces: list[BaseTraceType], attribute: str) -> np.ndarray:
    return np.concatenate([np.asarray(getattr(trace, attribute)) for trace in traces])


def test_every_example_is_one_point_of_its_group(generator: np.random.Generator) -> None:
    x, y, groups = generator.random(50), generator.random(50), generator.integers(0, 2, 50)
    numbers = np.arange(100, 150)  # of the examples in the run, which the other filters leave
    outline = [(0.1, 0.1), (0.9, 0.1), (0.5, 0.9)]
    figure = figures.scatter(
        x, y, groups, ["correct", "wrong"], ["#000", "#fff"], numbers, axes=("a", "b"), outline=outline
    )
    assert sorted(all_of(figure.data, "customdata")) == list(range(100, 150))
    for trace in figure.data:
        rows = np.asarray(trace.customdata) - 100
        assert set(groups[rows]) == {["correct", "wrong"].index(trace.name)}
        np.testing.assert_allclose(trace.x, x[rows], rtol=1e-6)
        np.testing.assert_allclose(trace.y, y[rows], rtol=1e-6)
    assert figure.layout.shapes[0].path.count("L") == 3


def test_what_is_selected_elsewhere_stands_out(generator: np.random.Generator) -> None:
    x, y, selected, examples = generator.random(9), generator.random(9), np.arange(9) < 3, np.arange(100, 109)
    groups, names, colours = np.arange(9) % 2, ["a", "b"], ["#000", "#fff"]
    charts_of_it = (
        figures.scatter(x, y, groups, names, colours, examples, axes=None, selected=selected),
        figures.coloured_map(x, y, generator.random(9), "entropy", examples, selected=selected),
    )
    for figure in charts_of_it:
        for trace in (trace for trace in figure.data if trace.customdata is not None):
            bright = np.asarray(trace.marker.opacity) > FADED
            np.testing.assert_array_equal(bright, np.asarray(trace.customdata) < 103)


@pytest.mark.parametrize("uncertain_when", ["low", "high"])
def test_on_the_map_the_most_uncertain_are_brightest_and_on_top(
    generator: np.random.Generator, uncertain_when: Literal["low", "high"]
) -> None:
    x, y, values = generator.random(9), generator.random(9), generator.random(9)
    (points,) = figures.coloured_map(x, y, values, "a score", np.arange(9), uncertain_when=uncertain_when).data
    last, first = points.customdata[-1], points.customdata[0]
    assert (values[last], values[first]) == pytest.approx(
        (values.min(), values.max()) if uncertain_when == "low" else (values.max(), values.min())
    )
    assert luminance(drawn_colour(points.marker, values[last])) > luminance(drawn_colour(points.marker, values[first]))


def drawn_colour(marker: Any, value: float) -> np.ndarray:
    """(3,) sRGB in 0..1: the colour that plotly gives to a value."""
    positions, colours = zip(*marker.colorscale, strict=True)
    position = (value - marker.cmin) / (marker.cmax - marker.cmin)
    return np.array([np.interp(position, positions, parts) for parts in zip(*map(rgb, colours), strict=True)])


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def luminance(colour: np.ndarray) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("uncertain_when", [None, "low", "high"])
def test_numbers_on_squares_can_be_read(
    generator: np.random.Generator, uncertain_when: Literal["low", "high"] | None
) -> None:
    labels, predictions = generator.integers(0, 3, (2, 60))
    predictions[:3] = labels[:3]
    means = None if uncertain_when is None else generator.uniform(0.4, 1, 60)
    figure = figures.confusion_matrix(labels, predictions, NAMES, means, "score", uncertain_when or "high")
    for cells in figure.data:
        for fill, ink in zip(fills(figure, cells), cells.textfont.color, strict=True):
            light, dark = sorted((luminance(fill), luminance(rgb(ink))), reverse=True)
            assert (light + 0.05) / (dark + 0.05) > 3
        marked = luminance(rgb(cells.selected.marker.color)), luminance(rgb(cells.selected.textfont.color))
        assert (max(marked) + 0.05) / (min(marked) + 0.05) > 4.5


def fills(figure: Any, cells: Any) -> list[np.ndarray]:
    """The colour of each cell of a confusion matrix."""
    if isinstance(cells.marker.color, str):
        return [rgb(cells.marker.color)] * len(cells.customdata)
    return [drawn_colour(figure.layout.coloraxis, value) for value in cells.marker.color]


def test_the_diagonal_has_a_colour_that_no_mistake_has(generator: np.random.Generator) -> None:
    labels, predictions = generator.integers(0, 3, (2, 60))
    figure = figures.confusion_matrix(labels, predictions, NAMES)
    mistakes, correct = figure.data
    assert {cell // 3 == cell % 3 for cell in mistakes.customdata} == {False}
    assert {cell // 3 == cell % 3 for cell in correct.customdata} == {True}
    for fill in fills(figure, mistakes):
        assert np.abs(fill - rgb(correct.marker.color)).max() > 0.2
    (alone,) = figures.confusion_matrix(np.array([0, 1, 2]), np.array([0, 1, 2]), NAMES).data
    assert alone.marker.color == correct.marker.color


def test_cells_of_uncertainty_are_bright_whichever_way_a_score_goes() -> None:
    labels, predictions, confidence = np.array([0, 1]), np.array([0, 0]), np.array([0.99, 0.4])
    figure = figures.confusion_matrix(labels, predictions, NAMES, confidence, "max probability", "low")
    found = {int(cells.customdata[0]): luminance(fills(figure, cells)[0]) for cells in figure.data}
    assert found[3] > found[0]


@pytest.mark.parametrize("classes", [2, 10, 50, 90])
def test_cells_are_filled_and_do_not_cover_each_other_on_a_phone(classes: int) -> None:
    every = np.arange(classes)
    (cells,) = figures.confusion_matrix(every, every, [f"class number {c}" for c in every]).data
    np.testing.assert_array_equal(cells.x, every)
    np.testing.assert_array_equal(cells.base, every - 0.5)
    assert (set(cells.y), cells.width) == ({1}, 1)
    assert cells.marker.line.width <= 1


def test_the_map_keeps_each_example_s_place_and_colour(generator: np.random.Generator) -> None:
    x, y, values, examples = generator.random(9), generator.random(9), generator.random(9), np.arange(100, 109)
    (points,) = figures.coloured_map(x, y, values, "entropy", examples).data
    for point, example in enumerate(points.customdata):
        assert points.x[point] == pytest.approx(x[example - 100])
        assert points.y[point] == pytest.approx(y[example - 100])
        assert points.marker.color[point] == pytest.approx(values[example - 100])


def test_cells_of_very_many_classes_say_their_numbers_on_hover_alone() -> None:
    every = np.arange(60)
    figure = figures.confusion_matrix(every, every[::-1], [str(c) for c in every], np.linspace(0, 1, 60), "entropy")
    assert {trace.textposition for trace in figure.data} == {"none"}
    assert {trace.textposition for trace in figures.confusion_matrix(every, every, [str(c) for c in every]).data} == {
        "none"
    }


def test_the_confusion_matrix_counts_every_example_once() -> None:
    labels, predictions = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 0])
    figure = figures.confusion_matrix(labels, predictions, NAMES)
    assert of_cells(figure, "text") == {0: "1", 1: "1", 4: "1", 6: "2", 8: "1"}
    assert of_cells(figure, "base") == {0: -0.5, 1: -0.5, 4: 0.5, 6: 1.5, 8: 1.5}
    assert of_cells(figure, "x") == {0: 0, 1: 1, 4: 1, 6: 0, 8: 2}
    assert figure.layout.yaxis.ticktext == figure.layout.xaxis.ticktext == ("cat", "dog", "owl")


def test_the_cell_of_a_label_and_a_prediction_is_marked_alone() -> None:
    labels, predictions = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 0, 2, 0, 0])
    for selected in ((0, 1), (1, 0), (2, 2)):
        traces = figures.confusion_matrix(labels, predictions, NAMES, selected=selected).data
        assert [trace.customdata[at] for trace in traces for at in trace.selectedpoints] == [
            selected[0] * 3 + selected[1]
        ]


def test_the_confusion_matrix_averages_a_score() -> None:
    labels, predictions = np.array([0, 0, 1]), np.array([1, 1, 1])
    figure = figures.confusion_matrix(labels, predictions, NAMES, np.array([0.2, 0.4, 1.0]), "entropy")
    assert of_cells(figure, "text") == {1: "0.30", 4: "1.00"}


def of_cells(figure: Any, name: str) -> dict[int, Any]:
    """An attribute of each cell of a confusion matrix, by the cell's number."""
    return {
        int(cell): value
        for cells in figure.data
        for cell, value in zip(cells.customdata, getattr(cells, name), strict=True)
    }


def test_correct_and_wrong_predictions_are_shares_of_their_own(generator: np.random.Generator) -> None:
    values, correct = generator.random(100), np.arange(100) >= 7
    correct_bars, wrong_bars = figures.score_distributions(values, correct, "entropy").data
    assert (sum(correct_bars.y), sum(wrong_bars.y)) == pytest.approx((1, 1))
    assert (sum(correct_bars.customdata), sum(wrong_bars.customdata)) == (93, 7)
    (everything,) = figures.score_distributions(values, None, "entropy").data
    assert sum(everything.customdata) == 100


def test_scores_that_lie_within_a_few_steps_of_float32_are_drawn() -> None:
    values = np.array([1, np.nextafter(np.float32(1), np.float32(0)), 1], np.float32)
    (bars,) = figures.score_distributions(values, None, "max probability").data
    assert sum(bars.customdata) == 3


def test_mistakes_found_ends_at_all_of_them() -> None:
    wrong = np.zeros(1000, dtype=bool)
    wrong[[0, 3, 20, 900]] = True
    found, in_random_order, marked = figures.mistakes_by_reviewed(wrong, share=0.05).data
    assert found.y[-1] == 1
    assert (np.diff(found.y) >= 0).all()
    assert marked.y[0] == 0.75
    np.testing.assert_allclose(in_random_order.x, in_random_order.y)


def test_two_classes_show_every_pass_once(generator: np.random.Generator) -> None:
    probs = generator.dirichlet(np.ones(3), 80).astype(np.float32)
    figure = figures.two_classes(probs, 2, 0, NAMES)
    assert len(all_of(figure.data, "x")) == 80
    assert sorted(all_of(figure.data, "x")) == pytest.approx(sorted(probs[:, 2]))
    assert sum(int(trace.name.split()[0]) for trace in figure.data) == 80


def test_the_estimate_settles_at_the_predictive_mean(generator: np.random.Generator) -> None:
    probs = generator.dirichlet(np.ones(3), 80).astype(np.float32)
    figure = figures.estimate_by_passes(probs, [1], NAMES)
    band, line = figure.data
    for t in (1, 7, 80):
        mean, std = probs[:t, 1].mean(dtype=float), probs[:t, 1].std(dtype=float)
        assert line.y[t - 1] == pytest.approx(mean)
        assert band.y[t - 1] == pytest.approx(min(1, mean + 2 * std / np.sqrt(t)))
        assert band.y[-t] == pytest.approx(max(0, mean - 2 * std / np.sqrt(t)))


def test_classes_lie_at_their_mistakes_and_uncertainty() -> None:
    (dots,) = figures.class_accuracies(np.array([1, 0.9, 0.5]), np.array([0.1, 0.2, 0.3]), NAMES, "entropy").data
    np.testing.assert_allclose(dots.y, [0, 0.1, 0.5])
    assert list(dots.text) == NAMES


def test_of_very_many_classes_no_table_of_all_pairs_is_made() -> None:
    classes = 200_000
    labels = np.array([0, 5, 5, classes - 1])
    figure = figures.confusion_matrix(labels, labels[::-1], [str(c) for c in range(classes)])
    assert sum(len(cells.customdata) for cells in figure.data) == len(
        {*zip(labels.tolist(), labels[::-1].tolist(), strict=True)}
    )


@pytest.mark.parametrize("classes", [20, 21, 1000])
def test_of_many_classes_the_likeliest_ten_and_the_label_are_shown(
    generator: np.random.Generator, classes: int
) -> None:
    probs = generator.dirichlet(np.ones(classes), 5)
    least, likeliest = int(probs.mean(axis=0).argmin()), np.argsort(-probs.mean(axis=0))[:10]
    names = [f"c{c}" for c in range(classes)]
    figure = figures.class_probabilities(summarise(probs), names, least)
    shown = {name for bar in figure.data for name in bar.x}
    expected = {*range(classes)} if classes == 20 else {*likeliest.tolist(), least}
    assert shown == {names[c] for c in expected}
    counts = figures.class_counts(np.repeat(np.arange(classes), np.arange(classes)), names).data[0]
    assert list(counts.y)[:: -1 if classes == 20 else 1][:10] == [*range(classes - 1, classes - 11, -1)]
    assert len(counts.x) == (20 if classes == 20 else 10)


def test_long_names_stand_beside_lying_bars(generator: np.random.Generator) -> None:
    probs = generator.dirichlet(np.ones(3), 5)
    names = ["short", "a name of many words", "another"]
    lying, upright = (figures.class_probabilities(summarise(probs), given, 0) for given in (names, ["a", "b", "c"]))
    for bar in lying.data:
        assert bar.orientation == "h"
        for name, mean in zip(bar.y, bar.x, strict=True):
            assert mean == pytest.approx(probs.mean(axis=0)[names.index(name)])
    assert {bar.orientation for bar in upright.data} == {"v"}
