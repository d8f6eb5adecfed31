"""Noise images, and distortions of images.

The strength of noise is its contrast: 0 is mid-grey, 1 the full range. Image `i` of a seed does not depend on their
number. A distortion takes `images`, (N, height, width, channels) float32 in 0..1, and returns the same form; uncovered
areas are black.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.ndimage when it is first used

from mcviz import validate
from mcviz.kinds.base import Distort, Distortion, drawn_share

MID_GREY = np.float32(0.5)
GAUSSIAN_STD = np.float32(0.25)
OCTAVES = (2, 4, 8)  # cells along a side; each octave is half as strong as the last
ImageShape = tuple[int, ...]
ImageArray = np.ndarray


def uniform_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw images with independent values, uniform on [0, 1).

    Args:
        count: how many images, N.
        shape: one image's (height, width, channels).
        seed: any non-negative integer.
        strength: the contrast, 0 to 1.

    Returns:
        (N, height, width, channels) float32 in 0..1.

    Raises:
        InvalidInputError: a strength that is not from 0 to 1, or a negative seed.
    """
    return _set_contrast(_generator(seed).random((count, *shape), dtype=np.float32), strength)


def gaussian_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw images of normal values around mid-grey, clipped to 0 and 1.

    The std is 0.25. Args, result and errors: as in `uniform_noise`.
    """
    normal = _generator(seed).standard_normal((count, *shape), dtype=np.float32)
    return _set_contrast(np.clip(MID_GREY + GAUSSIAN_STD * normal, 0, 1), strength)


def salt_and_pepper_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw mid-grey images with a share, the strength, of black and white.

    Args, result and errors: as in `uniform_noise`.
    """
    validate.fraction("strength", strength)
    values = _generator(seed).random((count, *shape), dtype=np.float32)
    noise = np.full(values.shape, MID_GREY)
    noise[values < strength / 2] = 0
    noise[values >= 1 - strength / 2] = 1
    return noise


def smooth_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw cloudy images: summed smooth grids, as in Perlin's noise (1985).

    Args, result and errors: as in `uniform_noise`.
    """
    height, width, channels = shape
    points = [(cells + 1) ** 2 * channels for cells in OCTAVES]
    numbers = _generator(seed).random((count, sum(points)), dtype=np.float32)
    clouds = np.zeros((count, *shape), np.float32)
    for octave, values in enumerate(np.split(numbers, np.cumsum(points)[:-1], axis=1)):
        cells = OCTAVES[octave]
        grid = values.reshape(count, cells + 1, cells + 1, channels)
        down, across = _interpolation_weights(height, cells), _interpolation_weights(width, cells)
        clouds += np.einsum("hi,nijc,wj->nhwc", down, grid, across) / 2**octave
    low, high = clouds.min(axis=(1, 2, 3), keepdims=True), clouds.max(axis=(1, 2, 3), keepdims=True)
    return _set_contrast((clouds - low) / np.where(high > low, high - low, 1), strength)


def constant_grey(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw images of a single grey each, uniform on [0, 1).

    Args, result and errors: as in `uniform_noise`.
    """
    levels = _generator(seed).random((count, *[1 for _ in shape]), dtype=np.float32)
    return np.broadcast_to(_set_contrast(levels, strength), (count, *shape)).copy()


@dataclass(frozen=True)
class Noise:
    """A selectable kind of image noise.

    Attributes:
        label: its name for people.
        meaning: one sentence of description.
        draw: (count, shape, seed, strength) to (count, *shape) float32 in 0..1.
    """

    label: str
    meaning: str
    draw: Callable[[int, ImageShape, int, float], np.ndarray]


NOISES: dict[str, Noise] = {
    "uniform": Noise("Uniform noise", "Every value is anything from dark to bright, by chance.", uniform_noise),
    "gaussian": Noise("Gaussian noise", "Every value scatters around the middle.", gaussian_noise),
    "salt_and_pepper": Noise(
        "Salt and pepper", "Every value is the darkest or the brightest, by chance.", salt_and_pepper_noise
    ),
    "smooth": Noise("Smooth noise", "Clouds: neighbouring pixels are alike.", smooth_noise),
    "grey": Noise("Constant grey", "One grey all over, darker or lighter by chance.", constant_grey),
}


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(validate.whole_number("seed", seed))


def _interpolation_weights(size: int, cells: int) -> np.ndarray:
    """Return (size, cells + 1) eased weights of grid points."""
    position = (np.arange(size) + 0.5) / size * cells
    left = position.astype(int)
    part = position - left
    eased = part**3 * (part * (6 * part - 15) + 10)  # Perlin 2002: no kink between cells
    weights = np.zeros((size, cells + 1), np.float32)
    weights[np.arange(size), left] = 1 - eased
    weights[np.arange(size), left + 1] = eased
    return weights


