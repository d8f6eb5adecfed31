"""How far a figure over examples would vary with other examples: exact intervals, t and the bootstrap (Efron 1979).

Examples are drawn anew with replacement, as many as there are, and the figure is computed of each such draw. The
difference of two figures of the same examples is a figure, too: then both are of the same draws, which makes it paired.

Of very many examples some are taken at random, draws are made of these, and their spread is scaled to the number of
all: it falls with the root of the number of examples (the bootstrap of m out of n, Bickel et al. 1997).
"""

import math
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
    """A figure and the ends of its interval of confidence, all in the same unit; NaN ends where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def size(self) -> "Interval":
        """How far it is from 0, of a difference whose ends are both on one side."""
        low, high = sorted((abs(self.low), abs(self.high)))
        return Interval(abs(self.value), low, high)

    @property
    def root(self) -> "Interval":
        """The same of the root of the figure, which is 0 or more."""
        return Interval(*(math.sqrt(max(each, 0)) for each in (self.value, self.low, self.high)))

    def written(self, number: Callable[[float], str], unit: str = "") -> str:
        """The figure with its unit and the ends, such as "98.21% (97.95 to 98.44)"; `number` writes each of them."""
        if math.isnan(self.low) or math.isnan(self.high):
            return f"{number(self.value)}{unit}"
        return f"{number(self.value)}{unit} ({number(self.low)} to {number(self.high)})"


def mean_intervals(values: Array, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0) -> list[Interval]:
    """Intervals of means over examples: each end is the farther one of Student's t and of the bootstrap-t (Efron 1982).

    Percentiles of the bootstrap are too narrow where few examples, such as the mistakes, make up most of a mean. The
    RMSE is the root of a mean; that one model is better than another is the mean of differences.

    Args:
        values: (N, K) floating point or bool, K numbers an example.
        confidence: 0 to 1.
        resamples: how often examples are drawn anew, from `MOST_DRAWN` of them at most.
        seed: of the draws.

    Returns:
        K intervals; of one example there is none, nor of a column that is not finite.

    Raises:
        ValueError: no example.
    """
    _check_some(len(values))
    count = len(values)
    means = values.mean(axis=0, dtype=np.float64)
    if count == 1:
        return [Interval(float(value)) for value in means]
    chosen = values
    if count > MOST_DRAWN:
        chosen = values[some_of(count, share_drawn(count), np.random.default_rng(seed))]
    centred = chosen - chosen.mean(axis=0, dtype=np.float64)
    squares, draws = np.square(centred), len(centred)
    pivots = []
    for weights in _draws(draws, resamples, seed):
        moved = weights @ centred / draws
        errors = np.sqrt(np.maximum(weights @ squares / draws - np.square(moved), 0) / (draws - 1))
        pivots.append(np.divide(moved, errors, out=np.zeros_like(moved), where=errors > 0))
    low, high = np.quantile(np.concatenate(pivots), [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    student = scipy.special.stdtrit(count - 1, (1 + confidence) / 2)
    errors = values.std(axis=0, ddof=1, dtype=np.float64) / np.sqrt(count)
    ends = means - errors * np.maximum(student, high), means + errors * np.maximum(student, -low)
    return [Interval(*map(float, each)) for each in zip(means, *ends, strict=True)]


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
        confidence: as for `mean_intervals`.
        resamples: as for `mean_intervals`.
        seed: as for `mean_intervals`.

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
    _check_some(examples)
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
    """Percentile intervals of (M,) figures with (R, M) draws; none leaves out its figure, whatever its bias."""
    ends = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    ends = np.minimum(ends[0], value), np.maximum(ends[1], value)
    return [Interval(*map(float, each)) for each in zip(value, *ends, strict=True)]


def _check_some(examples: int) -> None:
    if examples < 1:
        raise ValueError("The bootstrap needs at least one example. Received: none.")


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


def proportion(successes: float, trials: int, confidence: float = 0.95) -> Interval:
    """The share of successes with its exact interval (Clopper & Pearson 1934).

    Args:
        successes: 0 to `trials`. A part of a whole one counts, if that is a mean over several passes or targets: such a
            sum varies less (Hoeffding 1963).
        trials: at least 1.
        confidence: 0 to 1; the interval holds the true share at least as often.
    """
    tail = (1 - confidence) / 2
    low = scipy.special.betaincinv(successes, trials - successes + 1, tail) if successes > 0 else 0.0
    high = scipy.special.betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return Interval(float(successes / trials), float(low), float(high))


def paired_difference(gained: int, lost: int, trials: int, confidence: float = 0.95) -> Interval:
    """The difference of two shares of the same examples: the wider of t's interval and of the one of McNemar's test.

    That test is exact: of the examples that differ, as many are gained as lost, but for chance (McNemar 1947). The
    interval leaves out 0 only where the test refuses that.

    Args:
        gained: how many only the first holds.
        lost: how many only the second holds.
        trials: how many examples there are, at least 1.
        confidence: 0 to 1.

    Returns:
        The first share less the second.
    """
    differ, value = gained + lost, (gained - lost) / trials
    if not differ:
        most = proportion(0, trials, confidence).high
        return Interval(0.0, -most, most)
    of_differing = proportion(gained, differ, confidence)
    low, high = ((2 * end - 1) * differ / trials for end in (of_differing.low, of_differing.high))
    error = np.sqrt((differ / trials - value**2) / max(trials - 1, 1))
    around = error * scipy.special.stdtrit(max(trials - 1, 1), (1 + confidence) / 2)
    return Interval(value, float(min(low, value - around)), float(max(high, value + around)))
