"""Find slices on which a model is worse than chance explains.

A slice holds the examples with one value of a column, or of each of two columns. It is compared with all other
examples, and the largest difference with that in permuted results: if results do not depend on the columns, any slice
is named with at most the given chance (Westfall & Young 1993; as a scan statistic, Kulldorff 1997).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, prod

import numpy as np
import scipy  # loads scipy.sparse when it is first used

from mcviz.measures.intervals import FEWEST_GROUPS, number_groups

Array = np.ndarray
Sums = Sequence[Array]  # of a set of examples: their number, then the sum of each term
Statistic = Callable[[Sums, Sums], Array]
Redraw = Callable[[Array, np.random.Generator, int], Array]
Key = tuple[tuple[str, int], ...]  # of a slice: the column names, each with a group

FEWEST_IN_GROUP = 20  # examples of a group or slice; fewer tell little
PERMUTATIONS = 1000
BLOCK_NUMBERS = 2**21  # float32 permuted at a time
FEWEST_DRAWS = 10  # at a time; they share the look-up of slices
SMALLEST = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False)
class Partition:
    """Slices by the values of one column or two.

    They overlap only if examples have several values of a column.

    Attributes:
        keys: of the S slices that are large enough and hold at most half of the examples.
        members: (E,) int32, the slices of the first example, then those of the second, and so on.
        starts: (N + 1,) int32, the offsets in `members` of each example's slices, and the end of the last.
        sizes: (S,) int64, how many examples each has.
        whole: how many examples there are.
    """

    keys: tuple[Key, ...]
    members: Array
    starts: Array
    sizes: Array
    whole: int

    def sums(self, terms: Array) -> Array:
        """Return (S, K) sums over each slice of (N, K) numbers."""
        one, shape = np.ones(len(self.members), terms.dtype), (len(self.keys), self.whole)
        sums: Array = scipy.sparse.csc_array((one, self.members, self.starts), shape=shape) @ terms
        return sums


@dataclass(frozen=True)
class Scan:
    """One statistic to search all slices with.

    Attributes:
        statistic: takes the sums of a slice, and those of it and the other examples together, and returns a z that is
            high if the slice is worse.
        level: the chance that any slice is named if there is nothing to find.
        without: names of columns to leave out.
        alone: takes the sums of a slice, and returns a z that has to be above the threshold too.
    """

    statistic: Statistic
    level: float
    without: Collection[str] = ()
    alone: Callable[[Sums], Array] | None = None


@dataclass(frozen=True)
class FoundSlice:
    """A slice that is worse than chance explains.

    Attributes:
        key: of the slice.
        examples: how many it has.
        z: its statistic.
    """

    key: Key
    examples: int
    z: float


@dataclass(frozen=True)
class ScanResult:
    """The result of a scan.

    Attributes:
        slices: those that are worse than chance explains, the worst first.
        threshold: of z, above which a slice is named; infinite without slices.
        count: number of slices searched.
    """

    slices: tuple[FoundSlice, ...]
    threshold: float
    count: int


def make_partitions(columns: Mapping[str, Array], pairs: Collection[tuple[str, str]]) -> list[Partition]:
    """Make the slices of all columns, and of pairs of columns.

    Args:
        columns: by name, (N,) integers, the group of each example, below 0 for none; or (N, G) bool, whether each
            example is in each group; it may be in several.
        pairs: names of two columns each.
    """
    partitions = [_partition(columns, names) for names in [*((name,) for name in columns), *pairs]]
    return [partition for partition in partitions if partition.keys]


def _partition(columns: Mapping[str, Array], names: Sequence[str]) -> Partition:
    count = len(columns[names[0]])
    shape = tuple(_count_groups(columns[name]) for name in names)
    examples, cells = np.arange(count), np.zeros(count, np.int64)  # one cell of all examples
    for name, group_count in zip(names, shape, strict=True):
        within, groups = _list_members(columns[name])
        repeats = np.bincount(within, minlength=count)
        first = np.cumsum(repeats) - repeats  # of each example, among its groups
        repeats = repeats[examples]
        offset = np.repeat(first[examples] - (np.cumsum(repeats) - repeats), repeats)
        cells = np.repeat(cells, repeats) * group_count + groups[offset + np.arange(len(offset))]
        examples = np.repeat(examples, repeats)
    sizes = np.bincount(cells, minlength=prod(shape))
    chosen = np.flatnonzero((sizes >= FEWEST_IN_GROUP) & (2 * sizes <= count))
    slices = np.full(len(sizes), -1, np.int32)
    slices[chosen] = np.arange(len(chosen))
    in_slice = slices[cells] >= 0
    starts = np.searchsorted(examples[in_slice], np.arange(count + 1)).astype(np.int32)
    values = zip(*(indices.tolist() for indices in np.unravel_index(chosen, shape)), strict=True)
    keys = tuple(tuple(zip(names, groups_of_key, strict=True)) for groups_of_key in values)
    return Partition(keys, slices[cells[in_slice]], starts, sizes[chosen], count)


def _count_groups(column: Array) -> int:
    return column.shape[1] if column.ndim == 2 else int(column.max()) + 1


def _list_members(column: Array) -> tuple[Array, Array]:
    if column.ndim == 2:
        examples, groups = np.nonzero(column)
        return examples, groups
    examples = np.flatnonzero(column >= 0)
    return examples, column[examples]


def scan_slices(
    terms: Array,
    partitions: Sequence[Partition],
    scans: Mapping[str, Scan],
    *,
    groups: Array | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, ScanResult]:
    """Find slices worse than chance explains.

    A slice of two columns may be part of a found slice of one column. It is kept only if its z against the rest of that
    slice is above the threshold, and it replaces that slice if its own z is larger. So unrelated parts of a worse slice
    are named no more often than unrelated slices.

    Args:
        terms: (M, N) float64, the numbers of each example that the statistics take sums of.
        partitions: of the N examples.
        scans: the searches, by name; all share the permutations.
        groups: (N,) integers, the group of each example, which stays whole; without it each is its own.
        permutations: how many draws there are.
        seed: of the draws.
        progress: called with (done, total) draws; an exception from it stops the scan.
    """
    random, redraw = np.random.default_rng(seed), _permute_examples if groups is None else permute_groups(groups)
    largest = {name: np.full(permutations, -np.inf) for name in scans}
    chosen = {
        name: [partition for partition in partitions if _is_scanned(partition, scan)] for name, scan in scans.items()
    }
    step = max(FEWEST_DRAWS, BLOCK_NUMBERS // max(1, terms.size))
    for start in range(0, permutations, step):
        count = min(step, permutations - start)
        redrawn = redraw(terms, random, count)
        totals = redrawn.sum(axis=0, dtype=np.float64).reshape(len(terms), count)
        for partition in partitions:
            sizes = partition.sizes[:, None].astype(np.float64)
            inside = partition.sums(redrawn).astype(np.float64).reshape(-1, len(terms), count).transpose(1, 0, 2)
            for name, scan in scans.items():
                if partition in chosen[name]:
                    z = scan.statistic((sizes, *inside), (np.array(partition.whole), *totals)).max(axis=0)
                    largest[name][start : start + count] = np.maximum(largest[name][start : start + count], z)
        if progress:
            progress(start + count, permutations)
    return {name: _find_slices(terms, chosen[name], scan, np.sort(largest[name])[::-1]) for name, scan in scans.items()}


def _permute_examples(terms: Array, random: np.random.Generator, count: int) -> Array:
    """Return (N, M × count) float32, the terms of permuted examples."""
    examples = np.broadcast_to(np.arange(terms.shape[1]), (count, terms.shape[1]))  # int64 is shuffled soonest
    order = random.permuted(examples, axis=1).T
    return np.concatenate([term.astype(np.float32)[order] for term in terms], axis=1)


def permute_groups(groups: Array) -> Redraw:
    """Permute whole groups of examples, and the examples within each.

    A group gets the results of another group of its size. If a size is rare, the donor may be up to twice as large, and
    some results are left out or repeated. So columns are independent of the results, constant in groups or not.

    Args:
        groups: (N,) integers, the group of each example.
    """
    numbers, sizes = number_groups(groups)
    by_group = np.argsort(numbers, kind="stable")
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(numbers), np.int64)  # of each example in its group
    place[by_group] = np.arange(len(numbers)) - np.repeat(starts, sizes)
    different, counts = np.unique(sizes, return_counts=True)
    is_usual = np.isin(sizes, different[counts >= FEWEST_GROUPS])
    stratum = np.where(is_usual, -sizes, np.log2(sizes).astype(np.int64))
    of_stratum = np.argsort(stratum, kind="stable")

    def redraw(terms: Array, random: np.random.Generator, count: int) -> Array:
        source = np.empty((len(numbers), count), np.intp)
        for draw in range(count):
            donor = np.empty(len(sizes), np.int64)
            donor[of_stratum] = np.lexsort((random.random(len(sizes)), stratum))
            shuffled = np.lexsort((random.random(len(numbers)), numbers))
            given = donor[numbers]
            source[:, draw] = shuffled[starts[given] + place % sizes[given]]
        return np.concatenate([term.astype(np.float32)[source] for term in terms], axis=1)

    return redraw


def mistakes_z(inside: Sums, whole: Sums) -> Array:
    """Compare shares of mistakes by the signed root of a likelihood ratio.

    It is the ratio of two binomial distributions.

    Args:
        inside: examples and mistakes of a slice.
        whole: the same of the slice and the other examples together.
    """
    (count, mistakes, *_), (others, their_mistakes, *_) = inside, _subtract(whole, inside)
    ratio = (
        _log_likelihood(mistakes, count) + _log_likelihood(their_mistakes, others) - _log_likelihood(whole[1], whole[0])
    )
    return _signed_root(ratio, mistakes * others - their_mistakes * count)


def calibration_z(inside: Sums, whole: Sums) -> Array:
    """Compare confidence − accuracy by the signed root of a likelihood ratio.

    It is the ratio of two Poisson distributions, with the expected mistakes times one factor for all examples, or
    another one in the slice (Kulldorff 1997). Mistakes − expected mistakes is the sum of confidence − correct.

    Args:
        inside: examples, mistakes, and expected mistakes of a slice: the sum of 1 − confidence.
        whole: the same of the slice and the other examples together.
    """
    (_, mistakes, expected), (_, their_mistakes, their_expected) = inside, _subtract(whole, inside)
    one, other, both = (
        k * np.log(np.maximum(k, SMALLEST) / np.maximum(e, SMALLEST))
        for k, e in ((mistakes, expected), (their_mistakes, their_expected), whole[1:])
    )
    return _signed_root(one + other - both, mistakes * their_expected - their_mistakes * expected)


def excess_z(inside: Sums) -> Array:
    """Compare a slice's mistakes with those its own confidences expect.

    Args:
        inside: as for `calibration_z`.
    """
    _, mistakes, expected = inside
    ratio = _xlogx(mistakes) - mistakes * np.log(np.maximum(expected, SMALLEST)) - mistakes + expected
    return _signed_root(ratio, mistakes - expected)


def error_z(dispersion: float) -> Statistic:
    """Compare mean absolute errors by the signed root of a quasi-likelihood ratio.

    It is that of two gamma distributions with a ratio of means, so units do not matter (McCullagh & Nelder 1989,
    chapter 8).

    Args:
        dispersion: the variance of the errors divided by the square of their mean, above 0.

    Returns:
        A function of (examples, sum of absolute errors) of a slice, and of the slice and the other examples together.
    """

    def statistic(inside: Sums, whole: Sums) -> Array:
        outside = _subtract(whole, inside)
        one, other, both = (n * np.log(np.maximum(errors, SMALLEST) / n) for n, errors in (inside, outside, whole))
        return _signed_root((both - one - other) / dispersion, inside[1] * outside[0] - outside[1] * inside[0])

    return statistic


def change_z(inside: Sums, whole: Sums) -> Array:
    """Compare how much worse a second model is inside and outside a slice.

    It is the difference of means divided by its error, with squares around the mean of all examples (Welch 1947).

    Args:
        inside: examples of a slice, sum of how much worse the second model is on each, and sum of the squares.
        whole: the same of the slice and the other examples together.
    """
    mean = whole[1] / whole[0]
    parts = inside, _subtract(whole, inside)
    (one, error), (other, rest) = (
        (worse / count - mean, (squares - mean * (2 * worse - count * mean)) / count**2)
        for count, worse, squares in parts
    )
    return (one - other) / np.sqrt(np.maximum(error + rest, SMALLEST))


def paired_z(inside: Sums) -> Array:
    """Compare two models on a slice by the sum of differences.

    It is divided by its standard deviation under random signs. For mistakes it is the statistic of McNemar (1947).

    Args:
        inside: as for `change_z`.
    """
    _, worse, squares = inside
    return worse / np.sqrt(np.maximum(squares, SMALLEST))


def fewest_mistakes(size: int, examples: int, mistakes: int, threshold: float) -> int | None:
    """Return the fewest mistakes that name a slice of a size, or None.

    Args:
        size: of the slice.
        examples: of all.
        mistakes: in all.
        threshold: of `mistakes_z`.
    """
    within = np.arange(min(size, mistakes) + 1, dtype=np.float64)
    z = mistakes_z((np.array(size), within), (np.array(examples), np.array(mistakes)))
    named = np.flatnonzero(z > threshold)
    return int(named[0]) if len(named) else None


def _is_scanned(partition: Partition, scan: Scan) -> bool:
    return not any(name in scan.without for name, _ in partition.keys[0])


def _find_slices(terms: Array, partitions: Sequence[Partition], scan: Scan, largest: Array) -> ScanResult:
    threshold, largest_slices = float(largest[int(scan.level * (1 + len(largest))) - 1]), {}
    sums: dict[Key, Sums] = {}
    for partition in partitions:
        inside = partition.sizes.astype(np.float64), *partition.sums(terms.T).T
        z = scan.statistic(inside, (np.array(partition.whole), *terms.sum(axis=1)))
        above = (z > threshold) & (scan.alone is None or scan.alone(inside) > threshold)
        for place in np.flatnonzero(above).tolist():
            key = partition.keys[place]
            largest_slices[key] = FoundSlice(key, int(partition.sizes[place]), float(z[place]))
            sums[key] = [sums_of_term[place] for sums_of_term in inside]
    named = _drop_parts(largest_slices, sums, scan.statistic, threshold)
    count = sum(len(partition.keys) for partition in partitions)
    return ScanResult(tuple(sorted(named, key=lambda slice_: -slice_.z)), threshold if count else inf, count)


def _drop_parts(
    slices: Mapping[Key, FoundSlice], sums: Mapping[Key, Sums], statistic: Statistic, threshold: float
) -> Iterator[FoundSlice]:
    """Yield the slices without redundant pairs and replaced parents.

    A pair is redundant if it is no worse than the rest of a parent.
    """
    replaced: set[Key] = set()
    remaining = []
    for key, slice_ in slices.items():
        parents = [(part,) for part in key if len(key) > 1 and (part,) in slices]
        of_parents, part = [sums[parent] for parent in parents], sums[key]
        if all(part[0] < of_parent[0] and statistic(part, of_parent) > threshold for of_parent in of_parents):
            remaining.append(slice_)
            replaced.update(parent for parent in parents if slice_.z > slices[parent].z)
    return (slice_ for slice_ in remaining if slice_.key not in replaced)


def _subtract(whole: Sums, inside: Sums) -> list[Array]:
    return [every - part for every, part in zip(whole, inside, strict=True)]


def _log_likelihood(successes: Array, trials: Array) -> Array:
    return _xlogx(successes) + _xlogx(trials - successes) - _xlogx(trials)


def _xlogx(values: Array) -> Array:
    return values * np.log(np.maximum(values, SMALLEST))


def _signed_root(log_ratio: Array, direction: Array) -> Array:
    return np.sign(direction) * np.sqrt(np.maximum(2 * log_ratio, 0))
