"""The shape of the distribution of the passes: moments and quantiles over the passes, beyond mean and variance.

`values` is (T, …) floating point, one number a pass; the axis of the passes goes, and sums run in float64. Where all
passes agree the shape is not defined, and that of a normal distribution is returned.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats

Array = np.ndarray

FLAT = 1e-12  # a standard deviation below this is rounding


def skewness(values: Array) -> Array:
    """The third standardised moment: 0 for symmetry, negative with a tail to the left. (…) float64."""
    return _where_it_varies(stats.skew, values, of_normal=0.0)


def kurtosis(values: Array) -> Array:
    """The fourth standardised moment, 3 for a normal distribution; never below 1 + skewness². (…) float64."""
    return _where_it_varies(lambda varying: stats.kurtosis(varying, fisher=False), values, of_normal=3.0)


def bimodality_coefficient(values: Array) -> Array:
    """Compute (skewness² + 1) / kurtosis, 0 to 1 (Pearson 1916, Sarle 1990). (…) float64.

    It is 1/3 for a normal and 5/9 for a uniform distribution, and 1 for any two points.
    """
    return (skewness(values) ** 2 + 1) / kurtosis(values)


def quantile_spread(values: Array, low: float, high: float) -> Array:
    """The distance between two quantiles, which single passes cannot stretch. (…) float64.

    Args:
        values: (T, …).
        low: the lower quantile, 0 to 1.
        high: the upper one.
    """
    lower, upper = np.quantile(values.astype(np.float64), [low, high], axis=0)
    return upper - lower


def moment_vector(values: Array, moments: int) -> Array:
    """The first moments of every class side by side.

    Args:
        values: (T, N, C).
        moments: how many, 1 to 4: mean, standard deviation, skewness, kurtosis.

    Returns:
        (N, moments × C) float64, first the means of all classes.

    Raises:
        ValueError: another number of moments.
    """
    if not 1 <= moments <= 4:
        raise ValueError(f"moments should be 1 to 4. Received: {moments}.")
    functions = [lambda x: x.mean(axis=0, dtype=np.float64), lambda x: x.std(axis=0, dtype=np.float64)]
    return np.concatenate([function(values) for function in [*functions, skewness, kurtosis][:moments]], axis=-1)


def _where_it_varies(function: Callable[[Array], Array], values: Array, of_normal: float) -> Array:
    values = values.astype(np.float64)
    varies = values.std(axis=0) > FLAT
    result = np.full(varies.shape, of_normal)
    result[varies] = function(values[:, varies])
    return result
