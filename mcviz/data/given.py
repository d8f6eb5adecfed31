"""Data sets from arrays, tables and lists, and from data for PyTorch, without importing torch."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from mcviz.data.data_set import DataSet
from mcviz.data.in_place import LazyRows, Places
from mcviz.data.sources import give_kind, read_arrays, read_arrow_table, read_data, read_table, take_labels
from mcviz.data.tables import LABEL_COLUMNS, ColumnNames, find_usual_column
from mcviz.errors import InvalidInputError
from mcviz.kinds import KINDS, Files, find_kind
from mcviz.kinds.image import CHANNELS, as_images
from mcviz.text import first_line, list_names
from mcviz.validate import array, invalid

NAMELESS = "examples"  # a model's only input, where it has no name
SOME = 8  # examples, for which it is found out whether they stay the same
ONE_SIZE = (
    "Give all examples one size: texts by a tokenizer's padding='max_length', max_length and truncation=True, pictures "
    "by Resize((height, width))."
)

INFINITE = -1  # tf.data.INFINITE_CARDINALITY
MODEL_INPUTS = ("input_ids", "pixel_values", "input_values", "input_features")  # of the models of Hugging Face


def spread_places(count: int) -> np.ndarray:
    """Return places of a few examples, evenly spread."""
    return np.unique(np.linspace(0, count - 1, SOME).astype(int))


def is_tensor(given: Any) -> bool:
    """Whether this is a tensor of PyTorch."""
    return hasattr(given, "detach") and any(base.__module__ == "torch" for base in type(given).__mro__)


def is_torch_data(given: Any) -> bool:
    """Return whether this is a Dataset or loader of PyTorch."""
    return any(base.__module__.startswith("torch.utils.data") for base in type(given).__mro__)


def to_array(name: str, given: Any) -> np.ndarray:
    """Convert tensors, lists of tensors, PIL pictures or texts to an array.

    Raises:
        InvalidInputError: the rows have several lengths, or they are no array.
    """
    if is_tensor(given):
        try:
            return given.detach().cpu().numpy()
        except (TypeError, RuntimeError) as error:  # such as bfloat16, or a sparse one
            raise invalid(name, "a tensor that NumPy can hold", first_line(error), "Call float() on it.") from error
    if isinstance(given, list | tuple) and given and (isinstance(given[0], str) or is_tensor(given[0])):
        rows = [item if isinstance(item, str) else to_array(name, item) for item in given]
        given = np.array(rows, object) if isinstance(rows[0], str) else rows
    try:
        return array(name, given)
    except InvalidInputError as error:
        raise InvalidInputError(f"{error} {ONE_SIZE}") from error


def read_tensor(tensor: Any, labels: Any, task: str) -> DataSet:
    """Read a tensor: images are (N, channels, height, width).

    Args:
        tensor: of PyTorch, or an array with its order of axes.
        labels: as `DataSet.with_labels` takes them, or None.
        task: what the labels are for.

    Raises:
        InvalidInputError: it has no example, numbers that are not finite, or other labels.
    """
    given = to_array("examples", tensor)
    floating, images = given.dtype.kind == "f", given.ndim == 4 and given.shape[1] in CHANNELS
    grey_or_last = given.ndim == 3 or (given.ndim == 4 and given.shape[3] in CHANNELS)
    if images or given.ndim == 2 or (floating and grey_or_last):
        held = read_arrays(np.moveaxis(given, 1, -1) if images else given)
    elif given.size:
        held = DataSet(None)
    else:
        raise invalid("examples", "(N, ...) with at least one example", f"shape {given.shape}")
    if not images and not (floating and given.ndim == 2):
        held = replace(held, inputs=_pack({NAMELESS: given}))
    return held if labels is None else held.with_labels(labels, task)


def read_columns(
    columns: Mapping[str, Any],
    task: str | None,
    labels: Any = None,
    class_names: Mapping[str, tuple[str, ...]] | None = None,
) -> DataSet:
    """Read arrays by name: those with several axes are inputs, others columns.

    Args:
        columns: by name, each of N examples.
        task: what the labels are for; None leaves them out.
        labels: of the examples, where no column has them.
        class_names: of a column of class indices.

    Raises:
        InvalidInputError: arrays of different numbers of examples, none with several axes, or one that cannot be used.
    """
    arrays = {str(name): to_array(str(name), values) for name, values in columns.items()}
    shapes = list_names([f"{name} {array.shape}" for name, array in arrays.items()])
    counts = {array.shape[:1] for array in arrays.values()}
    if len(counts) != 1 or () in counts:
        raise invalid("data", "arrays of as many examples each, by the names of the model's inputs", shapes or "none")
    label = find_usual_column(arrays, LABEL_COLUMNS)
    if label is not None:
        labels = arrays.pop(label)
    inputs = {name: array for name, array in arrays.items() if array.ndim > 1}
    if not inputs or any(array.dtype.kind not in "biuf" or not array.size for array in inputs.values()):
        raise invalid("data", "numbers by the names of the model's inputs, such as input_ids (N, length)", shapes)
    ((count,),) = counts
    own = pd.DataFrame({name: array for name, array in arrays.items() if array.ndim == 1}, range(count))
    held = take_labels(own, ColumnNames(), "classification", {})  # the ids
    held = replace(KINDS["text"].read_table(held, ColumnNames(), Files()) or held, inputs=_pack(inputs))
    if task is None or labels is None:
        return held
    return replace(held, class_names=(class_names or {}).get(label or "")).with_labels(labels, task)


def read_torch_data(data: Any, task: str | None) -> DataSet:
    """Read a Dataset of examples, (example, label) or (example, label, id), or its loader, in order.

    A dict with one image is that image with label, id and columns. Other dicts are a model's inputs. Images are read
    lazily.

    Args:
        data: map-style, so that an example can be read again; it gives the same then.
        task: what the labels are for; None leaves them out.

    Raises:
        InvalidInputError: the order is random, an example is another one when it is read again, or cannot be used.
    """
    items = _Items(_dataset(data), data.collate_fn if getattr(data, "batch_sampler", None) else None)
    if not hasattr(items.data, "__len__") or not len(items.data):
        received = type(items.data).__name__ + (
            " without a length" if not hasattr(items.data, "__len__") else " of none"
        )
        raise invalid("data", "a Dataset with __len__ and __getitem__, of at least one example", received)
    count = len(items.data)
    _check_same(items, count)
    examples: list[Any] = []
    labels: list[Any] = []
    own: list[Mapping[str, Any]] = []
    first = _as_pixels(items(0).example)
    for place in range(count):
        example, label, others = items(place)
        own.append({name: _as_cell(value) for name, value in others.items()})
        pixels = _as_pixels(example)
        if (None if pixels is None else pixels.shape) != (None if first is None else first.shape):
            raise invalid("data", "images of one size", f"another size of example {place}", ONE_SIZE)
        examples.append(example if pixels is None else None)
        labels.append(label if label is None or isinstance(label, str) else to_array("labels", label))
    if isinstance(examples[0], Mapping):
        columns = {name: [example[name] for example in examples] for name in examples[0]}
        return read_columns(columns, task, None if labels[0] is None else labels)
    if first is not None:
        held = DataSet(LazyRows(partial(_read_pixels, items), range(count), first.shape, first.dtype))
    else:
        held = read_arrays(examples) if isinstance(examples[0], str) else read_tensor(examples, None, "classification")
    if own[0]:
        known = take_labels(pd.DataFrame(own), ColumnNames(), "classification", {})
        held = replace(held, ids=known.ids, columns=known.columns)
    if task is None or labels[0] is None:
        return held
    names = getattr(items.data, "classes", None)  # as torchvision has it
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        held = replace(held, class_names=tuple(names))
    return held.with_labels(labels, task)


class _Item(NamedTuple):
    """An example, its label or None, and other values by name."""

    example: Any
    label: Any = None
    own: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class _Items:
    """Items of a Dataset by place, as batches of one if collated.

    Attributes:
        data: the Dataset.
        collate: of the loader, or None.
    """

    data: Any
    collate: Callable[[list[Any]], Any] | None

    def __call__(self, place: int) -> _Item:
        try:
            item = self.data[place]
            item = item if self.collate is None else _take_first(self.collate([item]))
        except Exception as error:  # of the user's own code
            raise InvalidInputError(
                f"Example {place} of the Dataset cannot be read: {first_line(error):.200}"
            ) from error
        parts = list(item) if isinstance(item, tuple | list) else [item]
        if len(parts) > 3:
            raise invalid(
                "data", "a Dataset of examples, (example, label) or (example, label, id)", f"{len(parts)} parts"
            )
        example, label, *ids = (*parts, None)[: max(2, len(parts))]
        own = {"id": ids[0]} if ids else {}
        if not isinstance(example, Mapping):
            return _Item(example, label, own)
        pictures = [name for name, value in example.items() if _as_pixels(value) is not None]
        others = {str(name): value for name, value in example.items() if name not in pictures}
        if label is None and (name := find_usual_column(others, LABEL_COLUMNS)):
            label = others.pop(name)
        if len(pictures) != 1 or any(to_array(name, value).ndim for name, value in others.items()):
            return _Item({**example, **own}, label)
        return _Item(example[pictures[0]], label, others | own)


def _read_pixels(items: _Items, places: Places) -> np.ndarray:
    return np.stack([pixels for place in places if (pixels := _as_pixels(items(int(place)).example)) is not None])


def _dataset(data: Any) -> Any:
    """Return the Dataset of a loader that keeps its order, or a Dataset itself."""
    if not hasattr(data, "batch_sampler"):
        return data
    for part, usual in ((data.sampler, "SequentialSampler"), (data.batch_sampler, "BatchSampler")):
        if part is not None and type(part).__name__ != usual:
            advice = "Leave out shuffle and samplers, or give the Dataset itself."
            raise invalid("data", "a loader that goes through its Dataset in order", type(part).__name__, advice)
    return data.dataset


def _check_same(items: _Items, count: int) -> None:
    for place in spread_places(count).tolist():
        if not _same(items(place).example, items(place).example):
            advice = "Leave out what draws random numbers, such as augmentation."
            raise invalid("data", "the same whenever it is read", f"another example {place} the second time", advice)


def _take_first(batch: Any) -> Any:
    if isinstance(batch, tuple | list) and not isinstance(batch[0], str):
        return [_take_first(part) if isinstance(part, Mapping) else part[0] for part in batch]
    return {name: values[0] for name, values in batch.items()} if isinstance(batch, Mapping) else batch[0]


def _as_pixels(example: Any) -> np.ndarray | None:
    """Return (height, width, channels) uint8 or float32 of a PIL picture or tensor; else None."""
    if isinstance(example, Image.Image):
        pixels = np.asarray(example.convert("L" if example.mode in ("1", "L") else "RGB"))
        return pixels.reshape(*pixels.shape[:2], -1)
    if isinstance(example, Mapping | str):
        return None
    pixels = to_array("examples", example)
    if pixels.ndim != 3 or pixels.shape[0] not in CHANNELS:
        return None
    return as_images("examples", np.moveaxis(pixels, 0, -1)[None])[0]


def _as_cell(value: Any) -> Any:
    return value if isinstance(value, str) else to_array("columns", value).item()


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return all(_same(one[name], other[name]) for name in one)
    one, other = to_array("examples", one), to_array("examples", other)
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def _pack(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    dtypes = {
        name: np.dtype(np.float32) if array.dtype == np.float64 else array.dtype for name, array in inputs.items()
    }
    packed = np.empty(
        len(next(iter(inputs.values()))), [(name, dtypes[name], array.shape[1:]) for name, array in inputs.items()]
    )
    for name, values in inputs.items():
        packed[name] = values
    return packed


def as_data_set(data: Any, task: str = "classification", complete: bool = True) -> DataSet:
    """Take examples in any supported form, with labels if given.

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
    """Take examples of any kind without labels.

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
    return isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], str)


def _arrays(data: Any) -> tuple[np.ndarray, Any]:
    """Return examples as one array, and labels or None."""
    if hasattr(data, "as_numpy_iterator"):
        return _read_tf_data(data)
    if _is_pair(data):
        return _stack(data[0]), data[1]
    return _stack(data), None


def _stack(given: Any) -> np.ndarray:
    """Stack PIL images; keep texts as objects."""
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) and isinstance(given[0], Image.Image):
        images = list(given)
        sizes = {image.size for image in images}
        if len(sizes) > 1:
            advice = "Resize them, or give the folder of their files."
            raise invalid("images", "of one size", f"{len(sizes)} sizes", advice)
        mode = "L" if all(image.mode in ("1", "L") for image in images) else "RGB"
        return np.stack([np.asarray(image.convert(mode)) for image in images])
    if isinstance(given, list | tuple) and any(isinstance(item, str) for item in given):
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
    """Return whether elements are batches of images or rows, by shape."""
    if len(shape) == 3 and shape[-1] in CHANNELS:
        return shape[0] is None and shape[1] is not None
    return len(shape) in (3, 4) or (len(shape) == 2 and shape[0] is None)


def _read_hugging_face(data: Any, task: str) -> DataSet:
    if not hasattr(data, "features") or not hasattr(data, "__len__"):
        advice = "Pick a split, such as data['test'], and load it without streaming."
        raise invalid("data", "a Hugging Face data set of one split", type(data).__name__, advice)
    features = {name: getattr(feature, "feature", feature) for name, feature in data.features.items()}  # also of a list
    names = {name: tuple(feature.names) for name, feature in features.items() if hasattr(feature, "names")}
    table = data.with_format("arrow")[:]
    if not set(MODEL_INPUTS) & set(table.column_names):
        return read_arrow_table(table, names, task=task)
    return read_columns({name: table[name].to_pylist() for name in table.column_names}, task, class_names=names)
