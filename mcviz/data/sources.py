"""Examples from wherever people keep them: what a path holds is found out from the thing itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mcviz.data.data_set import DataSet
from mcviz.data.hugging_face import encoded_pictures, is_saved_dataset, picture_paths, read_dataset, stacked
from mcviz.data.idx import images_in, is_idx, read_idx
from mcviz.data.labels import labels_beside
from mcviz.data.npy import load_array
from mcviz.data.npz_images import read_npz
from mcviz.data.pictures import SUFFIXES, Progress, checked_pictures
from mcviz.data.tables import LABEL_COLUMNS, PICTURE_COLUMNS, ColumnNames, read_table, usual_column
from mcviz.errors import DataNotFoundError, InvalidInputError
from mcviz.regular import open_regular

ACCEPTED = (
    "a folder of pictures, or of one folder a class; a CSV or Parquet table of paths and labels; .npz, .npy or IDX "
    "arrays; a saved Hugging Face data set"
)
NAMED = 5  # of the broken pictures, in a message


def read_data(
    path: str | Path,
    *,
    skip_broken: bool = False,
    columns: ColumnNames | None = None,
    progress: Progress | None = None,
) -> DataSet:
    """Read a data set of any kind that is known.

    | what | classes |
    |---|---|
    | a folder with one folder of pictures a class | the folders' names, sorted, as Keras and torchvision have it |
    | a folder of pictures | no labels |
    | a CSV or Parquet table of paths, from its own folder on, or of encoded pictures | numbers, or names, sorted |
    | `.npz`; `.npy` with its labels beside it | numbers, one-hot, or names, sorted |
    | IDX files, gzipped or not, or the folder that they are in | numbers |
    | a Hugging Face data set as it is saved on disk | as it names them |

    Pictures are PNG, JPEG, WebP or TIFF. They are decoded when they are used, so that memory stays flat.

    Args:
        path: of the file or folder.
        skip_broken: whether to leave out pictures that cannot be read; they are refused without it.
        columns: of a table, where they have other names than the usual.
        progress: called with (done, total) pictures while they are checked.

    Returns:
        The examples, in the order of the file, or in the sorted order of their paths.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: what is there cannot be used; the message names it.
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"There is no data at {path}. Give {ACCEPTED}.")
    try:
        if path.is_dir():
            return _folder(path, skip_broken, progress)
        return _file(path, skip_broken, columns or ColumnNames(), progress)
    except InvalidInputError as error:
        raise error if str(path) in str(error) else InvalidInputError(f"{path} cannot be used: {error}") from error
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror or error}.") from error


def _folder(path: Path, skip_broken: bool, progress: Progress | None) -> DataSet:
    if is_saved_dataset(path):
        return _saved_dataset(path, skip_broken, progress)
    if (idx := images_in(path)) is not None:
        return _idx(idx)
    classes = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    by_class = {folder.name: files for folder in classes if (files := _picture_files(folder, deep=True))}
    flat = _picture_files(path, deep=False)
    if by_class and flat:
        raise InvalidInputError(
            f"pictures, such as {flat[0].name}, lie beside its folders of pictures ({', '.join(by_class)}). "
            "Put each into the folder of its class, or all into one folder."
        )
    if not by_class and not flat:
        raise InvalidInputError(f"the folder holds no pictures ({', '.join(SUFFIXES)}). Give {ACCEPTED}.")
    files = flat or [file for files in by_class.values() for file in files]
    labels = np.repeat(np.arange(len(by_class)), [len(files) for files in by_class.values()]) if by_class else None
    return _pictures(
        [str(file.relative_to(path)) for file in files],
        lambda place: _content(files[place]),
        DataSet(None, labels, tuple(by_class) or None),
        skip_broken,
        progress,
    )


def _file(path: Path, skip_broken: bool, columns: ColumnNames, progress: Progress | None) -> DataSet:
    with open_regular(path) as file:
        start = file.read(6)
    if path.suffix in (".csv", ".tsv", ".parquet"):
        return _table(path, skip_broken, columns, progress)
    if start.startswith(b"PK"):
        return read_npz(path)
    if start == b"\x93NUMPY":
        return _npy(path)
    if is_idx(path):
        return _idx(path)
    raise InvalidInputError(f"it is none of what is taken. Give {ACCEPTED}.")


