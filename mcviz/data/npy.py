"""Arrays from `.npy` files."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcviz.data.in_place import Places, index_of
from mcviz.errors import InvalidInputError
from mcviz.regular import open_regular


def load_array(path: Path) -> np.ndarray:
    """An array of an `.npy` file, mapped from disk and not read.

    Raises:
        InvalidInputError: it is no regular file, or cannot be read as a plain array.
    """
    open_regular(path).close()
    try:
        return np.load(os.fspath(path), mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InvalidInputError(f"{path} cannot be read as a plain array ({error}).") from error


@dataclass(frozen=True)
class InNpy:
    """Gives rows of the array of an `.npy` file, which every process maps for itself."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __call__(self, places: Places) -> np.ndarray:
        """The rows at some places.

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
        return np.asarray(array)[index_of(places)]


def in_npy(array: np.ndarray) -> InNpy | None:
    """Where an array lies that is the whole of an `.npy` file, mapped to be read alone; None for any other."""
    mapped = array if isinstance(array, np.memmap) else array.base
    if not isinstance(mapped, np.memmap) or mapped.mode != "r" or isinstance(mapped.base, np.ndarray):
        return None
    try:
        whole = load_array(Path(mapped.filename or ""))
    except (InvalidInputError, OSError):
        return None
    same = mapped.offset == getattr(whole, "offset", None) and _form(whole) == _form(mapped) == _form(array)
    return InNpy(str(mapped.filename), array.shape, array.dtype) if same else None


def _form(array: np.ndarray) -> tuple[Any, ...]:
    return array.shape, array.strides, array.dtype
