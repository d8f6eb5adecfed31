"""How far a figure over examples would vary with other examples: percentile intervals of the bootstrap (Efron 1979).

Examples are drawn anew with replacement, as many as there are, and the figure is computed of each such draw. The
difference of two figures of the same examples is a figure, too: then both are of the same draws, which makes it paired.

Of very many examples some are taken at random, draws are made of these, and their spread is scaled to the number of
all: it falls with the root of the number of examples (the bootstrap of m out of n, Bickel et al. 1997). Of a sample
that is thinned more than another, the weights are brought nearer to 1 by as much.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.special when it is first used

Array = np.ndarray

BLOCK = 2**21  # weights that are in memory at a time, 16 MB
MOST_DRAWN = 20_000  # examples, of which draws take seconds
FEWEST_DRAWN = 1_000  # of each sample that has as many
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
    statistic_of: Callable[..., Statistic],
    examples: int | Sequence[int],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Interval]:
    """Intervals of any figures that can be computed of many draws at once.

    Args:
        statistic_of: takes which n examples of each sample are drawn from, an array of their numbers or a slice of all.
            What it returns takes (R, n) float64 weights, how often each of R draws holds each of these, and returns
            (R,) or (R, M).
        examples: N; or the sizes of several samples that were drawn independently, of which each is drawn anew by
            itself. Their examples come one sample after the other.
        confidence: as for `intervals`.
        resamples: as for `intervals`.
        seed: as for `intervals`.

    Returns:
        M intervals.

    Raises:
        ValueError: no example.
    """
    samples = (examples,) if isinstance(examples, int) else tuple(examples)
    if min(samples, default=0) < 1:
        raise ValueError("The bootstrap needs at least one example. Received: none.")
    statistic = statistic_of(*(slice(None) for _ in samples))
    (value,) = statistic(np.ones((1, sum(samples)))).reshape(1, -1)
    centre, share = value, share_drawn(sum(samples))
    shares = [max(share, min(1.0, FEWEST_DRAWN / size)) for size in samples]
    if share < 1:
        random = np.random.default_rng(seed)
        chosen = [some_of(size, of_sample, random) for size, of_sample in zip(samples, shares, strict=True)]
        statistic, samples = statistic_of(*chosen), tuple(map(len, chosen))
        (centre,) = statistic(np.ones((1, sum(samples)))).reshape(1, -1)
    found = [statistic(weights).reshape(len(weights), -1) for weights in _draws(samples, shares, resamples, seed)]
    ends = np.quantile(np.concatenate(found), [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    if share < 1:
        ends = value + np.sqrt(max(shares)) * (ends - centre)
    return [Interval(*map(float, each)) for each in zip(value, *ends, strict=True)]


def share_drawn(examples: int) -> float:
    """The share of the examples that stand for all; the spread of what is drawn from them falls with its root."""
    return min(1.0, MOST_DRAWN / examples)


def some_of(examples: int, share: float, random: np.random.Generator) -> Array:
    """The numbers of a share of the examples at random, ascending, and at least one."""
    return np.sort(random.choice(examples, max(1, round(share * examples)), replace=False))


def _draws(samples: Sequence[int], shares: Sequence[float], resamples: int, seed: int) -> Iterator[Array]:
    """(R, n) weights at a time; those of a sample that is a smaller share of its examples vary less."""
    ends = np.cumsum([0, *samples])
    random, rows = np.random.default_rng(seed), max(1, BLOCK // int(ends[-1]))
    for start in range(0, resamples, rows):
        weights = np.empty((min(rows, resamples - start), ends[-1]))
        for row in weights:
            for first, size, share in zip(ends, samples, shares, strict=False):
                counts = np.bincount(random.integers(size, size=size), minlength=size)
                row[first : first + size] = 1 + np.sqrt(share / max(shares)) * (counts - 1)
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
