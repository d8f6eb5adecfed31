"""Groups of examples that may depend on each other, such as the images of one patient.

Groups are independent of each other; of the examples within one, nothing is assumed. Everywhere in the measures,
`groups` is (N,) integers, the group of each example, or None: then each example is a group of its own.
"""

import numpy as np
import scipy  # loads scipy.special when it is first used

Array = np.ndarray

FEWEST_GROUPS = 10  # with a mistake, and with a correct prediction, from which on their correlation is estimated


def number_groups(groups: Array) -> tuple[Array, Array]:
    """Number the groups that there are.

    Returns:
        (N,) int64 0..G-1 for each example, and (G,) int64, how many examples each group has.
    """
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return numbers, sizes


def count_groups(examples: int, groups: Array | None) -> int:
    """Count the groups of so many examples."""
    return examples if groups is None else len(np.unique(groups))


def sum_by_group(values: Array, groups: Array | None) -> Array:
    """Sum (N, K) numbers over each group: (G, K) float64, or the numbers themselves without groups."""
    if groups is None:
        return values
    numbers, sizes = number_groups(groups)
    return np.stack([np.bincount(numbers, column, len(sizes)) for column in values.T], axis=1)


def split_in_halves(examples: int, groups: Array | None, seed: int) -> tuple[Array, Array]:
    """Split examples in two at random, or their groups, which stay whole.

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
    """Return the design effect where all examples of a group are alike: the mean size of the group of an example."""
    if groups is None:
        return 1.0
    _, sizes = number_groups(groups)
    return float(np.square(sizes).sum() / sizes.sum())


def design_effect(outcomes: Array, expected: Array | float, groups: Array | None, confidence: float = 0.95) -> float:
    """Compute how many examples of groups tell as much as one that is independent (Kish 1965), 1 or more.

    Counts that are divided by it are treated as those of independent examples (Korn & Graubard 1998). It is estimated
    from how far sums over groups are spread, and made larger as Student's t is wider for few groups. Where fewer than
    `FEWEST_GROUPS` groups hold an outcome, or lack one, little can be estimated: then the examples of a group count as
    all alike, which is the worst case.

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
    there, missing = (np.count_nonzero(np.bincount(numbers, each)) for each in (outcomes, 1 - outcomes))
    if min(there, missing) < FEWEST_GROUPS:
        return worst
    residuals = np.asarray(outcomes - expected, np.float64)
    spread = np.square(np.bincount(numbers, residuals)).sum() / np.square(residuals).sum()
    tail, count = (1 + confidence) / 2, len(sizes)
    wider = (scipy.special.stdtrit(count - 1, tail) / scipy.special.ndtri(tail)) ** 2 * count / (count - 1)
    return float(min(max(spread, 1.0) * wider, worst))
