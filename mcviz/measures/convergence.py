"""How many passes are enough: what the mean of the first 1, 2, … passes is worth, and how far its ranking still moves.

Like `measures.calibration` of which it gives the terms, it is computed of one block of examples after the other.
"""

from collections.abc import Callable, Sequence

import numpy as np

from mcviz.measures.calibration import Terms, terms

Array = np.ndarray


def sizes_up_to(passes: int) -> list[int]:
    """The numbers of passes to look at: 1, 2, 5, 10, 20, 50, … and all of them."""
    steps = (digit * 10**power for power in range(len(str(passes))) for digit in (1, 2, 5))
    return sorted({passes, *(size for size in steps if size < passes)})


def terms_by_size(probs: Array, labels: Array, sizes: Sequence[int]) -> list[Terms]:
    """The terms of the ensembles of the first passes.

    Args:
        probs: (T, n, C) floating point, of one block of examples.
        labels: (n,) integers.
        sizes: numbers of passes, 1 to T, ascending.

    Returns:
        Those of each size, for `calibration.joined` with those of the other blocks.
    """
    found, total, before = [], np.zeros(probs.shape[1:]), 0
    for size in sizes:
        total += probs[before:size].sum(axis=0, dtype=np.float64)
        before = size
        found.append(terms(total[None] / size, labels))
    return found


def halves_by_size(probs: Array, score: Callable[[Array], Array], sizes: Sequence[int]) -> Array:
    """A score by two sets of passes that share none.

    Args:
        probs: (T, n, C) floating point, of one block of examples.
        score: takes (t, n, C) and returns (n,), such as `measures.max_probability`.
        sizes: numbers of passes in both sets together, 2 to T.

    Returns:
        (len(sizes), 2, n) float64: by the first half of the first passes, and by the second; of an odd number the last
        pass is left out.
    """
    return np.stack([[score(probs[: size // 2]), score(probs[size // 2 : size // 2 * 2])] for size in sizes])


def shared_top(one: Array, other: Array, top: int = 100) -> float:
    """The share of the `top` examples with the highest values that two scorings have in common, 0 to 1.

    Args:
        one: (N,) floating point, high for uncertain; ties keep the examples' own order.
        other: likewise.
        top: how many are at the top; all where there are fewer.
    """
    first, second = (np.argsort(-values, kind="stable")[:top] for values in (one, other))
    return len(np.intersect1d(first, second)) / len(first)