def _table(path: Path, skip_broken: bool, columns: ColumnNames, progress: Progress | None) -> DataSet:
    table = read_table(path, columns)
    examples = _without_images(table.labels, table.ids, table.columns)
    if table.pictures is None:
        if table.labels is None and table.ids is None:
            raise InvalidInputError(
                f"it has no column of pictures ({', '.join(PICTURE_COLUMNS)}) or labels ({', '.join(LABEL_COLUMNS)}), "
                f"but {', '.join(map(str, table.columns))}. Name one with --picture-column or --label-column."
            )
        return examples
    cells = table.pictures.tolist()
    if isinstance(cells[0], dict | bytes):
        encoded = [cell["bytes"] if isinstance(cell, dict) else cell for cell in cells]
        return _pictures(_rows(len(cells)), lambda row: encoded[row], examples, skip_broken, progress)
    files = [path.parent / str(cell) for cell in cells]
    return _pictures([str(cell) for cell in cells], lambda row: _content(files[row]), examples, skip_broken, progress)


def _saved_dataset(folder: Path, skip_broken: bool, progress: Progress | None) -> DataSet:
    return of_arrow_table(*read_dataset(folder), skip_broken=skip_broken, progress=progress)


def of_arrow_table(
    table: pa.Table,
    names: Mapping[str, tuple[str, ...]],
    *,
    follow_paths: bool = False,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> DataSet:
    """A data set from an Arrow table with a column of images.

    Args:
        table: a row an example.
        names: the class names of each column that has some.
        follow_paths: whether pictures that are not in the table are read from the paths that it names; a table from
            elsewhere could name any file.
        skip_broken: as `read_data`.
        progress: as `read_data`.

    Raises:
        InvalidInputError: it has no such column, or the images cannot be used.
    """
    image, label = (usual_column(table.column_names, usual) for usual in (PICTURE_COLUMNS, LABEL_COLUMNS))
    others = table.drop_columns([name for name in (image, label) if name]).to_pandas()
    ids = others.pop("id").astype(str) if "id" in others else None
    examples = _without_images(None if label is None else table[label].to_pylist(), ids, others)
    if label is not None and examples.class_names is None:
        examples = replace(examples, class_names=names.get(label))
    if image is None:
        raise InvalidInputError(f"it has no column of images, but {', '.join(table.column_names)}.")
    if follow_paths and (paths := picture_paths(table[image])):
        return _pictures(paths, lambda row: _content(Path(paths[row])), examples, skip_broken, progress)
    pictures = encoded_pictures(table[image])
    if pictures is None:
        return examples.with_images(stacked(table[image]))
    return _pictures(_rows(len(table)), lambda row: pictures[row].as_py() or b"", examples, skip_broken, progress)


def _without_images(labels: Any, ids: Any, columns: pd.DataFrame) -> DataSet:
    examples = DataSet(None, columns=columns)
    if labels is not None:
        examples = examples.with_labels(labels)
    return examples if ids is None else examples.with_ids(ids)


def _npy(path: Path) -> DataSet:
    beside = labels_beside(path)
    return DataSet.of_arrays(load_array(path), None if beside is None else load_array(beside))


def _idx(path: Path) -> DataSet:
    images, beside = read_idx(path), labels_beside(path)
    return DataSet.of_arrays(images, None if beside is None else read_idx(beside))


def _pictures(
    names: Sequence[str],
    read: Callable[[int], bytes],
    examples: DataSet,
    skip_broken: bool,
    progress: Progress | None,
) -> DataSet:
    """Examples with their pictures, which are checked; their names are the ids where the examples have none."""
    pictures, broken = checked_pictures(names, read, progress=progress)
    examples = replace(examples, images=pictures)
    if examples.ids is None and len(set(names)) == len(names):
        examples = examples.with_ids(names)
    if not broken:
        return examples
    first = "; ".join(f"{names[place]}: {reason}" for place, reason in list(broken.items())[:NAMED])
    more = f" and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
    found = f"{len(broken):,} of {len(names):,} pictures cannot be read: {first.rstrip('.')}{more}."
    if len(broken) == len(names) or not skip_broken:
        raise InvalidInputError(f"{found} Mend or remove them, or leave them out with --skip-broken.")
    kept = np.setdiff1d(np.arange(len(names)), list(broken))
    return replace(examples.only(kept), notes=(*examples.notes, f"Left out: {found}"))


def _rows(count: int) -> list[str]:
    return [f"row {row}" for row in range(count)]


def _picture_files(folder: Path, deep: bool) -> list[Path]:
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted(file for file in found if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))


def _content(file: Path) -> bytes:
    try:
        with open_regular(file) as opened:
            return opened.read()
    except OSError as error:
        raise InvalidInputError(f"{error.strerror or error}.") from error
