"""Whether an order of examples finds more than chance does."""

import numpy as np
import scipy  # loads scipy.stats when it is first used

Array = np.ndarray

RELATIVE_ROUNDING = 1e-9  # a share of a figure within which it is the same


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
