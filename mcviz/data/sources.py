"""Examples from any path, recognised by their content."""

import gzip
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mcviz import validate
from mcviz.data.content import NumberContent
from mcviz.data.data_set import DataSet
from mcviz.data.in_place import load_array
from mcviz.data.labels import ARRAY_NAMES, find_labels_file
from mcviz.data.mask_folders import find_mask_folders, read_mask_folders
from mcviz.data.npz import NpzArrays, open_npz
from mcviz.data.parquet import choose_split, is_saved_dataset, read_dataset, read_parquet
from mcviz.data.passes import read_array
from mcviz.data.pictures import Progress
from mcviz.data.tables import (
    ID_COLUMNS,
    LABEL_COLUMNS,
    PICTURE_COLUMNS,
    TABLES,
    TEXT_COLUMNS,
    ColumnNames,
    check_columns,
    find_usual_column,
    read_frame,
    require_complete,
)
from mcviz.errors import DataNotFoundError, InvalidInputError, StorageError
from mcviz.kinds import KINDS, Files, Kind, find_kind
from mcviz.regular import open_regular
from mcviz.tasks import find_task
from mcviz.text import list_names
from mcviz.validate import array, invalid

COLUMN_ARRAYS = ("feature_names", "columns")  # with the names of the columns of rows

Splits = tuple[DataSet, DataSet]
GZIP = b"\x1f\x8b"
UINT8 = b"\x00\x00\x08"
IDX_SPLITS = ("t10k", "test", "train")
MNIST_KEYS = ("x_train", "y_train", "x_test", "y_test")

ACCEPTED = (
    "a folder of pictures or .txt files, or of one folder a class; a CSV, TSV, Parquet or JSON-lines table of paths, "
    "texts or numbers, with labels; .npz, .npy or IDX arrays; a saved Hugging Face data set"
)
LABELS = ("labels", "y_test", "y", "target")  # under which an npz has them


def read_arrays(
    examples: Any,
    labels: Any = None,
    names: tuple[str, str] = ("examples", "labels"),
    task: str = "classification",
) -> DataSet:
    """Check arrays and make a data set.

    Args:
        examples: images, (N, height, width) or (N, height, width, channels), also with channels first where the sizes
            show that they are, floating point, or whole numbers of 0 to 255; or N texts; or (N, D) numbers.
        labels: as `DataSet.with_labels` takes them, or None.
        names: what an error calls the two arrays.
        task: what the labels are for.

    Raises:
        InvalidInputError: a wrong shape or dtype, no example at all, values that are not finite, or other labels.
    """
    given = array(names[0], examples)
    held = find_kind_of_array(names[0], given).read_array(DataSet(None), names[0], given)
    return held if labels is None else held.with_labels(labels, task, names[1])


def find_kind_of_array(name: str, given: np.ndarray) -> Kind:
    """Return the kind of examples by name, or by shape and dtype.

    Raises:
        InvalidInputError: no kind takes it.
    """
    for kind in KINDS.values():
        if name == kind.plural or (given.size and kind.takes(given)):
            kind.check_form(name, given)
            return kind
    taken = " or ".join(kind.arrays for kind in KINDS.values() if kind.arrays)
    raise invalid(name, f"{taken}, with no axis empty", f"shape {given.shape}, dtype {given.dtype}")


def read_npz(path: Path, task: str = "classification") -> DataSet:
    """Read images, texts or rows with labels, `class_names` and `ids`; `feature_names` or `columns` name columns.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it is no `.npz`, or holds no examples under one of the names in use.
    """
    with open_npz(path) as arrays:
        masks = [("images", "masks")] if find_task(task).of_pixels and "labels" not in arrays else []
        for names in (*masks, *ARRAY_NAMES):
            if names[0] in arrays:
                return _add_names(read_pair(arrays, *names, task=task), arrays)
        others = ", ".join(examples for examples, _ in ARRAY_NAMES[1:])
        raise InvalidInputError(
            f"it holds no examples: expected an array named images (with labels, if known), or {others}, "
            f"found {arrays}. Save it with numpy.savez(path, images=…, labels=…)."
        )


def read_npz_labels(path: Path, usual: Sequence[str], task: str = "classification") -> DataSet:
    """Read labels, class names and ids.

    Args:
        path: of the file.
        usual: names under which it has the labels.
        task: of the labels.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it is no `.npz`, or holds several arrays and no labels.
    """
    labels = DataSet(None).with_labels(read_array(path, usual), task)
    with open_npz(path) as arrays:
        return _add_names(labels, arrays)


