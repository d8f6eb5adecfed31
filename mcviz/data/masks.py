"""Masks in picture files, turned, cropped and resized like their images."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from mcviz.data.fitting import Size, have_same_proportions, scale_label_maps
from mcviz.data.pictures import (
    PICTURE_ERRORS,
    PNG_BIT_DEPTH,
    TURNS,
    Upright,
    find_upright,
    map_in_threads,
)
from mcviz.errors import InvalidInputError
from mcviz.regular import open_regular
from mcviz.text import list_names

SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif")  # that keep the numbers as they were saved, as JPEG does not
FORMATS = ("PNG", "TIFF", "BMP", "GIF")
MODES = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N")  # of Pillow, with one number in every pixel
MOST_PIXELS = 1 << 26  # of a mask
MOST_VALUE = 255
TIFF_BITS, TIFF_PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0
BMP_HEADER_BYTES, BMP_BITS, BMP_BITS_OF_OS2 = slice(14, 18), slice(28, 30), slice(24, 26)
INDICES = "A mask has the number of a class in every pixel: save it as grey or with a palette."
EIGHT_BITS = "Save it with 8 bits, as PNG."


def read_mask(path: Path) -> np.ndarray:
    """Read a mask's stored values, turned by its EXIF note.

    Grey levels of 2 and 4 bits keep the file's values, palettes their numbers.

    Returns:
        (H, W) uint8.

    Raises:
        InvalidInputError: it is no picture, one of colours or of several pages, has other numbers than 0 to 255, or a
            form whose numbers cannot be told.
    """
    return _open_mask(path, _read_values)


def inspect_mask(path: Path) -> Upright:
    """Return the size of a mask and its orientation.

    Raises:
        InvalidInputError: as `read_mask`, as far as the header of the file tells it.
    """
    return _open_mask(path, lambda picture, _: find_upright(picture))


def _open_mask(path: Path, read: Callable[[Image.Image, int], Any]) -> Any:
    """Read from a mask, given Pillow's factor over the stored values."""
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError as error:
        raise InvalidInputError(f"The mask {path} cannot be read ({error.strerror or error}).") from error
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            if problem := _find_problem(picture, content):
                raise InvalidInputError(problem)
            return read(picture, _spread(picture, content))
    except InvalidInputError as error:
        raise InvalidInputError(f"The mask {path} {error}") from error
    except (Image.DecompressionBombError, *PICTURE_ERRORS) as error:
        raise InvalidInputError(
            f"The mask {path} cannot be read as a picture, {', '.join(FORMATS)} ({error!s:.100})."
        ) from error


def _read_values(picture: Image.Image, spread: int) -> np.ndarray:
    values = np.asarray(ImageOps.exif_transpose(picture))
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > MOST_VALUE:
        raise InvalidInputError(f"has numbers of {low} to {high}, and 0 to {MOST_VALUE} are taken. {INDICES}")
    return values.astype(np.uint8) // np.uint8(spread)


def _find_problem(picture: Image.Image, content: bytes) -> str:
    """Return why a picture is no mask, as the end of a sentence, or ""."""
    if picture.width * picture.height > MOST_PIXELS:
        return f"has {picture.width:,} × {picture.height:,} pixels, where {MOST_PIXELS:,} are taken."
    if picture.mode not in MODES:
        return f"is a picture of colours ({picture.mode}). {INDICES}"
    if (pages := getattr(picture, "n_frames", 1)) > 1:
        return f"has {pages:,} pages or frames, and a mask has one. Save each as a file of its own."
    if isinstance(picture, TiffImageFile) and picture.tag_v2.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO:
        return f"is a TIFF whose 0 is white, so that programs differ in the numbers that they read. {EIGHT_BITS}"
    if picture.format == "BMP" and picture.mode == "L" and _bits(picture, content) != 8:
        bits = _bits(picture, content)
        return f"is a BMP of {bits} bits with a palette of greys, which Pillow misreads. {EIGHT_BITS}"
    return ""


def _spread(picture: Image.Image, content: bytes) -> int:
    """Return the factor by which Pillow spreads grey levels of few bits."""
    return 255 // (2 ** _bits(picture, content) - 1) if picture.mode == "L" else 1


def _bits(picture: Image.Image, content: bytes) -> int:
    """Return the bits of a grey level from the file's header."""
    if picture.format == "PNG":
        return content[PNG_BIT_DEPTH]
    if isinstance(picture, TiffImageFile):
        return int(picture.tag_v2.get(TIFF_BITS, (1,))[0])
    if picture.format == "BMP":
        of_os2 = int.from_bytes(content[BMP_HEADER_BYTES], "little") == 12
        return int.from_bytes(content[BMP_BITS_OF_OS2 if of_os2 else BMP_BITS], "little")
    return 8


def find_turn(image: Upright, mask: Upright) -> int | None:
    """Find the EXIF orientation that turns a mask with its image.

    A mask with its own note is upright. Another is stored like its image, or upright; the former wins.

    Returns:
        2 to 8, or 1 where the mask is upright; None where it has not the proportions of its image.
    """
    if mask.turn == 1 and image.turn != 1 and have_same_proportions(mask.size, image.stored_size):
        return image.turn
    return 1 if have_same_proportions(mask.size, image.size) else None


@dataclass(frozen=True)
class MaskFiles:
    """Masks in files, read when fitted to a size.

    Attributes:
        paths: of the files.
        sizes: (height, width) of each, once it is upright.
        turns: the EXIF orientation by which each is turned with its image; 1 leaves it.
    """

    paths: Sequence[Path]
    sizes: Sequence[Size]
    turns: Sequence[int]

    ndim = 3

    def __len__(self) -> int:
        return len(self.paths)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """(N, H, W) uint8 in the size of the files, for those that have one size."""
        if len(set(self.sizes)) > 1:
            listed = list_names([" × ".join(map(str, size)) for size in sorted(set(self.sizes))])
            raise InvalidInputError(f"Masks in one array should be of one size. Received: {listed}.")
        return self.fit(self.sizes[0]).astype(np.uint8 if dtype is None else dtype, copy=False)

    def take(self, indices: np.ndarray) -> "MaskFiles":
        """Select masks by an array of their numbers."""
        paths, sizes, turns = ([part[place] for place in indices] for part in (self.paths, self.sizes, self.turns))
        return replace(self, paths=paths, sizes=sizes, turns=turns)

    def fit(self, size: Size, crop: Size | None = None) -> np.ndarray:
        """Read masks, oriented, cropped and resized like their images: (N, *size) uint8.

        Args:
            size: (height, width).
            crop: the proportions that images are cropped to, as (height, width); None stretches them.

        Raises:
            InvalidInputError: a mask cannot be read; it is named.
        """
        masks = np.empty((len(self), *size), np.uint8)
        fitted = map_in_threads(partial(self._fit_one, size, crop), range(len(self)))
        for place, mask in enumerate(fitted):
            masks[place] = mask
        return masks

    def _fit_one(self, size: Size, crop: Size | None, place: int) -> np.ndarray:
        mask = read_mask(self.paths[place])
        if self.turns[place] in TURNS:
            mask = np.asarray(Image.fromarray(mask).transpose(TURNS[self.turns[place]]))
        return scale_label_maps(mask[None], size, crop)[0]
