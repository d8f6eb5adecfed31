"""Confidence intervals of figures over examples: exact ones, Student's t and the bootstrap (Efron 1979).

The bootstrap draws as many examples as there are, with replacement, and computes the figure of each draw. The
difference of two figures of the same examples is a figure, too: then both are of the same draws, which makes it paired.

Of very many examples a random subsample is drawn from, and the spread is scaled to the number of all: it falls with the
root of the number of examples (the bootstrap of m out of n, Bickel et al. 1997).

Where examples of a group depend on each other, whole groups are drawn (the cluster bootstrap, Davison & Hinkley 1997),
and Student's t is of the sums over groups.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy  # loads scipy.optimize and scipy.special when they are first used

from mcviz.measures.groups import design_effect, number_groups, sum_by_group

Array = np.ndarray

BLOCK_WEIGHTS = 2**21  # weights that are in memory at a time, 16 MB
MOST_DRAWN = 20_000  # examples, of which draws take seconds
Statistic = Callable[[Array], Array]


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its interval of confidence, all in the same unit; NaN ends where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def magnitude(self) -> "Interval":
        """The distance from 0, of a difference whose ends are both on one side."""
        low, high = sorted((abs(self.low), abs(self.high)))
        return Interval(abs(self.value), low, high)

    @property
    def root(self) -> "Interval":
        """The interval of the root of the figure, which is 0 or more."""
        return Interval(*(math.sqrt(max(each, 0)) for each in (self.value, self.low, self.high)))

    def format(self, number: Callable[[float], str], unit: str = "") -> str:
        """The figure with its unit and the ends, such as "98.21% (97.95 to 98.44)"; `number` formats each of them."""
        if math.isnan(self.low) or math.isnan(self.high):
            return f"{number(self.value)}{unit}"
        return f"{number(self.value)}{unit} ({number(self.low)} to {number(self.high)})"


def mean_intervals(
    values: Array,
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Interval]:
    """Compute intervals of means: each end is the farther one of Student's t and of the bootstrap-t (Efron 1982).

    Percentiles of the bootstrap are too narrow where few examples, such as the mistakes, make up most of a mean. The
    RMSE is the root of a mean; that one model is better than another is the mean of differences.

    Args:
        values: (N, K) floating point or bool, K numbers an example.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: 0 to 1.
        resamples: number of bootstrap draws, from `MOST_DRAWN` examples at most.
        seed: of the draws.

    Returns:
        K intervals; of one example or group there is none, nor of a column that is not finite.

    Raises:
        ValueError: no example.
    """
    _require_examples(len(values))
    means = values.mean(axis=0, dtype=np.float64)
    sums = values if groups is None else sum_by_group(values - means, groups)
    count = len(sums)
    if count == 1:
        return [Interval(float(value)) for value in means]
    chosen, members = values, groups
    if len(values) > MOST_DRAWN:
        some = draw_examples(len(values), subsample_share(len(values)), np.random.default_rng(seed), groups)
        chosen, members = values[some], None if groups is None else groups[some]
    centred = sum_by_group(chosen - chosen.mean(axis=0, dtype=np.float64), members)
    squares, draws = np.square(centred), len(centred)
    sizes = None if members is None else number_groups(members)[1][:, None].astype(np.float64)
    pivots = []
    for weights in _draw_weights(draws, resamples, seed):
        total = draws if sizes is None else weights @ sizes
        moved = weights @ centred / total
        crossed, widths = moved, np.ones(1)
        if sizes is not None:
            crossed, widths = weights @ (centred * sizes) / draws, weights @ np.square(sizes) / draws
        spread = weights @ squares / draws - moved * (2 * crossed - moved * widths)  # of sums less `moved` an example
        errors = np.sqrt(np.maximum(spread, 0) / (draws - 1)) * (draws / total)
        pivots.append(np.divide(moved, errors, out=np.zeros_like(moved), where=errors > 0))
    low, high = np.quantile(np.concatenate(pivots), [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    student = scipy.special.stdtrit(count - 1, (1 + confidence) / 2)
    errors = sums.std(axis=0, ddof=1, dtype=np.float64) / np.sqrt(count) * (count / len(values))
    ends = means - errors * np.maximum(student, high), means + errors * np.maximum(student, -low)
    return [Interval(*map(float, each)) for each in zip(means, *ends, strict=True)]


def bootstrap_intervals(
    build_statistic: Callable[[Array | slice], Statistic],
    examples: int,
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Interval]:
    """Compute percentile intervals of any figures that can be computed for many draws at once.

    Args:
        build_statistic: as for `resample`.
        examples: N.
        groups: as for `mean_intervals`.
        confidence: as for `mean_intervals`.
        resamples: as for `mean_intervals`.
        seed: as for `mean_intervals`.

    Returns:
        M intervals.

    Raises:
        ValueError: no example.
    """
    found = resample(build_statistic, examples, groups=groups, resamples=resamples, seed=seed)
    return percentile_intervals(*found, confidence)


def resample(
    build_statistic: Callable[[Array | slice], Statistic],
    examples: int,
    *,
    groups: Array | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Compute figures of all examples, and of bootstrap draws from them.

    Args:
        build_statistic: takes the n examples to draw from, an array of their numbers or a slice of all, and returns a
            function of (R, n) float64 weights, how often each of R draws holds each of these, that returns (R,) or
            (R, M). Draws of groups that are not of one size do not hold as many examples each.
        examples: N.
        groups: as for `mean_intervals`.
        resamples: R.
        seed: of the draws.

    Returns:
        (M,) float64 of all examples, and (R, M) float64 of the draws.

    Raises:
        ValueError: no example.
    """
    _require_examples(examples)
    statistic, share = build_statistic(slice(None)), subsample_share(examples)
    (value,) = statistic(np.ones((1, examples))).reshape(1, -1)
    if share < 1:
        chosen = draw_examples(examples, share, np.random.default_rng(seed), groups)
        statistic, examples, groups = build_statistic(chosen), len(chosen), None if groups is None else groups[chosen]
    members = None if groups is None else number_groups(groups)[0]
    blocks = _draw_weights(examples, resamples, seed, members)
    found = [statistic(weights).reshape(len(weights), -1) for weights in blocks]
    draws = np.concatenate(found)
    if share < 1:
        (centre,) = statistic(np.ones((1, examples))).reshape(1, -1)
        draws = value + np.sqrt(share) * (draws - centre)
    return value, draws


