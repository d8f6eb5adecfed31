"""The bars of a row of a table, looked up in their data."""

import numpy as np

from mcviz.figures import unusual_values

RANDOM = np.random.default_rng(0)


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
