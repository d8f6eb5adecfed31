"""Arrow tables: Parquet files, also with pictures, and saved Hugging Face datasets."""

import json
import threading
import weakref
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mcviz.data.tables import PICTURE_COLUMNS, ColumnNames, find_usual_column, read_frame
from mcviz.errors import InvalidInputError, StorageError
from mcviz.regular import open_regular
from mcviz.text import first_line, list_names
from mcviz.validate import invalid

SPLIT_ORDER = ("test", "validation", "train")

DECODED_ROWS = 16  # that are decoded together
HELD_BYTES = 1 << 27  # of the pictures that were read last: a block of them is read more than once
BUFFER_BYTES = 1 << 16
PARQUET_ERRORS = (OSError, ValueError, RecursionError, pa.ArrowException)


def is_saved_dataset(folder: Path) -> bool:
    """Return whether a folder is from `Dataset.save_to_disk`."""
    return any((folder / name).exists() for name in ("dataset_info.json", "state.json"))


def choose_split(path: Path, wanted: str | None) -> tuple[Path, tuple[str, ...]]:
    """Choose one split of a saved data set.

    Args:
        path: of any data.
        wanted: the name of the split; None takes the first of `SPLIT_ORDER`, or else of the data set.

    Returns:
        The folder of the split, or the path of data without splits; and a sentence for the person, where there was a
        choice.

    Raises:
        InvalidInputError: the data set has no such split, or its list of splits is damaged.
    """
    listed = path / "dataset_dict.json"
    if not listed.is_file():
        if wanted is not None:
            raise invalid("split", "left out where the data is no saved data set of several splits", wanted)
        return path, ()
    try:
        splits = [str(name) for name in _read_json(listed)["splits"]]
        chosen = wanted or next((split for split in SPLIT_ORDER if split in splits), splits[0])
        folder = _join_name(path, chosen)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InvalidInputError(f"{path} cannot be read as a saved data set ({error}).") from error
    if chosen not in splits:
        raise invalid("split", f"one of {list_names(splits)}", chosen)
    more = len(splits) > 1
    return folder, (f"split: {chosen}, of {list_names(splits)}; --split takes another",) if more else ()


