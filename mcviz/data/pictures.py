"""Pictures in files as one array, decoded as it is indexed, so that memory stays flat however many there are."""

import io
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from mcviz.data.parquet import ParquetPictures
from mcviz.data.upload import PICTURE_ERRORS, flatten_on_white
from mcviz.errors import InvalidInputError
from mcviz.regular import open_regular
from mcviz.validate import invalid

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
MOST_DECODED_PIXELS = 100_000_000
MOST_PIXELS_A_SIDE = 512  # of pictures whose size no model gives
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")
GREY = ("1", "L", "LA", *SIXTEEN_BITS)
THREADS = min(8, os.cpu_count() or 1)  # Pillow decodes without holding the interpreter
WAITING = 1024  # pictures, at most, whose turn it is next

T = TypeVar("T")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FilePictures:
    """Reads the bytes of pictures in files, whose paths are relative to a folder."""

    folder: Path
    paths: Sequence[str]

    def __call__(self, place: int) -> bytes:
        """Read the bytes of the picture at a place."""
        try:
            with open_regular(self.folder / self.paths[place]) as opened:
                return opened.read()
        except OSError as error:
            raise InvalidInputError(f"{error.strerror or error}.") from error


@dataclass(frozen=True)
class _Selection:
    read: Callable[[int], bytes]
    places: Sequence[int]

    def __call__(self, place: int) -> bytes:
        return self.read(self.places[place])


def _select(read: Callable[[int], bytes], places: Sequence[int]) -> _Selection:
    if isinstance(read, _Selection):
        return _Selection(read.read, [read.places[place] for place in places])
    return _Selection(read, places)


@dataclass(frozen=True)
class Pictures:
    """Encoded pictures, as an array of images of one size. Indexed by a number, a slice or an array of numbers.

    Attributes:
        names: of the pictures: paths, or places in the data set.
        read: reads the bytes of the picture at a place.
        sizes: (height, width) of the pictures, turned upright; empty until `check_pictures` has read them.
        image_shape: (height, width, channels) of every image that is returned.
        crop: whether a picture of another aspect ratio is cropped; without it, it is stretched.
    """

    names: Sequence[str]
    read: Callable[[int], bytes]
    image_shape: tuple[int, int, int]
    sizes: frozenset[tuple[int, int]] = frozenset()
    crop: bool = False

    dtype = np.dtype(np.uint8)
    ndim = 4

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, height, width, channels)."""
        return len(self.names), *self.image_shape

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows: int | slice | list[int] | np.ndarray) -> np.ndarray:
        """Read the images at some places, (n, height, width, channels) uint8; one number gives one image.

        Raises:
            InvalidInputError: a picture cannot be read; it is named.
        """
        if isinstance(rows, int | np.integer):
            return self[[int(rows)]][0]
        places = np.arange(len(self))[rows]
        images = np.empty((len(places), *self.image_shape), np.uint8)
        lie = np.array(self.read.places)[places] if isinstance(self.read, _Selection) else places
        forward = np.argsort(lie, kind="stable")  # as a table is read
        for place, image in zip(forward, _map_in_threads(self._read_image, places[forward].tolist()), strict=True):
            images[place] = image
        return images

    def resize(self, image_shape: tuple[int, int, int], crop: bool = False) -> "Pictures":
        """Return the pictures in another size, (height, width, channels).

        Raises:
            InvalidInputError: a number of channels that pictures do not have.
        """
        if image_shape[2] not in (1, 3):
            raise invalid("data", "arrays, where the model takes other than 1 or 3 channels", "pictures in files")
        return replace(self, image_shape=image_shape, crop=crop)

    def limit_side(self, side: int) -> "Pictures":
        """Return the pictures scaled down until the longer side of their common size is at most `side` pixels."""
        height, width, channels = self.image_shape
        share = min(1.0, side / max(height, width))
        return replace(self, image_shape=(max(1, round(height * share)), max(1, round(width * share)), channels))

    def only(self, places: np.ndarray) -> "Pictures":
        """Select pictures by an array of their places."""
        kept = places.tolist()
        return replace(self, names=[self.names[place] for place in kept], read=_select(self.read, kept))

    def apart(self, places: range) -> "Pictures":
        """Select a range of pictures, without the bytes of the others, to be sent to another process.

        Those in files and in Parquet stay there, and are read by whoever decodes them; the bytes of all others come
        along.
        """
        names = [self.names[place] for place in places]
        return replace(self, names=names, read=_detach(self.read, places), sizes=frozenset())

    def _read_image(self, place: int) -> np.ndarray:
        height, width, channels = self.image_shape
        try:
            picture = _decode(self.read(place))
        except InvalidInputError as error:
            raise InvalidInputError(f"{self.names[place]} cannot be read: {error}") from error
        picture = picture.convert("L" if channels == 1 else "RGB")
        if picture.size != (width, height):
            bring = ImageOps.fit if self.crop else Image.Image.resize
            picture = bring(picture, (width, height), Image.Resampling.BILINEAR)
        return np.asarray(picture).reshape(self.image_shape)


def check_pictures(
    names: Sequence[str], read: Callable[[int], bytes], *, progress: Progress | None = None
) -> tuple[Pictures, dict[int, str]]:
    """Decode every picture once, to find those that cannot be read.

    Args:
        names: of the pictures.
        read: reads the bytes of the picture at a place.
        progress: called with (done, total) pictures.

    Returns:
        The pictures, in the size that most of them have, grey where all are; and the errors of those that cannot be
        read, by their places.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    grey, broken = True, {}
    for place, found in enumerate(_map_in_threads(partial(_inspect, read), range(len(names)))):
        if isinstance(found, str):
            broken[place] = found
        else:
            sizes[found[:2]] += 1
            grey = grey and found[2] == 1
        if progress:
            progress(place + 1, len(names))
    common = sizes.most_common(1)[0][0] if sizes else (1, 1)
    return Pictures(names, read, (*common, 1 if grey else 3), frozenset(sizes)), broken


