"""Dropout → Flatten → Dense, factored: found in a graph, and computed for all passes of one example together.

Row by row, a dense layer behind a dropout layer multiplies each pass's masked activations by the kernel. Factored, the
activations scale the kernel once an example, and the passes are the product of their masks, zeros and ones, with the
scaled kernel. Only activations that are not zero take part, few behind a ReLU. Nothing is approximated.

`PRODUCTS` has the two ways to compute that product. Their last bits differ, so a run names the one that it was made by.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from mcviz.errors import MissingPackageError
from mcviz.extras import INSTALL_NUMBA
from mcviz.model.masked_convolution import CHANNEL_SUMS
from mcviz.model.random_numbers import RandomRequest, bernoulli
from mcviz.model.tracing import Trace, masked_tensor, only_consumer

ALIGNMENT = 64  # TensorFlow takes memory over without a copy from here on


@dataclass(frozen=True)
class MaskedDense:
    """The product of masked activations and a kernel, found in a graph.

    Attributes:
        request: the dropout's, for its masks.
        kernel: () to [(n, units) float32].
        product: the tensor in the graph that is replaced, (rows, units).
    """

    request: RandomRequest
    kernel: Any
    product: tf.Tensor

    @property
    def units(self) -> int:
        """How many numbers the layer gives."""
        return int(self.product.shape[1])


def find_masked_dense(trace: Trace) -> MaskedDense | None:
    """The dense layer that all of a model's randomness goes through first, if the graph has one."""
    if len(trace.boundary) != 1 or trace.boundary[0].dtype != tf.float32:
        return None
    dropout = only_consumer(trace, trace.boundary[0])
    requests = [each for each in trace.requests if not each.shared and masked_tensor(trace, each) == 0]
    if dropout is None or len(requests) != 1:
        return None
    tensor = dropout.outputs[0]
    operation = only_consumer(trace, tensor)
    while operation is not None and operation.type in ("Identity", "Reshape"):
        tensor = operation.outputs[0]
        operation = only_consumer(trace, tensor)
    if operation is None or operation.type != "MatMul" or operation.inputs[0] is not tensor:
        return None
    kernel = operation.inputs[1]
    transposed = operation.get_attr("transpose_a") or operation.get_attr("transpose_b")
    if transposed or tensor.shape[0] != trace.rows or kernel.ref() in trace.random:
        return None
    return MaskedDense(requests[0], trace.part([], [kernel]), operation.outputs[0])


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


class MatrixProduct:
    """By TensorFlow's matrix product of the masks as floats with the scaled weights."""

    def __init__(self, kernel: np.ndarray) -> None:
        self._kernel = kernel

    def common_mask(self, kept: np.ndarray) -> np.ndarray:
        """(n, passes) bool."""
        return np.ascontiguousarray(kept.T)

    def under_common_masks(
        self,
        products: np.ndarray,
        example: int,
        passes: range,  # noqa: ARG002 (as `Product`; a product of other sizes would round otherwise)
        activations: np.ndarray,
        masks: Sequence[np.ndarray],
    ) -> None:
        """See `Product`."""
        active, scaled = self._scaled(activations)
        for of_block, mask in zip(products, masks, strict=True):
            of_active = memory_of_thread("mask", (len(active), mask.shape[1]), np.bool_)
            np.take(mask, active, axis=0, out=of_active, mode="clip")
            of_block[example] = _matmul(of_active, scaled, transposed=True)

    def under_own_masks(
        self,
        products: np.ndarray,
        example: int,
        passes: range,  # noqa: ARG002 (likewise)
        activations: np.ndarray,
        generators: Sequence[np.random.Generator],
        rate: float,
    ) -> None:
        """See `Product`."""
        active, scaled = self._scaled(activations)
        for of_block, generator in zip(products, generators, strict=True):
            shape = of_block.shape[1], len(active)
            mask = bernoulli(generator, math.prod(shape), rate).reshape(shape)
            of_block[example] = _matmul(mask, scaled, transposed=False)

    def _scaled(self, activations: np.ndarray) -> tuple[np.ndarray, tf.Tensor]:
        """Which activations are not zero, and their rows of the kernel, times them."""
        active = np.flatnonzero(activations)
        scaled = memory_of_thread("kernel", (len(active), self._kernel.shape[1]), np.float32)
        np.take(self._kernel, active, axis=0, out=scaled, mode="clip")
        scaled *= activations[active, None]
        return active, tensor_of(scaled)


