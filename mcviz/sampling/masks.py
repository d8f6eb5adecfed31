"""Random numbers of stochastic layers, and products of masks with scaled weights.

Row by row multiplies masked activations by the kernel. Factored scales the kernel once an example and multiplies masks
by it, using nonzero activations only. Both are exact, but last bits differ, so a run names its product. Sums of subsets
need numba.
"""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

Distribution = Literal["bernoulli", "uniform", "normal"]
DrawBernoulli = Callable[[np.random.Generator, int, float, np.ndarray | None], np.ndarray]  # see `bernoulli`

MATMUL, SUBSET_SUMS, CHANNEL_SUMS = "matmul", "subset_sums", "channel_sums"
PRODUCTS = MATMUL, SUBSET_SUMS  # of a dense layer
ALL_PRODUCTS = (*PRODUCTS, CHANNEL_SUMS)  # with that of a convolution
ALIGNMENT = 64  # frameworks take memory over without a copy from here on
Multiply = Callable[[np.ndarray, np.ndarray, bool], np.ndarray]  # see `mcviz.sampling.base.MaskedDense`
_thread = threading.local()


@dataclass(frozen=True)
class RandomRequest:
    """A request of a layer for random numbers.

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
    """Draw `size` bools, False with probability `rate` to within 2**-41, into `out` if given.

    Multiples of 1/256 are exact. Otherwise a byte decides, and 32 more bits at the threshold.
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
    """Draw a request for a block of passes, shared or for one example.

    Returns:
        (passes, *request.shape): bool for `bernoulli`, float32 for the other distributions; `out`, where it is given.
    """
    return draw_from(make_generator(request, seed, pass_block, example), request, passes, out, draw)


def pack_masks(masks: np.ndarray) -> np.ndarray:
    """Pack (rows, ...) bools into (rows, bytes) uint8, highest bit first."""
    return np.packbits(masks.reshape(len(masks), -1), axis=1)


def draw_from(
    generator: np.random.Generator,
    request: RandomRequest,
    passes: int,
    out: np.ndarray | None = None,
    draw: DrawBernoulli = bernoulli,
) -> np.ndarray:
    """Draw a request for some passes from a generator."""
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
    """Draw a mask only for nonzero activations, `active`, in order.

    Returns:
        (passes, len(active)) bool.
    """
    generator = make_generator(request, seed, pass_block, example)
    return draw(generator, passes * len(active), request.rate, None).reshape(passes, len(active))


def make_generator(request: RandomRequest, seed: int, pass_block: int, example: int | None) -> np.random.Generator:
    """Return the generator of a request, a block and, if per example, an example."""
    key = (request.number, pass_block) if example is None or request.shared else (request.number, pass_block, example)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def rate_threshold(rate: float) -> tuple[int, int]:
    """Return the threshold byte of a rate and the rest in 2**-40; 0 for multiples of 1/256."""
    threshold, rest = divmod(rate * 256, 1)
    return int(threshold), round(rest * 2**32) if rest else 0


def draw_packed_bits(generator: np.random.Generator, size: int, share: int) -> np.ndarray:
    """Draw `size` packed bits with chance `share` / 256: fair bits map p to (1 + p) / 2 or p / 2."""
    packed = np.zeros(-(-size // 8), np.uint8)
    for digit in f"{share:08b}".rstrip("0")[::-1]:
        fair = draw_bytes(generator, len(packed))
        (np.bitwise_or if digit == "1" else np.bitwise_and)(packed, fair, out=packed)
    return packed


def draw_bytes(generator: np.random.Generator, size: int) -> np.ndarray:
    """Draw (size,) uint8."""
    return generator.integers(0, 2**64, -(-size // 8), dtype=np.uint64).view(np.uint8)[:size]


class Product(Protocol):
    """A product of masks with scaled weights, one example at a time in thread memory."""

    def prepare_pass_mask(self, mask: np.ndarray) -> np.ndarray:
        """Convert a shared mask, (passes, n) bool, for `multiply_per_pass`."""

    def multiply_per_pass(
        self, products: np.ndarray, example: int, passes: range, activations: np.ndarray, masks: Sequence[np.ndarray]
    ) -> None:
        """Compute the product of an example with shared masks.

        Args:
            products: (blocks, examples, passes, units) float32, to be filled for the example.
            example: its index in `products`.
            passes: the wanted passes, counted through all blocks; the others may get any numbers.
            activations: (n,) float32, the input of the dropout layer, already divided by 1 - rate.
            masks: one a block, from `prepare_pass_mask`.
        """

    def multiply_per_example(
        self,
        products: np.ndarray,
        example: int,
        passes: range,
        activations: np.ndarray,
        generators: Sequence[np.random.Generator],
        rate: float,
    ) -> None:
        """Compute the product of an example with own masks of nonzero activations.

        Args:
            products: as for `multiply_per_pass`.
            example: as for `multiply_per_pass`.
            passes: as for `multiply_per_pass`.
            activations: as for `multiply_per_pass`.
            generators: of the masks, one a block.
            rate: of the dropout.
        """


class MatrixProduct:
    """A `Product` by matrix products of float masks and scaled weights."""

    def __init__(self, kernel: np.ndarray, multiply: Multiply) -> None:
        self._kernel, self._multiply = kernel, multiply

    def prepare_pass_mask(self, mask: np.ndarray) -> np.ndarray:
        """(n, passes) bool."""
        return np.ascontiguousarray(mask.T)

    def multiply_per_pass(
        self,
        products: np.ndarray,
        example: int,
        passes: range,  # noqa: ARG002 (as `Product`; a product of other sizes would round otherwise)
        activations: np.ndarray,
        masks: Sequence[np.ndarray],
    ) -> None:
        """Multiply the scaled kernel by each block's mask."""
        active, scaled = self._scale_kernel(activations)
        for block, mask in zip(products, masks, strict=True):
            active_mask = thread_memory("mask", (len(active), mask.shape[1]), np.bool_)
            np.take(mask, active, axis=0, out=active_mask, mode="clip")
            block[example] = self._multiply(_as_factors(active_mask), scaled, True)

    def multiply_per_example(
        self,
        products: np.ndarray,
        example: int,
        passes: range,  # noqa: ARG002 (as above)
        activations: np.ndarray,
        generators: Sequence[np.random.Generator],
        rate: float,
    ) -> None:
        """Multiply the scaled kernel by masks drawn for each block."""
        active, scaled = self._scale_kernel(activations)
        for block, generator in zip(products, generators, strict=True):
            shape = block.shape[1], len(active)
            mask = bernoulli(generator, math.prod(shape), rate).reshape(shape)
            block[example] = self._multiply(_as_factors(mask), scaled, False)

    def _scale_kernel(self, activations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return indices of nonzero activations, and their kernel rows times them."""
        active = np.flatnonzero(activations)
        scaled = thread_memory("kernel", (len(active), self._kernel.shape[1]), np.float32)
        np.take(self._kernel, active, axis=0, out=scaled, mode="clip")
        scaled *= activations[active, None]
        return active, scaled


def _as_factors(mask: np.ndarray) -> np.ndarray:
    factors = thread_memory("factors", mask.shape, np.float32)
    np.copyto(factors, mask)
    return factors


def aligned_memory(size: int) -> np.ndarray:
    """Return new (size,) uint8 that frameworks use without a copy."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def thread_memory(name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Return this thread's aligned memory, overwritten at each use of a name."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = getattr(_thread, name, None)
    if memory is None or len(memory) < size:
        memory = aligned_memory(size + size // 4)
        setattr(_thread, name, memory)
    return memory[:size].view(dtype).reshape(shape)
