"""One array of a run: its name, shape and type, and how it is cut into chunks and files."""

from dataclasses import dataclass, field
from typing import Any

ROWS_VALUES = 1 << 20  # of an array of one row an example that is read at once


@dataclass(frozen=True)
class StoredArray:
    """One array of a run.

    Attributes:
        name: in the store.
        shape: of the whole array.
        dtype: as stored.
        dimensions: their names.
        chunk: how many rows are compressed together.
        shard: how many rows are in one file, a multiple of `chunk`.
        fill_value: for a missing number; 0 where any number may be valid.
        attributes: its CF attributes.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    dimensions: tuple[str, ...]
    chunk: int
    shard: int
    fill_value: float
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def shards(self) -> int:
        """The number of files."""
        return -(-self.shape[0] // self.shard)

    def key(self, shard: int) -> str:
        """The name of one file within the array."""
        return ".".join(["c", str(shard), *["0"] * (len(self.shape) - 1)])


def by_example(name: str, count: int, columns: tuple[str, int], attributes: dict[str, Any]) -> StoredArray:
    """Describe an array with one row of float32 for each example, in as few files as can be read at once."""
    dimension, width = columns
    rows = max(1, min(count, ROWS_VALUES // width))
    return StoredArray(name, (count, width), "float32", ("example", dimension), rows, rows, float("nan"), attributes)


def by_pass(name: str, passes: int, dtype: str, fill_value: float, attributes: dict[str, Any]) -> StoredArray:
    """Describe an array with one number for each pass, in one file."""
    return StoredArray(name, (passes,), dtype, ("draw",), passes, passes, fill_value, attributes)
