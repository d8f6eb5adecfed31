"""Hugging Face data sets that were saved on disk, read from their Arrow files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mcviz.errors import InvalidInputError
from mcviz.regular import open_regular

SPLIT_ORDER = ("test", "validation", "train")


def is_saved_dataset(folder: Path) -> bool:
    """Whether a folder is what `Dataset.save_to_disk` or `DatasetDict.save_to_disk` writes."""
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


def read_dataset(folder: Path) -> tuple[pa.Table, dict[str, tuple[str, ...]]]:
    """Open a saved data set, its test split where it has several.

    Returns:
        Its table, mapped from disk and not read; and the class names of each column that has some.

    Raises:
        InvalidInputError: a file of it is missing, damaged or no regular file.
    """
    try:
        folder = _split_folder(folder)
        state, info = _read_json(folder / "state.json"), _read_json(folder / "dataset_info.json")
        table = pa.concat_tables([_map_arrow(folder, file["filename"]) for file in state["_data_files"]])
        if indices := state.get("_indices_files"):
            order = pa.concat_tables([_map_arrow(folder, file["filename"]) for file in indices])
            table = table.take(order["indices"])
        features: dict[str, Any] = info.get("features") or {}
        names = {
            column: tuple(str(name) for name in feature["names"])
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # Arrow's and JSON's are of these
        raise InvalidInputError(f"{folder} cannot be read as a saved data set ({error}).") from error
    return table, names


def encoded_pictures(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the encoded bytes in a column of pictures, or None where it holds something else."""
    column = _struct_field(column, "bytes")
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return column
    return None


def picture_paths(column: pa.ChunkedArray) -> list[str] | None:
    """Return the paths in a column of pictures that holds no bytes, as of a data set in memory, or None."""
    pictures, paths = _struct_field(column, "bytes"), _struct_field(column, "path")
    held = pictures is not column and len(pictures) and pictures.null_count == len(pictures)
    return paths.to_pylist() if held and paths is not column and not paths.null_count else None


def stack_rows(column: pa.ChunkedArray) -> np.ndarray:
    """Stack a column of nested lists of one shape, (N, …).

    Raises:
        InvalidInputError: their shapes differ.
    """
    try:
        return np.array(column.to_pylist())
    except ValueError as error:
        raise InvalidInputError("the rows of its images differ in shape.") from error


def _struct_field(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return a field of a column of structs, or the column itself where it has no such field."""
    if not pa.types.is_struct(column.type) or name not in [field.name for field in column.type]:
        return column
    return pa.chunked_array([chunk.field(name) for chunk in column.chunks], type=column.type.field(name).type)


def _split_folder(folder: Path) -> Path:
    if not (folder / "dataset_dict.json").is_file():
        return folder
    splits = [str(name) for name in _read_json(folder / "dataset_dict.json")["splits"]]
    chosen = next((split for split in SPLIT_ORDER if split in splits), splits[0])
    return _join_name(folder, chosen)


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
