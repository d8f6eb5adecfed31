"""Intervals of figures over examples, and tests of differences between predictions.

In all measures, `groups` is (N,) integers, the group of each example, or None if each is its own. Groups are
independent; examples within one may not be. So the bootstrap draws whole groups (cluster bootstrap, Davison & Hinkley
1997), and Student's t takes sums over groups. A mean of bounded numbers has the interval of `bounded_interval`, a count
the exact one.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import scipy  # loads scipy.special when it is first used

Array = np.ndarray
add = np.add.reduce  # a sum to the same bits, without the work around it
FEWEST_GROUPS = 10  # with a mistake, and with a correct prediction, to estimate their correlation

BLOCK_WEIGHTS = 2**21  # weights in memory at a time, 16 MB
MOST_DRAWN = 20_000  # examples; draws of more take too long
Statistic = Callable[[Array], Array]

CELLS = 2048  # that merge sorted numbers if there are more distinct ones
WEAKEST = 0.4  # standard deviations: bounds are at least so far from the mean

BETS = np.array([1, 0.6, 0.3, 0.1])  # shares of the largest bet
PARTS = np.array([7, 3, 3, 3]) / 16  # of the stake, one for each bet; they sum to 1 exactly

RELATIVE_ROUNDING = 1e-9  # figures that differ by less are equal

CumulativeDistribution = Callable[[float, float], float]
MOST_EXACT = 2000  # examples; beyond, a binomial distribution approximates the exact one


def number_groups(groups: Array) -> tuple[Array, Array]:
    """Number the groups in ascending order.

    Returns:
        (N,) int64 0..G-1 for each example, and (G,) int64, how many examples each group has.
    """
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return numbers, sizes


def count_groups(examples: int, groups: Array | None) -> int:
    """Count the groups; without `groups`, the examples."""
    return examples if groups is None else len(np.unique(groups))


def sum_by_group(values: Array, groups: Array | None) -> Array:
    """Sum (N, K) numbers over each group: (G, K) float64.

    Without groups, return `values` as they are.
    """
    if groups is None:
        return values
    numbers, sizes = number_groups(groups)
    return np.stack([np.bincount(numbers, column, len(sizes)) for column in values.T], axis=1)


def split_in_halves(examples: int, groups: Array | None, seed: int) -> tuple[Array, Array]:
    """Split examples, or whole groups of them, into two random halves.

    Returns:
        The numbers of the examples of each half, in a random order.
    """
    random = np.random.default_rng(seed)
    if groups is None:
        first, second = np.array_split(random.permutation(examples), 2)
        return first, second
    numbers, sizes = number_groups(groups)
    place = random.permutation(len(sizes))[numbers]
    order, half = np.argsort(place, kind="stable"), (len(sizes) + 1) // 2
    first, second = np.split(order, [np.count_nonzero(place < half)])
    return first, second


def largest_design_effect(groups: Array | None) -> float:
    """Return the design effect if all examples of a group are alike.

    It is the mean size of the group of an example.
    """
    if groups is None:
        return 1.0
    _, sizes = number_groups(groups)
    return float(np.square(sizes).sum() / sizes.sum())


def design_effect(outcomes: Array, expected: Array | float, groups: Array | None, confidence: float = 0.95) -> float:
    """Compute the design effect of groups (Kish 1965), 1 or more.

    Counts divided by it act like counts of independent examples (Korn & Graubard 1998). The spread of sums over groups
    estimates it, times the ratio of Student's t to the normal quantile. If fewer than `FEWEST_GROUPS` groups hold an
    outcome, or lack one, it is the worst case: all examples of a group are alike.

    Args:
        outcomes: (N,) 0 to 1, such as whether each prediction is a mistake.
        expected: (N,) the expected outcomes, or their mean.
        groups: (N,) integers or None.
        confidence: 0 to 1, of the interval that it is for.
    """
    if groups is None:
        return 1.0
    numbers, sizes = number_groups(groups)
    worst = largest_design_effect(groups)
    there, missing = (np.count_nonzero(np.bincount(numbers, weights)) for weights in (outcomes, 1 - outcomes))
    if min(there, missing) < FEWEST_GROUPS:
        return worst
    residuals = np.asarray(outcomes - expected, np.float64)
    spread = np.square(np.bincount(numbers, residuals)).sum() / np.square(residuals).sum()
    tail, count = (1 + confidence) / 2, len(sizes)
    wider = (scipy.special.stdtrit(count - 1, tail) / scipy.special.ndtri(tail)) ** 2 * count / (count - 1)
    return float(min(max(spread, 1.0) * wider, worst))


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its interval, in one unit.

    The ends are NaN if it has no interval.
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def magnitude(self) -> "Interval":
        """The distance from 0, if both ends have one sign."""
        low, high = sorted((abs(self.low), abs(self.high)))
        return Interval(abs(self.value), low, high)

    @property
    def root(self) -> "Interval":
        """The interval of the square root of a figure ≥ 0."""
        return Interval(*(math.sqrt(max(end, 0)) for end in (self.value, self.low, self.high)))

    def clip(self, least: float, most: float) -> "Interval":
        """Clip the interval to the bounds of its figure."""
        if math.isnan(self.low) or math.isnan(self.high):
            return self
        return Interval(self.value, max(least, self.low), min(most, self.high))

    def minus(self, other: "Interval", correlation: float = 0.0) -> "Interval":
        """Subtract another figure (method 10 of Newcombe 1998; Zou & Donner 2008)."""

        def reach(one: float, two: float) -> float:
            return math.sqrt(max(one**2 + two**2 - 2 * correlation * one * two, 0.0))

        value = self.value - other.value
        low = value - reach(self.value - self.low, other.high - other.value)
        return Interval(value, low, value + reach(self.high - self.value, other.value - other.low))

    def is_noise(self, most: float = math.inf) -> bool:
        """Whether a difference may be 0 and is within `most`."""
        return self.low <= 0 <= self.high and max(-self.low, self.high) <= most

    def format(self, number: Callable[[float], str], unit: str = "") -> str:
        """Format with unit and ends, such as "98.21% (97.95 to 98.44)"."""
        if math.isnan(self.low) or math.isnan(self.high):
            return f"{number(self.value)}{unit}"
        return f"{number(self.value)}{unit} ({number(self.low)} to {number(self.high)})"


@dataclass(frozen=True)
class Unsettled(Interval):
    """The interval of a difference that unseen examples alone may explain.

    It holds 0, but Student's t interval of the seen examples does not.
    """

    def is_noise(self, most: float = math.inf) -> bool:  # noqa: ARG002
        """Return False: more examples may show a difference."""
        return False


def subtract(second: Any, first: Any) -> Any:
    """Subtract in float64; differences by rounding alone become 0."""
    reduction = np.where(
        np.isclose(first, second, rtol=RELATIVE_ROUNDING, atol=0), 0.0, np.subtract(second, first, dtype=np.float64)
    )
    return reduction if reduction.ndim else float(reduction)


def find_biased(excess: Mapping[str, Interval]) -> dict[str, list[str]]:
    """Find probabilities that are too high or too low beyond chance.

    Args:
        excess: for each name, mean probability − observed frequency.

    Returns:
        The names by "too high" and "too low", without empty lists.
    """
    found = {
        "too high": [name for name, interval in excess.items() if interval.low > 0],
        "too low": [name for name, interval in excess.items() if interval.high < 0],
    }
    return {words: names for words, names in found.items() if names}


def mean_intervals(
    values: Array,
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Interval]:
    """Compute intervals of means by Student's t and bootstrap-t (Efron 1982).

    Each end is the farther one of both. Percentiles of the bootstrap are too narrow if a few examples, such as
    mistakes, make up most of a mean.

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
    return [Interval(*map(float, interval)) for interval in zip(means, *ends, strict=True)]


