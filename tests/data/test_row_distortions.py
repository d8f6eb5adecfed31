"""Rows are changed as each distortion says, and what is unusual in one is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import median_abs_deviation

from mcviz.data.distortions import ROW_DISTORTIONS, add_noise, column_stats, most_unusual, out_of_range, shuffle_columns
from mcviz.errors import InvalidInputError

RNG = np.random.default_rng(0)
ALL = (RNG.normal(size=(400, 1)) + 0.1 * RNG.normal(size=(400, 5)) + np.arange(5)).astype(np.float32)
ROWS = ALL[:20]
AMOUNTS = [(name, share) for name in ROW_DISTORTIONS for share in (0, 0.3, 1)]


def amount_of(name: str, share: float) -> float:
    distortion = ROW_DISTORTIONS[name]
    return distortion.unchanged + share * (distortion.high - distortion.unchanged)


@pytest.mark.parametrize(("name", "share"), AMOUNTS)
def test_every_distortion_gives_finite_rows_of_the_same_form_from_its_seed(name, share):
    apply, before = ROW_DISTORTIONS[name].apply, ROWS.copy()
    changed = apply(ROWS, amount_of(name, share), 3, ALL)
    assert (changed.dtype, changed.shape) == (np.float32, ROWS.shape)
    assert np.isfinite(changed).all()
    np.testing.assert_array_equal(ROWS, before)
    np.testing.assert_array_equal(changed, apply(ROWS, amount_of(name, share), 3, ALL))
    np.testing.assert_array_equal(changed[:4], apply(ROWS[:4], amount_of(name, share), 3, ALL))
    if share == 0:
        np.testing.assert_array_equal(changed, ROWS)
    else:
        assert (changed != ROWS).any()
        assert (changed != apply(ROWS, amount_of(name, share), 4, ALL)).any()


@given(seed=st.integers(0, 10**6))
def test_shuffled_columns_keep_their_values_and_lose_what_ties_them(seed):
    shuffled = shuffle_columns(ALL, ALL, seed=seed)
    np.testing.assert_array_equal(np.sort(shuffled, axis=0), np.sort(ALL, axis=0))
    before, after = np.corrcoef(ALL.T), np.corrcoef(shuffled.T)
    off = ~np.eye(5, dtype=bool)
    assert before[off].min() > 0.9
    assert np.abs(after[off]).max() < 0.35


def test_a_share_of_the_columns_is_shuffled_and_one_row_takes_values_of_others():
    assert (shuffle_columns(ALL, ALL, 0.4) != ALL).any(axis=0).sum() == 2
    one = shuffle_columns(ROWS[:1], ALL)
    assert all(value in ALL[:, column] for column, value in enumerate(one[0]))
    many = shuffle_columns(ALL, ROWS)  # more rows than there are values to shuffle
    assert all(np.isin(many[:, column], ROWS[:, column]).all() for column in range(5))


@pytest.mark.parametrize("ranges", [-3.0, 0.5, 2.0])
def test_one_column_is_set_so_many_ranges_beyond_its_end(ranges):
    moved = out_of_range(ROWS, ALL, ranges, column=2)
    column = ALL[:, 2].astype(np.float64)
    end = column.max() if ranges > 0 else column.min()
    np.testing.assert_allclose(moved[:, 2], end + ranges * np.ptp(column), rtol=1e-5)
    np.testing.assert_array_equal(np.delete(moved, 2, axis=1), np.delete(ROWS, 2, axis=1))
    constant = out_of_range(np.ones((2, 1), np.float32), np.ones((5, 1), np.float32), ranges, 0)
    assert (constant == 1 + ranges).all()


def test_noise_has_the_share_of_each_column_s_own_std():
    scaled = (ALL * np.array([1, 10, 100, 0.1, 0])).astype(np.float32)
    noise = add_noise(scaled, scaled, 0.5, seed=1) - scaled
    np.testing.assert_allclose(noise.std(axis=0), scaled.std(axis=0) / 2, rtol=0.15)


@pytest.mark.parametrize(
    "call",
    [
        lambda: shuffle_columns(ROWS, ALL, 1.5),
        lambda: add_noise(ROWS, ALL, -1),
        lambda: out_of_range(ROWS, ALL, 1, 5),
        lambda: out_of_range(ROWS, ALL, 1, -1),
    ],
)
def test_what_cannot_be_is_refused(call):
    with pytest.raises(InvalidInputError, match="Received"):
        call()


@given(arrays(np.float32, (9, 3), elements=st.floats(-1e6, 1e6, width=32)))
def test_robust_z_is_the_distance_from_the_median_in_scipy_s_mad_or_else_std(rows):
    z = column_stats(rows).z(rows)
    for column, scores in zip(rows.T.astype(np.float64), z.T, strict=True):
        spread = median_abs_deviation(column) * 1.4826 or column.std()
        if spread:
            np.testing.assert_allclose(scores, (column - np.median(column)) / spread, rtol=1e-9, atol=1e-12)
        else:
            assert (scores == 0).all()


def test_a_value_beside_a_constant_is_infinitely_far():
    assert column_stats(np.ones((4, 1))).z(np.array([[1.0], [2.0], [0.0]])).ravel().tolist() == [0, np.inf, -np.inf]


def test_the_most_unusual_column_comes_first():
    rows = np.array([[20.0, 0, 170], [30, 0, 171], [40, 0, 172], [50, 0, 173], [60, 1, 174]])
    z = column_stats(rows).z(np.array([40.0, 1, 160]))
    np.testing.assert_allclose(z, [0, 1 / 0.4, -12 / 1.4826])  # the MAD of the second is 0 and its std 0.4
    assert most_unusual(z).tolist() == [2, 1, 0]
    assert most_unusual(np.array([3, -np.inf, 0])).tolist() == [1, 0, 2]
