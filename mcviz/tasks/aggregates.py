"""What the passes of some examples come to: means, predictions, scores, and sums over the examples."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Aggregates:
    """What the passes of n examples come to, by the names under which a run keeps it.

    Attributes:
        arrays: of a row an example, (n, …) float32 each.
        totals: (T,) sums over the examples, a number a pass.
        columns: of the table of scores, (n,) each.
    """

    arrays: dict[str, np.ndarray]
    totals: dict[str, np.ndarray]
    columns: dict[str, np.ndarray]


def join_aggregates(parts: list[Aggregates]) -> Aggregates:
    """The summary of all examples, from those of their parts in order."""
    return Aggregates(
        arrays={name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays},
        totals={name: np.sum([part.totals[name] for part in parts], axis=0) for name in parts[0].totals},
        columns={name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
    )
