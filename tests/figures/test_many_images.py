"""What the charts of many images, and of one image's passes, hold."""

import numpy as np
import pytest
from plotly.basedatatypes import BaseTraceType

from mcviz import figures
from mcviz.figures import scores as charts

NAMES = ["cat", "dog", "owl"]


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def all_of(traces: list[BaseTraceType], attribute: str) -> np.ndarray:
    return np.concatenate([np.asarray(getattr(trace, attribute)) for trace in traces])


def test_every_image_is_one_point_of_its_group(generator: np.random.Generator) -> None:
    x, y, groups = generator.random(50), generator.random(50), generator.integers(0, 2, 50)
    outline = [(0.1, 0.1), (0.9, 0.1), (0.5, 0.9)]
    figure = figures.scatter(x, y, groups, ["right", "wrong"], ["#000", "#fff"], axes=("a", "b"), outline=outline)
    assert sorted(all_of(figure.data, "customdata")) == list(range(50))
    for trace in figure.data:
        images = np.asarray(trace.customdata)
        assert set(groups[images]) == {["right", "wrong"].index(trace.name)}
        np.testing.assert_allclose(trace.x, x[images], rtol=1e-6)
        np.testing.assert_allclose(trace.y, y[images], rtol=1e-6)
    assert figure.layout.shapes[0].path.count("L") == 3


def test_too_many_points_become_a_density_with_a_sample(generator: np.random.Generator) -> None:
    count = charts.MANY + 1
    x, y = generator.random(count), generator.random(count)
    figure = figures.scatter(x, y, np.zeros(count, dtype=int), ["all"], ["#000"], axes=None)
    density, sample = figure.data
    assert np.nansum(10 ** np.asarray(density.z)) == pytest.approx(count)
    assert len(sample.x) == charts.SAMPLED
    np.testing.assert_allclose(sample.x, x[np.asarray(sample.customdata)], rtol=1e-6)


def test_the_map_keeps_each_images_place_and_colour(generator: np.random.Generator) -> None:
    x, y, values, images = generator.random(9), generator.random(9), generator.random(9), np.arange(100, 109)
    (points,) = figures.coloured_map(x, y, values, "entropy", images).data
    for place, image in enumerate(points.customdata):
        assert points.x[place] == pytest.approx(x[image - 100])
        assert points.y[place] == pytest.approx(y[image - 100])
        assert points.marker.color[place] == pytest.approx(values[image - 100])


def test_the_confusion_matrix_counts_every_image_once() -> None:
    true, predicted = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 0])
    (squares,) = figures.confusion_matrix(true, predicted, NAMES).data
    shown = dict(zip(np.asarray(squares.customdata).tolist(), squares.text, strict=True))
    assert shown == {0: "1", 1: "1", 4: "1", 6: "2", 8: "1"}
    assert [(y, x) for y, x in zip(squares.y, squares.x, strict=True)] == [
        ("cat", "cat"), ("cat", "dog"), ("dog", "dog"), ("owl", "cat"), ("owl", "owl"),
    ]  # fmt: skip


def test_the_confusion_matrix_averages_a_score() -> None:
    true, predicted = np.array([0, 0, 1]), np.array([1, 1, 1])
    (squares,) = figures.confusion_matrix(true, predicted, NAMES, np.array([0.2, 0.4, 1.0]), "entropy").data
    assert squares.text == ("0.30", "1.00")


def test_right_and_wrong_answers_are_shares_of_their_own(generator: np.random.Generator) -> None:
    values, correct = generator.random(100), np.arange(100) >= 7
    right, wrong = figures.score_distributions(values, correct, "entropy").data
    assert (sum(right.y), sum(wrong.y)) == pytest.approx((1, 1))
    assert (sum(right.customdata), sum(wrong.customdata)) == (93, 7)
    (everything,) = figures.score_distributions(values, None, "entropy").data
    assert sum(everything.customdata) == 100


def test_mistakes_found_ends_at_all_of_them() -> None:
    wrong = np.zeros(1000, dtype=bool)
    wrong[[0, 3, 20, 900]] = True
    found, in_any_order, marked = figures.mistakes_found(wrong, share=0.05).data
    assert found.y[-1] == 1
    assert (np.diff(found.y) >= 0).all()
    assert marked.y[0] == 0.75
    np.testing.assert_allclose(in_any_order.x, in_any_order.y)


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


def test_classes_lie_at_their_mistakes_and_doubt() -> None:
    (dots,) = figures.class_accuracies(np.array([1, 0.9, 0.5]), np.array([0.1, 0.2, 0.3]), NAMES, "entropy").data
    np.testing.assert_allclose(dots.y, [0, 0.1, 0.5])
    assert list(dots.text) == NAMES
