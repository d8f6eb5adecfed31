"""Distortions of rows of numbers, and a measure of unusual values.

A distortion takes `rows`, (n, D) float32, and returns as many. `others`, (N, D), are all rows of a run. Row `i` of a
seed does not depend on their number.
"""

from dataclasses import dataclass

import numpy as np

from mcviz import validate
from mcviz.kinds.base import Distortion, drawn_share

MAD_TO_STD = 1.4826  # of a normal distribution
RowArray = np.ndarray


def shuffle_columns(rows: RowArray, others: RowArray, share: float = 1.0, seed: int = 0) -> RowArray:
    """Fill columns with values of other rows, each column shuffled on its own.

    Args:
        rows: (n, D) float32.
        others: (N, D), whose columns are shuffled; if they are `rows`, each column keeps its values.
        share: of the columns, 0 to 1, drawn at random.
        seed: any non-negative integer.

    Raises:
        InvalidInputError: a share that is not from 0 to 1.
    """
    random, shuffled = np.random.default_rng(seed), rows.copy()
    columns = rows.shape[1]
    for column in random.permutation(columns)[: round(validate.fraction("share", share) * columns)]:
        shuffled[:, column] = np.resize(random.permutation(others[:, column]), len(rows))
    return shuffled


def out_of_range(rows: RowArray, others: RowArray, ranges: float, column: int) -> RowArray:
    """Set one column beyond its range.

    Args:
        rows: (n, D) float32.
        others: (N, D), whose smallest and largest value are the range.
        ranges: how many ranges beyond: above the largest, or below the smallest if negative; 0 leaves rows unchanged.
        column: which, counted from 0.

    Raises:
        InvalidInputError: no such column.
    """
    validate.whole_number("column", column, 0, rows.shape[1] - 1)
    if ranges == 0:
        return rows.copy()
    low, high = float(others[:, column].min()), float(others[:, column].max())
    width = (high - low) or 1.0
    moved = rows.copy()
    moved[:, column] = (high if ranges > 0 else low) + ranges * width
    return moved


def add_noise(rows: RowArray, others: RowArray, share: float, seed: int = 0) -> RowArray:
    """Add Gaussian noise in proportion to each column's standard deviation.

    Args:
        rows: (n, D) float32.
        others: (N, D), whose standard deviations count.
        share: of the standard deviation, 0 or more.
        seed: any non-negative integer.

    Raises:
        InvalidInputError: a share below 0.
    """
    validate.number("share", share, least=0)
    noise = np.random.default_rng(seed).standard_normal(rows.shape, dtype=np.float32)
    return rows + noise * (share * others.std(axis=0, dtype=np.float64)).astype(np.float32)


@dataclass(frozen=True)
class ColumnStats:
    """The usual values of each column.

    Attributes:
        median: (D,) float64.
        spread: (D,) float64, the standard deviation estimated by the median absolute deviation (MAD); if that is 0, the
            standard deviation itself.
    """

    median: np.ndarray
    spread: np.ndarray

    def z(self, some: RowArray) -> np.ndarray:
        """Return distances from column medians, in standard deviations.

        Args:
            some: (n, D), or (D,) of one row.

        Returns:
            float64 of the same shape, negative below the median; infinite for another value in a column that is
            constant elsewhere.
        """
        away = some - self.median
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(away == 0, 0.0, away / self.spread)


def column_stats(rows: RowArray) -> ColumnStats:
    """Return usual values of each column of (N, D) rows."""
    rows = rows.astype(np.float64)
    median = np.median(rows, axis=0)
    spread = MAD_TO_STD * np.median(np.abs(rows - median), axis=0)
    return ColumnStats(median, np.where(spread > 0, spread, rows.std(axis=0)))


def most_unusual(z: np.ndarray) -> np.ndarray:
    """Return a row's columns, most unusual first, (D,) int64, by (D,) z."""
    return np.argsort(-np.abs(z), kind="stable")


ROW_DISTORTIONS: dict[str, Distortion] = {
    "shuffle_columns": drawn_share(
        "Shuffle columns",
        "of the columns",
        lambda rows, share, seed, others: shuffle_columns(rows, others, share, seed),
    ),
    "out_of_range": Distortion(
        "Out of range",
        "ranges beyond, in a random column",
        0,
        10,
        0.5,
        lambda rows, ranges, seed, others: out_of_range(rows, others, ranges, _any_column(rows, seed)),
        opposite=-10,
        seeded=True,
    ),
    "noise": Distortion(
        "Gaussian noise",
        "of each column's std",
        0,
        5,
        0.1,
        lambda rows, share, seed, others: add_noise(rows, others, share, seed),
        is_share=True,
        seeded=True,
    ),
}


def _any_column(rows: RowArray, seed: int) -> int:
    return int(np.random.default_rng(seed).integers(rows.shape[1]))
