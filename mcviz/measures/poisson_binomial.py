"""An exact test of calibration by the number of mistakes, and the interval from its inversion.

If confidences are true, a prediction is wrong with one less its confidence, and the number of mistakes is a sum of
independent Bernoulli variables: it has the Poisson-binomial distribution (Wang 1993). Other hypotheses move every
chance of a mistake by one share of the way to 1, or to 0. That is calibration at a share of 0, and at larger ones a
distribution as wide as a binomial one, the widest there is of its mean (Hoeffding 1956). The interval holds the shares
that the number of mistakes does not refuse, so it leaves out 0 exactly where the test refuses calibration.
"""

from bisect import bisect_left
from collections.abc import Callable

import numpy as np
import scipy  # loads scipy.special and scipy.optimize when they are first used

from mcviz.measures.bootstrap import Interval

Array = np.ndarray
CumulativeDistribution = Callable[[float, float], float]

MOST_EXACT = 2000  # examples; beyond, a binomial distribution of the same mean and variance stands for the exact one


def excess_mistakes(chances: Array, mistakes: float, confidence: float = 0.95, effect: float = 1.0) -> Interval:
    """Compute how much more frequent mistakes are than expected; above 0 confidences are too high.

    Args:
        chances: (N,) floating point 0 to 1, of a mistake by each of N ≥ 1 predictions, if confidences are true.
        mistakes: 0 to N, their number; fractional where it is a mean over several passes.
        confidence: 0 to 1. Given the chances, the interval holds the expected excess at least as often.
        effect: the design effect, by which all counts are divided: so many examples tell as much as an independent one.

    Returns:
        The share of mistakes less the mean chance of one, as fractions.
    """
    mean, tail = float(chances.mean()), (1 - confidence) / 2
    cumulative = _distribution(chances, mistakes, effect)
    excess = float(mistakes) / len(chances) - mean
    mistakes, count = mistakes / effect, len(chances) / effect

    def end(chance: Callable[[float], float]) -> float:
        move = scipy.optimize.brentq(lambda move: chance(move) - tail, -1, 1)
        return move * (1 - mean if move > 0 else mean)

    low = 0 - mean if mistakes == 0 else end(lambda move: 1 - cumulative(mistakes - 1, move))
    high = 1 - mean if mistakes == count else end(lambda move: cumulative(mistakes, move))
    return Interval(excess, low, high)


def expected_mistakes(chances: Array, confidence: float = 0.95) -> Interval:
    """Compute the share of mistakes to be expected, with the interval that holds the share that there will be.

    Args:
        chances: as for `excess_mistakes`.
        confidence: 0 to 1. If the chances are true, the interval holds the share at least as often.
    """
    count, cumulative = len(chances), _distribution(chances, 0)
    low, high = (
        bisect_left(range(count), tail, key=lambda mistakes: cumulative(mistakes, 0))
        for tail in ((1 - confidence) / 2, (1 + confidence) / 2)
    )
    return Interval(float(chances.mean()), low / count, high / count)


def can_reject(chances: Array, confidence: float = 0.95, effect: float = 1.0) -> bool:
    """Whether there are enough examples to reject calibration: for no mistakes at all, or for nothing but mistakes.

    Args:
        chances: as for `excess_mistakes`.
        confidence: as for `excess_mistakes`.
        effect: as for `excess_mistakes`.
    """
    return bool(max(np.prod(1 - chances), np.prod(chances)) ** (1 / effect) <= (1 - confidence) / 2)


def _distribution(chances: Array, mistakes: float, effect: float = 1.0) -> CumulativeDistribution:
    exact = len(chances) <= MOST_EXACT and float(mistakes).is_integer() and effect == 1
    return _exact_distribution(chances) if exact else _approximate_distribution(chances, effect)


def _exact_distribution(chances: Array) -> CumulativeDistribution:
    """Build the exact chance of at most so many mistakes, after a move towards more or fewer of them."""
    distribution = np.zeros(len(chances) + 1)
    distribution[0] = 1
    for number, chance in enumerate(chances, 1):
        distribution[1 : number + 1] += chance * (distribution[:number] - distribution[1 : number + 1])
        distribution[0] *= 1 - chance
    before = np.arange(len(distribution))

    def cumulative(mistakes: float, move: float) -> float:
        if move < 0:
            return float(distribution @ _binomial(mistakes, before, 1 + move))
        return float(distribution @ _binomial(mistakes - before, len(chances) - before, move))

    return cumulative


def _approximate_distribution(chances: Array, effect: float = 1.0) -> CumulativeDistribution:
    """Build the chance under the binomial distribution of the same mean and variance (Ehm 1991)."""
    sums = len(chances), float(chances.sum()), float(np.square(chances).sum())
    count, total, squares = (each / effect for each in sums)

    def cumulative(mistakes: float, move: float) -> float:
        start, share = max(move, 0.0), 1 - abs(move)
        mean = count * start + share * total
        square = count * start**2 + 2 * start * share * total + share**2 * squares
        if square == 0:  # no chance of any mistake
            return 1.0
        return float(_binomial(mistakes, mean**2 / square, min(square / mean, 1.0)))

    return cumulative


def _binomial(successes: Array | float, trials: Array | float, chance: float) -> Array:
    """The chance of at most so many successes; neither number has to be whole."""
    inside = (successes > -1) & (successes < trials)
    rest, more = np.where(inside, trials - successes, 1), np.where(inside, successes + 1, 1)
    return np.where(inside, scipy.special.betainc(rest, more, 1 - chance), successes >= trials)
