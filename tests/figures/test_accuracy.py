"""The charts of accuracies and of mistakes: what they hold, looked up in their data, never their pixels."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from mcviz import figures
from mcviz.figures.style import INK
from mcviz.figures.trust import measures_by_passes
from tests.figures.reading import contrast, luminance, rgb

pytestmark = pytest.mark.lowest

NAMES = ["cat", "dog", "owl"]
PAGES = {"#FFFFFF": INK, "#10161D": "#E8EDF2"}  # of the light and the dark theme, and the ink on each


def traces(figure, kind: str) -> list:
    return [trace for trace in figure.data if trace.type == kind]


def test_accuracy_chart_counts_every_pass_and_marks_the_ensemble_in_blue() -> None:
    accuracy = np.random.default_rng(0).normal(0.98, 0.001, 500)
    figure = figures.accuracy_against_ensemble(accuracy, ensemble=0.992, deterministic=0.991)
    (bars,) = traces(figure, "bar")
    assert sum(bars.y) == 500
    assert min(bars.x) >= accuracy.min()
    assert max(bars.x) <= accuracy.max()
    lines = {line.name.split(" 9")[0]: line for line in traces(figure, "scatter")}
    assert set(lines["ensemble"].x) == {0.992}
    assert lines["ensemble"].line.color == "#0072B2"
    assert set(lines["deterministic"].x) == {0.991}


def test_accuracy_chart_survives_passes_that_all_agree() -> None:
    figure = figures.accuracy_against_ensemble(np.full(5, 0.5), ensemble=0.5, deterministic=0.5)
    assert sum(traces(figure, "bar")[0].y) == 5


def test_an_axis_of_accuracies_that_are_all_alike_ends_at_the_most_that_there_is() -> None:
    against = figures.accuracy_against_ensemble(np.ones(5), ensemble=1.0, deterministic=1.0)
    assert against.layout.xaxis.range[1] <= 1.02
    (bar,) = (x for x, count in zip(against.data[0].x, against.data[0].y, strict=True) if count)
    assert bar == pytest.approx(1)
    by_size = figures.accuracy_by_ensemble_size(np.ones(3), deterministic=None)
    by_passes = measures_by_passes(
        np.arange(1, 4), {"accuracy": np.ones(3), "NLL": np.ones(3)}, {"accuracy": ".2%", "NLL": ""}
    )
    for axis in (by_size.layout.yaxis, by_passes.layout.yaxis):
        assert (axis.range, axis.autorangeoptions.clipmax) == (None, 1.02)
    assert by_passes.layout.yaxis2.autorangeoptions.clipmax is None


@pytest.mark.parametrize("passes", [1, 2, 100, 130, 500])
def test_an_axis_of_passes_has_its_last_tick_and_lines_are_named_where_they_end(passes: int) -> None:
    figure = figures.accuracy_by_ensemble_size(np.full(passes, 0.9), deterministic=0.91)
    assert figure.layout.xaxis.ticktext[-1] == str(passes)
    assert figure.layout.xaxis.range[1] > np.log10(passes)
    assert not figure.layout.showlegend
    below, above = figure.layout.annotations
    assert below.text.endswith("> ensemble")
    assert above.text.endswith("> deterministic 91.00%")
    assert (below.yshift < 0, above.yshift > 0) == (True, True)
    assert figures.accuracy_by_ensemble_size(np.full(passes, 0.9), None).layout.showlegend is None


def test_no_name_of_a_class_is_dropped_below_a_confusion_matrix() -> None:
    labels = np.arange(10)
    names = [f"Ankle boot {c}" for c in range(10)]
    axis = figures.confusion_matrix(labels, labels, names).layout.xaxis
    assert len(axis.ticktext) == 10
    assert axis.tickangle < 0, "so that a name ends below its cell, and not beyond the chart"
    assert figures.confusion_matrix(labels, labels, [*"0123456789"]).layout.xaxis.tickangle == 0


def test_ensemble_size_is_counted_from_one() -> None:
    figure = figures.accuracy_by_ensemble_size(np.array([0.9, 0.92, 0.95]), deterministic=0.91)
    ensemble, deterministic = traces(figure, "scatter")
    assert list(ensemble.x) == [1, 2, 3]
    assert list(ensemble.y) == [0.9, 0.92, 0.95]
    assert set(deterministic.y) == {0.91}


def test_accuracy_charts_without_a_deterministic_accuracy_have_no_line_for_it() -> None:
    against = figures.accuracy_against_ensemble(np.array([0.9, 0.92]), ensemble=0.95, deterministic=None)
    by_size = figures.accuracy_by_ensemble_size(np.array([0.9, 0.95]), deterministic=None)
    assert [line.name for line in traces(against, "scatter")] == ["ensemble 95.00%"]
    assert [line.name for line in traces(by_size, "scatter")] == ["ensemble"]


def test_a_share_next_to_all_or_none_is_not_written_as_all_or_none() -> None:
    against = figures.accuracy_against_ensemble(np.array([0.5, 0.6]), ensemble=0.99999, deterministic=0.00001)
    assert [line.name for line in traces(against, "scatter")] == ["ensemble over 99.99%", "deterministic under 0.01%"]
    wrong = np.zeros(10_000, dtype=bool)
    wrong[:499], wrong[-1] = True, True
    (marked,) = [line for line in figures.mistakes_by_reviewed(wrong, share=0.05).data if "text" in line.mode]
    assert marked.text[0].startswith("over 99% of ")


def test_mistakes_found_ends_at_all_of_them() -> None:
    wrong = np.zeros(1000, dtype=bool)
    wrong[[0, 3, 20, 900]] = True
    by_score, in_random_order, marked = figures.mistakes_by_reviewed(wrong, share=0.05).data
    assert by_score.y[-1] == 1
    assert (np.diff(by_score.y) >= 0).all()
    assert marked.y[0] == 0.75
    np.testing.assert_allclose(in_random_order.x, in_random_order.y)


def test_the_confusion_matrix_counts_every_example_once() -> None:
    labels, predictions = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 0])
    figure = figures.confusion_matrix(labels, predictions, NAMES)
    assert of_cells(figure, "text") == {0: "1", 1: "1", 4: "1", 6: "2", 8: "1"}
    assert of_cells(figure, "base") == {0: -0.5, 1: -0.5, 4: 0.5, 6: 1.5, 8: 1.5}
    assert of_cells(figure, "x") == {0: 0, 1: 1, 4: 1, 6: 0, 8: 2}
    assert figure.layout.yaxis.ticktext == figure.layout.xaxis.ticktext == ("cat", "dog", "owl")


def test_the_confusion_matrix_averages_a_score() -> None:
    labels, predictions = np.array([0, 0, 1]), np.array([1, 1, 1])
    figure = figures.confusion_matrix(labels, predictions, NAMES, np.array([0.2, 0.4, 1.0]), "entropy")
    assert of_cells(figure, "text") == {1: "0.30", 4: "1.00"}


def of_cells(figure: Any, name: str) -> dict[int, Any]:
    """An attribute of each cell of a confusion matrix, by the cell's number."""
    return {
        int(cell): value
        for cells in cells_of(figure)
        for cell, value in zip(cells.customdata, getattr(cells, name), strict=True)
    }


