"""A p-value for the mean of bounded losses, by betting against it (Waudby-Smith & Ramdas 2024).

Somebody bets again and again that a loss is below the mean that is tested. If the true mean is as large or larger, the
stake is not expected to grow, so that it ever becomes 1/p has a chance of p at most (Ville 1939). It holds for any
number of losses, of any distribution.
"""

import numpy as np
import scipy  # loads scipy.special when it is first used

Array = np.ndarray

BETS = np.array([1, 0.6, 0.3, 0.1])  # shares of the largest bet
PARTS = np.array([7, 3, 3, 3]) / 16  # of the stake, one for each of them; they sum to 1 exactly


def betting_p_value(losses: Array, mean: float) -> float:
    """Compute the p-value of the hypothesis that the mean loss is `mean` or more.

    The stake is divided among a few constant bets (their diversified Kelly bet).

    Args:
        losses: (N,) float64 0 to 1, independent and of one distribution, in an order that does not depend on them.
        mean: 0 to 1.
    """
    if mean >= 1:
        return float(np.all(losses == 1))
    with np.errstate(divide="ignore"):  # the largest bet is lost at a loss of 1
        growth = np.log1p(-BETS * (losses[:, None] - mean) / (1 - mean)).cumsum(axis=0)
    stakes = scipy.special.logsumexp(growth, axis=1, b=PARTS)
    return float(np.exp(-max(stakes.max(initial=0), 0)))
