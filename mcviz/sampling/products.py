"""Masks times scaled weights: the ways to compute that product, by name, and the memory that they work in.

Row by row, a dense layer behind a dropout layer multiplies each pass's masked activations by the kernel. Factored, the
activations scale the kernel once an example, and the passes are the product of their masks, zeros and ones, with the
scaled kernel. Only activations that are not zero take part, few behind a ReLU. Nothing is approximated.

The last bits of the products differ, so a run names the one that it was made by. This file knows arrays alone; the
products are in `subset_sums.py`, which needs numba, and in `masked_layers.py`, which needs TensorFlow.
"""

import math
import threading
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Protocol

import numpy as np

from mcviz.errors import MissingPackageError
from mcviz.extras import INSTALL_NUMBA

MATMUL, SUBSET_SUMS, CHANNEL_SUMS = "matmul", "subset_sums", "channel_sums"
PRODUCTS = MATMUL, SUBSET_SUMS  # of a dense layer
ALL_PRODUCTS = (*PRODUCTS, CHANNEL_SUMS)  # with that of a convolution
ALIGNMENT = 64  # TensorFlow takes memory over without a copy from here on


class Product(Protocol):
    """A way to compute masks times scaled weights.

    It works in memory that the thread keeps, so a thread works on one example at a time.
    """

    def __init__(self, kernel: np.ndarray) -> None:
        """For a kernel (n, units) float32."""

    def common_mask(self, kept: np.ndarray) -> np.ndarray:
        """A mask that the examples share, (passes, n) bool, in the form that `under_common_masks` takes."""

    def under_common_masks(
        self, products: np.ndarray, example: int, passes: range, activations: np.ndarray, masks: Sequence[np.ndarray]
    ) -> None:
        """Fill the product of one example, under masks that the examples share.

        Args:
            products: (blocks, examples, passes, units) float32, to be filled for the example.
            example: which of the examples it is.
            passes: those that are wanted, counted through all blocks; what the others get does not matter.
            activations: (n,) float32, what the dropout layer gets, already divided by 1 - rate.
            masks: one a block, from `common_mask`.
        """

    def under_own_masks(
        self,
        products: np.ndarray,
        example: int,
        passes: range,
        activations: np.ndarray,
        generators: Sequence[np.random.Generator],
        rate: float,
    ) -> None:
        """Fill the product of one example, under masks of its own, drawn for the activations that are not zero.

        Args:
            products: as for `under_common_masks`.
            example: likewise.
            passes: likewise.
            activations: likewise.
            generators: of the masks, one a block.
            rate: of the dropout.
        """


@cache
def why_no_subset_sums() -> str:
    """Why this Python cannot add up subsets, or ""."""
    try:
        import_module("mcviz.sampling.vector_code")  # which imports all that they need
    except (ImportError, OSError) as error:
        return str(error)
    return ""


def is_there(product: str | None) -> bool:
    """Whether this machine has a way to compute the product."""
    return product in ALL_PRODUCTS and not (product == SUBSET_SUMS and why_no_subset_sums())


def check_product(name: str | None) -> None:
    """Check that this machine has a way to compute the product.

    Raises:
        MissingPackageError: it has not.
    """
    if name not in ALL_PRODUCTS:
        raise MissingPackageError(
            f"The masks were multiplied in a way that this mcviz does not have. Received: {name!r:.60}. "
            "Use the version of mcviz that wrote the run."
        )
    if name == SUBSET_SUMS and (why_not := why_no_subset_sums()):
        raise MissingPackageError(
            f"The masks were multiplied by sums of subsets, which need numba, and it cannot be imported: {why_not}. "
            f"Type: {INSTALL_NUMBA}"
        )


_of_thread = threading.local()


def memory_of_thread(name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Memory of the calling thread, aligned; what it was last asked for under this name is overwritten."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = getattr(_of_thread, name, np.empty(0, np.uint8))
    if len(memory) < size + ALIGNMENT:
        memory = np.empty(size + size // 4 + ALIGNMENT, np.uint8)
        setattr(_of_thread, name, memory)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
