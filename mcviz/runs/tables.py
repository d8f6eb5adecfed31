"""Inputs of a new run, and its table of scores as Parquet."""

import hashlib
import io
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from msgspec.structs import replace

from mcviz.errors import InvalidInputError
from mcviz.manifest import Examples, Images, Manifest
from mcviz.tasks import TASKS
from mcviz.tasks.base import Aggregates
from mcviz.text import first_line

if TYPE_CHECKING:
    import pandas as pd


Progress = Callable[[int, int], None]
# Called with a run, the first example of some, and the aggregates of these.
ShardCallback = Callable[[Manifest, int, Aggregates], None]
BLOCK_BYTES = 1 << 26  # of images that are looked at at once
NULLABLE: dict[str, Any] = {
    "int64": "Int64",
    "bool": "boolean",
    "float32": "float32",
}  # of pandas, by the type in Parquet


def rename_reserved(columns: "pd.DataFrame", reserved: Collection[str]) -> "pd.DataFrame":
    """Prefix the user's columns with `user_` if a run has their names.

    Args:
        columns: a row an example.
        reserved: the names of the columns of the table of scores.
    """
    names = [f"user_{name}" if str(name) in reserved else str(name) for name in columns.columns]
    return columns.reset_index(drop=True).set_axis(names, axis=1)


def encode_columns(ids: tuple[str, ...] | None, *parts: "pd.DataFrame") -> bytes | None:
    """Return the Parquet file of ids and columns, or None.

    Args:
        ids: N texts, or None.
        parts: columns, a row an example, as `rename_reserved` gives them.

    Raises:
        InvalidInputError: a column that Parquet cannot hold.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    there = [part for part in parts if not part.empty]
    if ids is None and not there:
        return None
    frame = pd.concat(there, axis=1) if there else pd.DataFrame()
    if not frame.columns.is_unique:
        repeated = ", ".join(sorted(set(frame.columns[frame.columns.duplicated()])))
        raise InvalidInputError(f"Two columns of the examples have the name {repeated}. Rename one.")
    frame.insert(0, "id", [str(row) for row in range(len(frame))] if ids is None else list(ids))
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    except pa.ArrowException as error:
        raise InvalidInputError(f"A column of the examples cannot be kept: {first_line(error)}") from error
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def decode_columns(content: bytes, count: int) -> "pd.DataFrame":
    """Read ids and columns, indexed by `example`.

    Raises:
        ValueError: they are those of other examples, or damaged.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame = pq.read_table(io.BytesIO(content)).to_pandas()
    except pa.ArrowException as error:
        raise ValueError(f"it is no Parquet file ({error})") from error
    if len(frame) != count or list(frame.columns[:1]) != ["id"]:
        raise ValueError(f"it has {len(frame)} rows of {', '.join(map(str, frame.columns))}")
    frame.index = pd.RangeIndex(count, name="example")
    return frame


def encode_table(
    ids: tuple[str, ...] | None,
    count: int,
    columns: dict[str, str],
    values: dict[str, np.ndarray],
    metadata: dict[bytes, bytes] | None = None,
) -> bytes:
    """The Parquet file of a run's scores.

    Args:
        ids: N texts, or None where the examples have no names but their numbers.
        count: N.
        columns: those between the ids and the scores, with their types.
        values: (N,) of each of these that is known, and float32 of every score, by name.
        metadata: of the file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    named = [str(example) for example in range(count)] if ids is None else list(ids)
    table = {"example": pa.array(np.arange(count)), "id": pa.array(named)}
    for name, kind in columns.items():
        table[name] = pa.array(values[name]) if name in values else pa.nulls(count)
        table[name] = table[name].cast(kind)
    table |= {name: pa.array(values_of_score) for name, values_of_score in values.items() if name not in columns}
    file = io.BytesIO()
    pq.write_table(pa.table(table, metadata=metadata), file, compression="zstd")
    return file.getvalue()


def decode_table(content: bytes, count: int, columns: dict[str, str], scores: tuple[str, ...]) -> "pd.DataFrame":
    """Read a run's table and check its size and columns.

    Returns:
        One row an example, indexed by `example`: `id` (str), the columns, where whole numbers and truth values may be
        missing, then the scores (float32).

    Raises:
        ValueError: it is another table, or none.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"example": "int64", "id": "string", **columns, **dict.fromkeys(scores, "float32")}
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in types.items()])
    try:
        with pq.ParquetFile(io.BytesIO(content)) as file:
            rows = file.metadata.num_rows
            if rows != count or not file.schema_arrow.equals(schema):  # before memory is taken for what it claims
                fields = ", ".join(f"{field.name} {field.type}" for field in file.schema_arrow)
                raise ValueError(f"it has {rows} rows of {fields}")
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it is no Parquet file ({error})") from error
    if not np.array_equal(table["example"].to_numpy(), np.arange(count)):
        raise ValueError("its rows are not the examples in their order")
    may_be_missing = {name: kind for name, kind in columns.items() if not name.startswith("prediction")}
    if any(table[name].null_count for name in types if name not in may_be_missing):
        raise ValueError("it lacks numbers")
    frame = table.drop_columns(["example"]).to_pandas()
    frame.index = pd.RangeIndex(count, name="example")
    return frame.astype({name: NULLABLE[kind] for name, kind in may_be_missing.items()})