def _set_contrast(noise: np.ndarray, strength: float) -> np.ndarray:
    validate.fraction("strength", strength)
    return noise if strength == 1 else noise * np.float32(strength) + MID_GREY * np.float32(1 - strength)


def rotate(images: ImageArray, degrees: float) -> ImageArray:
    """Rotate images about their centre, counter-clockwise.

    Quarter turns of square images, and half turns, are exact.
    """
    quarters, rest = divmod(degrees, 90)
    if rest == 0 and (images.shape[1] == images.shape[2] or quarters % 2 == 0):
        return np.rot90(images, int(quarters), axes=(1, 2)).copy()
    angle = np.deg2rad(degrees)
    return _mapped(images, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))


def shift(images: ImageArray, right: float = 0.0, down: float = 0.0) -> ImageArray:
    """Move images by pixels, or fractions of them; negative is left or up."""
    return np.clip(scipy.ndimage.shift(images, (0, down, right, 0), order=1, mode="constant"), 0, 1)


def scale(images: ImageArray, factor: float) -> ImageArray:
    """Scale about the centre; above 1 enlarges.

    Raises:
        InvalidInputError: a factor of 0 or less.
    """
    if not factor > 0:
        raise validate.invalid("factor", "above 0", factor)
    return _mapped(images, np.eye(2) / factor)


def blur(images: ImageArray, pixels: float) -> ImageArray:
    """Blur images by a Gaussian of that standard deviation in pixels.

    Raises:
        InvalidInputError: fewer than 0 pixels.
    """
    validate.number("pixels", pixels, least=0)
    return np.clip(scipy.ndimage.gaussian_filter(images, (0, pixels, pixels, 0), mode="constant"), 0, 1)


def invert(images: ImageArray, amount: float = 1.0) -> ImageArray:
    """Fade images into their negatives: 0 is unchanged, 1 the negative.

    Raises:
        InvalidInputError: an amount that is not from 0 to 1.
    """
    validate.fraction("amount", amount)
    return mix(images, 1 - images, amount)


def erase(images: ImageArray, side: int, seed: int = 0) -> ImageArray:
    """Blacken a `side` × `side` square at a random place of each image.

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
    """Blend images with others: weight 0 is unchanged, 1 the others.

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
    """Shuffle a random share of each image's pixels; 1 keeps only the histogram.

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


def _of_side(images: ImageArray, share: float) -> float:
    return share * min(images.shape[1:3])


def _shift(label: str, apply: Distort) -> Distortion:
    return Distortion(label, "of the side", 0, 0.5, 0.02, apply, opposite=-0.5, is_share=True)


DISTORTIONS: dict[str, Distortion] = {
    "rotate": Distortion("Rotate", "degrees", 0, 180, 5, lambda x, amount, *_: rotate(x, amount), opposite=-180),
    "shift_right": _shift("Shift right", lambda x, share, *_: shift(x, right=_of_side(x, share))),
    "shift_down": _shift("Shift down", lambda x, share, *_: shift(x, down=_of_side(x, share))),
    "scale": Distortion("Scale", "times", 1, 3, 0.1, lambda x, amount, *_: scale(x, amount), opposite=0.2),
    "blur": Distortion(
        "Blur", "of the side", 0, 0.2, 0.01, lambda x, share, *_: blur(x, _of_side(x, share)), is_share=True
    ),
    "invert": Distortion(
        "Invert", "of the negative", 0, 1, 0.05, lambda x, amount, *_: invert(x, amount), is_share=True
    ),
    "erase": drawn_share(
        "Erase a block", "of the side", lambda x, share, seed, _: erase(x, round(_of_side(x, share)), seed)
    ),
    "mix": Distortion(
        "Mix with another", "of the other", 0, 1, 0.05, lambda x, part, _, other: mix(x, other, part), is_share=True
    ),
    "shuffle": drawn_share("Shuffle pixels", "of the pixels", lambda x, share, seed, _: shuffle_pixels(x, share, seed)),
}


def _mapped(images: ImageArray, to_source: np.ndarray) -> ImageArray:
    """Map pixels: offset (down, right) from the centre reads `to_source` times it."""
    matrix = np.eye(4)
    matrix[1:3, 1:3] = to_source
    centre = (np.array(images.shape) - 1) / 2
    mapped = scipy.ndimage.affine_transform(images, matrix, offset=centre - matrix @ centre, order=1, mode="constant")
    return np.clip(mapped, 0, 1)
