"""Resizing of images, and conversion between grey and colours."""

import numpy as np
from PIL import Image

from mcviz.data.drawing import LUMA
from mcviz.validate import invalid


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
    found = np.empty((len(images), *size, images.shape[-1]), np.float32)
    for place, image in enumerate(images):
        for channel in range(images.shape[-1]):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel], np.float32))
            found[place, ..., channel] = np.asarray(plane.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    return found


def convert_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Convert grey images to colours, or coloured ones to grey.

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
