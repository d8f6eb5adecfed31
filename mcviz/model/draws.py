"""Random numbers for the stochastic layers, each a function of its key and of nothing else."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Law = Literal["keep", "uniform", "normal"]


@dataclass(frozen=True)
class Site:
    """One place in a model's graph where a layer asks for random numbers.

    Attributes:
        number: its place in the order of the requests, part of every key.
        law: `keep` (True with probability 1 - rate), `uniform` on [0, 1) or standard `normal`.
        rate: the probability of a dropped element; 0 for the other laws.
        shape: of the numbers of one image in one pass.
        shared: the layer draws once for its whole batch (a leading 1 in `noise_shape`), whatever the mask mode.
    """

    number: int
    law: Law
    rate: float
    shape: tuple[int, ...]
    shared: bool


def draw(site: Site, passes: int, seed: int, pass_block: int, image: int | None) -> np.ndarray:
    """Draw what one site needs for one block of passes, and for one image unless the images share it.

    Returns:
        (passes, *site.shape): bool for the law `keep`, float32 for the others.
    """
    return draw_from(stream(site, seed, pass_block, image), site, passes)


def draw_from(numbers: np.random.Generator, site: Site, passes: int) -> np.ndarray:
    """Draw what one site needs for some passes from a generator."""
    shape = (passes, *site.shape)
    if site.law == "keep":
        return kept(numbers, math.prod(shape), site.rate).reshape(shape)
    if site.law == "uniform":
        return numbers.random(shape, dtype=np.float32)
    return numbers.standard_normal(shape, dtype=np.float32)


def draw_active(site: Site, passes: int, seed: int, pass_block: int, image: int, active: np.ndarray) -> np.ndarray:
    """Draw a mask for one image only where it matters: for `active`, the activations that are not zero, in order.

    Returns:
        (passes, len(active)) bool.
    """
    numbers = kept(stream(site, seed, pass_block, image), passes * len(active), site.rate)
    return numbers.reshape(passes, len(active))


def stream(site: Site, seed: int, pass_block: int, image: int | None) -> np.random.Generator:
    """The generator of one site, one block of passes and, with masks per example, one image."""
    key = (site.number, pass_block) if image is None or site.shared else (site.number, pass_block, image)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def kept(numbers: np.random.Generator, size: int, rate: float) -> np.ndarray:
    """Draw `size` bools that are False with probability `rate`, to within 2**-41.

    A rate that is a multiple of 1/256 is met exactly, from as many random bits an element as its fraction has digits.
    Otherwise a random byte decides all but the elements that hit the byte of the threshold; those take 32 more bits.
    """
    threshold, ties = divmod(rate * 256, 1)
    if not ties:
        return _true_of_256(numbers, size, 256 - int(threshold))
    values = _bytes(numbers, size)
    result = values > int(threshold)
    tied = np.flatnonzero(values == int(threshold))
    result[tied] = numbers.integers(0, 2**32, tied.size, dtype=np.uint32) >= round(ties * 2**32)
    return result


def _true_of_256(numbers: np.random.Generator, size: int, share: int) -> np.ndarray:
    """Draw `size` bools that are True with probability `share` / 256.

    From its last binary digit to its first, or with fair bits takes a probability p to (1 + p) / 2, and to p / 2.
    """
    packed = np.zeros(-(-size // 8), np.uint8)
    for digit in f"{share:08b}".rstrip("0")[::-1]:
        fair = _bytes(numbers, len(packed))
        packed = packed | fair if digit == "1" else packed & fair
    return np.unpackbits(packed, count=size).view(bool)


def _bytes(numbers: np.random.Generator, size: int) -> np.ndarray:
    return numbers.integers(0, 2**64, -(-size // 8), dtype=np.uint64).view(np.uint8)[:size]
