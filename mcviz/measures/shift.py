"""Tests of whether categories are distributed alike in two sets of examples, and p-values of several tests."""

from collections.abc import Mapping

import numpy as np
import scipy  # loads scipy.stats when it is first used

from mcviz.measures.referral import Shift

Array = np.ndarray

LEAST_EXPECTED = 5  # of a category in either set, for a chi-square test; rarer ones are taken together


def compare_categories(old: Array, new: Array) -> Shift:
    """Test by chi-square whether the categories of two sets of examples have the same distribution.

    Args:
        old: (N,) texts or numbers, N ≥ 1.
        new: (M,) of the same kind, M ≥ 1.
    """
    found, places = np.unique(np.concatenate([old, new]), return_inverse=True)
    counts = np.stack([np.bincount(each, minlength=len(found)) for each in (places[: len(old)], places[len(old) :])])
    expected = counts.sum(axis=0) * min(len(old), len(new)) / (len(old) + len(new))
    rare = expected < LEAST_EXPECTED
    together = counts[:, rare].sum(axis=1) if expected[rare].sum() >= LEAST_EXPECTED else counts[:, :0]
    counts = np.column_stack([counts[:, ~rare], together])
    if counts.shape[1] < 2:
        return Shift(0.0, 1.0)
    tested = scipy.stats.chi2_contingency(counts, correction=False)
    return Shift(float(tested.statistic), float(tested.pvalue))


def adjust_p_values(values: Mapping[str, float]) -> dict[str, float]:
    """Correct the p-values of several tests for their number (Holm 1979); the smallest comes first."""
    ordered = sorted(values, key=lambda name: values[name])
    steps = [(len(values) - rank) * values[name] for rank, name in enumerate(ordered)]
    return dict(zip(ordered, np.minimum(np.maximum.accumulate(steps), 1).tolist(), strict=True))
