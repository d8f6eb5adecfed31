"""Dropout → Flatten → Dense, factored: all passes of one example as one matrix product.

Row by row, a dense layer behind a dropout layer multiplies each pass's masked activations by the kernel. Factored, the
activations scale the kernel once an example, and the passes are a matrix product of their masks, zeros and ones, with
the scaled kernel. Only activations that are not zero take part, few behind a ReLU. Nothing is approximated.
"""

import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mcviz.model.random_numbers import RandomRequest
from mcviz.model.tracing import Trace, masked_tensor

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


def find_masked_dense(trace: Trace) -> MaskedDense | None:
    """The dense layer that all of a model's randomness goes through first, if the graph has one."""
    if len(trace.boundary) != 1 or trace.boundary[0].dtype != tf.float32:
        return None
    dropout = _only_consumer(trace, trace.boundary[0])
    requests = [each for each in trace.requests if not each.shared and masked_tensor(trace, each) == 0]
    if dropout is None or len(requests) != 1:
        return None
    tensor = dropout.outputs[0]
    operation = _only_consumer(trace, tensor)
    while operation is not None and operation.type in ("Identity", "Reshape"):
        tensor = operation.outputs[0]
        operation = _only_consumer(trace, tensor)
    if operation is None or operation.type != "MatMul" or operation.inputs[0] is not tensor:
        return None
    kernel = operation.inputs[1]
    transposed = operation.get_attr("transpose_a") or operation.get_attr("transpose_b")
    if transposed or tensor.shape[0] != trace.rows or kernel.ref() in trace.random:
        return None
    return MaskedDense(requests[0], trace.part([], [kernel]), operation.outputs[0])


def _only_consumer(trace: Trace, tensor: tf.Tensor) -> Any:
    consumers = [op for op in tensor.consumers() if any(out.ref() in trace.random for out in op.outputs)]
    return consumers[0] if len(consumers) == 1 else None


class ScaledKernel:
    """A kernel times the activations of one example, to be multiplied by the masks of any number of blocks of passes.

    It lies, as the masks do, in memory that the thread keeps, so a thread works on one example at a time.
    """

    def __init__(self, activations: np.ndarray, kernel: np.ndarray) -> None:
        """Scale the kernel.

        Args:
            activations: (n,) float32, what the dropout layer gets, already divided by 1 - rate.
            kernel: (n, units) float32.
        """
        self.active = np.flatnonzero(activations)
        scaled = memory_of_thread("kernel", (len(self.active), kernel.shape[1]), np.float32)
        np.take(kernel, self.active, axis=0, out=scaled, mode="clip")
        scaled *= activations[self.active, None]
        self._scaled = tensor_of(scaled)

    def masked(self, mask: np.ndarray) -> np.ndarray:
        """(passes, units) float32 for a mask (passes, active) bool of the active activations."""
        return self._product(mask, transposed=False)

    def masked_by_columns(self, mask: np.ndarray) -> np.ndarray:
        """(passes, units) float32 for a mask (n, passes) bool of all activations."""
        of_active = memory_of_thread("mask", (len(self.active), mask.shape[1]), np.bool_)
        np.take(mask, self.active, axis=0, out=of_active, mode="clip")
        return self._product(of_active, transposed=True)

    def _product(self, mask: np.ndarray, *, transposed: bool) -> np.ndarray:
        factors = memory_of_thread("factors", mask.shape, np.float32)
        np.copyto(factors, mask)
        return tf.raw_ops.MatMul(a=tensor_of(factors), b=self._scaled, transpose_a=transposed).numpy()


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
