"""Combinations of two detectors: each becomes a conformal p-value, and the p-values are combined in one of two ways."""

from collections.abc import Callable

import numpy as np
from scipy.stats import combine_pvalues

from mcviz.measures.conformal import conformal_p_values
from mcviz.measures.ood import harmonic_mean_p

UNCERTAINTIES = ("max_probability", "expected_entropy")
DISTANCES = ("unexplained_share", "neighbours_penultimate")
COMBINE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "harmonic": harmonic_mean_p,
    "fisher": lambda p: combine_pvalues(p, "fisher", axis=0).pvalue,
}

Values = dict[str, np.ndarray]


def combined(ood_scores: Values, reference: Values) -> Values:
    """Combine one uncertainty with one distance, in every way.

    Args:
        ood_scores: by detector (N,), those of `UNCERTAINTIES` and `DISTANCES` among them.
        reference: by detector (M,), the same of in-distribution examples that they were not fitted on.

    Returns:
        By combination (N,) OOD scores: minus the decimal logarithm of the combined p-value.
    """
    p = {name: conformal_p_values(reference[name], ood_scores[name]) for name in (*UNCERTAINTIES, *DISTANCES)}
    return {
        f"{way}_{uncertainty}_{distance}": -np.log10(combine(np.stack([p[uncertainty], p[distance]])))
        for way, combine in COMBINE.items()
        for uncertainty in UNCERTAINTIES
        for distance in DISTANCES
    }
