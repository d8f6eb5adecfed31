"""Random numbers for the stochastic layers, each a function of its key and of nothing else."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Distribution = Literal["bernoulli", "uniform", "normal"]


@dataclass(frozen=True)
class RandomRequest:
    """One place in a model's graph where a layer asks Keras for random numbers.

    Attributes:
        number: its place in the order of the requests, part of every key.
        distribution: `bernoulli` (True with probability 1 - rate), `uniform` on [0, 1) or standard `normal`.
        rate: the probability of a dropped element; 0 for the other distributions.
        shape: of the numbers of one example in one pass.
        shared: the layer takes them once for its whole batch (a leading 1 in `noise_shape`), whatever the mask mode.
    """

    number: int
    distribution: Distribution
    rate: float
    shape: tuple[int, ...]
    shared: bool


def random_numbers(request: RandomRequest, passes: int, seed: int, pass_block: int, example: int | None) -> np.ndarray:
    """Make what one request needs for one block of passes, and for one example unless the examples share it.

    Returns:
        (passes, *request.shape): bool for `bernoulli`, float32 for the other distributions.
    """
    return numbers_from(generator_for(request, seed, pass_block, example), request, passes)


def numbers_from(generator: np.random.Generator, request: RandomRequest, passes: int) -> np.ndarray:
    """Make what one request needs for some passes, from a generator."""
    shape = (passes, *request.shape)
    if request.distribution == "bernoulli":
        return bernoulli(generator, math.prod(shape), request.rate).reshape(shape)
    if request.distribution == "uniform":
        return generator.random(shape, dtype=np.float32)
    return generator.standard_normal(shape, dtype=np.float32)


def mask_of_active(
    request: RandomRequest, passes: int, seed: int, pass_block: int, example: int, active: np.ndarray
) -> np.ndarray:
    """Make a mask for one example only where it matters: for `active`, the activations that are not zero, in order.

    Returns:
        (passes, len(active)) bool.
    """
    generator = generator_for(request, seed, pass_block, example)
    return bernoulli(generator, passes * len(active), request.rate).reshape(passes, len(active))


def generator_for(request: RandomRequest, seed: int, pass_block: int, example: int | None) -> np.random.Generator:
    """The generator of one request, one block of passes and, with masks per example, one example."""
    key = (request.number, pass_block) if example is None or request.shared else (request.number, pass_block, example)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def bernoulli(generator: np.random.Generator, size: int, rate: float) -> np.ndarray:
    """Make `size` bools that are False with probability `rate`, to within 2**-41.

    A rate that is a multiple of 1/256 is met exactly, from as many random bits an element as its fraction has digits.
    Otherwise a random byte decides all but the elements that hit the byte of the threshold; those take 32 more bits.
    """
    threshold, ties = divmod(rate * 256, 1)
    if not ties:
        return _true_of_256(generator, size, 256 - int(threshold))
    values = _bytes(generator, size)
    result = values > int(threshold)
    tied = np.flatnonzero(values == int(threshold))
    result[tied] = generator.integers(0, 2**32, tied.size, dtype=np.uint32) >= round(ties * 2**32)
    return result


def _true_of_256(generator: np.random.Generator, size: int, share: int) -> np.ndarray:
    """Make `size` bools that are True with probability `share` / 256.

    From its last binary digit to its first, or with fair bits takes a probability p to (1 + p) / 2, and to p / 2.
    """
    packed = np.zeros(-(-size // 8), np.uint8)
    for digit in f"{share:08b}".rstrip("0")[::-1]:
        fair = _bytes(generator, len(packed))
        packed = packed | fair if digit == "1" else packed & fair
    return np.unpackbits(packed, count=size).view(bool)


def _bytes(generator: np.random.Generator, size: int) -> np.ndarray:
    return generator.integers(0, 2**64, -(-size // 8), dtype=np.uint64).view(np.uint8)[:size]
