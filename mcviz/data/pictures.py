"""Picture files: checked before decoding, fitted to a size, read as one array.

A photograph of 50 megapixels takes 300 MB to decode. JPEG is decoded at a fraction of its size, PNG strip by strip, and
one file at a time.
"""

import io
import os
import struct
import threading
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageOps

from mcviz.data.drawing import LUMA, border_pixels
from mcviz.data.fitting import Size, kept_box
from mcviz.data.parquet import ParquetPictures
from mcviz.errors import InvalidInputError
from mcviz.regular import open_regular
from mcviz.validate import invalid

MOST_UPLOAD_BYTES = 40 * 2**20
MOST_UPLOAD_PIXELS = 50_000_000
MOST_SCANNED = 800_000_000  # pixels times scans of a JPEG: a large one of the usual ten takes some seconds to decode
LARGEST_SIDE = 2048  # pixels, of what comes out
STRIP = 512  # rows that are made small at once
LEAST_PICTURE_SIDE = 2
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PNG_BIT_DEPTH = 24  # where its byte is
JPEG_SCAN = b"\xff\xda"
MOST_SCANS = 200  # a progressive JPEG has about ten; thousands take minutes to decode
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
KNOWN_OTHERS = {
    b"GIF8": "a GIF",
    b"<svg": "an SVG drawing",
    b"<?xml": "an SVG drawing or other XML",
    b"RIFF": "a WebP",
    b"BM": "a BMP",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"%PDF": "a PDF",
}
SIZE_ADVICE = f"At most {MOST_UPLOAD_PIXELS // 10**6} million pixels are taken: scale it down."
SAVE_ADVICE = "Save it as an ordinary 8-bit PNG or JPEG and choose that."
DECODING = threading.Lock()  # held by the one file that takes memory

