"""Images and label maps that stay in an `.npy` file or a run."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mcviz.data.npz import NPZ_ERRORS
from mcviz.errors import InvalidInputError
from mcviz.regular import open_regular

Places = range | np.ndarray


@dataclass(frozen=True, eq=False)
class LazyRows:
    """Lazy images of a file or run, (N, height, width, channels), or label maps, (N, height, width).

    Indexed by number, slice, numbers or booleans, it returns read-only arrays. `numpy.asarray` reads all. It pickles
    small if `read` does.

    Attributes:
        read: reads (n, height, width, channels) images by their places there.
        places: of these images.
        image_shape: (height, width, channels) of each.
        dtype: uint8 or float32.
    """

    read: Callable[[Places], np.ndarray]
    places: Places
    image_shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return 1 + len(self.image_shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, height, width, channels)."""
        return len(self.places), *self.image_shape

    def __len__(self) -> int:
        return len(self.places)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.read(self.places), dtype, copy=copy)

    def __getitem__(self, index: Any) -> np.ndarray:
        """The images that an index names, (height, width, channels) for a number, else (n, height, width, channels).

        Raises:
            IndexError: there is no such image, or the index is of more axes than the first.
            McvizError: they cannot be read.
        """
        if index is None or index is Ellipsis or isinstance(index, tuple):
            raise IndexError(
                f"Images are indexed along their first axis alone. Received: {index}. `run.images[:]` is an array of "
                "all of them, which takes any index."
            )
        if isinstance(index, int | np.integer) and not isinstance(index, bool):
            place = self.places[index]
            images = self.read(range(place, place + 1))[0]
        else:
            places = _select(self.places, index)
            if np.ndim(places) != 1:
                raise IndexError(f"Images are indexed along their first axis alone. Received: {np.ndim(places)} axes.")
            images = self.read(places)
        images.setflags(write=False)
        return images

    def take(self, indices: Places) -> "LazyRows":
        """Select images by numbers; a range stays a range."""
        return replace(self, places=_select(self.places, to_index(indices)))


def _select(places: Places, index: Any) -> Places:
    return places[index] if isinstance(index, slice) else as_numbers(places)[index]


def as_numbers(places: Places) -> np.ndarray:
    """Return places as (n,) int64, fast for ranges."""
    if isinstance(places, range):
        return np.arange(places.start, places.stop, places.step, dtype=np.int64)
    return np.asarray(places, np.int64)


def to_index(places: Places) -> slice | np.ndarray:
    """Convert places to an index: a slice if consecutive."""
    if isinstance(places, range) and places.step == 1:
        return slice(places.start, places.stop)
    return as_numbers(places)


def load_array(path: Path) -> np.ndarray:
    """Map the array of an `.npy` file without reading it.

    Raises:
        InvalidInputError: it is no regular file, or cannot be read as a plain array.
    """
    open_regular(path).close()
    try:
        return np.load(os.fspath(path), mmap_mode="r", allow_pickle=False)
    except NPZ_ERRORS as error:
        raise InvalidInputError(f"{path} cannot be read as a plain array ({error!s:.200}).") from error


@dataclass(frozen=True)
class NpyRows:
    """Rows of an `.npy` file, mapped by each process itself."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __call__(self, places: Places) -> np.ndarray:
        """Read the rows at some places.

        Raises:
            InvalidInputError: the file is not there any more, or holds another array.
        """
        try:
            array = load_array(Path(self.path))
        except OSError as error:
            raise InvalidInputError(f"{self.path} cannot be read: {error.strerror or error}.") from error
        if (array.shape, array.dtype) != (self.shape, self.dtype):
            raise InvalidInputError(
                f"{self.path} should hold {self.dtype} {self.shape}, as before. Received: {array.dtype} {array.shape}."
            )
        return np.asarray(array)[to_index(places)]


def locate_npy(array: np.ndarray) -> NpyRows | None:
    """Locate an array that maps a whole `.npy` file read-only; else None."""
    mapped = array if isinstance(array, np.memmap) else array.base
    if not isinstance(mapped, np.memmap) or mapped.mode != "r" or isinstance(mapped.base, np.ndarray):
        return None
    try:
        whole = load_array(Path(mapped.filename or ""))
    except (InvalidInputError, OSError):
        return None
    same = mapped.offset == getattr(whole, "offset", None) and _form(whole) == _form(mapped) == _form(array)
    return NpyRows(str(mapped.filename), array.shape, array.dtype) if same else None


def _form(array: np.ndarray) -> tuple[Any, ...]:
    return array.shape, array.strides, array.dtype
