"""Images as pictures: one alone, or many composed into one sheet."""

import io

import numpy as np
from PIL import Image


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
