"""Temperature scaling (Guo et al. 2017): probabilities whose logs are divided by one number that lowers the NLL."""

import numpy as np
import scipy  # loads scipy.optimize when it is first used

from mcviz.measures.calibration import SMALLEST_PROBABILITY
from mcviz.measures.conformal import cross_fit

Array = np.ndarray

LOG_TEMPERATURES = -4.0, 4.0  # between which the best one is searched
MOST_FITTED = 50_000  # examples, to which a temperature is fitted


def fit_temperature(probs: Array, labels: Array) -> float:
    """Find the temperature with the lowest NLL (Guo et al. 2017); above 1 the probabilities were over-confident.

    Args:
        probs: (N, C) floating point.
        labels: (N,) integers.

    Returns:
        Between e⁻⁴ and e⁴.
    """
    log_probs = _log(probs)
    of_label = log_probs[np.arange(len(labels)), labels]

    def nll(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float((scipy.special.logsumexp(log_probs * inverse, axis=1) - of_label * inverse).mean())

    return float(np.exp(scipy.optimize.minimize_scalar(nll, bounds=LOG_TEMPERATURES, method="bounded").x))


def apply_temperature(probs: Array, value: float) -> Array:
    """Divide the logs of (N, C) probabilities by a temperature, and normalise: (N, C) float64."""
    return scipy.special.softmax(_log(probs) / value, axis=1)


def cross_fit_temperature(probs: Array, labels: Array, seed: int = 0, groups: Array | None = None) -> Array:
    """Scale each half of the examples by the temperature that is best for the other half.

    Args:
        probs: (N, C) floating point, N ≥ 2.
        labels: (N,) integers.
        seed: of the halves.
        groups: as for `conformal.cross_fit`.

    Returns:
        (N, C) float64.
    """

    def scaled(calibration: Array, others: Array) -> Array:
        some = calibration[:MOST_FITTED]  # in a random order
        return apply_temperature(probs[others], fit_temperature(probs[some], labels[some]))

    return cross_fit(len(labels), scaled, seed, groups)


def _log(probs: Array) -> Array:
    return np.log(np.maximum(probs, SMALLEST_PROBABILITY, dtype=np.float64))
