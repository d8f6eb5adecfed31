"""Images as picture files: one alone, or many composed into one sheet."""

import base64
import io
from collections.abc import Iterable

import numpy as np
from PIL import Image

CRISP_BELOW = 112  # pixels; larger images are scaled smoothly
JPEG_QUALITY = 85


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Convert images to 8-bit pixels, grey or RGB.

    Args:
        images: (…, height, width, channels) uint8, or floating point in 0..1.

    Returns:
        (…, height, width, 1 or 3) uint8: of more than three channels the first three, of two the first.
    """
    seen = images[..., : 3 if images.shape[-1] > 2 else 1]
    return seen if seen.dtype == np.uint8 else np.round(np.clip(seen, 0, 1) * 255).astype(np.uint8)


def contact_sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Compose images into one picture, row by row; the last row is filled up with black.

    Args:
        images: (N, height, width, channels) uint8, or floating point in 0..1.
        columns: how many stand side by side.

    Returns:
        (rows × height, columns × width, 1 or 3) uint8.
    """
    pixels = to_pixels(images)
    count, height, width, channels = pixels.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, height, width, channels), dtype=np.uint8)
    sheet[:count] = pixels
    grid = sheet.reshape(rows, columns, height, width, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def png(image: np.ndarray, scale: int = 1) -> bytes:
    """Encode one image as a PNG file, each pixel enlarged to a crisp square.

    Args:
        image: (height, width, channels) uint8, or floating point in 0..1, as `to_pixels` takes it.
        scale: the side of a pixel's square.

    Returns:
        The file's bytes.
    """
    pixels = to_pixels(image)
    if pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    picture = Image.fromarray(pixels)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def png_url(image: np.ndarray, scale: int = 1) -> str:
    """Encode one image as `png` does, in a `data:` address."""
    return "data:image/png;base64," + base64.b64encode(png(image, scale)).decode()


def picture_url(image: np.ndarray, side: int) -> str:
    """Encode one image at a size to be looked at, in a `data:` address.

    Args:
        image: (height, width, channels) uint8, or floating point in 0..1.
        side: in pixels, that the longer side is shown at. Images that are smaller than `CRISP_BELOW` are enlarged to
            crisp squares, others are scaled down until the longer side is twice that.

    Returns:
        A `data:` address.
    """
    longer = max(image.shape[:2])
    if longer < CRISP_BELOW:
        return png_url(image, scale=max(1, 2 * side // longer))
    return png_url(_scale_down(image, 2 * side))


def sheet_url(images: np.ndarray, columns: int, side: int) -> str:
    """Compose images into one picture, and encode it in a `data:` address.

    Args:
        images: (n, height, width, channels) uint8, or floating point in 0..1.
        columns: how many stand side by side.
        side: in pixels; photographs are scaled down until neither side is longer, and kept as JPEG. Images that are
            smaller than `CRISP_BELOW` keep every pixel.

    Returns:
        A `data:` address.
    """
    height, width = images.shape[1:3]
    if max(height, width) < CRISP_BELOW:
        return png_url(contact_sheet(images, columns))
    file = io.BytesIO()
    _to_rgb(contact_sheet(thumbnails(images, side), columns)).save(file, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def thumbnails(images: Iterable[np.ndarray], side: int) -> np.ndarray:
    """Scale images of one shape, at least one, to thumbnails, one after the other.

    Args:
        images: (height, width, channels) uint8 each, or floating point in 0..1.
        side: in pixels; images are scaled down until neither side is longer.

    Returns:
        (n, h, w, 1 or 3) uint8; images that are no larger keep every pixel.
    """
    return np.stack(
        [to_pixels(image) if max(image.shape[:2]) <= side else _scale_down(image, side) for image in images]
    )


def _scale_down(image: np.ndarray, side: int) -> np.ndarray:
    """Scale an image down until neither side is longer: (h, w, 3) uint8."""
    height, width = image.shape[:2]
    share = min(1.0, side / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(_to_rgb(image).resize(size, Image.Resampling.BOX))


def _to_rgb(image: np.ndarray) -> Image.Image:
    """Convert an image to RGB."""
    pixels = to_pixels(image)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
