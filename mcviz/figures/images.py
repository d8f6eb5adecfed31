"""Images as picture files: one alone, or many composed into one sheet."""

import base64
import io

import numpy as np
from PIL import Image

CRISP_BELOW = 112  # pixels; what is larger is scaled smoothly
JPEG_QUALITY = 85


def as_pixels(images: np.ndarray) -> np.ndarray:
    """Images as 8-bit pixels.

    Args:
        images: (…, height, width, channels) uint8, or floating point in 0..1.

    Returns:
        (…, height, width, channels) uint8.
    """
    if images.dtype == np.uint8:
        return images
    return np.round(np.clip(images, 0, 1) * 255).astype(np.uint8)


def contact_sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Compose images into one picture, row by row; the last row is filled up with black.

    Args:
        images: (N, height, width, channels) uint8, or floating point in 0..1.
        columns: how many stand side by side.

    Returns:
        (rows × height, columns × width, channels) uint8.
    """
    pixels = as_pixels(images)
    count, height, width, channels = pixels.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, height, width, channels), dtype=np.uint8)
    sheet[:count] = pixels
    grid = sheet.reshape(rows, columns, height, width, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def png(image: np.ndarray, scale: int = 1) -> bytes:
    """One image as a PNG file, each pixel enlarged to a crisp square.

    Args:
        image: (height, width, channels) uint8, or floating point in 0..1; 1 channel is grey, 3 are RGB.
        scale: the side of a pixel's square.

    Returns:
        The file's bytes.
    """
    pixels = as_pixels(image)
    if pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    picture = Image.fromarray(pixels)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def png_url(image: np.ndarray, scale: int = 1) -> str:
    """One image as `png` makes it, as an address that holds it: nothing has to be fetched."""
    return "data:image/png;base64," + base64.b64encode(png(image, scale)).decode()


def sheet_url(images: np.ndarray, columns: int, side: int) -> str:
    """Images composed into one picture, as an address that holds it.

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
    share = min(1.0, side / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    scaled = [np.asarray(_picture(image).resize(size, Image.Resampling.BOX)) for image in images]
    file = io.BytesIO()
    _picture(contact_sheet(np.stack(scaled), columns)).save(file, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _picture(image: np.ndarray) -> Image.Image:
    """An image in the three colours that a JPEG has."""
    pixels = as_pixels(image)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
