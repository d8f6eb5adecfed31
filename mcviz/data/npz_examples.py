"""Examples with their labels from `.npz` files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mcviz import validate
from mcviz.data.arrays import find_kind_of_array, read_arrays
from mcviz.data.data_set import DataSet
from mcviz.data.labels import ARRAY_NAMES
from mcviz.data.npz import NpzArrays, open_npz
from mcviz.data.passes import read_array
from mcviz.errors import InvalidInputError

COLUMN_ARRAYS = ("feature_names", "columns")  # with the names of the columns of rows


def read_npz(path: Path, task: str = "classification") -> DataSet:
    """Read images, texts or rows, with labels, class names (`class_names`) and ids (`ids`) where there are some.

    Rows have the names of their columns in `feature_names` or `columns`.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it is no `.npz`, or holds no examples under one of the names in use.
    """
    with open_npz(path) as arrays:
        for names in ARRAY_NAMES:
            if names[0] in arrays:
                return _add_names(read_pair(arrays, *names, task=task), arrays)
        others = ", ".join(examples for examples, _ in ARRAY_NAMES[1:])
        raise InvalidInputError(
            f"it holds no examples: expected an array named images (with labels, if known), or {others}, "
            f"found {arrays}. Save it with numpy.savez(path, images=…, labels=…)."
        )


def read_npz_labels(path: Path, usual: Sequence[str], task: str = "classification") -> DataSet:
    """Read labels alone, with class names and ids where there are some.

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
    """Read two arrays by their names; shapes are checked before anything is unpacked.

    Raises:
        InvalidInputError: they are not examples and labels.
    """
    form = arrays.form(examples)
    find_kind_of_array(examples, form)
    if labels in arrays and len(arrays.form(labels)) != len(form):
        found = f"shape {arrays.form(labels).shape}"
        raise validate.invalid(labels, f"{len(form)} class indices, one an example", found)
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
    return replace(examples, rows=examples.rows.set_axis(names, axis=1))


def _read_texts(name: str, arrays: NpzArrays) -> list[str]:
    form = arrays.form(name)
    if form.ndim != 1 or form.dtype.kind not in "US":
        raise validate.invalid(name, "texts, in one axis", f"{form.dtype}, shape {form.shape}")
    return [str(text) for text in arrays.read(name).astype(str)]
