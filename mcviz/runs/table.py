"""The table of scores: one row an example, as Parquet."""

import io
from typing import TYPE_CHECKING

import numpy as np

from mcviz.measures import OTHER_COLUMNS

if TYPE_CHECKING:
    import pandas as pd


def encode_table(labels: np.ndarray | None, prediction: np.ndarray, scores: dict[str, np.ndarray]) -> bytes:
    """The Parquet file of a run's scores.

    Args:
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
        "id": pa.array([str(example) for example in range(count)]),
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