def read_pair(arrays: NpzArrays, examples: str, labels: str, task: str = "classification") -> DataSet:
    """Read two arrays by name; check shapes before unpacking.

    Raises:
        InvalidInputError: they are not examples and labels.
    """
    header = arrays.header_array(examples)
    find_kind_of_array(examples, header)
    if labels in arrays and len(arrays.header_array(labels)) != len(header):
        received = f"shape {arrays.header_array(labels).shape}"
        raise validate.invalid(labels, f"{len(header)} class indices, one an example", received)
    known = arrays.read(labels) if labels in arrays else None
    return read_arrays(arrays.read(examples), known, names=(examples, labels), task=task)


def _add_names(examples: DataSet, arrays: NpzArrays) -> DataSet:
    for name, put in (("class_names", DataSet.with_class_names), ("ids", DataSet.with_ids)):
        if name in arrays:
            examples = put(examples, _read_texts(name, arrays))
    columns = next((name for name in COLUMN_ARRAYS if name in arrays), None)
    if examples.rows is None or columns is None:
        return examples
    names = _read_texts(columns, arrays)
    if not len(set(names)) == len(names) == examples.rows.shape[1]:
        expected = f"{examples.rows.shape[1]:,} different names, one a column"
        raise validate.invalid(columns, expected, f"{len(names):,}, {len(set(names)):,} of them different")
    return examples.with_content(NumberContent(examples.rows.set_axis(names, axis=1)))


def _read_texts(name: str, arrays: NpzArrays) -> list[str]:
    header = arrays.header_array(name)
    if header.ndim != 1 or header.dtype.kind not in "US":
        raise validate.invalid(name, "texts, in one axis", f"{header.dtype}, shape {header.shape}")
    return [str(text) for text in arrays.read(name).astype(str)]


def read_mnist(path: str | Path) -> Splits:
    """Read a training and a test split, packed like MNIST.

    Args:
        path: an `.npz` with uint8 `x_train`, `x_test` (N, height, width) and integer `y_train`, `y_test` (N,), as
            `keras.datasets.mnist` has it; or a folder with the four IDX files as MNIST is published.

    Returns:
        The training and the test images, each (N, height, width, channels), with their labels.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it is neither, or its arrays are not MNIST-shaped.
    """
    if Path(path).is_dir():
        return _read_idx_splits(Path(path))
    with open_npz(path) as arrays:
        missing = [key for key in MNIST_KEYS if key not in arrays]
        if missing:
            raise InvalidInputError(
                f"it is not MNIST-shaped: it lacks {', '.join(missing)} and holds {arrays}. "
                f"Give an .npz with {', '.join(MNIST_KEYS)}"
            )
        return _check_sizes(read_pair(arrays, "x_train", "y_train"), read_pair(arrays, "x_test", "y_test"))


def _read_idx_splits(folder: Path) -> Splits:
    splits = []
    for split in ("train", "t10k"):
        images = next(iter(sorted(folder.glob(f"{split}-images-idx3-ubyte*"))), None)
        labels = None if images is None else find_labels_file(images)
        if images is None or labels is None:
            raise InvalidInputError(
                f"{folder} cannot be used: it lacks the images or labels of MNIST's {split} files, such as "
                f"{split}-images-idx3-ubyte.gz and {split}-labels-idx1-ubyte.gz."
            )
        splits.append(read_arrays(read_idx(images), read_idx(labels)))
    return _check_sizes(*splits)


def _check_sizes(train: DataSet, test: DataSet) -> Splits:
    sizes = train.pixels.shape[1:], test.pixels.shape[1:]
    if sizes[0] != sizes[1]:
        raise InvalidInputError(
            f"the training and the test images should be of one size. Received: {sizes[0]} and {sizes[1]}."
        )
    return train, test