def bootstrap_intervals(
    build_statistic: Callable[[Array | slice], Statistic],
    examples: int,
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Interval]:
    """Compute percentile intervals of figures that take many draws at once.

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
    statistics = resample(build_statistic, examples, groups=groups, resamples=resamples, seed=seed)
    return percentile_intervals(*statistics, confidence)


def resample(
    build_statistic: Callable[[Array | slice], Statistic],
    examples: int,
    *,
    groups: Array | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Compute figures of all examples and of bootstrap draws.

    Differences of figures of the same draws are paired. Beyond `MOST_DRAWN` examples, draws come from a random
    subsample, and their spread is scaled by the root of its share (m out of n bootstrap, Bickel et al. 1997).

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
    parts = [statistic(weights).reshape(len(weights), -1) for weights in blocks]
    draws = np.concatenate(parts)
    if share < 1:
        (centre,) = statistic(np.ones((1, examples))).reshape(1, -1)
        draws = value + np.sqrt(share) * (draws - centre)
    return value, draws


def percentile_intervals(value: Array, draws: Array, confidence: float) -> list[Interval]:
    """Compute percentile intervals of (M,) figures with (R, M) draws.

    Each interval is widened to include its figure.
    """
    ends = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    ends = np.minimum(ends[0], value), np.maximum(ends[1], value)
    return [Interval(*map(float, interval)) for interval in zip(value, *ends, strict=True)]


def _require_examples(examples: int) -> None:
    if examples < 1:
        raise ValueError("The bootstrap needs at least one example. Received: none.")


def subsample_share(examples: int) -> float:
    """Return the share of examples to subsample, 0 to 1."""
    return min(1.0, MOST_DRAWN / examples)


def draw_examples(examples: int, share: float, random: np.random.Generator, groups: Array | None = None) -> Array:
    """Draw a random share of the examples, or of whole groups.

    Return their numbers, ascending; at least one example or group.
    """
    if groups is not None:
        numbers, sizes = number_groups(groups)
        return np.flatnonzero(np.isin(numbers, draw_examples(len(sizes), share, random)))
    return np.sort(random.choice(examples, max(1, round(share * examples)), replace=False))


def _draw_weights(examples: int, resamples: int, seed: int, members: Array | None = None) -> Iterator[Array]:
    units = examples if members is None else int(members.max()) + 1
    counts, rows = _draw_counts(units, resamples, seed), max(1, BLOCK_WEIGHTS // examples)
    for start in range(0, resamples, rows):
        weights = counts[start : start + rows].astype(np.float64)
        yield weights if members is None else weights[:, members]


@lru_cache(maxsize=1)  # figures of several predictors, and their differences, share the draws
def _draw_counts(examples: int, resamples: int, seed: int) -> Array:
    """Return (R, N) uint8, how often each draw holds each example."""
    random, counts = np.random.default_rng(seed), np.empty((resamples, examples), np.uint8)
    for row in counts:
        row[:] = np.bincount(random.integers(examples, size=examples), minlength=examples)
    return counts


def proportion(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Compute a share of successes, with exact interval (Clopper & Pearson 1934).

    Args:
        successes: 0 to `trials`, a whole number. It is proven for these alone: a mean of parts takes `share_interval`.
        trials: at least 1.
        confidence: 0 to 1; the interval holds the true share at least as often.

    Raises:
        ValueError: part of a success.
    """
    if successes != int(successes):
        raise ValueError(f"successes should be a whole number. Received: {successes}.")
    tail = (1 - confidence) / 2
    if successes in (0, trials):  # a formula without SciPy, which takes long to load
        end = tail ** (1 / trials)
        return Interval(1.0, float(end), 1.0) if successes else Interval(0.0, 0.0, float(1 - end))
    low = scipy.special.betaincinv(successes, trials - successes + 1, tail)
    high = scipy.special.betaincinv(successes + 1, trials - successes, 1 - tail)
    return Interval(float(successes / trials), float(low), float(high))


