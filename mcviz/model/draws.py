"""Random numbers for the stochastic layers, each a function of its key and of nothing else."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Law = Literal["keep", "uniform", "normal"]


@dataclass(frozen=True)
class Site:
    """One place in a model's graph where a layer asks for random numbers.

    Attributes:
        number: its place in the order of the calls, part of every key.
        layer: the name of the layer that draws.
        law: `keep` (True with probability 1 - rate), `uniform` on [0, 1) or standard `normal`.
        rate: the probability of a dropped element; 0 for the other laws.
        shape: of one pass over one image.
        shared: the layer draws once for its whole batch (a leading 1 in `noise_shape`), whatever the mask mode.
    """

    number: int
    layer: str
    law: Law
    rate: float
    shape: tuple[int, ...]
    shared: bool


def generator(seed: int, site: int, pass_block: int, image: int | None) -> np.random.Generator:
    """The stream of one site, one block of passes and, with masks per example, one image."""
    key = (site, pass_block) if image is None else (site, pass_block, image)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def draw(site: Site, passes: int, seed: int, pass_block: int, image: int | None) -> np.ndarray:
    """Draw what one site needs for one block of passes.

    Returns:
        (passes, *site.shape): bool for the law `keep`, float32 for the others.
    """
    stream = generator(seed, site.number, pass_block, None if site.shared else image)
    size = passes * int(np.prod(site.shape))
    if site.law == "keep":
        numbers: np.ndarray = kept(stream, size, site.rate)
    elif site.law == "uniform":
        numbers = stream.random(size, dtype=np.float32)
    else:
        numbers = stream.standard_normal(size, dtype=np.float32)
    return numbers.reshape(passes, *site.shape)


def kept(stream: np.random.Generator, size: int, rate: float) -> np.ndarray:
    """Draw `size` bools that are False with probability `rate`, exact to 2**-40.

    A random byte decides all but the elements that hit the threshold's own byte; those take 32 more bits each.
    """
    words = stream.integers(0, 2**64, (size + 7) // 8, dtype=np.uint64)
    numbers = words.view(np.uint8)[:size]
    threshold = int(rate * 256)
    remainder = rate * 256 - threshold
    if not remainder:
        return numbers >= threshold
    result = numbers > threshold
    ties = np.flatnonzero(numbers == threshold)
    result[ties] = stream.integers(0, 2**32, ties.size, dtype=np.uint32) >= remainder * 2**32
    return result