def is_idx(path: Path) -> bool:
    """Return whether a file is IDX of bytes, by content."""
    try:
        with _open_unpacked(path) as file:
            return file.read(3) == UINT8
    except (OSError, EOFError):
        return False


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file.

    Returns:
        uint8 of the shape that its header names.

    Raises:
        InvalidInputError: it is not IDX of bytes, or shorter or longer than its header says.
    """
    try:
        with _open_unpacked(path) as file:
            if file.read(3) != UINT8:
                raise InvalidInputError(f"{path} is no IDX file of bytes.")
            axes = file.read(1)[0]
            shape = tuple(int.from_bytes(file.read(4), "big") for _ in range(axes))
            expected = math.prod(shape)
            values = _read_bytes(file, expected)
    except (OSError, EOFError, IndexError) as error:
        raise InvalidInputError(f"{path} cannot be read as IDX ({error}).") from error
    if len(values) != expected:
        raise InvalidInputError(f"{path} should hold {expected:,} bytes for its shape {shape}, and does not.")
    return np.frombuffer(values, np.uint8).reshape(shape)


def find_images_files(folder: Path) -> list[Path]:
    """Find IDX files of images, the test split first."""
    files_of_images = sorted(
        path for path in folder.iterdir() if "idx3" in path.name and path.is_file() and is_idx(path)
    )
    return sorted(
        files_of_images,
        key=lambda path: next((place for place, split in enumerate(IDX_SPLITS) if split in path.name), len(IDX_SPLITS)),
    )


@contextmanager
def _open_unpacked(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.open(file) as unpacked:
            yield unpacked


def _read_bytes(file: IO[bytes] | gzip.GzipFile, expected: int) -> bytes:
    """Read bytes in parts: a header may lie about their number."""
    parts, left = [], expected + 1
    while left and (part := file.read(min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_data(
    path: str | Path,
    *,
    skip_broken: bool = False,
    columns: ColumnNames | None = None,
    task: str = "classification",
    complete: bool = True,
    split: str | None = None,
    progress: Progress | None = None,
) -> DataSet:
    """Read images, texts, rows of numbers, or labels from any supported file.

    | source | classes |
    |---|---|
    | a folder with a subfolder of pictures or .txt files for each class | folder names, sorted, as in Keras |
    | a folder of pictures or .txt files | no labels |
    | of a segmentation: `images/` with `masks/` of the same names; `imagesTs`, `labelsTs` | numbers of pixels |
    | a CSV, TSV, Parquet or JSON-lines table | numbers or names |
    | `.npz`; `.npy` with its labels beside it | numbers, one-hot or names; `class_names` of an `.npz` |
    | IDX files, gzipped or not, or their folder | numbers |
    | a saved Hugging Face data set | its names |

    `mcviz.data.labels.match_labels` matches labels to classes. A table has a column of paths from its folder on, of
    encoded pictures or of texts; otherwise its numeric columns, except label and id, are rows. Pictures are PNG, JPEG,
    WebP or TIFF, decoded when used. Pictures in Parquet and images of an `.npy` stay there. Text files are UTF-8.

    Args:
        path: of the file or folder.
        skip_broken: whether to leave out pictures and texts that cannot be read; they are refused without it.
        columns: of a table, where they have other names than the usual.
        task: what the labels are for: classes, or the numbers that a regression predicts.
        complete: whether rows need every number, since a model takes them, and are refused without; or columns that
            lack some are the user's own.
        split: the name of the one that is taken of a saved Hugging Face data set; test, validation or train without it.
        progress: called with (done, total) pictures or texts while they are checked.

    Returns:
        The examples, in the order of the file, or in the sorted order of their paths.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: what is there cannot be used; the message names it.
        StorageError: a table of pictures is damaged, or changes while it is read.
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"There is no data at {path}. Give {ACCEPTED}.")
    path, notes = choose_split(path, split)
    files = Files(path if path.is_dir() else path.parent, skip_broken, progress, complete)
    try:
        read = _read_folder if path.is_dir() else _read_file
        examples = give_kind(read(path, columns, task, files))
        return replace(examples, notes=(*notes, *examples.notes))
    except InvalidInputError as error:
        raise error if str(path) in str(error) else InvalidInputError(f"{path} cannot be used: {error}") from error
    except StorageError:
        raise
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror or error}.") from error


def give_kind(examples: DataSet) -> DataSet:
    """Return the data with the kind from `find_kind`.

    Raises:
        InvalidInputError: they were given a name that no kind has.
    """
    return replace(examples, kind=find_kind(examples).name)


