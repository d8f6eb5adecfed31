"""Passes that were made elsewhere, from the files that people keep them in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcviz.choices import Predicts
from mcviz.data.in_place import load_array
from mcviz.data.labels import sort_class_names
from mcviz.data.mask_folders import name_pass_folders, read_pass_folders
from mcviz.data.npz import MOST_UNPACKED, open_npz
from mcviz.data.tables import TABLES, is_numeric, read_frame
from mcviz.errors import DataNotFoundError, InvalidInputError, MissingPackageError
from mcviz.tasks.base import PassNames
from mcviz.tasks.classification import Classification
from mcviz.tasks.regression import OneTarget
from mcviz.text import first_line, list_names
from mcviz.validate import invalid

ACCEPTED_PASSES = ".npz, .npy, Zarr, NetCDF, HDF5, Parquet or CSV, or a folder with one .npy a pass"


LABEL_ARRAYS = ("labels", "label")
ID_ARRAY = "ids"
ARVIZ_GROUPS = ("posterior_predictive", "predictions")  # where ArviZ has passes, under any name
DIMENSIONS = {
    "chain": ("chain",),
    "pass": ("pass", "draw", "sample", "member", "passes", "draws", "samples", "members"),
    "example": ("example", "obs", "obs_id", "observation", "image", "instance", "examples", "images", "text", "row"),
}
HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class PassesFile:
    """Passes in a file.

    Attributes:
        passes: three axes of floating point, or the two of passes and examples, read as it is sliced; or an iterator of
            passes, (N, C), (N, D) or (N,) each.
        axes: the order of the axes, where the file names them.
        ids: names of the examples, where the file has some.
        last_names: names of the classes or targets, in the order of the passes, where the file has some.
        deterministic: (N, C) or (N, D), where the file has them beside the passes.
        mean_probs: (N, H, W, C), where the file has them beside label maps.
        labels: (N,) or (N, D), where the file has them beside the passes.
        predicts: what the passes of a regression are, where the file has a spread beside them.
    """

    passes: Any
    axes: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    last_names: tuple[str, ...] | None = None
    deterministic: np.ndarray | None = None
    mean_probs: np.ndarray | None = None
    labels: np.ndarray | None = None
    predicts: Predicts | None = None

    def resolve_predicts(self, asked: Predicts) -> Predicts:
        """Return the form of regression passes, by file or request.

        Raises:
            InvalidInputError: these differ.
        """
        if self.predicts is not None and asked not in ("mean", self.predicts):
            raise invalid("predicts", f"left out, or {self.predicts}, as the file has them", asked)
        return self.predicts or asked


@contextmanager
def open_passes(path: str | Path, names: PassNames = Classification.pass_names) -> Iterator[PassesFile]:
    """Open passes in any known format, without reading them.

    Args:
        path: of the file or folder. A long table has the columns example, pass, class and probability; of a regression
            example, pass, target and value, where target may be left out.
        names: the names under which files keep the passes of the task, as `Task.pass_names`.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: what is there cannot be used; the message names it.
        MissingPackageError: HDF5 or NetCDF, and no h5py.
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"There are no passes at {path}. Give {ACCEPTED_PASSES}.")
    with ExitStack() as opened:
        try:
            if path.is_dir():
                passes = _read_folder(path, names)
            elif path.suffix in TABLES:
                passes = _read_long_table(path, names)
            elif path.suffix == ".npz":
                passes = _read_npz(path, names)
            elif path.suffix == ".npy":
                passes = PassesFile(load_array(path))
            else:
                passes = opened.enter_context(_open_hdf5(path, names))
        except InvalidInputError as error:
            raise error if str(path) in str(error) else InvalidInputError(f"{path} cannot be used: {error}") from error
        yield passes


def read_array(path: str | Path, usual: Sequence[str] = ()) -> np.ndarray:
    """Read an array with a row an example from `.npy` or `.npz`.

    Args:
        path: of the file.
        usual: names under which an `.npz` has it; without any of these, it has to hold a single array.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: it is neither, or holds several arrays.
    """
    path = Path(path)
    if path.suffix == ".npy" and path.exists():
        return load_array(path)
    with open_npz(path) as arrays:
        names = [name for name in usual if name in arrays][:1] or arrays.names()
        if len(names) != 1:
            raise InvalidInputError(f"it should hold one array, and holds {arrays}.")
        return arrays.read(names[0])


