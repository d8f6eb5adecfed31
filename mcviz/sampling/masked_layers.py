"""Layers behind a dropout that are computed from its masks, for all passes of an example together.

They are found in a model's graph. A dense layer behind a dropout, with at most reshaping between them, is computed as
the product of masks with the scaled kernel; see `products.py`.

A spatial dropout drops whole channels, and a convolution is a sum over channels. So each channel of an example is
convolved once, and its passes are the product of their masks, zeros and ones for each channel, with the result.
A kernel of 3 × 3 then takes a ninth of the multiplications. Nothing is approximated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mcviz.sampling.products import ALIGNMENT, MATMUL, SUBSET_SUMS, subset_sums_error, thread_memory
from mcviz.sampling.random_numbers import RandomRequest, bernoulli
from mcviz.sampling.tracing import Trace, byte_size, find_masked_tensor, only_consumer

LEAST_POSITIONS = 3  # of a kernel, each of which is spared in every pass
MOST_BYTES = 16 << 20  # of the convolved channels of one example


@dataclass(frozen=True)
class MaskedDense:
    """The product of masked activations and a kernel, found in a graph.

    Attributes:
        request: for the masks of the dropout.
        kernel: () to [(n, units) float32].
        product: the tensor in the graph that it replaces, (rows, units).
    """

    request: RandomRequest
    kernel: Any
    product: tf.Tensor

    @property
    def units(self) -> int:
        """The number of outputs of the layer."""
        return int(self.product.shape[1])


def find_masked_dense(trace: Trace) -> MaskedDense | None:
    """Find the dense layer that all of a model's randomness goes through first."""
    if len(trace.boundary) != 1 or trace.boundary[0].dtype != tf.float32:
        return None
    dropout = only_consumer(trace, trace.boundary[0])
    requests = [each for each in trace.requests if not each.shared and find_masked_tensor(trace, each) == 0]
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
    return MaskedDense(requests[0], trace.extract([], [kernel]), operation.outputs[0])


@dataclass(frozen=True)
class MaskedConvolution:
    """A convolution of masked channels, found in a graph.

    Attributes:
        request: for the masks of the dropout.
        tensor_number: of the boundary tensor that is masked, (rows, ..., channels).
        kernel: () to [(height, width, channels, filters) float32].
        operation: the convolution in the graph, whose output it replaces.
    """

    request: RandomRequest
    tensor_number: int
    kernel: Any
    operation: Any

    @property
    def product(self) -> tf.Tensor:
        """The tensor in the graph that it replaces, (rows, height, width, filters)."""
        return self.operation.outputs[0]

    def convolve(self, examples: tf.Tensor, masks: tf.Tensor) -> tf.Tensor:
        """Convolve some examples in each of their passes.

        Args:
            examples: (E, ..., channels), as in the boundary.
            masks: (E × T, ..., channels) bool, all passes of one example, then of the next.

        Returns:
            (E × T, height, width, filters) float32.
        """
        count, shape = examples.shape[0], self.product.shape[1:]
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
        channel_masks = tf.cast(tf.reshape(masks, (count, -1, channels)), tf.float32)
        return tf.reshape(tf.matmul(channel_masks, convolved), (-1, *shape))


def find_masked_convolutions(trace: Trace) -> tuple[MaskedConvolution, ...]:
    """Find the convolutions right behind a dropout of whole channels, whose inputs are the same in every pass."""
    convolutions = (_find_convolution(trace, request) for request in trace.requests if not request.shared)
    return tuple(each for each in convolutions if each)


def _find_convolution(trace: Trace, request: RandomRequest) -> MaskedConvolution | None:
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
    height, width, kernel_channels, _ = kernel.shape
    bytes_per_example = channels * byte_size(operation.outputs[0]) // trace.rows
    if (
        kernel.ref() in trace.random
        or not math.prod(request.shape) == channels == kernel_channels == trace.boundary[number].shape[-1]
        or height * width < LEAST_POSITIONS
        or bytes_per_example > MOST_BYTES
        or operation.inputs[0].shape[0] != trace.rows
    ):
        return None
    return MaskedConvolution(request, number, trace.extract([], [kernel]), operation)


def _is_plain_convolution(operation: Any) -> bool:
    return (
        operation.type == "Conv2D"
        and operation.inputs[0].dtype == tf.float32
        and operation.get_attr("data_format") == b"NHWC"
        and operation.get_attr("padding") in (b"SAME", b"VALID")
        and set(operation.get_attr("dilations")) == {1}
    )


def default_product() -> str:
    """Choose the quickest product of this machine: the matrix product on a GPU, or else sums of subsets."""
    return MATMUL if tf.config.list_physical_devices("GPU") or subset_sums_error() else SUBSET_SUMS


class MatrixProduct:
    """See `Product`: by TensorFlow's matrix product of the masks as floats with the scaled weights."""

    def __init__(self, kernel: np.ndarray) -> None:
        self._kernel = kernel

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
            block[example] = _matmul(active_mask, scaled, transposed=True)

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
            block[example] = _matmul(mask, scaled, transposed=False)

    def _scale_kernel(self, activations: np.ndarray) -> tuple[np.ndarray, tf.Tensor]:
        """Return the indices of the activations that are not zero, and their rows of the kernel, times them."""
        active = np.flatnonzero(activations)
        scaled = thread_memory("kernel", (len(active), self._kernel.shape[1]), np.float32)
        np.take(self._kernel, active, axis=0, out=scaled, mode="clip")
        scaled *= activations[active, None]
        return active, as_tensor(scaled)


def _matmul(mask: np.ndarray, scaled: tf.Tensor, *, transposed: bool) -> np.ndarray:
    factors = thread_memory("factors", mask.shape, np.float32)
    np.copyto(factors, mask)
    return tf.raw_ops.MatMul(a=as_tensor(factors), b=scaled, transpose_a=transposed).numpy()


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """Return an array as a tensor, without a copy if it is aligned; do not change it while the tensor is in use."""
    if not array.size or array.ctypes.data % ALIGNMENT:  # TensorFlow ends the process at memory that is not aligned
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
