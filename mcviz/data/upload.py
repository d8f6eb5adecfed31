"""Picture files from strangers: checked before they are decoded, and fitted to the size that a model takes.

A photograph of 50 megapixels takes 300 MB and more to decode as it is. A JPEG is therefore decoded at a fraction of its
size, a PNG made small strip by strip, and one file at a time, whoever sends it.
"""

import io
import struct
import threading
import zlib

import numpy as np
from PIL import Image, ImageOps

from mcviz.data.drawing import LUMA, edge
from mcviz.errors import InvalidInputError

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


def read_picture(content: bytes, largest_side: int = LARGEST_SIDE) -> np.ndarray:
    """Decode a PNG or JPEG, recognised by its content and not by its name.

    Size and kind are read from the file's header and refused before a pixel is decoded. A large picture is made smaller
    by averaging, so that neither side is longer than asked for. A rotation noted by the camera is applied; transparent
    parts show white.

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
                    picture.draft("RGB", (round(picture.width * share), round(picture.height * share)))
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
    """Compute the median brightness along the four edges of an image, which is that of its background.

    Args:
        image: (height, width, channels) uint8, or floating point in 0..1; from three channels on, RGB.

    Returns:
        0 (black) to 1 (white).
    """
    colours = edge(image).astype(np.float64)
    grey = colours[:, :3] @ LUMA if colours.shape[1] >= len(LUMA) else colours[:, 0]
    return float(np.median(grey)) / (255 if image.dtype == np.uint8 else 1)


def fit_picture(picture: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Fit a picture to a model's size: all of it is kept, and the rest is filled with the colour of its edge.

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
    background = tuple(int(value) for value in np.median(edge(picture), axis=0))
    canvas = Image.new("RGB", (width, height), background)
    scaled = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
    canvas.paste(scaled, ((width - size[0]) // 2, (height - size[1]) // 2))
    pixels = np.asarray(canvas.convert("L" if channels == 1 else "RGB"), dtype=np.float32) / np.float32(255)
    return pixels.reshape(shape)


def flatten_on_white(picture: Image.Image) -> Image.Image:
    """Show the transparent parts of a picture in white; the result is RGBA where it has such parts."""
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def _shrink(picture: Image.Image, largest_side: int) -> Image.Image:
    """Convert to RGB on white, and average over squares of pixels until neither side is longer than that."""
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
        found = next((name for mark, name in KNOWN_OTHERS.items() if start.startswith(mark)), "no picture at all")
        if content[4:8] == b"ftyp" and content[8:12] in HEIF_BRANDS:
            found = "a HEIC photograph"
        raise InvalidInputError(f"The file is neither PNG nor JPEG, whatever its name says, but {found}. {SAVE_ADVICE}")


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