def _matmul(mask: np.ndarray, scaled: tf.Tensor, *, transposed: bool) -> np.ndarray:
    factors = memory_of_thread("factors", mask.shape, np.float32)
    np.copyto(factors, mask)
    return tf.raw_ops.MatMul(a=tensor_of(factors), b=scaled, transpose_a=transposed).numpy()


class SubsetSums:
    """By sums of subsets of the scaled weights' rows, looked up by the masks' bits; see `subset_sums`."""

    def __init__(self, kernel: np.ndarray) -> None:
        self._module, self._random_bits = _subset_sums(), machine_code_of_random_bits()
        self._units = kernel.shape[1]
        self._kernel = np.pad(kernel, ((0, 1), (0, -self._units % self._module.LANES)))

    def common_mask(self, kept: np.ndarray) -> np.ndarray:
        """(n + 1, passes / 32, rounded up) uint32."""
        return self._module.columns_of(kept)

    def under_common_masks(
        self, products: np.ndarray, example: int, passes: range, activations: np.ndarray, masks: Sequence[np.ndarray]
    ) -> None:
        """See `Product`."""
        active = np.flatnonzero(activations != 0)
        rows, words = self._rows(active), self._words(products, len(active))
        for block, columns in enumerate(masks):
            self._module.gather_common(columns, rows, words[:, block])
        self._add_up(products, example, passes, activations[active], rows, words)

    def under_own_masks(
        self,
        products: np.ndarray,
        example: int,
        passes: range,
        activations: np.ndarray,
        generators: Sequence[np.random.Generator],
        rate: float,
    ) -> None:
        """See `Product`."""
        active = np.flatnonzero(activations != 0)
        words, count = self._words(products, len(active)), products.shape[2]
        for block, generator in enumerate(generators):
            bits = self._random_bits.packed_bernoulli(generator, count * len(active), rate)
            self._module.gather_own(bits, len(active), count, words[:, block])
        self._add_up(products, example, passes, activations[active], self._rows(active), words)

    def _rows(self, active: np.ndarray) -> np.ndarray:
        """The rows of the kernel that are scaled: of the activations that are not zero, and that of zeros behind."""
        rows = np.full(len(active) + -len(active) % self._module.IN_WORD, len(self._kernel) - 1)
        rows[: len(active)] = active
        return rows

    def _words(self, products: np.ndarray, active: int) -> np.ndarray:
        """Memory for the mask of the activations that are not zero."""
        in_word = self._module.IN_WORD
        blocks, _, passes, _ = products.shape
        words, passes = (-(-count // in_word) for count in (active, passes))
        return memory_of_thread("words", (words, blocks, passes * in_word), np.uint32)

    def _add_up(
        self,
        products: np.ndarray,
        example: int,
        passes: range,
        factors: np.ndarray,
        rows: np.ndarray,
        words: np.ndarray,
    ) -> None:
        if not len(rows):
            products[:, example] = 0
            return
        width = self._kernel.shape[1]
        padded = np.zeros(len(rows), np.float32)
        padded[: len(factors)] = factors
        tables = memory_of_thread("tables", (self._module.TABLE_ROWS, self._module.TILE), np.float32)
        sums, at = products, example
        if width != self._units:
            sums, at = memory_of_thread("sums", (len(products), 1, products.shape[2], width), np.float32), 0
        self._module.add_up(sums, at, passes.start, passes.stop, padded, rows, self._kernel, words, tables)
        if width != self._units:
            products[:, example] = sums[:, 0, :, : self._units]


MATMUL, SUBSET_SUMS = "matmul", "subset_sums"
PRODUCTS: dict[str, type[Product]] = {MATMUL: MatrixProduct, SUBSET_SUMS: SubsetSums}
ALL_PRODUCTS = (*PRODUCTS, CHANNEL_SUMS)  # with that of a convolution


def default_product() -> str:
    """The quickest product that this machine has: the matrix product on a GPU, or else sums of subsets."""
    return MATMUL if tf.config.list_physical_devices("GPU") or why_no_subset_sums() else SUBSET_SUMS


@cache
def why_no_subset_sums() -> str:
    """Why this Python cannot add up subsets, or ""."""
    try:
        _subset_sums()
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


def _subset_sums() -> ModuleType:
    from mcviz.model import subset_sums

    return subset_sums


def machine_code_of_random_bits() -> ModuleType:
    """The module `random_bits`, which needs numba, as sums of subsets do."""
    from mcviz.model import random_bits

    return random_bits


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


def tensor_of(array: np.ndarray) -> tf.Tensor:
    """An array as a tensor, without a copy if it is aligned; it must stay as it is while the tensor is in use."""
    if not array.size or array.ctypes.data % ALIGNMENT:  # TensorFlow ends the process at memory that is not aligned
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
