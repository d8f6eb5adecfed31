"""Random numbers for the stochastic layers, each a function of its key and of nothing else."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Distribution = Literal["bernoulli", "uniform", "normal"]
Draw = Callable[[np.random.Generator, int, float, np.ndarray | None], np.ndarray]  # `bernoulli`, or another of its bits


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


def bernoulli(generator: np.random.Generator, size: int, rate: float, out: np.ndarray | None = None) -> np.ndarray:
    """Make `size` bools that are False with probability `rate`, to within 2**-41, in `out` where that is given.

    A rate that is a multiple of 1/256 is met exactly, from as many random bits an element as its fraction has digits.
    Otherwise a random byte decides all but the elements that hit the byte of the threshold; those take 32 more bits.
    """
    threshold, height = threshold_of(rate)
    if not height:
        result = np.unpackbits(bits_of_256(generator, size, 256 - threshold), count=size).view(bool)
        if out is None:
            return result
        out[:] = result
        return out
    values = random_bytes(generator, size)
    result = np.greater(values, threshold, out=out)
    tied = np.flatnonzero(values == threshold)
    result[tied] = true_of_tied(generator, tied.size, height)
    return result


def random_numbers(
    request: RandomRequest,
    passes: int,
    seed: int,
    pass_block: int,
    example: int | None,
    out: np.ndarray | None = None,
    draw: Draw = bernoulli,
) -> np.ndarray:
    """Make what one request needs for one block of passes, and for one example unless the examples share it.

    Returns:
        (passes, *request.shape): bool for `bernoulli`, float32 for the other distributions; `out`, where it is given.
    """
    return numbers_from(generator_for(request, seed, pass_block, example), request, passes, out, draw)


def numbers_from(
    generator: np.random.Generator,
    request: RandomRequest,
    passes: int,
    out: np.ndarray | None = None,
    draw: Draw = bernoulli,
) -> np.ndarray:
    """Make what one request needs for some passes, from a generator."""
    shape = (passes, *request.shape)
    if request.distribution == "bernoulli":
        flat = None if out is None else out.reshape(-1)
        return draw(generator, math.prod(shape), request.rate, flat).reshape(shape)
    if request.distribution == "uniform":
        return generator.random(shape, dtype=np.float32, out=out)
    return generator.standard_normal(shape, dtype=np.float32, out=out)


def mask_of_active(
    request: RandomRequest,
    passes: int,
    seed: int,
    pass_block: int,
    example: int,
    active: np.ndarray,
    draw: Draw = bernoulli,
) -> np.ndarray:
    """Make a mask for one example only where it matters: for `active`, the activations that are not zero, in order.

    Returns:
        (passes, len(active)) bool.
    """
    generator = generator_for(request, seed, pass_block, example)
    return draw(generator, passes * len(active), request.rate, None).reshape(passes, len(active))


def generator_for(request: RandomRequest, seed: int, pass_block: int, example: int | None) -> np.random.Generator:
    """The generator of one request, one block of passes and, with masks per example, one example."""
    key = (request.number, pass_block) if example is None or request.shared else (request.number, pass_block, example)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def threshold_of(rate: float) -> tuple[int, int]:
    """The byte of a rate's threshold, and how much more there is, in 2**-40; 0 for a multiple of 1/256."""
    threshold, rest = divmod(rate * 256, 1)
    return int(threshold), round(rest * 2**32) if rest else 0


def true_of_tied(generator: np.random.Generator, count: int, height: int) -> np.ndarray:
    """The bools of elements that hit the byte of the threshold, with the `height` of it that `threshold_of` gives."""
    return generator.integers(0, 2**32, count, dtype=np.uint32) >= height


def bits_of_256(generator: np.random.Generator, size: int, share: int) -> np.ndarray:
    """Make `size` bits that are set with probability `share` / 256, packed into bytes.

    From its last binary digit to its first, or with fair bits takes a probability p to (1 + p) / 2, and to p / 2.
    """
    packed = np.zeros(-(-size // 8), np.uint8)
    for digit in f"{share:08b}".rstrip("0")[::-1]:
        fair = random_bytes(generator, len(packed))
        (np.bitwise_or if digit == "1" else np.bitwise_and)(packed, fair, out=packed)
    return packed


def random_bytes(generator: np.random.Generator, size: int) -> np.ndarray:
    """(size,) uint8."""
    return generator.integers(0, 2**64, -(-size // 8), dtype=np.uint64).view(np.uint8)[:size]
