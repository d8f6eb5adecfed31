"""Layers behind a dropout that are computed from its masks, for all passes of an example together.

They are found in a model's graph. A dense layer behind a dropout, with at most reshaping between them, is computed as
the product of masks with the scaled kernel; see `mcviz/sampling/products.py`.

A spatial dropout drops whole channels, and a convolution is a sum over channels. So each channel of an example is
convolved once, and its passes are the product of their masks, zeros and ones for each channel, with the result.
A kernel of 3 × 3 then takes a ninth of the multiplications. Nothing is approximated.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mcviz.sampling.base import MaskedDense
from mcviz.sampling.keras.tracing import Trace, byte_size, find_masked_array, only_consumer
from mcviz.sampling.products import ALIGNMENT
from mcviz.sampling.random_numbers import RandomRequest

LEAST_POSITIONS = 3  # of a kernel, each of which is spared in every pass
MOST_BYTES = 16 << 20  # of the convolved channels of one example


@dataclass(frozen=True)
class TracedDense(MaskedDense):
    """The dense layer, as it was found in a graph.

    Attributes:
        product: the tensor in the graph that it replaces, (rows, units).
    """

    product: tf.Tensor


def find_masked_dense(trace: Trace) -> TracedDense | None:
    """Find the dense layer that all of a model's randomness goes through first."""
    if len(trace.boundary) != 1 or trace.boundary[0].dtype != tf.float32:
        return None
    dropout = only_consumer(trace, trace.boundary[0])
    requests = [each for each in trace.requests if not each.shared and find_masked_array(trace, each) == 0]
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
    product, extracted = operation.outputs[0], trace.extract([], [kernel])
    return TracedDense(requests[0], int(product.shape[1]), lambda: extracted()[0].numpy(), multiply, product)


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


def multiply(masks: np.ndarray, scaled: np.ndarray, transposed: bool) -> np.ndarray:
    """Multiply masks by scaled weights; see `MaskedDense`."""
    return tf.raw_ops.MatMul(a=as_tensor(masks), b=as_tensor(scaled), transpose_a=transposed).numpy()


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """Return an array as a tensor, without a copy if it is aligned; do not change it while the tensor is in use."""
    aligned = array.ctypes.data % ALIGNMENT == 0  # TensorFlow ends the process at memory that is not
    if not array.size or not aligned or array.dtype.kind not in "biuf":
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
