"""Passes that were made elsewhere, from the files that people keep them in."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcviz.data.npy import load_array
from mcviz.data.npz import opened_npz
from mcviz.data.tables import read_frame
from mcviz.errors import DataNotFoundError, InvalidInputError, MissingPackageError

ACCEPTED = ".npz, .npy, Zarr, NetCDF, HDF5, Parquet or CSV, or a folder with one .npy a pass"
NAMES = ("probs", "probabilities", "passes", "predictions", "logits")  # under which arrays are looked for
DIMENSIONS = {
    "pass": ("pass", "draw", "sample", "member", "passes", "draws", "samples", "members"),
    "example": ("example", "obs", "obs_id", "observation", "image", "instance", "examples", "images"),
    "class": ("class", "category", "classes", "categories"),
}
COLUMNS = ("example", "pass", "class", "probability")  # of a long table
HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class PassesFile:
    """Passes as they lie in a file.

    Attributes:
        probs: three axes of floating point, read as it is sliced; or an iterator of passes, (N, C) each.
        axes: the order of the axes, where the file names them.
        ids: names of the examples, where the file has some.
        class_names: names of the classes, where the file has some.
        deterministic: (N, C), where the file has them beside the passes.
        labels: (N,), where the file has them beside the passes.
    """

    probs: Any
    axes: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None
    deterministic: np.ndarray | None = None
    labels: np.ndarray | None = None


@contextmanager
def opened_passes(path: str | Path) -> Iterator[PassesFile]:
    """Open passes of any kind that is known, without reading them.

    Args:
        path: of the file or folder. A long table has the columns example, pass, class and probability.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: what is there cannot be used; the message names it.
        MissingPackageError: HDF5 or NetCDF, and no h5py.
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"There are no passes at {path}. Give {ACCEPTED}.")
    with ExitStack() as opened:
        try:
            if path.is_dir():
                passes = _folder(path)
            elif path.suffix in (".csv", ".parquet"):
                passes = _long_table(path)
            elif path.suffix == ".npz":
                passes = _npz(path)
            elif path.suffix == ".npy":
                passes = PassesFile(load_array(path))
            else:
                passes = opened.enter_context(_hdf5(path))
        except InvalidInputError as error:
            raise error if str(path) in str(error) else InvalidInputError(f"{path} cannot be used: {error}") from error
        yield passes


def read_array(path: str | Path, usual: Sequence[str] = ()) -> np.ndarray:
    """Read an array with a row an example, such as features, from an `.npy` or `.npz`.

    Args:
        path: of the file.
        usual: names under which an `.npz` has it; without one of them there, it has to hold nothing else.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: it is neither, or holds several arrays.
    """
    path = Path(path)
    if path.suffix == ".npy" and path.exists():
        return load_array(path)
    with opened_npz(path) as arrays:
        names = [name for name in usual if name in arrays][:1] or arrays.names()
        if len(names) != 1:
            raise InvalidInputError(f"it should hold one array, and holds {arrays}.")
        return _read(arrays, names[0])


