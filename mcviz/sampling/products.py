"""The products of masks and scaled weights: the ways to compute one, by name, and their working memory.

Row by row, a dense layer behind a dropout layer multiplies each pass's masked activations by the kernel. Factored, the
activations scale the kernel once an example, and the passes are the product of their masks, zeros and ones, with the
scaled kernel. Only activations that are not zero take part, few behind a ReLU. Nothing is approximated.

The last bits of the products differ, so a run names its own. The one of `subset_sums.py` needs numba.
"""

import math
import threading
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Protocol

import numpy as np

from mcviz.extras import INSTALL_NUMBA
from mcviz.sampling.random_numbers import bernoulli

MATMUL, SUBSET_SUMS, CHANNEL_SUMS = "matmul", "subset_sums", "channel_sums"
PRODUCTS = MATMUL, SUBSET_SUMS  # of a dense layer
ALL_PRODUCTS = (*PRODUCTS, CHANNEL_SUMS)  # with that of a convolution
ALIGNMENT = 64  # frameworks take memory over without a copy from here on


Multiply = Callable[[np.ndarray, np.ndarray, bool], np.ndarray]  # see `mcviz.sampling.base.MaskedDense`


class Product(Protocol):
    """A way to multiply masks with scaled weights.

    It works in memory of the thread, which computes one example at a time.
    """

    def prepare_pass_mask(self, kept: np.ndarray) -> np.ndarray:
        """Bring a mask that the examples share, (passes, n) bool, into the form for `multiply_per_pass`."""

    def multiply_per_pass(
        self, products: np.ndarray, example: int, passes: range, activations: np.ndarray, masks: Sequence[np.ndarray]
    ) -> None:
        """Compute the product of one example with masks that the examples share.

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
        """Compute the product of one example with masks of its own, drawn for the activations that are not zero.

        Args:
            products: as for `multiply_per_pass`.
            example: likewise.
            passes: likewise.
            activations: likewise.
            generators: of the masks, one a block.
            rate: of the dropout.
        """


class MatrixProduct:
    """See `Product`: by a framework's matrix product of the masks as floats with the scaled weights."""

    def __init__(self, kernel: np.ndarray, multiply: Multiply) -> None:
        self._kernel, self._multiply = kernel, multiply

    def prepare_pass_mask(self, kept: np.ndarray) -> np.ndarray:
        """(n, passes) bool."""
        return np.ascontiguousarray(kept.T)

    def multiply_per_pass(
        self,
        products: np.ndarray,
        example: int,
        passes: range,  # noqa: ARG002 (as `Product`; a product of other sizes would round otherwise)
        activations: np.ndarray,
        masks: Sequence[np.ndarray],
    ) -> None:
        """See `Product`."""
        active, scaled = self._scale_kernel(activations)
        for block, mask in zip(products, masks, strict=True):
            active_mask = thread_memory("mask", (len(active), mask.shape[1]), np.bool_)
            np.take(mask, active, axis=0, out=active_mask, mode="clip")
            block[example] = self._multiply(_as_factors(active_mask), scaled, True)

    def multiply_per_example(
        self,
        products: np.ndarray,
        example: int,
        passes: range,  # noqa: ARG002 (likewise)
        activations: np.ndarray,
        generators: Sequence[np.random.Generator],
        rate: float,
    ) -> None:
        """See `Product`."""
        active, scaled = self._scale_kernel(activations)
        for block, generator in zip(products, generators, strict=True):
            shape = block.shape[1], len(active)
            mask = bernoulli(generator, math.prod(shape), rate).reshape(shape)
            block[example] = self._multiply(_as_factors(mask), scaled, False)

    def _scale_kernel(self, activations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of the activations that are not zero, and their rows of the kernel, times them."""
        active = np.flatnonzero(activations)
        scaled = thread_memory("kernel", (len(active), self._kernel.shape[1]), np.float32)
        np.take(self._kernel, active, axis=0, out=scaled, mode="clip")
        scaled *= activations[active, None]
        return active, scaled


def _as_factors(mask: np.ndarray) -> np.ndarray:
    factors = thread_memory("factors", mask.shape, np.float32)
    np.copyto(factors, mask)
    return factors


def default_product(*, on_gpu: bool) -> str:
    """Choose the quickest product of this machine: the matrix product on a GPU, or else sums of subsets."""
    return MATMUL if on_gpu or subset_sums_error() else SUBSET_SUMS


@cache
def subset_sums_error() -> str:
    """Return why this Python cannot compute sums of subsets, or ""."""
    try:
        import_module("mcviz.sampling.vector_code")  # which imports all that they need
    except (ImportError, OSError) as error:
        return str(error)
    return ""


def product_error(name: str | None) -> str:
    """Return why this machine cannot compute a product by its name, or ""."""
    if name not in ALL_PRODUCTS:
        return (
            f"The masks were multiplied in a way that this mcviz does not have. Received: {name!r:.60}. "
            "Use the version of mcviz that wrote the run."
        )
    if name == SUBSET_SUMS and (error := subset_sums_error()):
        return (
            f"The masks were multiplied by sums of subsets, which need numba, and it cannot be imported: {error}. "
            f"Type: {INSTALL_NUMBA}"
        )
    return ""


_thread = threading.local()


def aligned_memory(size: int) -> np.ndarray:
    """Return new memory, (size,) uint8, which frameworks take over without a copy."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def thread_memory(name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Return aligned memory of the calling thread; each use of a name overwrites the one before."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = getattr(_thread, name, None)
    if memory is None or len(memory) < size:
        memory = aligned_memory(size + size // 4)
        setattr(_thread, name, memory)
    return memory[:size].view(dtype).reshape(shape)
