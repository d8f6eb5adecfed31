"""Tables of examples: a CSV or Parquet file with a row an example."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcviz.errors import InvalidInputError
from mcviz.text import first_line

PICTURE_COLUMNS = ("path", "file", "file_name", "filename", "filepath", "image", "image_path", "img", "img_path")
LABEL_COLUMNS = ("label", "labels", "class", "target", "category", "y")
ID_COLUMNS = ("id",)


@dataclass(frozen=True)
class ColumnNames:
    """Which columns of a table mean what; None looks for the usual names.

    Attributes:
        picture: a picture's path, from the table's own folder on, or the bytes of its file.
        label: class index or class name.
        id: what names an example.
    """

    picture: str | None = None
    label: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Table:
    """A table of examples, its columns told apart.

    Attributes:
        pictures: (N,) paths or bytes, or None where it has no such column.
        labels: (N,) as they are there, or None.
        ids: N texts, or None.
        columns: the others, which are the user's own; a row an example.
    """

    pictures: pd.Series | None
    labels: np.ndarray | None
    ids: tuple[str, ...] | None
    columns: pd.DataFrame


def read_table(path: Path, names: ColumnNames) -> Table:
    """Read a CSV or Parquet file.

    Raises:
        InvalidInputError: it cannot be read, is empty, or lacks a column that was named.
    """
    frame = read_frame(path)
    if not len(frame):
        raise InvalidInputError(f"{path} has no rows.")
    names = _found(path, frame, names)
    own = frame.drop(columns=[name for name in (names.picture, names.label, names.id) if name])
    return Table(
        None if names.picture is None else _complete(path, frame[names.picture]),
        None if names.label is None else _complete(path, frame[names.label]).to_numpy(),
        None if names.id is None else tuple(_complete(path, frame[names.id]).astype(str)),
        own,
    )


def read_frame(path: Path) -> pd.DataFrame:
    """Read a CSV, TSV or Parquet file; paths and ids of a CSV stay texts.

    Raises:
        InvalidInputError: it cannot be read.
    """
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        how: dict[str, Any] = {"sep": "\t" if path.suffix == ".tsv" else ",", "encoding": "utf-8-sig"}
        head = pd.read_csv(path, nrows=0, **how)
        texts = {name: str for name in head.columns if name.lower() in (*PICTURE_COLUMNS, *ID_COLUMNS)}
        return pd.read_csv(path, dtype=texts, **how)
    except (OSError, ValueError, pd.errors.ParserError) as error:  # pyarrow's errors are of these
        raise InvalidInputError(f"{path} cannot be read as a table ({first_line(error)}).") from error


def usual_column(columns: Iterable[object], usual: Sequence[str]) -> str | None:
    """The first of the usual names that a column has, in large or small letters, as it is there; or None."""
    lower = {str(name).lower(): str(name) for name in reversed(list(columns))}
    return next((lower[name] for name in usual if name in lower), None)


def _found(path: Path, frame: pd.DataFrame, names: ColumnNames) -> ColumnNames:
    for field, usual in (("picture", PICTURE_COLUMNS), ("label", LABEL_COLUMNS), ("id", ID_COLUMNS)):
        named = getattr(names, field)
        if named is None:
            named = usual_column(frame.columns, usual)
        elif named not in frame.columns:
            there = ", ".join(map(str, frame.columns))
            raise InvalidInputError(f"{path} has no column {named!r}. It has {there}.")
        names = replace(names, **{field: named})
    return names


def _complete(path: Path, column: pd.Series) -> pd.Series:
    if missing := int(column.isna().sum()):
        raise InvalidInputError(f"{path} has {missing:,} rows without {column.name}. Fill them in or leave them out.")
    return column