def _folder(path: Path) -> PassesFile:
    if any((path / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup")):
        return _zarr(path)
    files = sorted(path.glob("*.npy"))
    if not files:
        raise InvalidInputError(f"the folder holds no .npy, one a pass, and is no Zarr store. Give {ACCEPTED}.")
    return PassesFile(load_array(file) for file in files)


def _npz(path: Path) -> PassesFile:
    with opened_npz(path) as arrays:
        found = {name: arrays.form(name) for name in arrays.names() if name in NAMES or len(arrays.names()) == 1}
        name = _chosen({name: form.ndim for name, form in found.items()}, str(arrays))
        return PassesFile(
            _read(arrays, name),
            deterministic=_read(arrays, "deterministic_probs") if "deterministic_probs" in arrays else None,
            labels=_read(arrays, "labels") if "labels" in arrays else None,
        )


def _read(arrays: Any, name: str) -> np.ndarray:
    arrays.form(name)  # checks it before it is unpacked
    return arrays.read(name)


def _zarr(path: Path) -> PassesFile:
    import zarr

    try:
        store = zarr.open(str(path), mode="r")
        arrays = {"": store} if isinstance(store, zarr.Array) else _arrays_in(store)
    except (ValueError, TypeError, KeyError, OSError) as error:  # what Zarr raises over damaged metadata
        raise InvalidInputError(f"it cannot be read as Zarr ({error}).") from error
    array = arrays[_chosen({name: each.ndim for name, each in arrays.items()}, ", ".join(arrays))]
    attributes = dict(array.attrs)
    dimensions = getattr(array.metadata, "dimension_names", None)  # Zarr v2 has none
    axes = _named(dimensions or attributes.get("_ARRAY_DIMENSIONS"))
    if "scale_factor" in attributes:
        array = _Packed(array, float(attributes["scale_factor"]), float(attributes.get("add_offset", 0)))
    return PassesFile(array, axes)


def _arrays_in(group: Any) -> dict[str, Any]:
    import zarr

    return {name: member for name, member in group.members(max_depth=4) if isinstance(member, zarr.Array)}


class _Packed:
    """Numbers that are kept as whole ones, with a scale, as the CF conventions say."""

    dtype = np.dtype(np.float32)

    def __init__(self, array: Any, scale: float, offset: float) -> None:
        self._array, self._scale, self._offset = array, scale, offset
        self.shape, self.chunks = array.shape, array.chunks

    def __getitem__(self, part: Any) -> np.ndarray:
        return (np.asarray(self._array[part]) * self._scale + self._offset).astype(np.float32)


@contextmanager
def _hdf5(path: Path) -> Iterator[PassesFile]:
    with path.open("rb") as file:
        if file.read(len(HDF5)) != HDF5:
            raise InvalidInputError(f"it is none of what is taken. Give {ACCEPTED}.")
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
        file.visititems(lambda name, each: datasets.update({name: each}) if isinstance(each, h5py.Dataset) else None)
        name = _chosen({name: each.ndim for name, each in datasets.items()}, ", ".join(datasets), also=4)
        dataset = datasets[name]
        if dataset.is_virtual or dataset.external:
            raise InvalidInputError(f"{name} lies in other files. Write it into one.")
        axes = _named([_dimension(dataset, axis) for axis in range(dataset.ndim)])
        if dataset.ndim == 4:
            yield _chains_joined(dataset)
        else:
            yield PassesFile(dataset, axes)


def _dimension(dataset: Any, axis: int) -> str:
    """The name of an axis, from its label or from the dimension that is attached to it, as NetCDF does."""
    dimension = dataset.dims[axis]
    if dimension.label:
        return str(dimension.label)
    return str(dimension[0].name).rpartition("/")[2] if len(dimension) else ""


def _chains_joined(dataset: Any) -> PassesFile:
    """Passes of several chains, (chain, draw, example, class), as ArviZ keeps them."""
    names = [_dimension(dataset, axis) for axis in range(4)]
    axes = _named(names[1:])
    if names[0] != "chain" or axes is None or axes[0] != "pass":
        raise InvalidInputError(
            f"its array has the dimensions {', '.join(names)}. Give one of pass, example and class."
        )
    values = dataset[...]
    return PassesFile(values.reshape(-1, *values.shape[2:]), axes)


def _long_table(path: Path) -> PassesFile:
    table = read_frame(path)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        found = ", ".join(map(str, table.columns))
        raise InvalidInputError(f"a table of passes has the columns {', '.join(COLUMNS)}. This one has {found}.")
    codes, values = zip(*(pd.factorize(table[name], sort=name != "example") for name in COLUMNS[:3]), strict=True)
    examples, passes, classes = (len(value) for value in values)
    expected = examples * passes * classes
    if len(table) != expected or table.duplicated(list(COLUMNS[:3])).any() or any((code < 0).any() for code in codes):
        raise InvalidInputError(
            f"it should have {expected:,} rows, one for each of {passes:,} passes, {examples:,} examples and "
            f"{classes:,} classes, and has {len(table):,}, or some twice."
        )
    probs = np.empty((passes, examples, classes), np.float32)
    probs[codes[1], codes[0], codes[2]] = table["probability"].to_numpy(np.float32)
    return replace(
        PassesFile(probs, ("pass", "example", "class")),
        ids=_texts(values[0]),
        class_names=_texts(values[2]),
    )


def _texts(values: Any) -> tuple[str, ...] | None:
    """The names that a column gives, or None where it only counts from 0."""
    numbers = np.asarray(values)
    if numbers.dtype.kind in "iu" and np.array_equal(numbers, np.arange(len(numbers))):
        return None
    return tuple(str(value) for value in values)


def _chosen(axes: dict[str, int], found: str, also: int = 3) -> str:
    """The name of the array that holds the passes, by its name, or because it is the only one of so many axes."""
    usual = [name for name in axes if name.rpartition("/")[2] in NAMES and axes[name] in (3, also)]
    fitting = usual or [name for name, count in axes.items() if count in (3, also)]
    if len(fitting) != 1:
        raise InvalidInputError(
            "it should hold one array of pass, example and class, under the name probs where there are others. "
            f"It holds {found or 'none'}."
        )
    return fitting[0]


def _named(dimensions: Any) -> tuple[str, ...] | None:
    """The axes by our names, where all are known."""
    of = {name: axis for axis, names in DIMENSIONS.items() for name in names}
    axes = tuple(of.get(str(name).lower(), "") for name in dimensions or ())
    return axes if sorted(axes) == sorted(DIMENSIONS) else None
