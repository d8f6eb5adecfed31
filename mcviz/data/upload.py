"""Picture files from strangers: looked at before they are decoded, and brought to the size that a model takes."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from mcviz.errors import InvalidInputError

MOST_BYTES = 5 * 2**20
MOST_PIXELS = 4_000_000
LEAST_SIDE = 2
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PNG_BIT_DEPTH = 24  # where its byte is
JPEG_SCAN = b"\xff\xda"
MOST_SCANS = 200  # a progressive JPEG has about ten; thousands take minutes to decode
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
SIZE_ADVICE = "At most 4 million pixels are taken: scale it down."
ADVICE = "Save it as an ordinary 8-bit PNG or JPEG and choose that."
# What Pillow raises over the broken files of the world; anything else would be a fault of ours.
UNREADABLE = (
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


def read_picture(content: bytes) -> np.ndarray:
    """Decode a PNG or JPEG whose content, not whose name, says that it is one.

    Size and kind are read from the file's header and refused before a pixel is decoded. A rotation that a camera
    noted is carried out; what is transparent shows white.

    Args:
        content: the file's bytes.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        InvalidInputError: anything but an 8-bit still picture of at most 5 MB and 4 megapixels, in one sentence or two.
    """
    _check_bytes(content)
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
            _check_header(content, picture)
            picture.load()
            return np.asarray(on_white(ImageOps.exif_transpose(picture)).convert("RGB"))
    except InvalidInputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidInputError(f"The picture is far too large. {SIZE_ADVICE}") from error
    except UNREADABLE as error:
        raise InvalidInputError(
            f"The file begins like a picture but cannot be read to its end: it is damaged or cut short. {ADVICE}"
        ) from error


def fitted(picture: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Bring a picture to a model's size: all of it is kept, and what it does not cover takes its edge's colour.

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
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    background = tuple(int(value) for value in np.median(edge, axis=0))
    canvas = Image.new("RGB", (width, height), background)
    scaled = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
    canvas.paste(scaled, ((width - size[0]) // 2, (height - size[1]) // 2))
    pixels = np.asarray(canvas.convert("L" if channels == 1 else "RGB"), dtype=np.float32) / np.float32(255)
    return pixels.reshape(shape)


def on_white(picture: Image.Image) -> Image.Image:
    """A picture whose transparent parts show white; in RGBA where it has such parts."""
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def _check_bytes(content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise InvalidInputError(
            f"The file is too large: {len(content) / 2**20:.1f} MB, where at most 5 MB are taken. "
            "Scale it down; the model looks at small pictures anyway."
        )
    if not content:
        raise InvalidInputError(f"The file is empty. {ADVICE}")
    if not content.startswith((PNG, JPEG)):
        start = content[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
        found = next((name for mark, name in KNOWN_OTHERS.items() if start.startswith(mark)), "no picture at all")
        raise InvalidInputError(f"The file is neither PNG nor JPEG, whatever its name says, but {found}. {ADVICE}")


def _check_header(content: bytes, picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise InvalidInputError(f"The picture is too large: it has {width:,} × {height:,} pixels. {SIZE_ADVICE}")
    if min(width, height) < LEAST_SIDE:
        raise InvalidInputError(
            f"The picture is too small to show anything: {width} × {height} pixels. Choose one of at least "
            f"{LEAST_SIDE} × {LEAST_SIDE}."
        )
    if content.startswith(PNG) and content[PNG_BIT_DEPTH] == 16:
        raise InvalidInputError(f"The picture has 16 bits a channel, where 8 are taken. {ADVICE}")
    if picture.mode == "CMYK":
        raise InvalidInputError(f"The picture's colours are CMYK, as for print, where RGB or grey is taken. {ADVICE}")
    if content.startswith(PNG) and getattr(picture, "is_animated", False):
        raise InvalidInputError(f"The picture is animated, where a still one is taken. {ADVICE}")
    if content.startswith(JPEG) and content.count(JPEG_SCAN) > MOST_SCANS:
        raise InvalidInputError(f"The picture is made of more than {MOST_SCANS} layers of detail. {ADVICE}")