def share_interval(outcomes: Array, groups: Array | None, confidence: float = 0.95) -> Interval:
    """Compute a share of outcomes, or a mean of parts, with interval.

    It is that of `proportion` for counts, and of `bounded_interval` for parts and mixed groups.

    Args:
        outcomes: (N,) bool; or 0 to 1, such as the share of an example's targets that are held.
        groups: as for `mean_intervals`.
        confidence: as for `proportion`.
    """
    columns = np.stack([outcomes, np.ones(len(outcomes))], axis=1, dtype=np.float64)
    sums, sizes = sum_by_group(columns, groups).T
    if np.ptp(sizes) == 0 and np.all((sums == 0) | (sums == sizes)):  # a count, with groups one of copies
        return proportion(int(np.count_nonzero(sums)), len(sums), confidence)
    return bounded_interval(outcomes, (0, 1), groups, confidence)


def bounded_interval(
    values: Array,
    bounds: tuple[float, float],
    groups: Array | None = None,
    confidence: float = 0.95,
    *,
    sizes: Array | None = None,
) -> Interval:
    """Return a mean of bounded numbers with Gaffke's interval.

    It allows for unseen rare numbers (Gaffke 2005; Learned-Miller & Thomas 2020). It is conjectured to hold for
    independent numbers of any distribution within the bounds; for counts it is Clopper and Pearson's. An unseen group
    has the mean size of an example's group, so the interval is too narrow if only large groups fail.

    Args:
        values: (N,) floating point or bool.
        bounds: the lowest and the highest number that there can be.
        groups: as for `mean_intervals`.
        confidence: 0 to 1.
        sizes: (N,) above 0, how many numbers each of `values` sums; 1 without it.

    Returns:
        The sum of the values by that of the sizes; an `Unsettled` interval if only unseen examples let it hold 0.
    """
    columns = np.stack([values, np.ones(len(values)) if sizes is None else sizes], axis=1, dtype=np.float64)
    value = float(columns[:, 0].sum() / columns[:, 1].sum())
    (sums, counts), (least, most), tail = sum_by_group(columns, groups).T, bounds, (1 - confidence) / 2
    low = least + _lowest_mean(sums - least * counts, counts, tail)
    high = most - _lowest_mean(most * counts - sums, counts, tail)
    interval = Interval(value, min(low, value), max(high, value))  # despite rounding
    if not interval.low <= 0 <= interval.high or len(sums) == 1:
        return interval
    error = math.sqrt(np.square(sums - value * counts).sum() * len(sums) / (len(sums) - 1)) / counts.sum()
    is_beyond = abs(value) > error * scipy.special.stdtrit(len(sums) - 1, 1 - tail)
    return Unsettled(*astuple(interval)) if is_beyond else interval