def test_the_cell_of_a_label_and_a_prediction_is_marked_alone() -> None:
    labels, predictions = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 0, 2, 0, 0])
    for selected in ((0, 1), (1, 0), (2, 2)):
        traces = cells_of(figures.confusion_matrix(labels, predictions, NAMES, selected=selected))
        assert [trace.customdata[at] for trace in traces for at in trace.selectedpoints] == [
            selected[0] * 3 + selected[1]
        ]


@pytest.mark.parametrize("uncertain_when", [None, "low", "high"])
def test_numbers_on_squares_can_be_read(
    generator: np.random.Generator, uncertain_when: Literal["low", "high"] | None
) -> None:
    labels, predictions = generator.integers(0, 3, (2, 60))
    predictions[:3] = labels[:3]
    means = None if uncertain_when is None else generator.uniform(0.4, 1, 60)
    figure = figures.confusion_matrix(labels, predictions, NAMES, means, "score", uncertain_when or "high")
    for cells in cells_of(figure):
        for page, page_ink in PAGES.items():
            for fill, ink in zip(fills(cells, page), cells.textfont.color, strict=True):
                assert contrast(fill, rgb(page_ink if ink == INK else ink)) > (4.5 if ink == INK else 3)
        assert contrast(rgb(cells.selected.marker.color), rgb(cells.selected.textfont.color)) > 4.5


def cells_of(figure: Any) -> list[Any]:
    """The traces of a confusion matrix that hold cells, and not its colour bar."""
    return [trace for trace in figure.data if trace.customdata is not None]


def fills(cells: Any, page: str = "#FFFFFF") -> list[np.ndarray]:
    """The colour of each cell of a confusion matrix, as it is seen on a page."""
    colours = cells.marker.color
    return [
        seen(colour, page) for colour in ([colours] * len(cells.customdata) if isinstance(colours, str) else colours)
    ]


def seen(colour: str, page: str) -> np.ndarray:
    """(3,) sRGB of a colour on a page, which is seen through one such as "rgba(1, 2, 3, 0.5)"."""
    if colour.startswith("#"):
        return rgb(colour)
    *parts, opacity = map(float, colour.removeprefix("rgba(").removesuffix(")").split(","))
    return opacity * np.array(parts) / 255 + (1 - opacity) * rgb(page)


