"""How far a figure over examples would vary with other examples: percentile intervals of the bootstrap (Efron 1979).

Examples are drawn anew with replacement, as many as there are, and the figure is computed of each such draw. The
difference of two figures of the same examples is a figure, too: then both are of the same draws, which makes it paired.

Of very many examples some are taken at random, draws are made of these, and their spread is scaled to the number of
all: it falls with the root of the number of examples (the bootstrap of m out of n, Bickel et al. 1997).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.special when it is first used

Array = np.ndarray

BLOCK = 2**21  # weights that are in memory at a time, 16 MB
MOST_DRAWN = 20_000  # examples, of which draws take seconds
Statistic = Callable[[Array], Array]


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its interval of confidence, all in the same unit."""

    value: float
    low: float
    high: float

    @property
    def size(self) -> "Interval":
        """How far it is from 0, of a difference whose ends are both on one side."""
        low, high = sorted((abs(self.low), abs(self.high)))
        return Interval(abs(self.value), low, high)

    def written(self, number: Callable[[float], str], unit: str = "") -> str:
        """The figure with its unit and the ends, such as "98.21% (97.95 to 98.44)"; `number` writes each of them."""
        return f"{number(self.value)}{unit} ({number(self.low)} to {number(self.high)})"


def intervals(
    terms: Array,
    function: Callable[[Array], Array] = lambda means: means,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Interval]:
    """Intervals of means over examples, or of figures that are functions of such means.

    The accuracy is the mean of `correct`; the RMSE is the root of a mean; that one model is better than another is the
    difference of two columns' means.

    Args:
        terms: (N, K) floating point or bool, finite, K numbers an example.
        function: takes (…, K) float64, means of the columns, and returns (…) or (…, M), M figures of them; without it
            the means themselves are the figures.
        confidence: 0 to 1, the share of the resamples between the ends.
        resamples: how often examples are drawn anew.
        seed: of the draws.

    Returns:
        M intervals; one, where `function` returns (…).

    Raises:
        ValueError: no example.
    """

    def statistic_of(chosen: Array | slice) -> Statistic:
        values = terms[chosen].astype(np.float64)
        return lambda weights: function(weights @ values / len(values))

    return weighted_intervals(statistic_of, len(terms), confidence=confidence, resamples=resamples, seed=seed)


def weighted_intervals(
    statistic_of: Callable[[Array | slice], Statistic],
    examples: int,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Interval]:
    """Intervals of any figures that can be computed of many draws at once.

    Args:
        statistic_of: as for `resampled`.
        examples: N.
        confidence: as for `intervals`.
        resamples: as for `intervals`.
        seed: as for `intervals`.

    Returns:
        M intervals.

    Raises:
        ValueError: no example.
    """
    return intervals_of(*resampled(statistic_of, examples, resamples=resamples, seed=seed), confidence)


def resampled(
    statistic_of: Callable[[Array | slice], Statistic], examples: int, *, resamples: int = 1000, seed: int = 0
) -> tuple[Array, Array]:
    """Figures of all examples, and of as many that are drawn from them again and again.

    Args:
        statistic_of: takes which n examples are drawn from, an array of their numbers or a slice of all. What it
            returns takes (R, n) float64 weights, how often each of R draws holds each of these, and returns (R,) or
            (R, M).
        examples: N.
        resamples: R.
        seed: of the draws.

    Returns:
        (M,) float64 of all examples, and (R, M) float64 of the draws.

    Raises:
        ValueError: no example.
    """
    if examples < 1:
        raise ValueError("The bootstrap needs at least one example. Received: none.")
    statistic, share = statistic_of(slice(None)), share_drawn(examples)
    (value,) = statistic(np.ones((1, examples))).reshape(1, -1)
    if share < 1:
        chosen = some_of(examples, share, np.random.default_rng(seed))
        statistic, examples = statistic_of(chosen), len(chosen)
    found = [statistic(weights).reshape(len(weights), -1) for weights in _draws(examples, resamples, seed)]
    draws = np.concatenate(found)
    if share < 1:
        (centre,) = statistic(np.ones((1, examples))).reshape(1, -1)
        draws = value + np.sqrt(share) * (draws - centre)
    return value, draws


def intervals_of(value: Array, draws: Array, confidence: float) -> list[Interval]:
    """Percentile intervals of (M,) figures with (R, M) draws."""
    ends = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return [Interval(*map(float, each)) for each in zip(value, *ends, strict=True)]


def share_drawn(examples: int) -> float:
    """The share of the examples that stand for all; the spread of what is drawn from them falls with its root."""
    return min(1.0, MOST_DRAWN / examples)


def some_of(examples: int, share: float, random: np.random.Generator) -> Array:
    """The numbers of a share of the examples at random, ascending, and at least one."""
    return np.sort(random.choice(examples, max(1, round(share * examples)), replace=False))


def _draws(examples: int, resamples: int, seed: int) -> Iterator[Array]:
    """(R, N) weights at a time."""
    random, rows = np.random.default_rng(seed), max(1, BLOCK // examples)
    for start in range(0, resamples, rows):
        weights = np.empty((min(rows, resamples - start), examples))
        for row in weights:
            row[:] = np.bincount(random.integers(examples, size=examples), minlength=examples)
        yield weights


def proportion(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """The share of successes with its exact interval (Clopper & Pearson 1934).

    Args:
        successes: 0 to `trials`.
        trials: at least 1.
        confidence: 0 to 1; the interval holds the true share at least as often.
    """
    tail = (1 - confidence) / 2
    low = scipy.special.betaincinv(successes, trials - successes + 1, tail) if successes > 0 else 0.0
    high = scipy.special.betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return Interval(successes / trials, float(low), float(high))
