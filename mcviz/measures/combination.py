"""Several OOD scores as one: each becomes a conformal p-value, and the p-values are combined."""

import numpy as np

Array = np.ndarray


def conformal_p_values(ood_scores: Array, reference: Array) -> Array:
    """How rare a score is in distribution (conformal p-values; Vovk et al. 2005).

    Args:
        ood_scores: (N,) high means out of distribution.
        reference: (M,) the same of in-distribution examples that the detector was not fitted on.

    Returns:
        (N,) float64 in 1/(M+1)..1: the share of the reference, the example itself counted in, that scores as high.
    """
    above = len(reference) - np.searchsorted(np.sort(reference), ood_scores, side="left")
    return (above + 1) / (len(reference) + 1)


def harmonic_mean_p(values: Array) -> Array:
    """The harmonic mean of p-values (Wilson 2019): one very small one is enough, and the others hardly dilute it.

    Args:
        values: (K, N) p-values of K detectors.

    Returns:
        (N,) float64 in 0..1.
    """
    return len(values) / (1 / values).sum(axis=0)
