"""The charts of one example, of its passes and of its values: what they hold, looked up in their data."""

import numpy as np
import pytest

from mcviz import figures
from mcviz.figures import unusual_values
from mcviz.measures import summarise

pytestmark = pytest.mark.lowest

DIGITS = [str(c) for c in range(10)]
NAMES = ["cat", "dog", "owl"]


@pytest.fixture
def probs() -> np.ndarray:
    """200 passes of one example, most of them for class 3, some for class 5."""
    probs = np.random.default_rng(0).dirichlet(np.full(10, 0.05) + np.eye(10)[3] * 3 + np.eye(10)[5], 200)
    return probs.astype(np.float32)


def test_class_chart_shows_mean_and_spread_of_every_class(probs: np.ndarray) -> None:
    figure = figures.class_probabilities(summarise(probs), DIGITS, label=5)
    heights = {name: (y, std) for bar in figure.data for name, y, std in zip(bar.x, bar.y, bar.customdata, strict=True)}
    assert set(heights) == set(DIGITS)
    for c, name in enumerate(DIGITS):
        assert heights[name] == pytest.approx((probs[:, c].mean(), probs[:, c].std()), abs=1e-6)
    colours = {bar.name: bar.marker.color for bar in figure.data}
    assert len(set(colours.values())) == 3
    assert {bar.name: list(bar.x) for bar in figure.data} == {
        "prediction": ["3"],
        "label": ["5"],
        "other classes": [name for name in DIGITS if name not in "35"],
    }


def test_spread_stays_between_nothing_and_certainty(probs: np.ndarray) -> None:
    for bar in figures.class_probabilities(summarise(probs), DIGITS).data:
        assert (np.array(bar.y) - np.array(bar.error_y.arrayminus) >= -1e-9).all()
        assert (np.array(bar.y) + np.array(bar.error_y.array) <= 1 + 1e-9).all()


def test_a_correct_prediction_has_one_colour() -> None:
    figure = figures.class_probabilities(summarise(np.eye(10)[[3, 3]]), DIGITS, label=3)
    assert [bar.name for bar in figure.data] == ["prediction and label", "other classes"]


@pytest.mark.parametrize("classes", [20, 21, 1000])
def test_of_many_classes_the_likeliest_ten_and_the_label_are_shown(
    generator: np.random.Generator, classes: int
) -> None:
    probs = generator.dirichlet(np.ones(classes), 5)
    least, likeliest = int(probs.mean(axis=0).argmin()), np.argsort(-probs.mean(axis=0))[:10]
    names = [f"c{c}" for c in range(classes)]
    figure = figures.class_probabilities(summarise(probs), names, least)
    names_of_bars = {name for bar in figure.data for name in bar.x}
    expected = {*range(classes)} if classes == 20 else {*likeliest.tolist(), least}
    assert names_of_bars == {names[c] for c in expected}
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


def test_two_classes_show_every_pass_once(generator: np.random.Generator) -> None:
    probs = generator.dirichlet(np.ones(3), 80).astype(np.float32)
    figure = figures.two_classes(probs, 2, 0, NAMES, probs.argmax(axis=-1))
    assert sorted(x for trace in figure.data for x in trace.x) == pytest.approx(sorted(probs[:, 2]))
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


@pytest.mark.parametrize("offset", [0.0, 1e7])
def test_the_mean_settles_within_two_standard_errors(offset: float) -> None:
    outputs = np.random.default_rng(0).normal(size=50) + offset
    figure = figures.output_by_passes(outputs, label=offset + 1, unit="mg/dl")
    shade, line, label = figure.data
    for t in (1, 2, 17, 50):
        mean, error = outputs[:t].mean(), 2 * outputs[:t].std() / np.sqrt(t)
        assert line.y[t - 1] == pytest.approx(mean)
        assert shade.y[t - 1] - line.y[t - 1] == pytest.approx(error, abs=1e-6)
        assert line.y[t - 1] - shade.y[len(shade.y) - t] == pytest.approx(error, abs=1e-6)
    assert set(label.y) == {offset + 1}
    assert figure.layout.yaxis.title.text == "predictive mean, mg/dl"
    assert len(figures.output_by_passes(outputs).data) == 2


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
    (bars,) = unusual_values(names, np.random.default_rng(0).normal(size=40), ["<1>"] * 40).data
    assert len(set(bars.y)) == 12
    assert len(set(bars.customdata[:, 0])) == 12
    assert set(bars.text) == {"&lt;1&gt;"}
    (none,) = unusual_values(names, np.full(40, np.nan), ["1"] * 40).data
    assert len(none.x) == 0
