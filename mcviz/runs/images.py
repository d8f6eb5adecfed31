"""Images on disk that are indexed like an array, and read as they are."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mcviz.runs.blocks import ImageBlock
from mcviz.runs.manifest import Manifest
from mcviz.runs.place import Place

KEPT_FRAMES = 64


class StoredImages:
    """(N, height, width, channels) images, uint8 in 0..255 or float32: what is indexed is read, and no more.

    Takes a number, a slice, an array of numbers or an array of booleans along the first axis, and gives a read-only
    numpy array. `numpy.asarray` reads all of them.

    Attributes:
        shape: (N, height, width, channels).
        dtype: uint8 or float32.
    """

    def __init__(self, place: Place, manifest: Manifest, read: Callable[..., Any]) -> None:
        self._place, self._manifest, self._read = place, manifest, read
        self._blocks: dict[int, ImageBlock] = {}
        self._frames: dict[int, np.ndarray] = {}
        self.shape: tuple[int, ...] = (manifest.images.count, *manifest.images.shape)
        self.dtype = np.dtype(manifest.images.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[image] for image in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def __getitem__(self, which: Any) -> np.ndarray:
        """The images that an index names, (height, width, channels) for a number, else (n, height, width, channels)."""
        if which is None or which is Ellipsis or isinstance(which, tuple):
            raise IndexError(
                f"Images are indexed along their first axis alone. Received: {which}. `run.images[:]` is an array of "
                "all of them, which takes any index."
            )
        numbers = np.arange(len(self))[which]
        if np.ndim(numbers) == 0:
            return self._image(int(numbers))
        if np.ndim(numbers) != 1:
            raise IndexError(f"Images are indexed along their first axis alone. Received: {np.ndim(numbers)} axes.")
        images = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for place, number in enumerate(numbers):
            images[place] = self._image(int(number))
        images.setflags(write=False)
        return images

    def _image(self, number: int) -> np.ndarray:
        layout = self._manifest.layout
        block, inside = divmod(number, layout.image_block)
        frame, row = divmod(inside, layout.image_frame)
        key = number - row
        images = self._frames.get(key)
        if images is None:
            images = self._read(self._frame, block, frame)
            images.setflags(write=False)
            if len(self._frames) >= KEPT_FRAMES:
                self._frames.clear()
            self._frames[key] = images
        return images[row]

    def _frame(self, block: int, frame: int) -> np.ndarray:
        if block not in self._blocks:
            self._blocks[block] = ImageBlock.open(self._place, self._manifest, block)
        return self._blocks[block].frame(frame)