def percentile_intervals(value: Array, draws: Array, confidence: float) -> list[Interval]:
    """Compute percentile intervals of (M,) figures with (R, M) draws; none leaves out its figure, whatever its bias."""
    ends = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    ends = np.minimum(ends[0], value), np.maximum(ends[1], value)
    return [Interval(*map(float, each)) for each in zip(value, *ends, strict=True)]


def _require_examples(examples: int) -> None:
    if examples < 1:
        raise ValueError("The bootstrap needs at least one example. Received: none.")


def subsample_share(examples: int) -> float:
    """Return the share of the examples to subsample, 0 to 1; the spread of draws falls with its root."""
    return min(1.0, MOST_DRAWN / examples)


def draw_examples(examples: int, share: float, random: np.random.Generator, groups: Array | None = None) -> Array:
    """Draw a share of the examples at random, or of their groups, at least one: their numbers, ascending."""
    if groups is not None:
        numbers, sizes = number_groups(groups)
        return np.flatnonzero(np.isin(numbers, draw_examples(len(sizes), share, random)))
    return np.sort(random.choice(examples, max(1, round(share * examples)), replace=False))


def _draw_weights(examples: int, resamples: int, seed: int, members: Array | None = None) -> Iterator[Array]:
    """Yield blocks of (R, N) weights; those of a group are the same, where `members` numbers the groups."""
    drawn = examples if members is None else int(members.max()) + 1
    counts, rows = _draw_counts(drawn, resamples, seed), max(1, BLOCK_WEIGHTS // examples)
    for start in range(0, resamples, rows):
        weights = counts[start : start + rows].astype(np.float64)
        yield weights if members is None else weights[:, members]


@lru_cache(maxsize=1)  # the figures of several predictors, and their differences, take the same draws
def _draw_counts(examples: int, resamples: int, seed: int) -> Array:
    """(R, N) uint8, how often each draw holds each example; that it is 256 times is out of the question."""
    random, counts = np.random.default_rng(seed), np.empty((resamples, examples), np.uint8)
    for row in counts:
        row[:] = np.bincount(random.integers(examples, size=examples), minlength=examples)
    return counts


def proportion(successes: float, trials: float, confidence: float = 0.95) -> Interval:
    """Compute the share of successes with its exact interval (Clopper & Pearson 1934).

    Args:
        successes: 0 to `trials`. A part of a whole one counts, if that is a mean over several passes or targets: such a
            sum varies less (Hoeffding 1963).
        trials: at least 1. Both are divided by the design effect, where examples belong together.
        confidence: 0 to 1; the interval holds the true share at least as often.
    """
    tail = (1 - confidence) / 2
    low = scipy.special.betaincinv(successes, trials - successes + 1, tail) if successes > 0 else 0.0
    high = scipy.special.betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return Interval(float(successes / trials), float(low), float(high))


def share_interval(outcomes: Array, groups: Array | None, confidence: float = 0.95) -> Interval:
    """Compute the share of outcomes as `proportion` does, of counts that are divided by their design effect.

    Args:
        outcomes: (N,) 0 to 1, or bool.
        groups: as for `mean_intervals`.
        confidence: as for `proportion`.
    """
    effect = design_effect(outcomes, float(outcomes.mean()), groups, confidence)
    return proportion(float(outcomes.sum()) / effect, len(outcomes) / effect, confidence)


def bounded_mean(values: Array, most: float, confidence: float = 0.95) -> Interval:
    """Compute a mean of values that are 0 to `most`, with an interval that holds for any of them (Hoeffding 1963).

    What few examples show of rare large values, such as the NLL of mistakes, says little about those that there are:
    the ends are the means that values of 0 and `most` alone would show with the chance that is left open.

    Args:
        values: (N,) floating point, at least one.
        most: above 0.
        confidence: 0 to 1.
    """
    mean, allowed = float(values.mean()), np.log(2 / (1 - confidence)) / len(values)
    found = min(mean / most, 1.0)

    def excess(other: float) -> float:
        return float(scipy.special.rel_entr(found, other) + scipy.special.rel_entr(1 - found, 1 - other)) - allowed

    low = scipy.optimize.brentq(excess, 0, found) if found > 0 else 0.0
    high = scipy.optimize.brentq(excess, found, 1) if found < 1 else 1.0
    return Interval(mean, most * low, most * high)


def paired_difference(gained: int, lost: int, trials: int, confidence: float = 0.95) -> Interval:
    """Compute the difference of two shares of the same examples, with the wider of t's and McNemar's intervals.

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
    gained_share = proportion(gained, differ, confidence)
    low, high = ((2 * end - 1) * differ / trials for end in (gained_share.low, gained_share.high))
    error = np.sqrt((differ / trials - value**2) / max(trials - 1, 1))
    around = error * scipy.special.stdtrit(max(trials - 1, 1), (1 + confidence) / 2)
    return Interval(value, float(min(low, value - around)), float(max(high, value + around)))