def _detach(read: Callable[[int], bytes], places: Sequence[int]) -> Callable[[int], bytes]:
    if isinstance(read, _Selection):
        return _detach(read.read, [read.places[place] for place in places])
    if isinstance(read, FilePictures):
        return FilePictures(read.folder, [read.paths[place] for place in places])
    if isinstance(read, ParquetPictures):
        return _Selection(read, places)
    return [read(place) for place in places].__getitem__


def _map_in_threads(function: Callable[[int], T], places: Sequence[int]) -> Iterator[T]:
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore")  # of odd notes that a camera left in a file
        for start in range(0, len(places), WAITING):
            yield from pool.map(function, places[start : start + WAITING])


def _inspect(read: Callable[[int], bytes], place: int) -> tuple[int, int, int] | str:
    try:
        picture = _decode(read(place))
    except InvalidInputError as error:
        return str(error)
    return picture.height, picture.width, 1 if picture.mode == "L" else 3


def _decode(content: bytes) -> Image.Image:
    """Decode a picture to grey or RGB: upright by its EXIF note, transparent parts on white, 16 bits reduced to 8."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_DECODED_PIXELS:
                raise InvalidInputError(
                    f"it has {picture.width:,} × {picture.height:,} pixels, where {MOST_DECODED_PIXELS:,} are taken."
                )
            picture.load()
            return _to_eight_bits(ImageOps.exif_transpose(picture))
    except InvalidInputError:
        raise
    except (Image.DecompressionBombError, *PICTURE_ERRORS) as error:
        raise InvalidInputError(f"it is no whole PNG, JPEG, WebP or TIFF ({error}).") from error


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    if picture.mode == "F":
        raise InvalidInputError("its pixels are floating point. Save it with 8 or 16 bits a channel.")
    if picture.mode in SIXTEEN_BITS:
        return Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    mode = "L" if picture.mode in GREY else "RGB"
    return flatten_on_white(picture).convert(mode)