def _read_folder(path: Path, names: PassNames) -> PassesFile:
    if any((path / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup")):
        return _read_zarr(path, names)
    files = sorted(path.glob("*.npy"))
    if not files and names.most_axes > names.min_axes:
        return PassesFile(read_pass_folders(path), ids=name_pass_folders(path))
    if not files:
        raise InvalidInputError(f"the folder holds no .npy, one a pass, and is no Zarr store. Give {ACCEPTED_PASSES}.")
    return PassesFile(load_array(file) for file in files)


def _read_npz(path: Path, names: PassNames) -> PassesFile:
    with open_npz(path) as arrays:
        there = arrays.names()
        passes = *names.arrays, *names.spreads, *names.means
        usual = {"deterministic", *passes, *LABEL_ARRAYS, ID_ARRAY, names.names_array}
        candidates = [name for name in there if name.removeprefix("deterministic_") in usual or len(there) == 1]
        axes = {name: arrays.header_array(name).ndim for name in candidates}
        return _select_arrays(_Arrays(axes, arrays.read, lambda _: (), str(arrays)), names)


def _read_zarr(path: Path, names: PassNames) -> PassesFile:
    import zarr

    try:
        store = zarr.open(str(path), mode="r")
        arrays = {"": store} if isinstance(store, zarr.Array) else _collect_arrays(store)
    except (ValueError, TypeError, KeyError, OSError) as error:  # what Zarr raises over damaged metadata
        raise InvalidInputError(f"it cannot be read as Zarr ({error}).") from error

    def read(name: str) -> Any:
        array, attributes = arrays[name], dict(arrays[name].attrs)
        _check_size(name, array.nbytes, array.nbytes_stored())
        if "scale_factor" not in attributes:
            return array
        return _Packed(array, float(attributes["scale_factor"]), float(attributes.get("add_offset", 0)))

    def dimensions(name: str) -> Sequence[str]:
        named = getattr(arrays[name].metadata, "dimension_names", None)  # Zarr v2 has none
        return list(map(str, named or dict(arrays[name].attrs).get("_ARRAY_DIMENSIONS") or ()))

    return _select_arrays(_Arrays({name: array.ndim for name, array in arrays.items()}, read, dimensions), names)


def _check_size(name: str, size: int, stored: int) -> None:
    """Check that stored bytes can hold the array: unwritten parts take none."""
    if size > MOST_UNPACKED * stored:
        raise InvalidInputError(
            f"{name or 'the array'} should take {size:,} bytes, of which the file holds {stored:,}. Write its numbers."
        )


def _collect_arrays(group: Any) -> dict[str, Any]:
    import zarr

    return {name: member for name, member in group.members(max_depth=4) if isinstance(member, zarr.Array)}


class _Packed:
    """Scaled integers of the CF conventions."""

    dtype = np.dtype(np.float32)

    def __init__(self, array: Any, scale: float, offset: float) -> None:
        self._array, self._scale, self._offset = array, scale, offset
        self.shape, self.chunks = array.shape, array.chunks

    def __getitem__(self, part: Any) -> np.ndarray:
        return (np.asarray(self._array[part]) * self._scale + self._offset).astype(np.float32)


@contextmanager
def _open_hdf5(path: Path, names: PassNames) -> Iterator[PassesFile]:
    with path.open("rb") as file:
        if file.read(len(HDF5)) != HDF5:
            raise InvalidInputError(f"it is none of what is taken. Give {ACCEPTED_PASSES}.")
    try:
        import h5py
    except ImportError as error:
        raise MissingPackageError(f"{path} is HDF5 or NetCDF, which needs h5py. Type: pip install h5py") from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InvalidInputError(f"it cannot be read as HDF5 ({error}).") from error
    with file:
        datasets: dict[str, Any] = {}
        file.visititems(lambda name, node: datasets.update({name: node}) if isinstance(node, h5py.Dataset) else None)

        def read(name: str) -> Any:
            if datasets[name].is_virtual or datasets[name].external:
                raise InvalidInputError(f"{name} lies in other files. Write it into one.")
            _check_size(name, datasets[name].nbytes, datasets[name].id.get_storage_size())
            return datasets[name]

        def dimensions(name: str) -> Sequence[str]:
            return [_dimension_name(datasets[name], axis) for axis in range(datasets[name].ndim)]

        yield _select_arrays(
            _Arrays({name: dataset.ndim for name, dataset in datasets.items()}, read, dimensions), names
        )


def _dimension_name(dataset: Any, axis: int) -> str:
    """Return an axis name from its label or attached dimension, as in NetCDF."""
    dimension = dataset.dims[axis]
    if dimension.label:
        return str(dimension.label)
    return str(dimension[0].name).rpartition("/")[2] if len(dimension) else ""


@dataclass(frozen=True)
class _Arrays:
    """The arrays of a file.

    Attributes:
        axes: how many each has, by name.
        read: gives one by its name, read as it is sliced.
        dimensions: gives the names of its axes; "" or none where they have none.
        listed: their names, for a message.
    """

    axes: Mapping[str, int]
    read: Callable[[str], Any]
    dimensions: Callable[[str], Sequence[str]]
    listed: str = ""


def _select_arrays(arrays: _Arrays, names: PassNames) -> PassesFile:
    name = _choose_array(arrays, names)
    group, slash, own = name.rpartition("/")
    passes, axes = _arrange_passes(arrays, name, names)
    parts: list[str] = [own]
    predicts: Predicts | None = None
    for spread, together in names.spreads.items():
        if f"{group}{slash}{spread}" in arrays.axes:
            other, its_axes = _arrange_passes(arrays, f"{group}{slash}{spread}", names)
            if (other.shape, its_axes) != (passes.shape, axes):
                raise InvalidInputError(f"{spread} has the shape {other.shape}, and {own} the shape {passes.shape}.")
            passes = _Concatenated(passes, other, axes.index(names.last_axis) if axes else 2)
            parts, predicts = [own, spread], together
            break
    alone = ("deterministic",) if names.most_axes > names.min_axes else ()
    fixed = [_read_first(arrays, group + slash, (f"deterministic_{part}", *alone)) for part in parts]
    there = [part if alone else part.reshape(len(part), -1) for part in fixed if part is not None]
    named, ids = (_read_first(arrays, group + slash, (name,)) for name in (names.names_array, ID_ARRAY))
    return PassesFile(
        passes,
        axes,
        ids=None if ids is None else _decode_names(ids),
        last_names=None if named is None else _decode_names(named),
        deterministic=np.concatenate(there, axis=1) if len(there) == len(parts) else None,
        mean_probs=_read_first(arrays, group + slash, names.means if arrays.axes[name] == names.min_axes else ()),
        labels=_read_first(arrays, group + slash, LABEL_ARRAYS),
        predicts=predicts,
    )


def _arrange_passes(arrays: _Arrays, name: str, names: PassNames) -> tuple[Any, tuple[str, ...] | None]:
    array, axes, count = arrays.read(name), _name_axes(arrays.dimensions(name), names), arrays.axes[name]
    if axes and "chain" in axes:
        front = [axes.index("chain"), axes.index("pass")]
        behind = [axis for axis in range(count) if axis not in front]
        values = np.asarray(array[...]).transpose(*front, *behind)
        array, count = values.reshape(-1, *values.shape[2:]), count - 1
        axes = ("pass", *(axes[axis] for axis in behind))
    if count == 2 == names.min_axes:
        return OneTarget(array), None if axes is None else (*axes, names.last_axis)
    if not max(3, names.min_axes) <= count <= names.most_axes:
        dimensions = ", ".join(arrays.dimensions(name))
        raise InvalidInputError(f"its array has the dimensions {dimensions}. Give one of {names.axes}.")
    return array, axes


def _read_first(arrays: _Arrays, group: str, known: Sequence[str]) -> np.ndarray | None:
    there = [f"{group}{name}" for name in known if f"{group}{name}" in arrays.axes]
    return np.asarray(arrays.read(there[0])[...]) if there else None


class _Concatenated:
    """Two arrays, concatenated along an axis that is read whole."""

    dtype = np.dtype(np.float32)

    def __init__(self, first: Any, second: Any, axis: int) -> None:
        self._both, self._axis = (first, second), axis
        both = tuple(2 * size if number == axis else size for number, size in enumerate(first.shape))
        rows = getattr(first, "chunks", None) or (*first.shape[:1], *(1 << 10,) * 2)
        self.shape = both
        self.chunks = tuple(both[axis] if number == axis else size for number, size in enumerate(rows))

    def __getitem__(self, part: tuple[slice, ...]) -> np.ndarray:
        whole = tuple(slice(None) if number == self._axis else index for number, index in enumerate(part))
        return np.concatenate([np.asarray(array[whole], np.float32) for array in self._both], axis=self._axis)


def _read_long_table(path: Path, names: PassNames) -> PassesFile:
    table = read_frame(path)
    if names.min_axes == 2 and names.last_axis not in table.columns:
        table = table.assign(**{names.last_axis: 0})  # of the only target
    columns = ["example", "pass", names.last_axis, names.value]
    missing = [name for name in columns if name not in table.columns]
    if missing:
        columns_of_table = list_names(table.columns)
        raise InvalidInputError(
            f"a table of passes has the columns {', '.join(columns)}. This one has {columns_of_table}."
        )
    codes, values = map(
        list, zip(*(pd.factorize(table[name], sort=name != "example") for name in columns[:3]), strict=True)
    )
    if not is_numeric(table[names.last_axis]):
        values[2] = pd.Index(sort_class_names([str(value) for value in values[2]]))
        codes[2] = values[2].get_indexer(table[names.last_axis])
    examples, passes, lasts = (len(value) for value in values)
    expected = examples * passes * lasts
    if len(table) != expected or table.duplicated(columns[:3]).any() or any((code < 0).any() for code in codes):
        raise InvalidInputError(
            f"it should have {expected:,} rows, one for each of {passes:,} passes, {examples:,} examples and "
            f"{lasts:,} of the column {names.last_axis}, and has {len(table):,}, or some twice."
        )
    try:
        numbers = table[names.value].to_numpy(np.float32)
    except (ValueError, TypeError) as error:
        raise InvalidInputError(f"its column {names.value} should hold numbers ({first_line(error)}).") from error
    array = np.empty((passes, examples, lasts), np.float32)
    array[codes[1], codes[0], codes[2]] = numbers
    return PassesFile(
        array, ("pass", "example", names.last_axis), ids=_column_names(values[0]), last_names=_column_names(values[2])
    )


def _column_names(values: Any) -> tuple[str, ...] | None:
    """Return the names of a column; None if it only counts from 0."""
    numbers = np.asarray(values)
    if numbers.dtype.kind in "iu" and np.array_equal(numbers, np.arange(len(numbers))):
        return None
    return tuple(str(value) for value in values)


def _decode_names(names: np.ndarray) -> tuple[str, ...]:
    """Decode names; HDF5 stores bytes."""
    return tuple(text.decode() if isinstance(text, bytes) else str(text) for text in names.ravel().tolist())


def _choose_array(arrays: _Arrays, names: PassNames) -> str:
    """Choose the array with a usual name, or the only one with enough axes."""

    def of(*counts: int) -> list[str]:
        beside = (*LABEL_ARRAYS, *names.spreads, *names.means)
        own = {name: name.rpartition("/")[2] for name, count in arrays.axes.items() if count in counts}
        return [name for name, axes in own.items() if axes not in beside and not axes.startswith("deterministic")]

    several = of(*range(names.min_axes, max(4, names.most_axes) + 1))
    usual = [name for name in several if name.rpartition("/")[2] in names.arrays]
    in_groups = [name for name in several if name.partition("/")[0] in ARVIZ_GROUPS]
    fitting = usual or in_groups or of(3) or of(4) or of(names.most_axes) or of(*range(names.min_axes, 3))
    if len(fitting) != 1:
        raise InvalidInputError(
            f"it should hold one array of {names.axes}, under the name {names.arrays[0]} where there are others. "
            f"It holds {arrays.listed or list_names(arrays.axes) or 'none'}."
        )
    return fitting[0]


def _name_axes(dimensions: Sequence[str], names: PassNames) -> tuple[str, ...] | None:
    """Translate axis names; ArviZ calls unnamed ones `y_dim_0`."""
    known = {**DIMENSIONS, names.last_axis: names.dimensions}
    of = {name: axis for axis, names in known.items() for name in names}
    numbered = {"0": "example", "1": names.last_axis}
    axes = tuple(of.get(str(name).lower(), numbered.get(str(name).rpartition("_dim_")[2], "")) for name in dimensions)
    needed = {"pass", "example", *([names.last_axis] if names.min_axes == 3 else [])}
    return axes if len(set(axes)) == len(axes) and needed <= set(axes) and "" not in axes else None
