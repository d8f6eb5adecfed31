"""Images on disk that are indexed like an array, and read on demand."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

NEAR = 8  # images, which cost less to decode than another read
AT_ONCE = 512  # images that are read together at most


class StoredImages:
    """(N, height, width, channels) images, uint8 in 0..255 or float32, read as they are indexed.

    Takes a number, a slice, an array of numbers or an array of booleans along the first axis, and gives a read-only
    numpy array. `numpy.asarray` reads all of them.

    Attributes:
        shape: (N, height, width, channels).
        dtype: uint8 or float32.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str, read: Callable[[int, int], np.ndarray]) -> None:
        """Index images that are read by a function.

        Args:
            shape: (N, height, width, channels).
            dtype: uint8 or float32.
            read: (start, stop) to (stop - start, height, width, channels).
        """
        self._read = read
        self.shape = shape
        self.dtype = np.dtype(dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[image] for image in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self._read(0, len(self))
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __getitem__(self, which: Any) -> np.ndarray:
        """The images that an index names, (height, width, channels) for a number, else (n, height, width, channels)."""
        if which is None or which is Ellipsis or isinstance(which, tuple):
            raise IndexError(
                f"Images are indexed along their first axis alone. Received: {which}. `run.images[:]` is an array of "
                "all of them, which takes any index."
            )
        numbers = np.arange(len(self))[which]
        if np.ndim(numbers) == 0:
            images = self._read(int(numbers), int(numbers) + 1)[0]
        elif np.ndim(numbers) != 1:
            raise IndexError(f"Images are indexed along their first axis alone. Received: {np.ndim(numbers)} axes.")
        else:
            images = np.empty((len(numbers), *self.shape[1:]), self.dtype)
            for start, stop in _stretches(numbers):
                first, last = int(numbers[start]), int(numbers[stop - 1])
                images[start:stop] = self._read(first, last + 1)[numbers[start:stop] - first]
        images.setflags(write=False)
        return images


def _stretches(numbers: np.ndarray) -> Iterator[tuple[int, int]]:
    """Where ascending numbers begin and end that lie close enough together to be read with those between them."""
    if len(numbers) == 0:
        return iter(())
    steps = np.diff(numbers)
    apart = (steps < 1) | (steps > NEAR) | (np.diff(numbers // AT_ONCE) != 0)
    return pairwise([0, *(np.flatnonzero(apart) + 1).tolist(), len(numbers)])