def _lowest_mean(sums: Array, sizes: Array, tail: float) -> float:
    """Compute the lower bound of Σ sums / Σ sizes, for sums ≥ 0.

    It is the quantile of Σ w·sums / (Σ w·sizes + e·unseen), with independent exponential w and e (saddlepoint
    approximation, Lugannani and Rice 1980). As the weights of the sums grow, both the mean and the chance fall.
    """
    mean = max(float(sums.sum() / sizes.sum()), 0.0)
    if mean == 0:
        return 0.0
    unseen = np.square(sizes).sum() / sizes.sum()
    alike = _merge_alike(np.maximum(sums, 0) / mean, sizes)
    above, size, shape = (np.append(column, last) for column, last in zip(alike, (0, unseen, 1), strict=True))
    chance, total = min(tail, float(scipy.special.ndtr(-WEAKEST))), add(shape)

    def find_slope(weight: float) -> float:
        """Solve Σ shape / (1 + weight·above − slope·size) = Σ shape by Newton from the right."""
        start = 1 + weight * above
        slope, step = float(((start - shape / total) / size).min()), math.inf
        while step > RELATIVE_ROUNDING * abs(slope):
            rest = start - slope * size
            parts = shape / rest
            step = float((add(parts) - total) / add(parts * size / rest))
            slope -= step
        return slope

    @cache  # the ends are asked for again
    def excess(weight: float) -> float:
        less = weight * above - find_slope(weight) * size
        root = math.sqrt(2 * float(add(shape * np.log1p(less))))
        width = math.sqrt(float(add(shape * np.square(less / (1 + less)))))
        density = math.exp(-(root**2) / 2) / math.sqrt(2 * math.pi)
        return float(scipy.special.ndtr(-root)) + density * (1 / width - 1 / root) - chance

    low, high = 1.0, 1.0
    while excess(high) > 0:
        high *= 4
    while excess(low) < 0:
        low /= 4
    weight = scipy.optimize.brentq(excess, low, high, rtol=RELATIVE_ROUNDING) if low < high else 1.0
    return mean * max(find_slope(weight) / weight, 0.0)


