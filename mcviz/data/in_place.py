"""Images that stay where they lie, in a file or in a run, and are read as they are indexed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Places = range | np.ndarray


@dataclass(frozen=True, eq=False)
class InPlace:
    """Images where they lie, as an array. Indexed by a number, a slice or an array: what is indexed is read.

    Pickled it is small, and whoever gets it reads for itself.

    Attributes:
        read: gives (n, height, width, channels) images by their places there; pickled it is small.
        places: of these images.
        image_shape: (height, width, channels) of each.
        dtype: uint8 or float32.
    """

    read: Callable[[Places], np.ndarray]
    places: Places
    image_shape: tuple[int, ...]
    dtype: np.dtype[Any]

    ndim = 4

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, height, width, channels)."""
        return len(self.places), *self.image_shape

    def __len__(self) -> int:
        return len(self.places)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[:], dtype, copy=copy)

    def __getitem__(self, rows: int | slice | list[int] | np.ndarray) -> np.ndarray:
        """The images at some places, (n, height, width, channels); one number gives one image.

        Raises:
            McvizError: they cannot be read.
        """
        if isinstance(rows, int | np.integer):
            place = self.places[rows]
            return self.read(range(place, place + 1))[0]
        if isinstance(rows, slice):
            return self.read(self.places[rows])
        return self.read(np.asarray(self.places, np.int64)[rows])

    def only(self, places: np.ndarray) -> "InPlace":
        """Some of the images, by an array of their places."""
        return replace(self, places=np.asarray(self.places, np.int64)[places])

    def apart(self, places: range) -> "InPlace":
        """Some of the images, to be sent to another process."""
        return replace(self, places=self.places[places.start : places.stop])


def index_of(places: Places) -> slice | np.ndarray:
    """What indexes an array at some places: a slice where they are one after the other."""
    if isinstance(places, range) and places.step == 1:
        return slice(places.start, places.stop)
    return np.asarray(places, np.int64)