def read_dataset(folder: Path) -> tuple[pa.Table, dict[str, tuple[str, ...]]]:
    """Open a saved data set of one split.

    Returns:
        Its table, mapped from disk and not read; and the class names of each column that has some.

    Raises:
        InvalidInputError: a file of it is missing, damaged or no regular file.
    """
    try:
        state, info = _read_json(folder / "state.json"), _read_json(folder / "dataset_info.json")
        table = pa.concat_tables([_map_arrow(folder, file["filename"]) for file in state["_data_files"]])
        if indices := state.get("_indices_files"):
            order = pa.concat_tables([_map_arrow(folder, file["filename"]) for file in indices])
            table = table.take(order["indices"])
        features: dict[str, Any] = info.get("features") or {}
        names = {
            column: tuple(str(name) for name in each["names"])
            for column, feature in features.items()
            if isinstance(feature, dict)
            and isinstance(each := feature.get("feature", feature), dict)  # of a list, what is in it
            and each.get("_type") == "ClassLabel"
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # Arrow's and JSON's are of these
        raise InvalidInputError(f"{folder} cannot be read as a saved data set ({error}).") from error
    return table, names


def encoded_pictures(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return encoded pictures of a column, or None."""
    column = _struct_field(column, "bytes")
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return column
    return None


def picture_paths(column: pa.ChunkedArray) -> list[str] | None:
    """Return picture paths of a column without bytes, or None."""
    pictures, paths = _struct_field(column, "bytes"), _struct_field(column, "path")
    held = pictures is not column and len(pictures) and pictures.null_count == len(pictures)
    return paths.to_pylist() if held and paths is not column and not paths.null_count else None


def stack_rows(column: pa.ChunkedArray) -> np.ndarray:
    """Stack a column of equal nested lists, (N, …).

    Raises:
        InvalidInputError: their shapes differ.
    """
    try:
        return np.array(column.to_pylist())
    except ValueError as error:
        raise InvalidInputError("the rows of its images differ in shape.") from error


def _struct_field(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return a field of a struct column, or the column itself."""
    if not pa.types.is_struct(column.type) or name not in [field.name for field in column.type]:
        return column
    return pa.chunked_array([chunk.field(name) for chunk in column.chunks], type=column.type.field(name).type)


def _read_json(path: Path) -> dict[str, Any]:
    with open_regular(path) as file:
        return json.load(file)


def _map_arrow(folder: Path, name: str) -> pa.Table:
    path = _join_name(folder, name)
    open_regular(path).close()
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_stream(file).read_all()


def _join_name(folder: Path, name: str) -> Path:
    if Path(name).name != name:
        raise ValueError(f"it names the file {name!r}")
    return folder / name


@dataclass(frozen=True)
class ParquetPictures:
    """Picture bytes in a Parquet column, opened by each process itself.

    Attributes:
        path: of the file.
        column: its name.
        rows: of the file.
    """

    path: str
    column: str
    rows: int

    def __call__(self, place: int) -> bytes:
        """Read the bytes of the picture in a row.

        Raises:
            InvalidInputError: the row has none.
            StorageError: the file cannot be read, or is another by now.
        """
        try:
            status = Path(self.path).stat()
            value = _open_column(self, (status.st_ino, status.st_size, status.st_mtime_ns))[place]
        except StorageError:
            raise
        except PARQUET_ERRORS as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
            raise StorageError(f"{self.path} cannot be read: {reason}.") from error
        if value is None:
            raise InvalidInputError("it is missing.")
        return value


def read_parquet(path: Path, names: ColumnNames) -> tuple[pd.DataFrame, dict[str, ParquetPictures]]:
    """Read a Parquet file without its column of encoded pictures.

    Returns:
        The table, in which the numbers of the rows stand for that column; and what reads the column, by its name.

    Raises:
        InvalidInputError: it cannot be read.
    """
    try:
        with open_regular(path) as file, pq.ParquetFile(file) as opened:
            schema, rows, size = opened.schema_arrow, opened.metadata.num_rows, path.stat().st_size
    except PARQUET_ERRORS as error:
        raise InvalidInputError(f"{path} cannot be read as a table ({first_line(error)}).") from error
    name = _find_picture_column(schema, names)
    if name is None:
        return read_frame(path), {}
    others = [other for other in schema.names if other != name]
    frame = read_frame(path, columns=others) if others else pd.DataFrame(index=range(rows))
    if not len(frame) == rows <= size:  # a claim, for which memory would be taken
        raise InvalidInputError(f"{path} cannot be read as a table (it claims {rows:,} rows in {size:,} bytes).")
    return frame.assign(**{name: np.arange(rows)}), {name: ParquetPictures(str(path.absolute()), name, rows)}


def _find_picture_column(schema: pa.Schema, names: ColumnNames) -> str | None:
    if names.text or names.features or len(set(schema.names)) < len(schema.names):
        return None
    others = set(names.named()) - {names.picture}
    name = names.picture or find_usual_column([name for name in schema.names if name not in others], PICTURE_COLUMNS)
    if name not in schema.names or encoded_pictures(pa.chunked_array([], schema.field(name).type)) is None:
        return None
    return name


class _Column:
    """A file's column, decoded forward; the last cells are kept, since a row group may hold all pictures."""

    def __init__(self, source: ParquetPictures) -> None:
        file = open_regular(source.path)
        weakref.finalize(self, file.close)
        self._file = pq.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False)
        rows, columns = self._file.metadata.num_rows, self._file.schema_arrow.names
        if rows != source.rows or source.column not in columns:
            raise StorageError(
                f"{source.path} should have {source.rows:,} rows and a column {source.column}, as before. Received: "
                f"{rows:,} rows, and {list_names(columns)}."
            )
        groups = range(self._file.num_row_groups)
        self._begins = np.cumsum([0, *(self._file.metadata.row_group(group).num_rows for group in groups)]).tolist()
        self._name, self._rows = source.column, rows
        self._next = rows
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._held: OrderedDict[int, bytes | None] = OrderedDict()
        self._bytes = 0
        self._reading = threading.Lock()

    def __getitem__(self, row: int) -> bytes | None:
        with self._reading:
            if row not in self._held:
                self._go_to(row)
            while row not in self._held:
                self._read_on()
            return self._held[row]

    def _go_to(self, row: int) -> None:
        group = bisect_right(self._begins, row) - 1
        if not self._begins[group] <= self._next <= row:
            groups = list(range(group, self._file.num_row_groups))
            self._batches = self._file.iter_batches(
                DECODED_ROWS, row_groups=groups, columns=[self._name], use_threads=False
            )
            self._next = self._begins[group]

    def _read_on(self) -> None:
        first, self._next = self._next, self._rows  # where this fails, the next one begins anew
        batch = next(self._batches, None)
        if batch is None:
            raise ValueError(f"it ends after {first:,} rows")
        cells = encoded_pictures(pa.chunked_array([batch.column(self._name)]))
        if cells is None:
            raise ValueError(f"its column {self._name} holds no pictures any more")
        for row, cell in enumerate(cells.to_pylist(), first):
            self._hold(row, cell)
        self._next = first + len(cells)

    def _hold(self, row: int, content: bytes | None) -> None:
        self._bytes += len(content or b"") - len(self._held.pop(row, None) or b"")
        self._held[row] = content
        while self._bytes > HELD_BYTES and len(self._held) > DECODED_ROWS:
            _, dropped = self._held.popitem(last=False)
            self._bytes -= len(dropped or b"")


@lru_cache(1)
def _open_column(source: ParquetPictures, as_it_is: tuple[int, ...]) -> _Column:  # noqa: ARG001 (a file that was replaced is another)
    return _Column(source)
