"""Tables of examples: CSV, TSV, Parquet or JSON lines, one row an example."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcviz.errors import InvalidInputError
from mcviz.regular import open_regular
from mcviz.text import first_line, list_names

if TYPE_CHECKING:
    import pandas as pd

PICTURE_COLUMNS = ("path", "file", "file_name", "filename", "filepath", "image", "image_path", "img", "img_path")
TEXT_COLUMNS = ("text", "texts", "sentence", "review", "content", "comment", "message", "tweet", "document")
LABEL_COLUMNS = ("label", "labels", "class", "target", "category", "y")
ID_COLUMNS = ("id",)
TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
UNNAMED_PREFIX = "Unnamed: "  # how pandas calls a column without a name, such as the index that a CSV was written with


@dataclass(frozen=True)
class ColumnNames:
    """Column names by meaning; None searches the usual names.

    Attributes:
        picture: a picture's path, from the table's own folder on, or the bytes of its file.
        label: class index or class name, or the target of a regression.
        id: of an example.
        text: a text.
        features: the numbers that the model takes, in its order; all numeric columns without it.
        targets: of a regression, where there are several columns.
    """

    picture: str | None = None
    label: str | None = None
    id: str | None = None
    text: str | None = None
    features: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def named(self) -> list[str]:
        """List all columns that are named."""
        named = (self.picture, self.label, self.id, self.text)
        return [*(name for name in named if name is not None), *self.features, *self.targets]


def read_frame(path: Path, text: str | None = None, columns: list[str] | None = None) -> "pd.DataFrame":
    """Read CSV, TSV, Parquet or JSON lines; paths, ids and texts stay texts.

    Args:
        path: of the file, whose ending says its format.
        text: the column of texts, where it has another name than the usual.
        columns: of a Parquet file, that are read; all without it.

    Raises:
        InvalidInputError: it cannot be read.
    """
    import pandas as pd

    try:
        open_regular(path).close()
        if path.suffix == ".parquet":
            return pd.read_parquet(path, columns=columns)
        if path.suffix in (".jsonl", ".ndjson"):
            return _read_json_lines(path)
        separator = "\t" if path.suffix == ".tsv" else ","
        how: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig", "low_memory": False}  # one dtype a column
        head = pd.read_csv(path, nrows=0, **how)
        as_texts = {name: str for name in head.columns if name.lower() in (*PICTURE_COLUMNS, *ID_COLUMNS)}
        how["skip_blank_lines"] = len(head.columns) > 1
        frame = pd.read_csv(path, dtype=as_texts, **how)
        for name in frame:
            if name == text or (name.lower() in TEXT_COLUMNS and holds_texts(frame[name])):
                # "None" and "NA" are words of a text, not missing ones
                words = pd.read_csv(path, usecols=[name], dtype=str, keep_default_na=False, **how)[name]
                frame[name] = words.where(words != "")
        return frame
    except InvalidInputError:
        raise
    except (OSError, ValueError, RecursionError, pd.errors.ParserError) as error:  # pyarrow's errors are of these
        raise InvalidInputError(f"{path} cannot be read as a table ({first_line(error)}).") from error


def check_columns(frame: "pd.DataFrame", names: ColumnNames) -> None:
    """Check that named columns exist once, with unique names.

    Raises:
        InvalidInputError: it is not so.
    """
    if not frame.columns.is_unique:
        repeated = sorted(set(frame.columns[frame.columns.duplicated()]))
        raise InvalidInputError(f"two columns have the name {list_names(repeated)}. Rename one.")
    named = names.named()
    for name in named:
        if name not in frame.columns:
            raise InvalidInputError(f"it has no column {name!r}. It has {list_names(frame.columns)}.")
        if named.count(name) > 1:
            raise InvalidInputError(f"the column {name!r} is named twice. Name it once, for what it means.")


def find_usual_column(columns: Iterable[object] | None, usual: Sequence[str]) -> str | None:
    """Return the first usual name, ignoring case, or None."""
    lower = {str(name).lower(): str(name) for name in reversed(list(columns if columns is not None else ()))}
    return next((lower[name] for name in usual if name in lower), None)


def require_complete(column: "pd.Series") -> "pd.Series":
    """Check that a column has no missing value.

    Raises:
        InvalidInputError: one has none.
    """
    if missing := int(column.isna().sum()):
        raise InvalidInputError(f"it has {missing:,} rows without {column.name}. Fill them in or leave them out.")
    return column


def is_numeric(column: "pd.Series") -> bool:
    """Return whether a column is numeric or boolean."""
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype)


def holds_texts(column: "pd.Series") -> bool:
    """Return whether a column is of texts, possibly missing."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(column.dtype, pd.ArrowDtype):  # pictures would be read from disk, to look at each
        arrow = column.dtype.pyarrow_dtype
        return pa.types.is_string(arrow) or pa.types.is_large_string(arrow)
    return pd.api.types.infer_dtype(column, skipna=True) == "string"


def _read_json_lines(path: Path) -> "pd.DataFrame":
    """Read an object a line, without pandas's guesses of dates and numbers."""
    import pandas as pd

    with path.open(encoding="utf-8-sig") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is no JSON object")
    return pd.DataFrame(rows)
