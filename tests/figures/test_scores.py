"""The charts of scores, and maps of examples: what they hold, looked up in their data."""

from typing import Literal

import numpy as np
import pytest
from plotly.basedatatypes import BaseTraceType

from mcviz import figures
from mcviz.figures.scores import FADED, measure_doubt
from tests.figures.reading import colour_on_scale, contrast, rgb

pytestmark = pytest.mark.lowest

NAMES = ["cat", "dog", "owl"]


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


def test_the_map_keeps_each_example_s_place_and_colour(generator: np.random.Generator) -> None:
    x, y, values, examples = generator.random(9), generator.random(9), generator.random(9), np.arange(100, 109)
    (points,) = figures.coloured_map(x, y, values, "entropy", examples).data
    for point, example in enumerate(points.customdata):
        assert points.x[point] == pytest.approx(x[example - 100])
        assert points.y[point] == pytest.approx(y[example - 100])
        assert points.marker.color[point] == pytest.approx(values[example - 100])


@pytest.mark.parametrize("uncertain_when", ["low", "high"])
def test_on_the_map_the_most_uncertain_are_on_top_and_stand_out_on_any_page(
    generator: np.random.Generator, uncertain_when: Literal["low", "high"]
) -> None:
    x, y, values = generator.random(9), generator.random(9), generator.random(9)
    doubt = measure_doubt(values, uncertain_when)
    (points,) = figures.coloured_map(
        x, y, values, "a score", np.arange(9), uncertain_when=uncertain_when, doubt=doubt
    ).data
    last, first = points.customdata[-1], points.customdata[0]
    assert (values[last], values[first]) == pytest.approx(
        (values.min(), values.max()) if uncertain_when == "low" else (values.max(), values.min())
    )
    assert (np.diff(points.marker.opacity) >= 0).all()
    assert points.marker.opacity[0] < 0.5 < points.marker.opacity[-1]
    for page in ("#FFFFFF", "#10161D"):
        assert contrast(colour_on_scale(points.marker, values[last]), rgb(page)) >= 3


def test_names_stand_in_the_middle_of_their_classes_and_not_where_they_are_very_many(
    generator: np.random.Generator,
) -> None:
    x, y, values, members = generator.random(30), generator.random(30), generator.random(30), np.arange(30) % 2
    charts_of_it = (
        figures.scatter(
            x, y, members, NAMES, ["#000"] * 3, np.arange(30), axes=None, classes=(members, NAMES), doubt=values
        ),
        figures.coloured_map(x, y, values, "entropy", np.arange(30), classes=(members, NAMES)),
    )
    for figure in charts_of_it:
        placed = {each.text: (each.x, each.y) for each in figure.layout.annotations}
        assert placed == {
            name: (np.median(x[members == c]), np.median(y[members == c])) for c, name in enumerate(NAMES[:2])
        }
    many = [f"class {c}" for c in range(50)]
    assert not figures.coloured_map(x, y, values, "entropy", np.arange(30), classes=(members, many)).layout.annotations


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


def test_classes_lie_at_their_mistakes_and_uncertainty() -> None:
    figure = figures.class_accuracies(np.array([1, 0.9, 0.5]), np.array([0.1, 0.2, 0.3]), NAMES, "entropy")
    (dots,) = figure.data
    np.testing.assert_allclose(dots.y, [0, 0.1, 0.5])
    assert [(each.x, each.text) for each in figure.layout.annotations] == list(zip(dots.x, NAMES, strict=True))


def test_names_of_classes_that_lie_together_cover_neither_each_other_nor_a_dot() -> None:
    names = ["T-shirt/top", "Trouser", "Sandal", "Sneaker", "Bag", "Ankle boot", "empty"]
    mistakes = np.array([0.27, 0.017, 0.021, 0.022, 0.03, 0.023, np.nan])
    confidence = np.array([0.8, 0.983, 0.981, 0.963, 0.961, 0.975, np.nan])
    placed = figures.class_accuracies(1 - mistakes, confidence, names, "confidence").layout.annotations
    assert [each.text for each in placed] == names[:-1]
    width, height, dot = 250, 230, 14  # pixels, about as on a page
    at = [(width * (each.x - 0.8) / 0.183, height * each.y / 0.27) for each in placed]
    boxes = [(x, y, dot / 2, dot / 2) for x, y in at]
    boxes += [(x + each.ax, y - each.ay, 4 * len(each.text), 9) for (x, y), each in zip(at, placed, strict=True)]
    for one, (x, y, half_width, half_height) in enumerate(boxes[len(at) :], len(at)):
        for other_x, other_y, other_width, other_height in boxes[:one]:
            assert (
                abs(x - other_x) >= half_width + other_width - 1 or abs(y - other_y) >= half_height + other_height - 1
            )
        assert -dot <= y - half_height
        assert x + half_width <= width + dot


def test_class_counts_add_up() -> None:
    figure = figures.class_counts(np.array([8, 8, 2, 8]), [*"0123456789"])
    assert dict(zip(figure.data[0].x, figure.data[0].y, strict=True)) == {
        name: {"8": 3, "2": 1}.get(name, 0) for name in "0123456789"
    }
