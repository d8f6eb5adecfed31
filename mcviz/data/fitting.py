"""The size of images and masks: one geometry crops and resizes both."""

import numpy as np

Size = tuple[int, int]  # height and width in pixels


def kept_box(size: Size, crop: Size | None) -> tuple[float, float, float, float]:
    """Return the part of an image and mask that resizing keeps.

    Args:
        size: (height, width) of the upright image or mask.
        crop: the proportions of the middle that is kept, as (height, width); None keeps all.

    Returns:
        left, top, right and bottom in pixels, as `PIL.ImageOps.fit` computes them.
    """
    height, width = size
    kept_height, kept_width = float(height), float(width)
    ratio = width / height if crop is None else crop[1] / crop[0]
    if width / height > ratio:
        kept_width = ratio * height
    elif width / height < ratio:
        kept_height = width / ratio
    left, top = (width - kept_width) * 0.5, (height - kept_height) * 0.5
    return left, top, left + kept_width, top + kept_height


def have_same_proportions(one: Size, other: Size) -> bool:
    """Return whether sizes differ only by scale, up to a pixel of rounding."""
    return abs(one[0] * other[1] - one[1] * other[0]) < max(*one, *other)


def scale_label_maps(maps: np.ndarray, size: Size, crop: Size | None = None) -> np.ndarray:
    """Fit (n, H, W) label maps to (height, width), cropped by `kept_box`, by nearest pixels."""
    left, top, right, bottom = kept_box((maps.shape[1], maps.shape[2]), crop)
    rows, columns = (
        np.floor(low + (np.arange(wanted) + 0.5) * (high - low) / wanted).astype(np.int64)
        for low, high, wanted in ((top, bottom, size[0]), (left, right, size[1]))
    )
    return maps[:, rows[:, None], columns]