def _merge_alike(sums: Array, sizes: Array) -> tuple[Array, Array, Array]:
    """Merge equal pairs of sums and sizes, and very many into cells.

    A cell merges neighbouring sums of one size into the lowest of them.

    Returns:
        Sums, sizes, and how many of the pairs each is.
    """
    if np.ptp(sizes) > 0:
        pairs, counts = np.unique(np.stack([sums, sizes]), axis=1, return_counts=True)
        return (*pairs, counts)
    ordered = np.sort(sums)
    starts = np.flatnonzero(np.append(True, ordered[1:] > ordered[:-1]))
    if len(starts) > CELLS:
        starts = np.linspace(0, len(ordered), CELLS + 1)[:-1].astype(np.int64)
    return ordered[starts], sizes[starts], np.diff(starts, append=len(ordered))


def paired_difference(gained: int, lost: int, trials: int, confidence: float = 0.95) -> Interval:
    """Compute the difference of two shares of the same examples.

    It combines the exact intervals of the examples that only one of the two holds, with their multinomial correlation,
    and holds 0 if McNemar's exact test (1947) does not reject equality. If none differs, each end is the exact bound
    for zero cases.

    Args:
        gained: how many only the first holds.
        lost: how many only the second holds.
        trials: how many examples there are, at least 1.
        confidence: 0 to 1; either end lies beyond the true difference in at most half of what this leaves open, by
            enumeration (tests/measures/test_intervals.py).

    Returns:
        The first share − the second.
    """
    one, other = (proportion(count, trials, confidence) for count in (gained, lost))
    both = gained * lost
    correlation = -math.sqrt(both / ((trials - gained) * (trials - lost))) if both else 0.0
    interval = one.minus(other, correlation)
    if not gained + lost:
        return interval
    share, scale = proportion(gained, gained + lost, confidence), (gained + lost) / trials
    return Interval(
        (gained - lost) / trials,
        min(interval.low, (2 * share.low - 1) * scale),
        max(interval.high, (2 * share.high - 1) * scale),
    )


def accuracy_difference(one: Array, other: Array, groups: Array | None, confidence: float = 0.95) -> Interval:
    """Compute the difference of two predictors' accuracies.

    It has the interval of `paired_difference` for −1, 0 and 1 without groups, else of `bounded_interval`.

    Args:
        one: (N,) whether each prediction of the first is correct, or the share of its passes or labels that are.
        other: the same of the second.
        groups: as for `mean_intervals`.
        confidence: 0 to 1.

    Returns:
        Second − first.
    """
    differences = subtract(other, one)
    if count_groups(len(differences), groups) < len(differences) or np.any(differences % 1):
        return bounded_interval(differences, (-1, 1), groups, confidence)
    gained, lost = (int(np.count_nonzero(changed)) for changed in (differences > 0, differences < 0))
    return paired_difference(gained, lost, len(one), confidence)


