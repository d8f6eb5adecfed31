"""The products of masks and scaled weights: the ways to compute one, by name, and their working memory.

Row by row, a dense layer behind a dropout layer multiplies each pass's masked activations by the kernel. Factored, the
activations scale the kernel once an example, and the passes are the product of their masks, zeros and ones, with the
scaled kernel. Only activations that are not zero take part, few behind a ReLU. Nothing is approximated.

The last bits of the products differ, so a run names its own. This file works on arrays alone; the products are in
`subset_sums.py`, which needs numba, and in `masked_layers.py`, which needs TensorFlow.
"""

import math
import threading
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Protocol

import numpy as np

from mcviz.extras import INSTALL_NUMBA

MATMUL, SUBSET_SUMS, CHANNEL_SUMS = "matmul", "subset_sums", "channel_sums"
PRODUCTS = MATMUL, SUBSET_SUMS  # of a dense layer
ALL_PRODUCTS = (*PRODUCTS, CHANNEL_SUMS)  # with that of a convolution
ALIGNMENT = 64  # TensorFlow takes memory over without a copy from here on


class Product(Protocol):
    """A way to multiply masks with scaled weights.

    It works in memory of the thread, which computes one example at a time.
    """

    def __init__(self, kernel: np.ndarray) -> None:
        """Prepare the product with a kernel, (n, units) float32."""

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


def thread_memory(name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Return aligned memory of the calling thread; each use of a name overwrites the one before."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = getattr(_thread, name, np.empty(0, np.uint8))
    if len(memory) < size + ALIGNMENT:
        memory = np.empty(size + size // 4 + ALIGNMENT, np.uint8)
        setattr(_thread, name, memory)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
