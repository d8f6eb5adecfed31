"""The table of scores: one row an example, as Parquet."""

import io
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.text import first_line

if TYPE_CHECKING:
    import pandas as pd


def rename_reserved(columns: "pd.DataFrame", reserved: Collection[str]) -> "pd.DataFrame":
    """Put `user_` before the names of the user's own columns that a column of the run has.

    Args:
        columns: a row an example.
        reserved: the names of the columns of the table of scores.
    """
    names = [f"user_{name}" if str(name) in reserved else str(name) for name in columns.columns]
    return columns.reset_index(drop=True).set_axis(names, axis=1)


def encode_columns(ids: tuple[str, ...] | None, *parts: "pd.DataFrame") -> bytes | None:
    """The Parquet file of the examples' ids and columns, or None where there are none.

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


def select_content(columns: "pd.DataFrame", names: tuple[str, ...], of: str) -> "pd.DataFrame":
    """Select the columns that are the examples themselves.

    Args:
        columns: as `decode_columns` gives them.
        names: of these columns.
        of: "texts", or "numbers", which come as float32.

    Raises:
        ValueError: they are not there, or hold something else.
    """
    import pandas as pd

    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(f"it has no column {missing[0]!r:.60}")
    found = columns[list(names)]
    if of == "texts":
        if not all(isinstance(text, str) for name in names for text in found[name]):
            raise ValueError("it lacks texts")
        return found
    if not all(pd.api.types.is_numeric_dtype(found[name]) for name in names):
        raise ValueError("it has texts in place of numbers")
    numbers = found.astype("float32")
    if not np.isfinite(numbers.to_numpy()).all():
        raise ValueError("it lacks numbers")
    return numbers


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
    table |= {name: pa.array(each) for name, each in values.items() if name not in columns}
    file = io.BytesIO()
    pq.write_table(pa.table(table, metadata=metadata), file, compression="zstd")
    return file.getvalue()


def decode_table(content: bytes, count: int, columns: dict[str, str], scores: tuple[str, ...]) -> "pd.DataFrame":
    """Read the table of a run with that many examples and those columns and scores.

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
                found = ", ".join(f"{field.name} {field.type}" for field in file.schema_arrow)
                raise ValueError(f"it has {rows} rows of {found}")
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
    nullable = {"int64": "Int64", "bool": "boolean", "float32": "float32"}
    return frame.astype({name: nullable[kind] for name, kind in may_be_missing.items()})