class Rows(Protocol):
    """An array that is read when indexed."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of every slice."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole."""

    def __getitem__(self, rows: slice | np.ndarray, /) -> np.ndarray:
        """Some of the rows, by a slice or by their numbers."""


class Source(Protocol):
    """A source of predictions for a run's examples."""

    def passes(self, start: int, stop: int, first_pass: int, passes: int, progress: Progress) -> np.ndarray:
        """Return (passes, stop - start, K) float32 passes from `first_pass` on."""

    def deterministic(self, start: int, stop: int) -> np.ndarray:
        """Return (stop - start, K) float32 with dropout off."""


@dataclass(frozen=True)
class Contents:
    """The inputs of a run, beside its manifest.

    Attributes:
        source: of the predictions.
        images: (N, height, width, channels) of the manifest's dtype, read as they are sliced; or None.
        labels: as `Task.stored_labels` returns them, or None.
        ids: N texts, or None where the examples have no names but their numbers.
        columns: the bytes of `examples.parquet`, or None.
        features: (N, D) float32 by which examples are alike, or None.
        model: the bytes of the model file to keep, or None.
        mean: the mean of the passes as `Task.with_mean` takes it, of all examples, or None.
    """

    source: Source
    images: Rows | None = None
    labels: np.ndarray | None = None
    ids: tuple[str, ...] | None = None
    columns: bytes | None = None
    features: np.ndarray | None = None
    model: bytes | None = None
    mean: np.ndarray | None = None


def describe_images(images: Rows, stored: bool) -> tuple[Images, str]:
    """Describe and hash images in one reading.

    Args:
        images: (N, height, width, channels) uint8 or float32.
        stored: whether the run will hold them.
    """
    count, (height, width, channels) = images.shape[0], images.shape[1:]
    digest = _start_hash(images)
    lowest, highest = np.inf, -np.inf
    rows = max(1, BLOCK_BYTES // (height * width * channels * images.dtype.itemsize))
    for start in range(0, count, rows):
        block = np.ascontiguousarray(images[start : start + rows])
        digest.update(block.data)
        lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
    dtype: Literal["uint8", "float32"] = "uint8" if images.dtype == np.uint8 else "float32"
    return Images((height, width, channels), dtype, lowest, highest, stored), digest.hexdigest()


def describe_examples(
    examples: Examples, task: str, targets: Sequence[str], ids: tuple[str, ...] | None, *parts: "pd.DataFrame | None"
) -> tuple[Examples, bytes | None]:
    """Describe examples, and encode their ids and columns.

    Args:
        examples: their kind, number, and the SHA-256 of images; empty where there are none.
        task: of the run.
        targets: D names of a regression.
        ids: N texts, or None.
        parts: the columns that are the examples themselves, and the user's own, a row an example; or None each.
    """
    columns = (*TASKS[task].named_columns, *TASKS[task].table_columns(targets))
    reserved = ("example", "id", *columns, *TASKS[task].scores)
    content, own = (None if part is None else rename_reserved(part, reserved) for part in parts)
    sha256 = examples.sha256
    if content is not None:
        sha256 = hashlib.sha256(content.to_csv(index=False).encode()).hexdigest()
    elif not sha256:
        sha256 = hashlib.sha256(json.dumps(ids or examples.count).encode()).hexdigest()
    there = [part for part in (content, own) if part is not None]
    named, file = None, encode_columns(ids, *there)
    if file is not None:  # as a run gives them back: whole numbers with gaps come back as floating point
        read = decode_columns(file, examples.count)
        tables = [read[list(part.columns)].to_csv(index=False) for part in there] or [""]
        named = hashlib.sha256(json.dumps([ids, *tables]).encode()).hexdigest()
    names = () if content is None else tuple(content.columns)
    return replace(examples, sha256=sha256, columns_sha256=named, content=names), file


def with_scores(manifest: Manifest) -> Manifest:
    """Add the stored scores' names, which need only passes, to a manifest."""
    task = TASKS[manifest.task]
    there = task.pass_inputs(manifest)
    return replace(manifest, scores=tuple(name for name, score in task.scores.items() if there.issuperset(score.needs)))


def describe_labels(task: str, labels: np.ndarray | None) -> dict[str, Any]:
    """Describe labels of `Task.stored_labels` by manifest fields."""
    if labels is None:
        return {"labels_sha256": None}
    known = int(TASKS[task].find_labelled(labels).sum())
    return {"labels_sha256": hash_array(labels), "examples_with_labels": known if known < len(labels) else None}


def hash_array(array: np.ndarray) -> str:
    """Return the SHA-256 of dtype, shape and numbers."""
    digest = _start_hash(array)
    for start in range(0, len(array) if array.ndim else 0, 1024):
        digest.update(np.ascontiguousarray(array[start : start + 1024]).data)
    return digest.hexdigest()


def _start_hash(array: Rows) -> Any:
    return hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
