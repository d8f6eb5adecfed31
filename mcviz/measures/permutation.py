"""Permutation tests of whether two sets of predictions differ by more than chance (Pitman 1937).

Under the null hypothesis the predictions are exchangeable. For the same examples, those of each example are swapped
between the two sets at random, which flips the sign of paired differences; for other examples, each is assigned to one
of the two sets at random. A difference that few such draws reach is more than noise.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import scipy  # loads scipy.special and scipy.stats when they are first used

from mcviz.measures.bootstrap import BLOCK_WEIGHTS, Statistic, draw_examples, subsample_share
from mcviz.measures.groups import number_groups

Array = np.ndarray

FEWEST_DRAWN = 1_000  # of each of two sets of very many examples, where it has as many
RELATIVE_ROUNDING = 1e-9  # a share of a figure within which it is the same


def critical_differences(
    build_statistic: Callable[[Array], Statistic],
    sizes: Sequence[int],
    *,
    paired: bool,
    groups: Sequence[Array | None] = (None, None),
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Array:
    """Compute the critical differences of figures: larger ones are more than noise.

    Very many examples are subsampled, and the result is scaled to the number of all.

    Args:
        build_statistic: takes the n examples of both sets to draw from, an array of their numbers; those of the second
            follow those of the first. It returns a function of (R, n) float64 weights, 1 for the examples of each of R
            draws and 0 for the others, that returns (R, M), M figures of these.
        sizes: N and M, how many examples each set has, at least one.
        paired: whether both are of the same examples in the same order.
        groups: (N,) and (M,) integers, the group of each example, which is exchanged as a whole; without them each
            example is its own.
        confidence: 0 to 1; of exchangeable sets, a difference is above the critical one in 1 - `confidence` of draws at
            most.
        resamples: how many draws there are, with that of the sets as they are.
        seed: of the draws.

    Returns:
        (M,) float64, 0 or more; NaN for a figure that too many draws do not have.
    """
    random, share = np.random.default_rng(seed), subsample_share(sum(sizes))
    chosen = [
        draw_examples(size, max(share, min(1.0, FEWEST_DRAWN / size)), random, each)
        for size, each in zip(sizes, groups, strict=True)
    ]
    if paired:
        chosen[1] = chosen[0]
    statistic = build_statistic(np.r_[chosen[0], sizes[0] + chosen[1]])
    first, second = map(len, chosen)
    members = [
        None if each is None else number_groups(each[some])[0] for each, some in zip(groups, chosen, strict=True)
    ]
    found = [
        difference(statistic(weights), statistic(1 - weights))
        for weights in _draw_exchanges(members, first, second, paired, resamples, random)
    ]
    ascending = np.sort(np.abs(np.concatenate(found)), axis=0)  # NaN comes last
    scale = np.sqrt((1 / sizes[0] + 1 / sizes[1]) / (1 / first + 1 / second))
    return scale * (1 + RELATIVE_ROUNDING) * ascending[int(np.ceil(confidence * resamples)) - 1]


def critical_change(changed: int, confidence: float = 0.95) -> int:
    """Compute how far two counts that add up to `changed` may differ by chance: the exact test of McNemar (1947).

    Args:
        changed: how many of the same examples one of two sets alone predicts correctly, 0 or more.
        confidence: 0 to 1.

    Returns:
        A larger difference has a two-sided p-value of 1 - `confidence` at most.
    """
    up_to = scipy.special.bdtr(np.arange(changed + 1), changed, 0.5)
    return 2 * int(np.searchsorted(up_to, (1 + confidence) / 2)) - changed


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


def difference(one: Array | float, other: Array | float) -> Array:
    """Subtract the first figure from the second; 0 where rounding alone makes them differ."""
    return np.where(np.isclose(one, other, rtol=RELATIVE_ROUNDING, atol=0), 0.0, np.subtract(other, one))


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


def _draw_exchanges(
    members: Sequence[Array | None], first: int, second: int, paired: bool, draws: int, random: np.random.Generator
) -> Iterator[Array]:
    """Yield blocks of (R, N + M) weights, 1 for the first set and 0 for the second; the first draw is as given."""
    rows = max(1, BLOCK_WEIGHTS // (first + second))
    yield np.r_[np.ones(first), np.zeros(second)][None]
    numbers = [np.arange(size) if each is None else each for each, size in zip(members, (first, second), strict=True)]
    units = [int(each.max()) + 1 for each in numbers]
    given = np.r_[np.ones(units[0]), np.zeros(units[1])][None]
    of_each = np.r_[numbers[0], units[0] + numbers[1]]
    is_whole = units == [first, second]  # each example is exchanged alone
    for start in range(1, draws, rows):
        count = min(rows, draws - start)
        if paired:
            kept = random.integers(2, size=(count, units[0])).astype(np.float64)[:, numbers[0]]
            yield np.hstack([kept, 1 - kept])
        else:
            drawn = random.permuted(given.repeat(count, axis=0), axis=1)
            yield drawn if is_whole else drawn[:, of_each]