# What Pillow raises over the broken files of the world; anything else would be a fault of ours.
PICTURE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
MOST_DECODED_PIXELS = 100_000_000
MOST_PIXELS_A_SIDE = 512  # of pictures whose size no model gives
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")
GREY = ("1", "L", "LA", *SIXTEEN_BITS)
TURNS = {  # by the EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
QUARTER_TURNS = (5, 6, 7, 8)  # which exchange height and width
THREADS = min(8, os.cpu_count() or 1)  # Pillow decodes without holding the interpreter
WAITING = 1024  # pictures, at most, whose turn it is next
T = TypeVar("T")
Progress = Callable[[int, int], None]


def read_picture(content: bytes, largest_side: int = LARGEST_SIDE) -> np.ndarray:
    """Decode a PNG or JPEG, recognised by content.

    The header is checked before decoding. Large pictures are averaged down. EXIF rotation is applied; transparency is
    white.

    Args:
        content: the file's bytes.
        largest_side: in pixels.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        InvalidInputError: anything but an 8-bit still picture of at most 40 MB and 50 megapixels, in one sentence or
            two.
    """
    _check_bytes(content)
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
            _check_header(content, picture)
            with DECODING:
                if max(picture.size) > largest_side:
                    # Of a JPEG alone: at an eighth, a quarter or a half of its size, but no smaller than this.
                    share = largest_side / max(picture.size)
                    picture.draft("RGB", (max(1, round(picture.width * share)), max(1, round(picture.height * share))))
                picture.load()
                small = _shrink(picture, largest_side)
            if "exif" in picture.info:
                small.info["exif"] = picture.info["exif"]
            return np.asarray(ImageOps.exif_transpose(small))
    except InvalidInputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidInputError(f"The picture is far too large. {SIZE_ADVICE}") from error
    except PICTURE_ERRORS as error:
        raise InvalidInputError(
            f"The file begins like a picture but cannot be read to its end: it is damaged or cut short. {SAVE_ADVICE}"
        ) from error


def edge_brightness(image: np.ndarray) -> float:
    """Return the median brightness along the edges.

    Args:
        image: (height, width, channels) uint8, or floating point in 0..1; from three channels on, RGB.

    Returns:
        0 (black) to 1 (white).
    """
    colours = border_pixels(image).astype(np.float64)
    grey = colours[:, :3] @ LUMA if colours.shape[1] >= len(LUMA) else colours[:, 0]
    return float(np.median(grey)) / (255 if image.dtype == np.uint8 else 1)


def fit_picture(picture: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Fit a whole picture to a size; fill with its edge colour.

    Args:
        picture: (height, width, 3) uint8 RGB.
        shape: the model's (height, width, channels); 1 channel is grey, 3 are RGB.

    Returns:
        (height, width, channels) float32 in 0..1.

    Raises:
        InvalidInputError: a number of channels other than 1 and 3.
    """
    height, width, channels = shape
    if channels not in (1, 3):
        raise InvalidInputError(f"A picture can become 1 channel or 3. Received: a model that takes {channels}.")
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    background = tuple(int(value) for value in np.median(border_pixels(picture), axis=0))
    canvas = Image.new("RGB", (width, height), background)
    scaled = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
    canvas.paste(scaled, ((width - size[0]) // 2, (height - size[1]) // 2))
    pixels = np.asarray(canvas.convert("L" if channels == 1 else "RGB"), dtype=np.float32) / np.float32(255)
    return pixels.reshape(shape)


def flatten_on_white(picture: Image.Image) -> Image.Image:
    """Put transparent parts on white; returns RGBA if there are any."""
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def _shrink(picture: Image.Image, largest_side: int) -> Image.Image:
    """Convert to RGB on white and average squares until no side is longer."""
    factor = -(-max(picture.size) // largest_side)
    if factor == 1:
        return flatten_on_white(picture).convert("RGB")
    small = Image.new("RGB", (-(-picture.width // factor), -(-picture.height // factor)))
    rows = STRIP // factor * factor or factor
    for top in range(0, picture.height, rows):
        strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        small.paste(flatten_on_white(strip).convert("RGB").reduce(factor), (0, top // factor))
    return small


def _check_bytes(content: bytes) -> None:
    if len(content) > MOST_UPLOAD_BYTES:
        raise InvalidInputError(
            f"The file is too large: {len(content) / 2**20:.1f} MB, where at most {MOST_UPLOAD_BYTES // 2**20} MB are "
            "taken. Scale it down; the model looks at small pictures anyway."
        )
    if not content:
        raise InvalidInputError(f"The file is empty. {SAVE_ADVICE}")
    if not content.startswith((PNG, JPEG)):
        start = content[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
        received = next((name for mark, name in KNOWN_OTHERS.items() if start.startswith(mark)), "no picture at all")
        if content[4:8] == b"ftyp" and content[8:12] in HEIF_BRANDS:
            received = "a HEIC photograph"
        raise InvalidInputError(
            f"The file is neither PNG nor JPEG, whatever its name says, but {received}. {SAVE_ADVICE}"
        )


def _check_header(content: bytes, picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MOST_UPLOAD_PIXELS:
        raise InvalidInputError(f"The picture is too large: it has {width:,} × {height:,} pixels. {SIZE_ADVICE}")
    if min(width, height) < LEAST_PICTURE_SIDE:
        raise InvalidInputError(
            f"The picture is too small to show anything: {width} × {height} pixels. Choose one of at least "
            f"{LEAST_PICTURE_SIDE} × {LEAST_PICTURE_SIDE}."
        )
    if content.startswith(PNG) and content[PNG_BIT_DEPTH] == 16:
        raise InvalidInputError(f"The picture has 16 bits a channel, where 8 are taken. {SAVE_ADVICE}")
    if picture.mode == "CMYK":
        raise InvalidInputError(
            f"The picture's colours are CMYK, as for print, where RGB or grey is taken. {SAVE_ADVICE}"
        )
    if content.startswith(PNG) and getattr(picture, "is_animated", False):
        raise InvalidInputError(f"The picture is animated, where a still one is taken. {SAVE_ADVICE}")
    most_scans = min(MOST_SCANS, MOST_SCANNED // (width * height))
    if content.startswith(JPEG) and content.count(JPEG_SCAN) > most_scans:
        raise InvalidInputError(f"The picture is made of more than {most_scans} layers of detail. {SAVE_ADVICE}")


@dataclass(frozen=True)
class FilePictures:
    """Picture bytes in files, with paths relative to a folder."""

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
    """Encoded pictures as an array of images of one size.

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
        for place, image in zip(forward, map_in_threads(self._read_image, places[forward].tolist()), strict=True):
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
        """Return pictures whose longer side is at most `side` pixels."""
        height, width, channels = self.image_shape
        share = min(1.0, side / max(height, width))
        return replace(self, image_shape=(max(1, round(height * share)), max(1, round(width * share)), channels))

    def take(self, indices: np.ndarray) -> "Pictures":
        """Select pictures by an array of their numbers."""
        places = indices.tolist()
        return replace(self, names=[self.names[place] for place in places], read=_select(self.read, places))

    def slice_for_worker(self, places: range) -> "Pictures":
        """Select a range of pictures for a worker; those in files stay there, other bytes come along."""
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
            box = kept_box((picture.height, picture.width), (height, width) if self.crop else None)
            picture = picture.resize((width, height), Image.Resampling.BILINEAR, box)
        return np.asarray(picture).reshape(self.image_shape)


class Upright(NamedTuple):
    """The upright size of a picture, and its orientation.

    Attributes:
        size: (height, width).
        turn: the EXIF orientation, 2 to 8; or 1 where it says nothing, or to leave the picture as it is.
    """

    size: Size
    turn: int

    @property
    def stored_size(self) -> Size:
        """The height and width before turning."""
        return self.size[::-1] if self.turn in QUARTER_TURNS else self.size


def find_upright(picture: Image.Image) -> Upright:
    """Return the orientation of an opened picture, mostly without decoding."""
    turn = picture.getexif().get(ExifTags.Base.Orientation, 1)
    if turn not in TURNS:
        return Upright((picture.height, picture.width), 1)
    if picture.format == "TIFF":  # whose size Pillow has turned already, or turns as it is decoded
        upright = ImageOps.exif_transpose(picture)
        return Upright((upright.height, upright.width), turn)
    height, width = (picture.width, picture.height) if turn in QUARTER_TURNS else (picture.height, picture.width)
    return Upright((height, width), turn)


def read_upright(content: bytes) -> Upright:
    """Return the orientation from bytes that `check_pictures` has decoded."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        return find_upright(picture)


def check_pictures(
    names: Sequence[str], read: Callable[[int], bytes], *, progress: Progress | None = None
) -> tuple[Pictures, dict[int, str]]:
    """Decode every picture once to find broken ones.

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
    for place, header in enumerate(map_in_threads(partial(_inspect, read), range(len(names)))):
        if isinstance(header, str):
            broken[place] = header
        else:
            sizes[header[:2]] += 1
            grey = grey and header[2] == 1
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


def map_in_threads(function: Callable[[int], T], places: Sequence[int]) -> Iterator[T]:
    """Decode pictures in threads; yield results in order."""
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
    """Decode to upright grey or RGB, transparent parts on white, 16 bits reduced to 8."""
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


def resize_images(images: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Resize images to another height and width.

    Args:
        images: (N, height, width, channels) float32.
        size: (height, width).

    Returns:
        (N, *size, channels) float32.
    """
    if images.shape[1:3] == size:
        return images.astype(np.float32, copy=False)
    resized = np.empty((len(images), *size, images.shape[-1]), np.float32)
    for place, image in enumerate(images):
        for channel in range(images.shape[-1]):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel], np.float32))
            resized[place, ..., channel] = np.asarray(plane.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    return resized


def convert_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Convert grey to colour images or back.

    Args:
        images: (N, height, width, 1, 3 or 4) float32; of four channels the fourth is transparency, which is left out.
        channels: of the result.

    Raises:
        InvalidInputError: a number of channels that cannot be converted.
    """
    there = images.shape[-1]
    if there == channels:
        return images
    if channels == 3 and there in (1, 4):
        return np.repeat(images, 3, axis=-1) if there == 1 else images[..., :3]
    if channels == 1 and there in (3, 4):
        return (images[..., :3] @ LUMA)[..., None]
    raise invalid("images", f"with {channels:,} channels, as the run's are", f"{there:,} channels")
