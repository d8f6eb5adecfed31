"""The table of scores: one row an example, as Parquet."""

import io
from typing import TYPE_CHECKING

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.measures import OTHER_COLUMNS, SCORES
from mcviz.text import first_line

if TYPE_CHECKING:
    import pandas as pd


def encode_columns(ids: tuple[str, ...] | None, columns: "pd.DataFrame | None") -> bytes | None:
    """The Parquet file of the examples' ids and the user's own columns, or None where there are neither.

    Args:
        ids: N texts, or None.
        columns: a row an example, or None.

    Raises:
        InvalidInputError: a column that Parquet cannot hold.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    if ids is None and (columns is None or columns.empty):
        return None
    frame = pd.DataFrame() if columns is None else columns.reset_index(drop=True)
    frame = frame.set_axis([own_name(str(name)) for name in frame.columns], axis=1)
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
    """Read ids and columns, a row an example, indexed by `example`.

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


def own_name(name: str) -> str:
    """A user's column by a name that none of the run's own columns has."""
    return f"user_{name}" if name in (*OTHER_COLUMNS, *SCORES) else name


def encode_table(
    ids: tuple[str, ...] | None, labels: np.ndarray | None, prediction: np.ndarray, scores: dict[str, np.ndarray]
) -> bytes:
    """The Parquet file of a run's scores.

    Args:
        ids: N texts, or None where the examples have no names but their numbers.
        labels: (N,) int64, or None where nobody knows them.
        prediction: (N,) int64 argmax of the predictive mean.
        scores: (N,) float32 each, by name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = len(prediction)
    unknown = pa.nulls(count)
    columns = {
        "example": pa.array(np.arange(count)),
        "id": pa.array([str(example) for example in range(count)] if ids is None else list(ids)),
        "label": unknown.cast(pa.int64()) if labels is None else pa.array(labels),
        "prediction": pa.array(prediction),
        "correct": unknown.cast(pa.bool_()) if labels is None else pa.array(prediction == labels),
        **{name: pa.array(values) for name, values in scores.items()},
    }
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()


def decode_table(content: bytes, count: int, scores: tuple[str, ...]) -> "pd.DataFrame":
    """Read the table of a run with that many examples and those scores.

    Returns:
        One row an example, indexed by `example`: `id` (str), `label` (Int64, missing where unknown), `prediction`
        (int64), `correct` (boolean, missing where unknown), then the scores (float32).

    Raises:
        ValueError: it is another table, or none.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = [pa.int64(), pa.string(), pa.int64(), pa.int64(), pa.bool_(), *[pa.float32()] * len(scores)]
    schema = pa.schema(zip((*OTHER_COLUMNS, *scores), types, strict=True))
    try:
        with pq.ParquetFile(io.BytesIO(content)) as file:
            rows = file.metadata.num_rows
            if rows != count or not file.schema_arrow.equals(schema):  # before memory is taken for what it claims
                raise ValueError(f"it has {rows} rows of {file.schema_arrow.to_string(show_schema_metadata=False)}")
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it is no Parquet file ({error})") from error
    if not np.array_equal(table["example"].to_numpy(), np.arange(count)):
        raise ValueError("its rows are not the examples in their order")
    if any(table[name].null_count for name in ("id", "prediction", *scores)):
        raise ValueError("it lacks numbers")
    frame = table.drop_columns(["example"]).to_pandas()
    frame.index = pd.RangeIndex(count, name="example")
    return frame.astype({"label": "Int64", "correct": "boolean"})
