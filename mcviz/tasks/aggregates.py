"""Aggregates over the passes of some examples: means, predictions, scores, and sums over the examples."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Aggregates:
    """Aggregates over the passes of n examples, by their names in a run.

    Attributes:
        arrays: of a row an example, (n, …) float32 each.
        totals: (T,) sums over the examples, a number a pass.
        columns: of the table of scores, (n,) each.
    """

    arrays: dict[str, np.ndarray]
    totals: dict[str, np.ndarray]
    columns: dict[str, np.ndarray]


def join_aggregates(parts: list[Aggregates]) -> Aggregates:
    """Join the aggregates of parts, in the order of their examples."""
    return Aggregates(
        arrays={name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays},
        totals={name: np.sum([part.totals[name] for part in parts], axis=0) for name in parts[0].totals},
        columns={name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
    )
