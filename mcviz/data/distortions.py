"""Images changed a little or a lot: at which point does a six become a nine, and does the model notice?

Every function takes `images`, (N, height, width, channels) float32 in 0..1, and returns as many of the same shape and
range. What is not covered by the image any more becomes black.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.ndimage when it is first used

from mcviz import validate

ImageArray = np.ndarray


def rotate(images: ImageArray, degrees: float) -> ImageArray:
    """Turn images about their centre, counter-clockwise. Quarter turns of square images move pixels, exactly."""
    quarters, rest = divmod(degrees, 90)
    if rest == 0 and (images.shape[1] == images.shape[2] or quarters % 2 == 0):
        return np.rot90(images, int(quarters), axes=(1, 2)).copy()
    angle = np.deg2rad(degrees)
    return _mapped(images, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))


def shift(images: ImageArray, right: float = 0.0, down: float = 0.0) -> ImageArray:
    """Move images by pixels, or parts of them; a negative number is left or up."""
    return np.clip(scipy.ndimage.shift(images, (0, down, right, 0), order=1, mode="constant"), 0, 1)


def scale(images: ImageArray, factor: float) -> ImageArray:
    """Enlarge (above 1) or shrink (below 1) images about their centre.

    Raises:
        InvalidInputError: a factor of 0 or less.
    """
    if not factor > 0:
        raise validate.invalid("factor", "above 0", factor)
    return _mapped(images, np.eye(2) / factor)


def blur(images: ImageArray, pixels: float) -> ImageArray:
    """Blur images by a Gaussian with that standard deviation in pixels.

    Raises:
        InvalidInputError: fewer than 0 pixels.
    """
    validate.number("pixels", pixels, least=0)
    return np.clip(scipy.ndimage.gaussian_filter(images, (0, pixels, pixels, 0), mode="constant"), 0, 1)


def invert(images: ImageArray, amount: float = 1.0) -> ImageArray:
    """Fade images into their negatives: 0 leaves them, 0.5 is mid-grey all over, 1 is the negative.

    Raises:
        InvalidInputError: an amount that is not from 0 to 1.
    """
    validate.fraction("amount", amount)
    return mix(images, 1 - images, amount)


def erase(images: ImageArray, side: int, seed: int = 0) -> ImageArray:
    """Blacken one square of `side` × `side` pixels at a random place within each image.

    Raises:
        InvalidInputError: a square that does not fit in.
    """
    count, height, width, _ = images.shape
    validate.whole_number("side", side, 0, min(height, width))
    corners = np.random.default_rng(seed).random((count, 2))
    top, left = (corners * (height - side + 1, width - side + 1)).astype(int).T
    row, column = np.arange(height), np.arange(width)
    rows = (row >= top[:, None]) & (row < top[:, None] + side)
    columns = (column >= left[:, None]) & (column < left[:, None] + side)
    return np.where((rows[:, :, None] & columns[:, None, :])[..., None], np.float32(0), images)


def mix(images: ImageArray, others: ImageArray, weight: float = 0.5) -> ImageArray:
    """Lay other images over these, pixel by pixel: 0 leaves them, 0.5 is half of each, 1 is the others.

    Args:
        images: (N, height, width, channels) float32 in 0..1.
        others: of the same shape, or one image for all, (1, height, width, channels).
        weight: of the others, 0 to 1.

    Raises:
        InvalidInputError: a weight that is not from 0 to 1.
    """
    validate.fraction("weight", weight)
    return images * np.float32(1 - weight) + others * np.float32(weight)


def shuffle_pixels(images: ImageArray, share: float = 1.0, seed: int = 0) -> ImageArray:
    """Let a random share of each image's pixels change places with each other; 1 keeps nothing but the histogram.

    Raises:
        InvalidInputError: a share that is not from 0 to 1.
    """
    validate.fraction("share", share)
    count, height, width, channels = images.shape
    shuffled = images.reshape(count, height * width, channels).copy()
    moving = round(share * height * width)
    random = np.random.default_rng(seed)
    for image in shuffled:
        order = random.permutation(height * width)  # its first entries are a random choice in random order
        chosen = order[:moving]
        image[np.sort(chosen)] = image[chosen]
    return shuffled.reshape(images.shape)


Apply = Callable[[np.ndarray, float, int, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Distortion:
    """A distortion of examples of one kind that a person can pick, with one slider.

    Attributes:
        label: its name for people.
        unit: what the slider counts.
        low: one end of the slider.
        high: the other end.
        unchanged: where on the slider examples stay as they are.
        step: the smallest step that makes sense.
        apply: (examples, amount, seed, others) to as many examples; `others` are an image to mix with, or all rows or
            texts of a run.
        seeded: whether it draws random numbers from the seed.
    """

    label: str
    unit: str
    low: float
    high: float
    unchanged: float
    step: float
    apply: Apply
    seeded: bool = False


def drawn_share(label: str, unit: str, apply: Apply) -> Distortion:
    """A distortion of none, some or all of an example, drawn at random; arguments are the attributes of the result."""
    return Distortion(label, unit, 0, 1, 0, 0.05, apply, seeded=True)


def _of_side(images: ImageArray, share: float) -> float:
    return share * min(images.shape[1:3])


DISTORTIONS: dict[str, Distortion] = {
    "rotate": Distortion("Rotate", "degrees", -180, 180, 0, 5, lambda x, amount, *_: rotate(x, amount)),
    "shift_right": Distortion(
        "Shift right", "of the side", -0.5, 0.5, 0, 0.02, lambda x, share, *_: shift(x, right=_of_side(x, share))
    ),
    "shift_down": Distortion(
        "Shift down", "of the side", -0.5, 0.5, 0, 0.02, lambda x, share, *_: shift(x, down=_of_side(x, share))
    ),
    "scale": Distortion("Scale", "times", 0.2, 3, 1, 0.1, lambda x, amount, *_: scale(x, amount)),
    "blur": Distortion("Blur", "of the side", 0, 0.2, 0, 0.01, lambda x, share, *_: blur(x, _of_side(x, share))),
    "invert": Distortion("Invert", "of the negative", 0, 1, 0, 0.05, lambda x, amount, *_: invert(x, amount)),
    "erase": drawn_share(
        "Erase a block", "of the side", lambda x, share, seed, _: erase(x, round(_of_side(x, share)), seed)
    ),
    "mix": Distortion("Mix with another", "of the other", 0, 1, 0, 0.05, lambda x, part, _, other: mix(x, other, part)),
    "shuffle": drawn_share("Shuffle pixels", "of the pixels", lambda x, share, seed, _: shuffle_pixels(x, share, seed)),
}


def _mapped(images: ImageArray, to_source: np.ndarray) -> ImageArray:
    """Images whose pixel at an offset (down, right) from the centre comes from `to_source` times that offset."""
    matrix = np.eye(4)
    matrix[1:3, 1:3] = to_source
    centre = (np.array(images.shape) - 1) / 2
    mapped = scipy.ndimage.affine_transform(images, matrix, offset=centre - matrix @ centre, order=1, mode="constant")
    return np.clip(mapped, 0, 1)
