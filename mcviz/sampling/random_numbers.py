"""Random numbers for the stochastic layers, each a function of its key and of nothing else."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Distribution = Literal["bernoulli", "uniform", "normal"]
DrawBernoulli = Callable[[np.random.Generator, int, float, np.ndarray | None], np.ndarray]  # see `bernoulli`


@dataclass(frozen=True)
class RandomRequest:
    """A place in a model where a layer asks for random numbers.

    Attributes:
        number: its index among the requests, part of every key.
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
    """Draw `size` bools that are False with probability `rate`, to within 2**-41, into `out` where it is given.

    A rate that is a multiple of 1/256 is met exactly, from as many random bits an element as its fraction has digits.
    Otherwise a random byte decides all but the elements that hit the byte of the threshold; those take 32 more bits.
    """
    threshold, height = rate_threshold(rate)
    if not height:
        result = np.unpackbits(draw_packed_bits(generator, size, 256 - threshold), count=size).view(bool)
        if out is None:
            return result
        out[:] = result
        return out
    values = draw_bytes(generator, size)
    result = np.greater(values, threshold, out=out)
    tied = np.flatnonzero(values == threshold)
    result[tied] = generator.integers(0, 2**32, tied.size, dtype=np.uint32) >= height
    return result


def draw_random_numbers(
    request: RandomRequest,
    passes: int,
    seed: int,
    pass_block: int,
    example: int | None,
    out: np.ndarray | None = None,
    draw: DrawBernoulli = bernoulli,
) -> np.ndarray:
    """Draw the numbers of a request for one block of passes, and for one example unless the examples share them.

    Returns:
        (passes, *request.shape): bool for `bernoulli`, float32 for the other distributions; `out`, where it is given.
    """
    return draw_from(make_generator(request, seed, pass_block, example), request, passes, out, draw)


def draw_from(
    generator: np.random.Generator,
    request: RandomRequest,
    passes: int,
    out: np.ndarray | None = None,
    draw: DrawBernoulli = bernoulli,
) -> np.ndarray:
    """Draw the numbers of a request for some passes, from a generator."""
    shape = (passes, *request.shape)
    if request.distribution == "bernoulli":
        flat = None if out is None else out.reshape(-1)
        return draw(generator, math.prod(shape), request.rate, flat).reshape(shape)
    if request.distribution == "uniform":
        return generator.random(shape, dtype=np.float32, out=out)
    return generator.standard_normal(shape, dtype=np.float32, out=out)


def draw_active_mask(
    request: RandomRequest,
    passes: int,
    seed: int,
    pass_block: int,
    example: int,
    active: np.ndarray,
    draw: DrawBernoulli = bernoulli,
) -> np.ndarray:
    """Draw a mask for one example only where it matters: for `active`, the activations that are not zero, in order.

    Returns:
        (passes, len(active)) bool.
    """
    generator = make_generator(request, seed, pass_block, example)
    return draw(generator, passes * len(active), request.rate, None).reshape(passes, len(active))


def make_generator(request: RandomRequest, seed: int, pass_block: int, example: int | None) -> np.random.Generator:
    """Make the generator of one request, one block of passes and, with masks per example, one example."""
    key = (request.number, pass_block) if example is None or request.shared else (request.number, pass_block, example)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def rate_threshold(rate: float) -> tuple[int, int]:
    """Return the byte of a rate's threshold, and its height in that byte, in 2**-40; 0 for a multiple of 1/256."""
    threshold, rest = divmod(rate * 256, 1)
    return int(threshold), round(rest * 2**32) if rest else 0


def draw_packed_bits(generator: np.random.Generator, size: int, share: int) -> np.ndarray:
    """Draw `size` bits that are set with probability `share` / 256, packed into bytes.

    From its last binary digit to its first, or with fair bits takes a probability p to (1 + p) / 2, and to p / 2.
    """
    packed = np.zeros(-(-size // 8), np.uint8)
    for digit in f"{share:08b}".rstrip("0")[::-1]:
        fair = draw_bytes(generator, len(packed))
        (np.bitwise_or if digit == "1" else np.bitwise_and)(packed, fair, out=packed)
    return packed


def draw_bytes(generator: np.random.Generator, size: int) -> np.ndarray:
    """Draw (size,) uint8."""
    return generator.integers(0, 2**64, -(-size // 8), dtype=np.uint64).view(np.uint8)[:size]