@pytest.mark.parametrize("page", ["#FFFFFF", "#10161D"])
def test_few_mistakes_recede_into_the_page_and_many_stand_out(page: str) -> None:
    labels, predictions = np.repeat([0, 1, 2, 0], [1, 5, 25, 300]), np.repeat([1, 2, 0, 0], [1, 5, 25, 300])
    mistakes, correct = cells_of(figures.confusion_matrix(labels, predictions, NAMES))
    by_cell = dict(zip(mistakes.customdata.tolist(), fills(mistakes, page), strict=True))
    distances = [np.abs(by_cell[cell] - rgb(page)).sum() for cell in (1, 5, 6)]
    assert distances[0] < distances[1] < distances[2]
    assert contrast(by_cell[1], rgb(page)) < 1.3
    assert contrast(by_cell[6], rgb(page)) > 2.5
    (quiet,) = {tuple(fill) for fill in fills(correct, page)}
    assert contrast(np.array(quiet), rgb(page)) < 2


def test_the_ink_on_veils_is_the_one_that_the_dashboard_turns_bright_on_a_dark_page() -> None:
    style = (Path(figures.__file__).parents[1] / "app" / "page.css").read_text()
    red, green, blue = (int(INK[place : place + 2], 16) for place in (1, 3, 5))
    assert f'.bartext[style*="rgb({red}, {green}, {blue})"]' in style


def test_a_legend_says_nothing_that_the_numbers_in_the_cells_say() -> None:
    labels, predictions = np.array([0, 0, 1]), np.array([1, 1, 1])
    assert len(cells_of(figure := figures.confusion_matrix(labels, predictions, NAMES))) == len(figure.data)
    averaged = figures.confusion_matrix(labels, predictions, NAMES, np.array([0.2, 0.4, 1.0]), "entropy")
    assert len(cells_of(averaged)) == len(averaged.data) - 1
    many = figures.confusion_matrix(np.arange(60), np.arange(60)[::-1], [str(c) for c in range(60)])
    assert len(cells_of(many)) == len(many.data) - 1, "which have no numbers in them"


def test_the_diagonal_has_a_colour_that_no_mistake_has(generator: np.random.Generator) -> None:
    labels, predictions = generator.integers(0, 3, (2, 60))
    figure = figures.confusion_matrix(labels, predictions, NAMES)
    mistakes, correct = cells_of(figure)
    assert {cell // 3 == cell % 3 for cell in mistakes.customdata} == {False}
    assert {cell // 3 == cell % 3 for cell in correct.customdata} == {True}
    for page in PAGES:
        for fill in fills(mistakes, page):
            assert np.abs(fill - seen(correct.marker.color, page)).max() > 0.1
    (alone,) = figures.confusion_matrix(np.array([0, 1, 2]), np.array([0, 1, 2]), NAMES).data
    assert alone.marker.color == correct.marker.color


def test_cells_of_uncertainty_are_bright_whichever_way_a_score_goes() -> None:
    labels, predictions, confidence = np.array([0, 1]), np.array([0, 0]), np.array([0.99, 0.4])
    figure = figures.confusion_matrix(labels, predictions, NAMES, confidence, "max probability", "low")
    brightness = {int(cells.customdata[0]): luminance(fills(cells)[0]) for cells in cells_of(figure)}
    assert brightness[3] > brightness[0]


@pytest.mark.parametrize("classes", [2, 10, 50, 90])
def test_cells_are_filled_and_do_not_cover_each_other_on_a_phone(classes: int) -> None:
    every = np.arange(classes)
    (cells,) = figures.confusion_matrix(every, every, [f"class number {c}" for c in every]).data
    np.testing.assert_array_equal(cells.x, every)
    np.testing.assert_array_equal(cells.base, every - 0.5)
    assert (set(cells.y), cells.width) == ({1}, 1)
    assert cells.marker.line.width <= 1


def test_cells_of_very_many_classes_say_their_numbers_on_hover_alone() -> None:
    every = np.arange(60)
    figure = figures.confusion_matrix(every, every[::-1], [str(c) for c in every], np.linspace(0, 1, 60), "entropy")
    assert {trace.textposition for trace in cells_of(figure)} == {"none"}
    assert {trace.textposition for trace in figures.confusion_matrix(every, every, [str(c) for c in every]).data} == {
        "none"
    }


def test_of_very_many_classes_no_table_of_all_pairs_is_made() -> None:
    classes = 200_000
    labels = np.array([0, 5, 5, classes - 1])
    figure = figures.confusion_matrix(labels, labels[::-1], [str(c) for c in range(classes)])
    assert sum(len(cells.customdata) for cells in cells_of(figure)) == len(
        {*zip(labels.tolist(), labels[::-1].tolist(), strict=True)}
    )
