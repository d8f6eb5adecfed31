"""Very many examples: what the cells of a grid hold, and what is in view."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor

from mcviz import figures
from mcviz.figures import Window, scores
from mcviz.figures.style import NEUTRAL, UNCERTAIN

COLOURS = ["#0000ff", "#ff0000"]
EVERYWHERE = np.arange(40)


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_DRAWN_POINTS", 10)
    monkeypatch.setattr(scores, "CELLS_ALONG_AXIS", 4)


def plane(generator: np.random.Generator, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    return generator.random(count).astype(np.float32), generator.normal(size=count).astype(np.float32)


def pixels_of(figure: Any) -> np.ndarray:
    """(4, 4, 4) uint8: the picture of the cells, the lowest row first."""
    (image,) = figure.layout.images
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image.source.partition(",")[2]))))[::-1]


def by_a_loop(x: np.ndarray, y: np.ndarray, window: Window) -> dict[tuple[int, int], list[int]]:
    """The examples of each cell, by its row and its column."""
    found: dict[tuple[int, int], list[int]] = {}
    for example, point in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        places = [
            4 * (value - low) / (high - low) for value, (low, high) in zip(point, (window.x, window.y), strict=True)
        ]
        if all(0 <= place <= 4 for place in places):
            column, row = (min(3, int(place)) for place in places)
            found.setdefault((row, column), []).append(example)
    return found


@pytest.mark.parametrize("window", [None, Window((0.1, 0.9), (-1.5, 1.0))])
def test_a_cell_has_the_mean_colour_of_its_examples_and_says_how_many_they_are(
    generator: np.random.Generator, window: Window | None
) -> None:
    x, y = plane(generator)
    groups = generator.integers(0, 2, 40)
    figure = figures.scatter(x, y, groups, ["a", "b"], COLOURS, EVERYWHERE, axes=("x", "y"), window=window)
    view = Window(tuple(figure.layout.xaxis.range), tuple(figure.layout.yaxis.range))
    assert window is None or view == window
    expected, pixels = by_a_loop(x, y, view), pixels_of(figure)
    assert {(int(row), int(column)) for row, column in np.argwhere(pixels[..., 3])} == set(expected)
    for place, members in expected.items():
        of_b = groups[members].mean()
        np.testing.assert_allclose(pixels[place][:3], [255 * of_b, 0, 255 * (1 - of_b)], atol=1)
    hovers = figure.data[0]
    assert [int(text.split()[0]) for text in hovers.text] == [len(expected[place]) for place in sorted(expected)]
    assert [trace.name for trace in figure.data[1:]] == ["a", "b"]
    assert all(trace.customdata is None for trace in figure.data)


def test_of_a_score_a_cell_shows_the_mean(generator: np.random.Generator) -> None:
    (x, y), values = plane(generator), generator.random(40)
    figure = figures.coloured_map(x, y, values, "entropy", EVERYWHERE)
    expected = by_a_loop(x, y, Window(tuple(figure.layout.xaxis.range), tuple(figure.layout.yaxis.range)))
    means = [values[expected[place]].mean() for place in sorted(expected)]
    np.testing.assert_allclose(figure.data[0].marker.color, means)
    confident, uncertain = (np.array(ImageColor.getrgb(colour)) for colour in (NEUTRAL, UNCERTAIN))
    low, high = np.percentile(values, [1, 99])
    for place, mean in zip(sorted(expected), means, strict=True):
        share = np.clip((mean - low) / (high - low), 0, 1)
        np.testing.assert_allclose(pixels_of(figure)[place][:3], confident + share * (uncertain - confident), atol=1)


def test_of_a_number_that_some_lack_a_cell_shows_the_mean_of_the_others_and_is_grey_without(
    generator: np.random.Generator,
) -> None:
    (x, y), values = plane(generator), generator.random(40)
    values[generator.random(40) < 0.5] = np.nan
    figure = figures.coloured_map(x, y, values, "age", EVERYWHERE, uncertain_when=None, number=".6~g")
    expected, pixels = by_a_loop(x, y, Window(figure.layout.xaxis.range, figure.layout.yaxis.range)), pixels_of(figure)
    unknown = {place for place, members in expected.items() if np.isnan(values[members]).all()}
    assert 0 < len(unknown) < len(expected)
    assert {tuple(place) for place in np.argwhere((pixels[..., :3] == ImageColor.getrgb(NEUTRAL)).all(-1))} == unknown
    for place, text in zip(sorted(expected), figure.data[0].text, strict=True):
        members = values[expected[place]]
        said = "no number" if place in unknown else f"mean {np.nanmean(members):.6g}"
        assert text == f"{len(members)} examples<br>{said}"


def test_few_enough_in_view_are_points(generator: np.random.Generator) -> None:
    (x, y), values = plane(generator), generator.random(40)
    window = Window((0.2, 0.5), (-0.5, 0.5))
    inside = [example for example in EVERYWHERE if 0.2 <= x[example] <= 0.5 and -0.5 <= y[example] <= 0.5]
    assert 0 < len(inside) <= 10
    for figure in (
        figures.scatter(x, y, np.zeros(40, int), ["all"], ["#000000"], EVERYWHERE, axes=None, window=window),
        figures.coloured_map(x, y, values, "entropy", EVERYWHERE, window=window),
    ):
        assert not figure.layout.images
        assert sorted(figure.data[0].customdata) == inside
        assert tuple(figure.layout.xaxis.range) == window.x


def test_cells_without_a_selected_example_are_faded_and_the_more_a_cell_holds_the_stronger_it_is(
    generator: np.random.Generator,
) -> None:
    x, y = plane(generator)
    groups, selected = np.zeros(40, int), x > 0.5
    figure = figures.scatter(x, y, groups, ["all"], ["#000000"], EVERYWHERE, axes=None)
    held = by_a_loop(x, y, Window(tuple(figure.layout.xaxis.range), tuple(figure.layout.yaxis.range)))
    opacity = pixels_of(figure)[..., 3]
    by_count = sorted(held, key=lambda place: len(held[place]))
    assert (np.diff([int(opacity[place]) for place in by_count]) >= 0).all()
    assert opacity[by_count[-1]] == 255
    chosen = figures.scatter(x, y, groups, ["all"], ["#000000"], EVERYWHERE, axes=None, selected=selected)
    faded = {place for place in held if pixels_of(chosen)[place][3] == round(255 * scores.FADED)}
    assert faded == {place for place, members in held.items() if not selected[members].any()}


def test_what_is_no_number_is_nowhere_and_a_plane_of_one_value_has_a_width() -> None:
    x, y = np.full(12, 3.0), np.arange(12.0)
    x[4], y[5] = np.nan, np.inf
    window = Window.fit(x, y)
    assert window.x[0] < 3 < window.x[1]
    assert window.contains(x, y).tolist() == [example not in (4, 5) for example in range(12)]
    figure = figures.scatter(x, y, np.zeros(12, int), ["all"], ["#000000"], np.arange(12), axes=None)
    assert not figure.layout.images
    assert len(figure.data[0].x) == 10


def test_out_of_sight_of_all_examples_nothing_is_drawn(generator: np.random.Generator) -> None:
    x, y = plane(generator)
    figure = figures.scatter(
        x, y, np.zeros(40, int), ["all"], ["#000000"], EVERYWHERE, axes=None, window=Window((7, 8), (7, 8))
    )
    assert not figure.data
    assert not figure.layout.images
