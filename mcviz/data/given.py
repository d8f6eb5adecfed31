"""Data sets from arrays, tables and lists in Python."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from mcviz.data.arrays import read_arrays
from mcviz.data.data_set import DataSet
from mcviz.data.sources import give_kind, read_arrow_table, read_data, read_table
from mcviz.data.torch_data import is_tensor, is_torch_data, read_columns, read_tensor, read_torch_data
from mcviz.errors import InvalidInputError
from mcviz.kinds import KINDS, Files, find_kind
from mcviz.kinds.image import CHANNELS
from mcviz.text import first_line
from mcviz.validate import array, invalid

INFINITE = -1  # tf.data.INFINITE_CARDINALITY
MODEL_INPUTS = ("input_ids", "pixel_values", "input_values", "input_features")  # of the models of Hugging Face


def as_data_set(data: Any, task: str = "classification", complete: bool = True) -> DataSet:
    """Take examples, with labels where there are some, as people hold them.

    Args:
        data: a `DataSet`; a path, as `read_data` takes it; an array of images or of rows of numbers; a list or array of
            texts; a pandas DataFrame, as a table, whose own index has the ids where no column has; a pair of one of
            these and labels; a `tf.data.Dataset` of examples or such pairs, in batches or one by one; a Hugging Face
            data set; a list of PIL images, such as a column of one; a tensor of PyTorch, with the channels of images
            first; a Dataset of it, or a loader that does not shuffle; arrays by the names of a model's inputs.
        task: what the labels are for.
        complete: whether rows of a table need every number, as `read_data` takes it.

    Raises:
        InvalidInputError: it is none of these, or cannot be used.
        DataNotFoundError: nothing is at that path.
    """
    if isinstance(data, DataSet):
        return give_kind(find_kind(data).check(data).check_labels(task))
    if isinstance(data, str | os.PathLike):
        return read_data(os.fspath(data), task=task, complete=complete)
    return give_kind(_read_held(data, task, Files(Path(), complete=complete)))


def as_examples(data: Any, task: str = "classification") -> DataSet | np.ndarray:
    """Take examples of any kind, whose labels do not matter: as `as_data_set`, or an array of any shape but of texts.

    Raises:
        InvalidInputError: it is none of these, or cannot be used.
        DataNotFoundError: nothing is at that path.
    """
    if isinstance(data, DataSet):
        return as_data_set(replace(data, labels=None), task)
    if isinstance(data, str | os.PathLike | pd.DataFrame) or hasattr(data, "column_names"):
        return as_data_set(data, task)
    if isinstance(data, Mapping):
        return give_kind(read_columns(data, None))
    if is_torch_data(data):
        return give_kind(read_torch_data(data, None))
    if _is_pair(data) and isinstance(data[0], pd.DataFrame):
        return as_data_set(data[0], task)
    examples = _arrays(data)[0]
    return as_data_set(examples) if KINDS["text"].takes(examples) else examples


def _read_held(data: Any, task: str, files: Files) -> DataSet:
    if isinstance(data, pd.DataFrame):
        return read_table(data, task=task, files=files)
    if hasattr(data, "column_names") and hasattr(data, "with_format"):
        return _read_hugging_face(data, task)
    examples, labels = data if _is_pair(data) else (data, None)
    if isinstance(examples, pd.DataFrame):
        return read_table(examples, task=task, files=files).with_labels(labels, task)
    if isinstance(examples, Mapping):
        return read_columns(examples, task, labels)
    if is_tensor(examples):
        return read_tensor(examples, labels, task)
    if is_torch_data(data):
        return read_torch_data(data, task)
    held = read_arrays(*_arrays(data), task=task)
    names = getattr(data, "class_names", None)  # of Keras's image_dataset_from_directory, whose labels are their places
    return replace(held, class_names=tuple(names)) if isinstance(names, list | tuple) else held


def _is_pair(data: Any) -> bool:
    """Whether these are examples and their labels."""
    return isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], str)


def _arrays(data: Any) -> tuple[np.ndarray, Any]:
    """Examples in one array, and their labels or None."""
    if hasattr(data, "as_numpy_iterator"):
        return _read_tf_data(data)
    if _is_pair(data):
        return _stack(data[0]), data[1]
    return _stack(data), None


def _stack(given: Any) -> np.ndarray:
    """Examples in an array; PIL images are stacked, and texts stay as they are, so that one that is missing is seen."""
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) and isinstance(given[0], Image.Image):
        images = list(given)
        sizes = {image.size for image in images}
        if len(sizes) > 1:
            advice = "Resize them, or give the folder of their files."
            raise invalid("images", "of one size", f"{len(sizes)} sizes", advice)
        mode = "L" if all(image.mode in ("1", "L") for image in images) else "RGB"
        return np.stack([np.asarray(image.convert(mode)) for image in images])
    if isinstance(given, list | tuple) and any(isinstance(each, str) for each in given):
        return np.array(given, object)
    return array("examples", given)


def _read_tf_data(data: Any) -> tuple[np.ndarray, Any]:
    spec = data.element_spec
    pairs = isinstance(spec, tuple)
    shape = getattr(spec[0] if pairs else spec, "shape", None)
    if shape is None or shape.rank is None:
        raise invalid("data", "a tf.data.Dataset of arrays, or of pairs of arrays and labels", f"elements of {spec}")
    if int(data.cardinality()) == INFINITE:
        raise invalid("data", "a tf.data.Dataset that ends", "one that repeats for ever", "Leave out repeat().")
    try:
        elements = [element if pairs else (element,) for element in data.as_numpy_iterator()]
        join = np.concatenate if _is_batch(tuple(shape)) else np.stack
        columns = [join(list(part)) for part in zip(*elements, strict=True)]
    except Exception as error:  # of any function that the data set maps, and of shapes that differ
        raise InvalidInputError(f"The tf.data.Dataset cannot be read: {first_line(error):.200}") from error
    if not columns:
        raise invalid("data", "a data set with examples", "an empty one")
    return columns[0], columns[1] if len(columns) > 1 else None


def _is_batch(shape: tuple[int | None, ...]) -> bool:
    """Whether elements of a shape are batches: of images, (N, height, width) or with channels, or of rows."""
    if len(shape) == 3 and shape[-1] in CHANNELS:
        return shape[0] is None and shape[1] is not None
    return len(shape) in (3, 4) or (len(shape) == 2 and shape[0] is None)


def _read_hugging_face(data: Any, task: str) -> DataSet:
    if not hasattr(data, "features") or not hasattr(data, "__len__"):
        advice = "Pick a split, such as data['test'], and load it without streaming."
        raise invalid("data", "a Hugging Face data set of one split", type(data).__name__, advice)
    names = {name: tuple(feature.names) for name, feature in data.features.items() if hasattr(feature, "names")}
    table = data.with_format("arrow")[:]
    if not set(MODEL_INPUTS) & set(table.column_names):
        return read_arrow_table(table, names, task=task)
    return read_columns({name: table[name].to_pylist() for name in table.column_names}, task, class_names=names)
