"""What people hold for PyTorch: tensors, Datasets, loaders, and arrays by the names of a model's inputs.

Known by what they are like: torch is not imported.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from mcviz.data.arrays import read_arrays
from mcviz.data.data_set import DataSet
from mcviz.data.in_place import InPlace, Places
from mcviz.data.sources import take_labels
from mcviz.data.tables import LABEL_COLUMNS, ColumnNames, find_usual_column
from mcviz.errors import InvalidInputError
from mcviz.kinds import KINDS, Files
from mcviz.kinds.image import CHANNELS, as_images
from mcviz.text import first_line, list_names
from mcviz.validate import array, invalid

NAMELESS = "examples"  # a model's only input, where it has no name
SOME = 8  # examples, for which it is found out whether they stay the same
ONE_SIZE = (
    "Give all examples one size: texts by a tokenizer's padding='max_length', max_length and truncation=True, pictures "
    "by Resize((height, width))."
)


def spread_places(count: int) -> np.ndarray:
    """Return the places of a few of some examples, evenly spread."""
    return np.unique(np.linspace(0, count - 1, SOME).astype(int))


def is_tensor(given: Any) -> bool:
    """Whether this is a tensor of PyTorch."""
    return hasattr(given, "detach") and any(each.__module__ == "torch" for each in type(given).__mro__)


def is_torch_data(given: Any) -> bool:
    """Whether this is a Dataset or a loader of PyTorch."""
    return any(each.__module__.startswith("torch.utils.data") for each in type(given).__mro__)


def to_array(name: str, given: Any) -> np.ndarray:
    """Convert to an array: tensors, lists of these, PIL pictures and texts too.

    Raises:
        InvalidInputError: the rows have several lengths, or they are no array.
    """
    if is_tensor(given):
        try:
            return given.detach().cpu().numpy()
        except (TypeError, RuntimeError) as error:  # such as bfloat16, or a sparse one
            raise invalid(name, "a tensor that NumPy can hold", first_line(error), "Call float() on it.") from error
    if isinstance(given, list | tuple) and given and (isinstance(given[0], str) or is_tensor(given[0])):
        rows = [each if isinstance(each, str) else to_array(name, each) for each in given]
        given = np.array(rows, object) if isinstance(rows[0], str) else rows
    try:
        return array(name, given)
    except InvalidInputError as error:
        raise InvalidInputError(f"{error} {ONE_SIZE}") from error


def read_tensor(tensor: Any, labels: Any, task: str) -> DataSet:
    """Read a tensor: of images, (N, channels, height, width); or of anything else, which is shown where it can be.

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
    """Read arrays by name: with several axes they are a model's inputs, with one texts, labels, ids or the user's own.

    Args:
        columns: by name, each of N examples.
        task: what the labels are for; None leaves them out.
        labels: of the examples, where no column has them.
        class_names: of a column of class indices.

    Raises:
        InvalidInputError: arrays of different numbers of examples, none with several axes, or one that cannot be used.
    """
    arrays = {str(name): to_array(str(name), values) for name, values in columns.items()}
    found = list_names([f"{name} {each.shape}" for name, each in arrays.items()])
    counts = {each.shape[:1] for each in arrays.values()}
    if len(counts) != 1 or () in counts:
        raise invalid("data", "arrays of as many examples each, by the names of the model's inputs", found or "none")
    label = find_usual_column(arrays, LABEL_COLUMNS)
    if label is not None:
        labels = arrays.pop(label)
    inputs = {name: each for name, each in arrays.items() if each.ndim > 1}
    if not inputs or any(each.dtype.kind not in "biuf" or not each.size for each in inputs.values()):
        raise invalid("data", "numbers by the names of the model's inputs, such as input_ids (N, length)", found)
    ((count,),) = counts
    own = pd.DataFrame({name: each for name, each in arrays.items() if each.ndim == 1}, range(count))
    held = take_labels(own, ColumnNames(), "classification", {})  # the ids
    held = replace(KINDS["text"].read_table(held, ColumnNames(), Files()) or held, inputs=_pack(inputs))
    if task is None or labels is None:
        return held
    return replace(held, class_names=(class_names or {}).get(label or "")).with_labels(labels, task)