def betting_p_value(losses: Array, mean: float) -> float:
    """Compute the p-value for a mean loss of `mean` or more.

    A gambler repeatedly bets that losses are below `mean`. If they are not, the stake ever reaches 1/p with probability
    ≤ p (Ville 1939), for any number of losses of any distribution. The stake is divided among constant bets (the
    diversified Kelly bet of Waudby-Smith & Ramdas 2024).

    Args:
        losses: (N,) float64 0 to 1, independent and of one distribution, in an order that does not depend on them.
        mean: 0 to 1.
    """
    if mean >= 1:
        return float(np.all(losses == 1))
    if mean <= 0:
        return 1.0  # no loss is below it, so only rounding could win a bet
    with np.errstate(divide="ignore"):  # the largest bet is lost at a loss of 1
        growth = np.log1p(-BETS * (losses[:, None] - mean) / (1 - mean)).cumsum(axis=0)
    stakes = scipy.special.logsumexp(growth, axis=1, b=PARTS)
    return float(np.exp(-max(stakes.max(initial=0), 0)))


def finds_more_than_chance(wanted: Array, inspected: int, confidence: float = 0.95) -> bool:
    """Whether an order finds more wanted examples than chance (Fisher 1935).

    It is the one-sided hypergeometric test.

    Args:
        wanted: (N,) bool in the order that is tested, such as whether each prediction is wrong.
        inspected: number of examples that are inspected, the first ones, 1 to N.
        confidence: 0 to 1; of orders that know nothing, 1 - `confidence` at most seem to find something.
    """
    hits = int(np.count_nonzero(wanted[:inspected]))
    chance = scipy.stats.hypergeom.sf(hits - 1, len(wanted), np.count_nonzero(wanted), inspected)
    return bool(chance <= (1 - confidence) * (1 + RELATIVE_ROUNDING))


def excess_mistakes(chances: Array, mistakes: float, confidence: float = 0.95, effect: float = 1.0) -> Interval:
    """Compute the share of mistakes − their mean chance.

    Above 0, confidences are too high. Under calibration the number of mistakes is Poisson-binomial (Wang 1993).
    Alternatives move every chance by one share of its distance to 1, or to 0, up to a binomial distribution, the widest
    with its mean (Hoeffding 1956). The interval holds the shares that the test does not reject, so it excludes 0
    exactly if the test rejects calibration.

    Args:
        chances: (N,) floating point 0 to 1, of a mistake by each of N ≥ 1 predictions, if confidences are true.
        mistakes: 0 to N, their number; fractional if it is a mean over several passes.
        confidence: 0 to 1. Given the chances, the interval holds the expected excess at least as often.
        effect: the design effect, which divides all counts.

    Returns:
        The share of mistakes − the mean chance of one, as fractions.
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
    """Compute the expected share of mistakes and a prediction interval.

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
    """Whether no mistakes, or only mistakes, would reject calibration.

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
    """Build the binomial distribution of equal mean and variance (Ehm 1991)."""
    sums = len(chances), float(chances.sum()), float(np.square(chances).sum())
    count, total, squares = (sums_of_row / effect for sums_of_row in sums)

    def cumulative(mistakes: float, move: float) -> float:
        start, share = max(move, 0.0), 1 - abs(move)
        mean = count * start + share * total
        square = count * start**2 + 2 * start * share * total + share**2 * squares
        if square == 0:  # no chance of any mistake
            return 1.0
        return float(_binomial(mistakes, mean**2 / square, min(square / mean, 1.0)))

    return cumulative


def _binomial(successes: Array | float, trials: Array | float, chance: float) -> Array:
    """Return the binomial distribution function, also for fractional numbers."""
    inside = (successes > -1) & (successes < trials)
    rest, more = np.where(inside, trials - successes, 1), np.where(inside, successes + 1, 1)
    return np.where(inside, scipy.special.betainc(rest, more, 1 - chance), successes >= trials)
