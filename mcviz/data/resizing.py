"""Images in other sizes and colours than they have."""

import numpy as np
from PIL import Image

from mcviz.data.drawing import LUMA
from mcviz.validate import invalid


def resized(images: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Stretch or shrink images to another height and width.

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


def in_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Grey images in colours, or coloured ones in grey.

    Args:
        images: (N, height, width, 1, 3 or 4) float32; of four channels the fourth is transparency, which is left out.
        channels: that are wanted.

    Raises:
        InvalidInputError: neither 1 nor 3 channels are wanted or there.
    """
    there = images.shape[-1]
    if there == channels:
        return images
    if channels == 3 and there in (1, 4):
        return np.repeat(images, 3, axis=-1) if there == 1 else images[..., :3]
    if channels == 1 and there in (3, 4):
        return (images[..., :3] @ LUMA)[..., None]
    raise invalid("images", f"with {channels:,} channels, as the run's are", f"{there:,} channels")
