"""SpatialDropout → convolution, factored: found in a graph, and computed for all passes of an example together.

A spatial dropout drops whole channels, and a convolution is a sum over channels. So each channel of an example is
convolved once, and its passes are the product of their masks, zeros and ones for each channel, with what that gives.
A kernel of 3 × 3 then takes a ninth of the multiplications. Nothing is approximated.
"""

import math
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from mcviz.model.random_numbers import RandomRequest
from mcviz.model.tracing import Trace, only_consumer, size_of

CHANNEL_SUMS = "channel_sums"
LEAST_POSITIONS = 3  # of a kernel, each of which is spared in every pass
MOST_BYTES = 16 << 20  # of the convolved channels of one example


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
