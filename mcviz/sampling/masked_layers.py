"""Layers behind a dropout that are computed from its masks, for all passes of an example together.

They are found in a model's graph. Of a dense layer behind a dropout, with at most reshaping between them, what is
computed is the product of masks with the scaled kernel; see `products.py`.

A spatial dropout drops whole channels, and a convolution is a sum over channels. So each channel of an example is
convolved once, and its passes are the product of their masks, zeros and ones for each channel, with what that gives.
A kernel of 3 × 3 then takes a ninth of the multiplications. Nothing is approximated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mcviz.sampling.products import ALIGNMENT, MATMUL, SUBSET_SUMS, memory_of_thread, why_no_subset_sums
from mcviz.sampling.random_numbers import RandomRequest, bernoulli
from mcviz.sampling.tracing import Trace, masked_tensor, only_consumer, size_of

LEAST_POSITIONS = 3  # of a kernel, each of which is spared in every pass
MOST_BYTES = 16 << 20  # of the convolved channels of one example


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


@dataclass(frozen=True)
class MaskedConvolution:
    """A convolution of masked channels, found in a graph.

    Attributes:
        request: the dropout's, for its masks.
        number: of the tensor of the boundary that is masked, (rows, ..., channels).
        kernel: () to [(height, width, channels, filters) float32].
        operation: the convolution in the graph, whose output is replaced.
    """

    request: RandomRequest
    number: int
    kernel: Any
    operation: Any

    @property
    def product(self) -> tf.Tensor:
        """What is replaced: (rows, height, width, filters)."""
        return self.operation.outputs[0]

    def of_passes(self, examples: tf.Tensor, masks: tf.Tensor) -> tf.Tensor:
        """The convolution of some examples in each of their passes.

        Args:
            examples: (E, ..., channels), as in the boundary.
            masks: (E × T, ..., channels) bool, all passes of one example, then of the next.

        Returns:
            (E × T, height, width, filters) float32.
        """
        count, of_one = examples.shape[0], self.product.shape[1:]
        (kernel,) = self.kernel()
        height, width, channels, filters = kernel.shape
        patches = tf.image.extract_patches(
            tf.reshape(examples, (count, *self.operation.inputs[0].shape[1:])),
            sizes=[1, height, width, 1],
            strides=self.operation.get_attr("strides"),
            rates=[1, 1, 1, 1],
            padding=self.operation.get_attr("padding").decode(),
        )
        by_channel = tf.reshape(patches, (-1, height * width, channels))
        convolved = tf.matmul(
            tf.transpose(by_channel, (2, 0, 1)), tf.transpose(tf.reshape(kernel, (-1, channels, filters)), (1, 0, 2))
        )
        convolved = tf.transpose(tf.reshape(convolved, (channels, count, -1)), (1, 0, 2))
        kept = tf.cast(tf.reshape(masks, (count, -1, channels)), tf.float32)
        return tf.reshape(tf.matmul(kept, convolved), (-1, *of_one))


def find_masked_convolutions(trace: Trace) -> tuple[MaskedConvolution, ...]:
    """The convolutions right behind a dropout of whole channels, whose inputs are the same in every pass."""
    found = (_behind(trace, request) for request in trace.requests if not request.shared)
    return tuple(each for each in found if each)


def _behind(trace: Trace, request: RandomRequest) -> MaskedConvolution | None:
    select = only_consumer(trace, trace.numbers[request.number])
    if select is None or select.type != "SelectV2":
        return None
    number = next((k for k, tensor in enumerate(trace.boundary) if tensor is select.inputs[1]), None)
    operation = only_consumer(trace, select.outputs[0])
    while operation is not None and operation.type in ("Identity", "ExpandDims"):  # a Conv1D adds an axis
        operation = only_consumer(trace, operation.outputs[0])
    if number is None or operation is None or not _is_plain_convolution(operation):
        return None
    kernel, channels = operation.inputs[1], request.shape[-1]
    height, width, taken, _ = kernel.shape
    bytes_of_one = channels * size_of(operation.outputs[0]) // trace.rows
    if (
        kernel.ref() in trace.random
        or not math.prod(request.shape) == channels == taken == trace.boundary[number].shape[-1]
        or height * width < LEAST_POSITIONS
        or bytes_of_one > MOST_BYTES
        or operation.inputs[0].shape[0] != trace.rows
    ):
        return None
    return MaskedConvolution(request, number, trace.part([], [kernel]), operation)


def _is_plain_convolution(operation: Any) -> bool:
    return (
        operation.type == "Conv2D"
        and operation.inputs[0].dtype == tf.float32
        and operation.get_attr("data_format") == b"NHWC"
        and operation.get_attr("padding") in (b"SAME", b"VALID")
        and set(operation.get_attr("dilations")) == {1}
    )


def default_product() -> str:
    """The quickest product that this machine has: the matrix product on a GPU, or else sums of subsets."""
    return MATMUL if tf.config.list_physical_devices("GPU") or why_no_subset_sums() else SUBSET_SUMS


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


def tensor_of(array: np.ndarray) -> tf.Tensor:
    """An array as a tensor, without a copy if it is aligned; it must stay as it is while the tensor is in use."""
    if not array.size or array.ctypes.data % ALIGNMENT:  # TensorFlow ends the process at memory that is not aligned
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
