"""The charts of the probe: what they hold, looked up in their data."""

import numpy as np
import pytest
from scipy.stats import entropy

from mcviz import figures
from mcviz.figures.sweeps import Curve, class_curves, curves_along, predictions_along, score_comparison

NAMES = ["six", "nine", "zero"]
AMOUNTS = np.linspace(-2, 6, 9)
RANDOM = np.random.default_rng(0)


@pytest.fixture
def probs() -> np.ndarray:
    """40 passes at 25 positions: six, then zero, then nine."""
    likely = np.repeat([0, 2, 1], [10, 5, 10])
    random = np.random.default_rng(0)
    return np.stack([random.dirichlet(0.3 + 8 * np.eye(3)[c], 40) for c in likely], axis=1).astype(np.float32)


@pytest.fixture
def figure(probs: np.ndarray):
    images = np.random.default_rng(1).random((25, 8, 6, 1)).astype(np.float32)
    amounts = np.linspace(-180, 180, 25)
    return predictions_along(amounts, probs, images, NAMES, title="Rotate, degrees", tick_format="", current=30.0)


def test_the_curves_are_the_scores_of_the_mean_at_each_position(figure, probs: np.ndarray) -> None:
    lines = {trace.name: np.asarray(trace.y) for trace in figure.data if trace.type == "scatter"}
    mean = probs.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(lines["confidence"], mean.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(lines["entropy"], entropy(mean, axis=1), atol=1e-5)
    expected = entropy(mean, axis=1) - entropy(probs.astype(np.float64), axis=2).mean(axis=0)
    np.testing.assert_allclose(lines["mutual information"], expected, atol=1e-5)


def test_the_band_names_the_class_at_every_position_once(figure) -> None:
    band = [trace for trace in figure.data if trace.type == "bar"]
    assert [trace.text[0] for trace in band] == ["six", "zero", "nine"]
    widths = [trace.width[0] for trace in band]
    assert widths == [150, 75, 150]
    edges = [(trace.x[0] - trace.width[0] / 2, trace.x[0] + trace.width[0] / 2) for trace in band]
    assert edges == [(-187.5, -37.5), (-37.5, 37.5), (37.5, 187.5)]


def test_pictures_stand_above_their_position_within_the_axis(figure) -> None:
    pictures = figure.layout.images
    assert [picture.x for picture in pictures] == list(np.linspace(-180, 180, 13))
    low, high = figure.layout.xaxis.range
    assert all(low <= picture.x - picture.sizex / 2 and picture.x + picture.sizex / 2 <= high for picture in pictures)


def test_a_line_stands_where_the_slider_stands(figure) -> None:
    (line,) = figure.layout.shapes
    assert (line.x0, line.x1) == (30, 30)


def test_the_comparison_counts_every_example_in_bins_that_both_share() -> None:
    of_run, of_inputs = np.random.default_rng(0).random(1000), np.random.default_rng(1).random(30) + 0.5
    first, second = score_comparison(of_run, of_inputs, "Entropy", "noise images").data
    assert sum(first.customdata) == 1000
    assert sum(second.customdata) == 30
    assert sum(first.y) == pytest.approx(1)
    assert sum(second.y) == pytest.approx(1)
    np.testing.assert_array_equal(first.x, second.x)
    assert second.name == "noise images (30)"


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
