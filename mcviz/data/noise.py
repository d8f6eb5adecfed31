"""Noise: images that belong to no class, reproducible from a seed.

Every kind takes a strength, the contrast: at 0 all of an image is mid-grey, at 1 it has its full range. Image `i` of a
seed is the same however many are drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcviz import validate

MID_GREY = np.float32(0.5)
GAUSSIAN_STD = np.float32(0.25)
OCTAVES = (2, 4, 8)  # cells along a side of the image, each octave half as strong as the one before

ImageShape = tuple[int, ...]


def uniform_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw images whose every value is uniform on [0, 1), independently.

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
    return _faded(_generator(seed).random((count, *shape), dtype=np.float32), strength)


def gaussian_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw images whose every value is normal around mid-grey with a standard deviation of 0.25, cut off at 0 and 1.

    Args, result and errors: as in `uniform_noise`.
    """
    normal = _generator(seed).standard_normal((count, *shape), dtype=np.float32)
    return _faded(np.clip(MID_GREY + GAUSSIAN_STD * normal, 0, 1), strength)


def salt_and_pepper_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw mid-grey images in which a share of the values, the strength, is black or white by the toss of a coin.

    Args, result and errors: as in `uniform_noise`.
    """
    validate.fraction("strength", strength)
    drawn = _generator(seed).random((count, *shape), dtype=np.float32)
    noise = np.full(drawn.shape, MID_GREY)
    noise[drawn < strength / 2] = 0
    noise[drawn >= 1 - strength / 2] = 1
    return noise


def smooth_noise(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw cloudy images: random values on coarse grids, smoothly joined and added up, as in Perlin's noise (1985).

    Args, result and errors: as in `uniform_noise`.
    """
    height, width, channels = shape
    points = [(cells + 1) ** 2 * channels for cells in OCTAVES]
    drawn = _generator(seed).random((count, sum(points)), dtype=np.float32)
    clouds = np.zeros((count, *shape), np.float32)
    for octave, values in enumerate(np.split(drawn, np.cumsum(points)[:-1], axis=1)):
        cells = OCTAVES[octave]
        grid = values.reshape(count, cells + 1, cells + 1, channels)
        clouds += np.einsum("hi,nijc,wj->nhwc", _joined(height, cells), grid, _joined(width, cells)) / 2**octave
    low, high = clouds.min(axis=(1, 2, 3), keepdims=True), clouds.max(axis=(1, 2, 3), keepdims=True)
    return _faded((clouds - low) / np.where(high > low, high - low, 1), strength)


def constant_grey(count: int, shape: ImageShape, seed: int, strength: float = 1.0) -> np.ndarray:
    """Draw images of a single grey each, uniform on [0, 1).

    Args, result and errors: as in `uniform_noise`.
    """
    levels = _generator(seed).random((count, *[1 for _ in shape]), dtype=np.float32)
    return np.broadcast_to(_faded(levels, strength), (count, *shape)).copy()


@dataclass(frozen=True)
class Noise:
    """A kind of noise that a person can pick.

    Attributes:
        label: its name for people.
        meaning: one sentence on what it is.
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


def _joined(size: int, cells: int) -> np.ndarray:
    """(size, cells + 1) weights of the grid's points for each pixel: two neighbours, eased in and out."""
    position = (np.arange(size) + 0.5) / size * cells
    left = position.astype(int)
    part = position - left
    eased = part**3 * (part * (6 * part - 15) + 10)  # Perlin 2002: no kink where cells meet
    weights = np.zeros((size, cells + 1), np.float32)
    weights[np.arange(size), left] = 1 - eased
    weights[np.arange(size), left + 1] = eased
    return weights


def _faded(noise: np.ndarray, strength: float) -> np.ndarray:
    validate.fraction("strength", strength)
    return noise if strength == 1 else noise * np.float32(strength) + MID_GREY * np.float32(1 - strength)
