"""What chance explains: how far a sum of differences is from 0, and what an order of examples finds."""

import numpy as np
import scipy  # loads scipy.stats when it is first used

from mcviz.measures.bootstrap import BLOCK_WEIGHTS

Array = np.ndarray

RELATIVE_ROUNDING = 1e-9  # a share of a figure within which it is the same


def critical_sum(sums: Array, confidence: float = 0.95, resamples: int = 1000, seed: int = 0) -> float:
    """Compute how far a sum of differences is from 0 by chance, if each may as well have the other sign.

    Args:
        sums: (G,) float64, the sum over each group of examples.
        confidence: 0 to 1.
        resamples: how many draws of signs there are, with the sums as they are.
        seed: of the draws.

    Returns:
        0 or more; a sum further from 0 is more than noise.
    """
    sums, random = sums[sums != 0], np.random.default_rng(seed)
    found = [abs(sums.sum())]
    rows = max(1, BLOCK_WEIGHTS // max(1, len(sums)))
    for start in range(1, resamples, rows):
        signs = 2.0 * random.integers(2, size=(min(rows, resamples - start), len(sums))) - 1
        found.extend(np.abs(signs @ sums))
    return float(np.sort(found)[int(np.ceil(confidence * resamples)) - 1]) * (1 + RELATIVE_ROUNDING)


def finds_more_than_chance(wanted: Array, inspected: int, confidence: float = 0.95) -> bool:
    """Whether the first examples of an order hold more of the wanted ones than those of a random order.

    It is the one-sided test of the hypergeometric distribution (Fisher 1935).

    Args:
        wanted: (N,) bool in the order that is tested, such as whether each prediction is wrong.
        inspected: number of examples that are inspected, the first ones, 1 to N.
        confidence: 0 to 1; of orders that know nothing, 1 - `confidence` at most seem to find something.
    """
    found = int(np.count_nonzero(wanted[:inspected]))
    chance = scipy.stats.hypergeom.sf(found - 1, len(wanted), np.count_nonzero(wanted), inspected)
    return bool(chance <= (1 - confidence) * (1 + RELATIVE_ROUNDING))