def read_labels(path: str | Path, *, columns: ColumnNames | None = None, task: str = "classification") -> DataSet:
    """Read labels from a table, or an `.npy` or `.npz` with `class_names` and `ids`.

    Other columns are the user's. Picture paths are ids by default.

    Args:
        path: of the file.
        columns: of a table, where they have other names than the usual.
        task: what the labels are for.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: what is there cannot be used; the message names it.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return read_npz_labels(path, LABELS, task)
    if path.suffix not in TABLES:
        return DataSet(None).with_labels(read_array(path), task)
    if not path.exists():
        raise DataNotFoundError(f"There are no labels at {path}. Give a table, an .npy or an .npz.")
    try:
        names = columns or ColumnNames()
        examples = take_labels(read_frame(path), names, task, {})
        if examples.labels is None and examples.ids is None:
            raise InvalidInputError(
                f"it has no column of labels ({', '.join(LABEL_COLUMNS)}) or ids. "
                "Name one with --label-column or --id-column."
            )
    except InvalidInputError as error:
        raise error if str(path) in str(error) else InvalidInputError(f"{path} cannot be used: {error}") from error
    picture = names.picture or find_usual_column(examples.columns, PICTURE_COLUMNS)
    if examples.ids is not None or examples.columns is None or picture is None:
        return examples
    paths = examples.columns[picture]
    return examples.with_ids(paths) if paths.notna().all() and paths.is_unique else examples


def read_table(
    table: pd.DataFrame,
    *,
    columns: ColumnNames | None = None,
    task: str = "classification",
    files: Files | None = None,
    class_names: Mapping[str, tuple[str, ...]] | None = None,
) -> DataSet:
    """Read a table of pictures, texts, rows or labels.

    Args:
        table: a row an example.
        columns: which mean what, where they have other names than the usual.
        task: what the labels are for.
        files: how pictures in files and rows are read.
        class_names: of each column of class indices that has some.

    Raises:
        InvalidInputError: it has no such columns, or they cannot be used.
    """
    names = columns or ColumnNames()
    examples = take_labels(table, names, task, class_names or {})
    named = [kind for kind in KINDS.values() if kind.column and getattr(names, kind.column)]
    if len({kind.column for kind in named}) > 1:
        asked = " and ".join(kind.plural for kind in named)
        raise InvalidInputError(f"columns of {asked} are named, and an example is one of these. Name one.")
    for kind in named or KINDS.values():
        examples_of_table = kind.read_table(examples, names, files or Files(Path()))
        if examples_of_table is not None:
            return give_kind(_add_index_ids(examples_of_table, table.index))
    raise InvalidInputError(
        f"it has no column of pictures ({', '.join(PICTURE_COLUMNS)}), texts ({', '.join(TEXT_COLUMNS)}), numbers or "
        f"labels ({', '.join(LABEL_COLUMNS)}), but {list_names(table.columns)}. Name one with "
        "--picture-column, --text-column, --feature-columns or --label-column."
    )


def read_arrow_table(
    table: pa.Table,
    class_names: Mapping[str, tuple[str, ...]],
    *,
    columns: ColumnNames | None = None,
    task: str = "classification",
    files: Files | None = None,
) -> DataSet:
    """Read an Arrow table like `read_table`; pictures stay on disk.

    Raises:
        InvalidInputError: as `read_table`.
    """
    picture = (columns and columns.picture) or find_usual_column(table.column_names, PICTURE_COLUMNS)
    if picture not in table.column_names:
        frame = table.to_pandas()
    else:
        frame = table.drop_columns([picture]).to_pandas()
        frame[picture] = pd.Series(pd.arrays.ArrowExtensionArray(table[picture]))
    return read_table(frame, columns=columns, task=task, files=files, class_names=class_names)


def take_labels(
    table: pd.DataFrame, names: ColumnNames, task: str, class_names: Mapping[str, tuple[str, ...]]
) -> DataSet:
    """Return labels and ids; other columns are the user's.

    Raises:
        InvalidInputError: they cannot be used, or there are no rows.
    """
    if not len(table):
        raise InvalidInputError("it has no rows.")
    table = table.set_axis([str(name) for name in table.columns], axis=1).reset_index(drop=True)
    check_columns(table, names)
    free = [name for name in table.columns if name not in names.named()]
    label = names.label or find_usual_column(free, LABEL_COLUMNS)
    labels = list(names.targets) or ([label] if label else [])
    several = find_task(task).several_labels
    if len(labels) > 1 and not several:
        raise InvalidInputError(f"classes are in one column of labels, and {', '.join(labels)} are named. Name one.")
    name = names.id or find_usual_column([name for name in free if name not in labels], ID_COLUMNS)
    examples = DataSet(None, columns=table.drop(columns=[*labels, *([name] if name else [])]))
    if name:
        examples = examples.with_ids(require_complete(table[name]).astype(str))
    if not labels:
        return examples
    if several:
        if len(labels) == 1 and labels[0] in class_names and find_task(task).last_axis == "class":
            examples = replace(examples, class_names=class_names[labels[0]])
        return examples.with_labels(table[labels], task)
    examples = examples.with_labels(table[labels[0]].to_numpy(), task)
    return replace(examples, class_names=examples.class_names or class_names.get(labels[0]))


def _add_index_ids(examples: DataSet, index: pd.Index) -> DataSet:
    """Add the table's own index as ids, unless it counts the rows."""
    counted = index.equals(pd.RangeIndex(len(index)))
    if examples.ids is not None or counted or not index.is_unique or len(index) != len(examples):
        return examples
    return examples.with_ids([str(name) for name in index])


