"""Strokes as pixels, a digit put where MNIST's are; and parts that are hidden, which cover all of an example."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcviz.data.drawing import (
    Stroke,
    Windows,
    center_digit,
    drop_each_group,
    groups_of_words,
    render_strokes,
    replace_each_by_median,
)
from mcviz.errors import InvalidInputError

within = st.floats(0.1, 0.9)
strokes = st.lists(
    st.builds(Stroke, st.floats(0.05, 0.2), st.lists(st.tuples(within, within), min_size=1, max_size=6).map(tuple)),
    min_size=1,
    max_size=4,
)


def distance_to_line(x: np.ndarray, y: np.ndarray, start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """From each place to a straight line between two points."""
    (ax, ay), (bx, by) = start, end
    length = (bx - ax) ** 2 + (by - ay) ** 2
    along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
    return np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))


def test_a_line_covers_what_is_nearer_than_half_its_width() -> None:
    start, end, width = (0.2, 0.3), (0.8, 0.6), 0.1
    fine = (np.arange(28 * 40) + 0.5) / (28 * 40)
    near = distance_to_line(fine[None], fine[:, None], start, end) < width / 2
    expected = near.reshape(28, 40, 28, 40).mean(axis=(1, 3))
    np.testing.assert_allclose(render_strokes([Stroke(width, (start, end))], 28, 28), expected, atol=0.1)


def test_a_single_touch_is_a_dot() -> None:
    dot = render_strokes([Stroke(0.2, ((0.5, 0.5),))], 28, 28)
    assert dot.sum() == pytest.approx(np.pi * (0.1 * 28) ** 2, rel=0.05)
    assert dot[14, 14] == 1


def test_nothing_drawn_is_black_and_stays_black() -> None:
    blank = render_strokes([], 28, 28)
    assert not blank.any()
    assert not center_digit(blank, 28, 28).any()


def test_what_lies_outside_the_paper_is_cut_off() -> None:
    image = render_strokes([Stroke(0.2, ((-5.0, 0.5), (5.0, 0.5)))], 10, 10)
    assert image.shape == (10, 10)
    assert (image[4:6] > 0.9).all()


@pytest.mark.parametrize(
    "bad",
    [Stroke(float("nan"), ((0.5, 0.5),)), Stroke(0.1, ((0.5, float("inf")),)), Stroke(0.1, ((0.5, 0.5),) * 20_001)],
)
def test_what_no_pad_would_send_is_refused(bad: Stroke) -> None:
    with pytest.raises(InvalidInputError, match="at most 20,000 points"):
        render_strokes([bad], 28, 28)


@given(strokes)
@settings(deadline=None, max_examples=40)
def test_a_centred_digit_is_twenty_pixels_long_with_its_mass_in_the_middle(lines: list[Stroke]) -> None:
    image = center_digit(render_strokes(lines, 224, 224), 28, 28)
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
    assert image.min() >= 0
    assert image.max() <= 1
    mass = [np.average(np.arange(28), weights=image.sum(axis=axis)) for axis in (1, 0)]
    touches = 0 in rows or 0 in columns or 27 in rows or 27 in columns
    assert touches or np.allclose(mass, 13.5, atol=0.51)


@pytest.mark.parametrize("end", [(0.2, 0.9), (0.9, 0.2)], ids=["down", "across"])
def test_a_line_is_put_in_the_middle(end: tuple[float, float]) -> None:
    image = center_digit(render_strokes([Stroke(0.1, ((0.2, 0.2), end))], 224, 224), 28, 28)
    mass = [np.average(np.arange(28), weights=image.sum(axis=axis)) for axis in (1, 0)]
    assert mass == pytest.approx([13.5, 13.5], abs=0.51)


@given(strokes, st.floats(-0.08, 0.08), st.floats(-0.08, 0.08))
@settings(deadline=None, max_examples=25)
def test_it_does_not_matter_where_on_the_paper_one_draws(lines: list[Stroke], right: float, down: float) -> None:
    right, down = round(right * 224) / 224, round(down * 224) / 224
    moved = [Stroke(line.width, tuple((x + right, y + down) for x, y in line.points)) for line in lines]
    there, here = (center_digit(render_strokes(each, 224, 224), 28, 28) for each in (moved, lines))
    edge = any(
        not 0.12 < value < 0.88 for each in (moved, lines) for line in each for xy in line.points for value in xy
    )
    assert edge or np.abs(there - here).mean() < 0.02


def test_paper_and_its_shadows_become_black() -> None:
    photo = np.full((100, 100), 0.2)
    photo[20:80, 45:55] = 0.9
    image = center_digit(photo, 28, 28)
    assert image[0, 0] == 0
    assert np.count_nonzero(image.any(axis=1)) == 20


# Parts that are hidden


@given(height=st.integers(2, 70), width=st.integers(2, 70))
def test_every_pixel_lies_in_a_square_and_no_square_lies_outside(height: int, width: int) -> None:
    windows = Windows.over(height, width)
    covered = np.zeros((height, width), bool)
    for row, column in windows.corners:
        assert 0 <= row <= height - windows.side
        assert 0 <= column <= width - windows.side
        covered[row : row + windows.side, column : column + windows.side] = True
    assert covered.all()


def test_a_square_takes_the_colour_of_the_edge_and_all_else_stays() -> None:
    image = np.random.default_rng(0).uniform(0, 1, (28, 28, 3)).astype(np.float32)
    image[[0, -1]] = image[:, [0, -1]] = (0.2, 0.4, 0.6)
    windows = Windows.over(28, 28)
    assert windows.side == 4
    hidden = windows.hide(image, 80, 83)
    for each, (row, column) in zip(hidden, windows.corners[80:83], strict=True):
        inside = np.zeros((28, 28), bool)
        inside[row : row + 4, column : column + 4] = True
        np.testing.assert_allclose(each[inside], np.tile([0.2, 0.4, 0.6], (16, 1)), rtol=1e-6)
        np.testing.assert_array_equal(each[~inside], image[~inside])


@pytest.mark.slow
@given(height=st.integers(7, 40), width=st.integers(7, 40))
def test_a_map_has_the_mean_of_the_squares_over_each_cell(height: int, width: int) -> None:
    windows = Windows.over(height, width)
    values = np.random.default_rng(0).normal(size=len(windows.corners))
    cells = windows.spread(values)
    for (i, j), cell in np.ndenumerate(cells):
        y, x = i * windows.step + windows.step // 2, j * windows.step + windows.step // 2
        over = [
            value
            for value, (row, column) in zip(values, windows.corners, strict=True)
            if row <= y < row + windows.side and column <= x < column + windows.side
        ]
        assert cell == pytest.approx(np.mean(over))


@given(st.text(st.sampled_from("ab \n\té"), max_size=400))
def test_groups_hold_every_word_once_and_in_order(text: str) -> None:
    groups = groups_of_words(text)
    assert len(groups) <= 60
    assert [word for start, stop in groups for word in text[start:stop].split()] == text.split()
    for (start, stop), hidden in zip(groups, drop_each_group(text, groups), strict=True):
        assert hidden == text[:start] + text[stop:]


def test_one_value_after_the_other_is_the_usual_one() -> None:
    hidden = replace_each_by_median(np.array([1, 2, 3], np.float32), np.array([10, 20, 30]))
    assert hidden.tolist() == [[10, 2, 3], [1, 20, 3], [1, 2, 30]]
    assert hidden.dtype == np.float32
