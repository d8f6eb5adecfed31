"""Several OOD scores as one: the conformal p-values of each are combined."""

import numpy as np

Array = np.ndarray


def harmonic_mean_p(values: Array) -> Array:
    """The harmonic mean of p-values (Wilson 2019): one very small one is enough, and the others hardly dilute it.

    Args:
        values: (K, N) p-values of K detectors.

    Returns:
        (N,) float64 in 0..1.
    """
    return len(values) / (1 / values).sum(axis=0)