def _read_folder(path: Path, columns: ColumnNames | None, task: str, files: Files) -> DataSet:
    if is_saved_dataset(path):
        table, class_names = read_dataset(path)
        return read_arrow_table(table, class_names, columns=columns, task=task, files=replace(files, folder=None))
    if find_task(task).of_pixels and (folders := find_mask_folders(path)):
        return read_mask_folders(*folders, files)
    if idx := find_images_files(path):
        names = list_names([each.name for each in idx])
        note = f"images: {idx[0].name}, of {names}; the path of another file takes that one"
        return replace(_read_idx(idx[0], task), notes=(note,) if len(idx) > 1 else ())
    of_files = [kind for kind in KINDS.values() if kind.suffixes]
    classes = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for kind in of_files:
        by_class = {folder.name: _list_files(kind, folder, deep=True) for folder in classes}
        filled, flat = (
            [name for name, files_of_class in by_class.items() if files_of_class],
            _list_files(kind, path, deep=False),
        )
        if filled and flat:
            raise InvalidInputError(
                f"{kind.files}, such as {flat[0].name}, lie beside its folders of {kind.files} "
                f"({list_names(filled)}). Put each into the folder of its class, or all into one folder."
            )
        if flat:
            return kind.read_files(DataSet(None), flat, files)
        if filled:
            known = _label_by_folder(by_class, task)
            return kind.read_files(
                known, [file for files_of_class in by_class.values() for file in files_of_class], files
            )
    taken = " or ".join(f"{kind.files} ({', '.join(kind.suffixes)})" for kind in of_files)
    raise InvalidInputError(f"the folder holds no {taken}. Give {ACCEPTED}.")


def _label_by_folder(by_class: Mapping[str, Sequence[Path]], task: str) -> DataSet:
    """Return the folder labels; an empty folder is a class, as in Keras."""
    names, counts = tuple(by_class), [len(files_of_class) for files_of_class in by_class.values()]
    examples = DataSet(None, class_names=names).with_labels(np.repeat(np.array(names, object), counts), task)
    empty = list_names([name for name, files_of_class in by_class.items() if not files_of_class])
    note = f"Folders without examples are classes, too, as Keras counts them: {empty}. Remove those that are none."
    return replace(examples, notes=(note,) if empty else ())


def _read_file(path: Path, columns: ColumnNames | None, task: str, files: Files) -> DataSet:
    with open_regular(path) as file:
        start = file.read(6)
    if path.suffix == ".parquet":
        table, encoded = read_parquet(path, columns or ColumnNames())
        return read_table(table, columns=columns, task=task, files=replace(files, encoded=encoded))
    if path.suffix in TABLES:
        table = read_frame(path, columns.text if columns else None)
        return read_table(table, columns=columns, task=task, files=files)
    if start.startswith(b"PK"):
        return read_npz(path, task)
    if start == b"\x93NUMPY":
        beside = find_labels_file(path)
        labels = None if beside is None else load_array(beside)
        return read_arrays(load_array(path), labels, task=task)
    if is_idx(path):
        return _read_idx(path, task)
    raise InvalidInputError(f"it is none of what is taken. Give {ACCEPTED}.")


def _read_idx(path: Path, task: str) -> DataSet:
    images, beside = read_idx(path), find_labels_file(path)
    return read_arrays(images, None if beside is None else read_idx(beside), task=task)


def _list_files(kind: Kind, folder: Path, deep: bool) -> list[Path]:
    entries = folder.rglob("*") if deep else folder.iterdir()
    return sorted(file for file in entries if file.suffix.lower() in kind.suffixes and not file.name.startswith("."))
