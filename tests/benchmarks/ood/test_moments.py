"""Shape statistics against scipy, against distributions whose shape is known, and against the laws they obey."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from benchmarks.ood.moments import bimodality_coefficient, kurtosis, moment_vector, quantile_spread, skewness

VALUES = arrays(np.float64, st.tuples(st.integers(3, 30), st.integers(1, 3)), elements=st.floats(-50, 50, width=32))


def spread_out(values: np.ndarray) -> np.ndarray:
    return values[:, values.std(axis=0) > 1e-3]


@given(VALUES)
def test_moments_agree_with_scipy(values: np.ndarray) -> None:
    values = spread_out(values)
    np.testing.assert_allclose(skewness(values), stats.skew(values), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(kurtosis(values), stats.kurtosis(values, fisher=False), rtol=1e-6)


@given(VALUES, st.floats(0.1, 10), st.floats(-10, 10))
def test_shape_knows_no_scale_and_no_place_and_turns_with_its_sign(
    values: np.ndarray, scale: float, place: float
) -> None:
    values = spread_out(values)
    moved = scale * values + place
    for function, sign in ((skewness, -1), (kurtosis, 1), (bimodality_coefficient, 1)):
        np.testing.assert_allclose(function(moved), function(values), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(function(-values), sign * function(values), rtol=1e-6, atol=1e-8)


@given(VALUES)
def test_bimodality_is_at_most_one_and_one_for_two_points(values: np.ndarray) -> None:
    assert (bimodality_coefficient(values) <= 1 + 1e-6).all()
    two_points = np.where(values > 0, 3.0, -1.0)
    split = (two_points != two_points[0]).any(axis=0)
    np.testing.assert_allclose(bimodality_coefficient(two_points)[split], 1, rtol=1e-9)


def test_known_shapes() -> None:
    random = np.random.default_rng(0)
    assert bimodality_coefficient(random.normal(size=200_000)) == pytest.approx(1 / 3, abs=0.01)
    assert bimodality_coefficient(random.random(200_000)) == pytest.approx(5 / 9, abs=0.01)
    assert skewness(random.exponential(size=400_000)) == pytest.approx(2, abs=0.1)


def test_passes_that_all_agree_have_the_shape_of_a_normal_distribution() -> None:
    same = np.full((5, 2), 0.7, np.float32)
    assert skewness(same).tolist() == [0, 0]
    assert kurtosis(same).tolist() == [3, 3]


def test_spread_is_between_the_quantiles_and_no_single_pass_stretches_it() -> None:
    values = np.arange(101.0)[:, None]
    assert quantile_spread(values, 0.25, 0.75)[0] == pytest.approx(50)
    values[-1] = 1e9
    assert quantile_spread(values, 0.25, 0.75)[0] == pytest.approx(50)


def test_moment_vector_lines_up_all_classes_moment_by_moment() -> None:
    values = np.random.default_rng(0).normal(size=(50, 4, 3)).astype(np.float32)
    vector = moment_vector(values, 4)
    assert vector.shape == (4, 12)
    for image in range(4):
        for c in range(3):
            of_class = values[:, image, c].astype(float)
            expected = [of_class.mean(), of_class.std(), stats.skew(of_class), stats.kurtosis(of_class, fisher=False)]
            np.testing.assert_allclose(vector[image, c::3], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(moment_vector(values, 2), vector[:, :6])
    with pytest.raises(ValueError, match="Received: 5"):
        moment_vector(values, 5)
