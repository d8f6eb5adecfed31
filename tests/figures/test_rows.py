"""The figures of a row of a table: what they hold, looked up in their data."""

import numpy as np
import pytest

from mcviz import figures
from mcviz.figures import Curve, class_curves, curves_along, unusual_values

AMOUNTS = np.linspace(-2, 6, 9)
RANDOM = np.random.default_rng(0)


def test_curves_are_drawn_within_their_bands_and_the_row_s_own_value_is_marked() -> None:
    mean, std = RANDOM.normal(size=9), RANDOM.random(9)
    curve = Curve("prediction", mean, "#000000", (mean - std, mean + std))
    figure = curves_along(AMOUNTS, [curve], current=1.5, title="bmi", value_title="prediction, mg/dl")
    shade, line = figure.data
    np.testing.assert_array_equal(line.x, AMOUNTS)
    np.testing.assert_array_equal(line.y, mean)
    np.testing.assert_array_equal(shade.y, np.r_[mean + std, (mean - std)[::-1]])
    (mark,) = figure.layout.shapes
    assert (mark.x0, mark.x1) == (1.5, 1.5)
    assert figure.layout.xaxis.title.text == "bmi"
    assert figure.layout.yaxis.title.text == "prediction, mg/dl"
    (bare,) = curves_along(AMOUNTS, [Curve("doubt", mean, "#000000")], current=0, title="", value_title="").data
    assert bare.name == "doubt"


def test_the_probabilities_of_classes_along_a_column_are_means_and_bands_of_the_passes() -> None:
    probs = RANDOM.dirichlet(np.full(3, 0.3), (20, 9)).astype(np.float32)
    names = ["no", "maybe", "yes <b>"]
    figure = curves_along(
        AMOUNTS, class_curves(probs, names), current=0, title="bmi", value_title="probability", number=".1%"
    )
    lines, shades = figure.data[1::2], figure.data[::2]
    assert [line.name for line in lines] == ["no", "maybe", "yes &lt;b&gt;"]
    for c, (line, shade) in enumerate(zip(lines, shades, strict=True)):
        mean, std = probs[..., c].astype(float).mean(axis=0), probs[..., c].astype(float).std(axis=0)
        np.testing.assert_allclose(line.y, mean, rtol=1e-6)
        np.testing.assert_allclose(
            shade.y, np.r_[np.minimum(mean + std, 1), np.maximum(mean - std, 0)[::-1]], rtol=1e-6
        )
        assert line.line.color == shade.fillcolor == figures.class_colour(c)
    assert sum(np.asarray(line.y) for line in lines) == pytest.approx(np.ones(9))


def test_of_many_classes_the_most_probable_anywhere_are_shown() -> None:
    probs = np.full((2, 9, 50), 1e-3)
    probs[:, 4, 37] = 0.9
    curves = class_curves(probs, [f"class {c}" for c in range(50)])
    assert len(curves) == 10
    assert curves[0].name == "class 37"


def test_the_most_unusual_values_of_a_row_are_on_top() -> None:
    z = np.array([0.5, -4, np.nan, 3, 0, np.inf])
    figure = unusual_values(["a", "b", "constant", "c", "d", "e"], z, ["1 m", "2", "3", "4", "5", "6"])
    (bars,) = figure.data
    assert list(figure.layout.yaxis.ticktext) == ["d", "a", "c", "b"]
    assert list(bars.x) == [0, 0.5, 3, -4]
    assert list(bars.text) == ["5", "1 m", "4", "2"]
    assert len(set(bars.marker.color[:2])) == len(set(bars.marker.color[2:])) == 1
    assert bars.marker.color[0] != bars.marker.color[3]


def test_of_many_columns_twelve_are_shown_and_names_that_begin_alike_stay_apart() -> None:
    names = ["x" * 100 + str(column) for column in range(40)]
    (bars,) = unusual_values(names, RANDOM.normal(size=40), ["<1>"] * 40).data
    assert len(set(bars.y)) == 12
    assert len(set(bars.customdata)) == 12
    assert set(bars.text) == {"&lt;1&gt;"}
    (none,) = unusual_values(names, np.full(40, np.nan), ["1"] * 40).data
    assert len(none.x) == 0
