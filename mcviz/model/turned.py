"""The short way for Dropout → Flatten → Dense: all passes of one image as one matrix product.

Row by row, a dense layer behind a dropout layer multiplies each pass's masked activations by all weights. Turned
around, the activations scale the weights once an image, and the passes are a matrix product of their masks, zeros and
ones, with the scaled weights. Only activations that are not zero take part, few behind a ReLU. Nothing is approximated.
"""

import math
import threading
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
    """The work of one image: its scaled weights, times the masks of any number of blocks of passes.

    The weights and the masks lie in memory that the thread keeps, so a thread works on one image at a time.
    """

    def __init__(self, activations: np.ndarray, kernel: np.ndarray) -> None:
        """Scale the weights.

        Args:
            activations: (n,) float32, what the dropout layer gets, already divided by 1 - rate.
            kernel: (n, units) float32.
        """
        self.active = np.flatnonzero(activations)
        scaled = memory_of_thread("weights", (len(self.active), kernel.shape[1]), np.float32)
        np.take(kernel, self.active, axis=0, out=scaled, mode="clip")
        scaled *= activations[self.active, None]
        self._scaled = tensor_of(scaled)

    def passes_first(self, kept: np.ndarray) -> np.ndarray:
        """(passes, units) float32 for masks (passes, active) bool of the active activations."""
        return self._times(kept, transposed=False)

    def activations_first(self, kept: np.ndarray) -> np.ndarray:
        """(passes, units) float32 for masks (n, passes) bool of all activations."""
        mine = memory_of_thread("kept", (len(self.active), kept.shape[1]), np.bool_)
        np.take(kept, self.active, axis=0, out=mine, mode="clip")
        return self._times(mine, transposed=True)

    def _times(self, kept: np.ndarray, *, transposed: bool) -> np.ndarray:
        masks = memory_of_thread("masks", kept.shape, np.float32)
        np.copyto(masks, kept)
        return tf.raw_ops.MatMul(a=tensor_of(masks), b=self._scaled, transpose_a=transposed).numpy()


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
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__()) if array.size else tf.constant(array)