def read_torch_data(data: Any, task: str | None) -> DataSet:
    """Read a Dataset of examples, of (example, label) or (example, label, id), or a loader of one, in its order.

    An example may be a dict. One with a single image is that image, with what else is in it as label, id and columns of
    the user's own; any other has a model's inputs by their names. Images stay where they are, and are read when they
    are indexed.

    Args:
        data: map-style, so that an example can be read again; it gives the same then.
        task: what the labels are for; None leaves them out.

    Raises:
        InvalidInputError: the order is random, an example is another one when it is read again, or cannot be used.
    """
    items = _Items(_dataset(data), data.collate_fn if getattr(data, "batch_sampler", None) else None)
    if not hasattr(items.data, "__len__") or not len(items.data):
        found = type(items.data).__name__ + (" without a length" if not hasattr(items.data, "__len__") else " of none")
        raise invalid("data", "a Dataset with __len__ and __getitem__, of at least one example", found)
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
        columns = {name: [each[name] for each in examples] for name in examples[0]}
        return read_columns(columns, task, None if labels[0] is None else labels)
    if first is not None:
        held = DataSet(InPlace(_Pixels(items), range(count), first.shape, first.dtype))
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
    """An example, its label or None, and what else is known of it by name."""

    example: Any
    label: Any = None
    own: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class _Items:
    """Gives an item of a Dataset by its place, as a loader's batch of one where that collates.

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


@dataclass(frozen=True)
class _Pixels:
    """Gives images of a Dataset by their places."""

    items: _Items

    def __call__(self, places: Places) -> np.ndarray:
        return np.stack(
            [pixels for place in places if (pixels := _as_pixels(self.items(int(place)).example)) is not None]
        )


def _dataset(data: Any) -> Any:
    """The Dataset of a loader, whose order is that of the Dataset; or a Dataset itself."""
    if not hasattr(data, "batch_sampler"):
        return data
    for part, usual in ((data.sampler, "SequentialSampler"), (data.batch_sampler, "BatchSampler")):
        if part is not None and type(part).__name__ != usual:
            advice = "Leave out shuffle and samplers, or give the Dataset itself."
            raise invalid("data", "a loader that goes through its Dataset in order", type(part).__name__, advice)
    return data.dataset


def _check_same(items: _Items, count: int) -> None:
    """Check that some examples are the same when they are read again."""
    for place in spread_places(count).tolist():
        if not _same(items(place).example, items(place).example):
            advice = "Leave out what draws random numbers, such as augmentation."
            raise invalid("data", "the same whenever it is read", f"another example {place} the second time", advice)


def _take_first(batch: Any) -> Any:
    """The example of a batch of one, or the example and its label."""
    if isinstance(batch, tuple | list) and not isinstance(batch[0], str):
        return [_take_first(part) if isinstance(part, Mapping) else part[0] for part in batch]
    return {name: each[0] for name, each in batch.items()} if isinstance(batch, Mapping) else batch[0]


def _as_pixels(example: Any) -> np.ndarray | None:
    """(height, width, channels) uint8 or float32 of a PIL picture or a tensor with channels first; None of others."""
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
    """A value of a column: of a tensor or array of one number, that number."""
    return value if isinstance(value, str) else to_array("columns", value).item()


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return all(_same(one[name], other[name]) for name in one)
    one, other = to_array("examples", one), to_array("examples", other)
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def _pack(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    dtypes = {name: np.dtype(np.float32) if each.dtype == np.float64 else each.dtype for name, each in inputs.items()}
    packed = np.empty(
        len(next(iter(inputs.values()))), [(name, dtypes[name], each.shape[1:]) for name, each in inputs.items()]
    )
    for name, each in inputs.items():
        packed[name] = each
    return packed
