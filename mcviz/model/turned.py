"""The short way for Dropout → Flatten → Dense: all passes of one image as one matrix product.

Row by row, a dense layer behind a dropout layer multiplies each pass's masked activations by all weights. Turned
around, the activations scale the weights once an image, and the passes are a matrix product of their masks, zeros and
ones, with the scaled weights. Only activations that are not zero take part, few behind a ReLU. Nothing is approximated.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mcviz.model.draws import Site
from mcviz.model.tracing import Trace, falls_on

ALIGNMENT = 64  # TensorFlow takes memory over without a copy from here on


@dataclass(frozen=True)
class TurnedDense:
    """The product of masked activations and a kernel, found in a graph.

    Attributes:
        site: the dropout's.
        kernel: () to [(n, units) float32].
        product: the tensor in the graph that is replaced, (rows, units).
    """

    site: Site
    kernel: Any
    product: tf.Tensor


def find_turned_dense(trace: Trace) -> TurnedDense | None:
    """The dense layer that all of a model's randomness goes through first, if the graph has one."""
    if len(trace.frontier) != 1 or trace.frontier[0].dtype != tf.float32:
        return None
    dropout = _only_consumer(trace, trace.frontier[0])
    sites = [site for site in trace.sites if not site.shared and falls_on(trace, site) == 0]
    if dropout is None or len(sites) != 1:
        return None
    tensor = dropout.outputs[0]
    operation = _only_consumer(trace, tensor)
    while operation is not None and operation.type in ("Identity", "Reshape"):
        tensor = operation.outputs[0]
        operation = _only_consumer(trace, tensor)
    if operation is None or operation.type != "MatMul" or operation.inputs[0] is not tensor:
        return None
    kernel = operation.inputs[1]
    turned = operation.get_attr("transpose_a") or operation.get_attr("transpose_b")
    if turned or tensor.shape[0] != trace.rows or kernel.ref() in trace.random:
        return None
    return TurnedDense(sites[0], trace.part([], [kernel]), operation.outputs[0])


def _only_consumer(trace: Trace, tensor: tf.Tensor) -> Any:
    consumers = [op for op in tensor.consumers() if any(out.ref() in trace.random for out in op.outputs)]
    return consumers[0] if len(consumers) == 1 else None


class Product:
    """The work of one image: its scaled weights, times the masks of any number of blocks of passes."""

    def __init__(self, activations: np.ndarray, kernel: np.ndarray) -> None:
        """Scale the weights.

        Args:
            activations: (n,) float32, what the dropout layer gets, already divided by 1 - rate.
            kernel: (n, units) float32.
        """
        self.active = np.flatnonzero(activations)
        scaled = _aligned((len(self.active), kernel.shape[1]))
        np.take(kernel, self.active, axis=0, out=scaled, mode="clip")
        scaled *= activations[self.active, None]
        self._scaled = _tensor(scaled)
        self._memory = np.empty(0, np.float32)

    def passes_first(self, kept: np.ndarray) -> np.ndarray:
        """(passes, units) float32 for masks (passes, active) bool of the active activations."""
        return self._times(kept, transposed=False)

    def activations_first(self, kept: np.ndarray) -> np.ndarray:
        """(passes, units) float32 for masks (n, passes) bool of all activations."""
        return self._times(kept[self.active], transposed=True)

    def _times(self, kept: np.ndarray, *, transposed: bool) -> np.ndarray:
        if kept.size != self._memory.size:
            self._memory = _aligned((kept.size,))
        masks = self._memory.reshape(kept.shape)
        np.copyto(masks, kept)
        return tf.raw_ops.MatMul(a=_tensor(masks), b=self._scaled, transpose_a=transposed).numpy()


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    memory = np.empty(size + ALIGNMENT // 4, np.float32)
    start = -memory.ctypes.data % ALIGNMENT // 4
    return memory[start : start + size].reshape(shape)


def _tensor(array: np.ndarray) -> tf.Tensor:
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__()) if array.size else tf.constant(array)
