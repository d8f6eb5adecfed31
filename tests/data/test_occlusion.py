"""Parts that are hidden cover all of an example, and nothing else of it changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.data.drawing import Windows, drop_each_group, groups_of_words, replace_each_by_median


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


@pytest.mark.exhaustive
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
