"""A model as a graph whose random numbers are inputs, cut where passes differ.

The operations behind the cut decide whether XLA compiles it: its loops are fast, its convolutions slower than
TensorFlow's. `python benchmarks/sampling.py --parts compiling` measures the networks behind this rule.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import keras
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.sampling import base
from mcviz.sampling.base import NO_COMPILER, XLA, NoRandomnessReachesOutputError
from mcviz.sampling.graph import UntraceableError, cut_graph, find_behind, find_needed
from mcviz.sampling.keras.stochastic import StochasticLayers, layers_in_call
from mcviz.sampling.masks import Distribution, RandomRequest
from mcviz.text import reason

TENSORFLOW_RANDOM_OPERATIONS = (
    "Multinomial", "ParameterizedTruncatedNormal", "RandomGamma", "RandomPoisson", "RandomShuffle",
    "RandomStandardNormal", "RandomUniform", "StatefulStandardNormal", "StatefulUniform", "StatelessMultinomial",
    "StatelessParameterizedTruncatedNormal", "StatelessRandom", "StatelessTruncatedNormal", "TruncatedNormal",
)  # fmt: skip

CONVOLUTIONS = "Conv", "DepthwiseConv"  # prefixes of operations

Call = Callable[[tf.Tensor], tf.Tensor]

wrap_model_errors = partial(base.wrap_model_errors, "model.predict")


class SuppliedNumbers:
    """Random numbers, supplied request by request.

    Attributes:
        requests: the requests so far.
        callers: for each request, the layers in call.
    """

    def __init__(self, rows: int, supply: Callable[[RandomRequest], Any]) -> None:
        self.rows, self.supply = rows, supply
        self.requests: list[RandomRequest] = []
        self.callers: list[tuple[keras.Layer, ...]] = []

    def dropout(self, inputs: tf.Tensor, rate: float, noise_shape: Any) -> tf.Tensor:
        """Drop inputs by a supplied mask and scale the others up."""
        if rate >= 1:
            return tf.zeros_like(inputs)
        if rate <= 0:
            return inputs
        sizes = [None] * len(inputs.shape) if noise_shape is None else noise_shape
        shape = [inputs.shape[axis] if size is None else size for axis, size in enumerate(sizes)]
        mask = self._request("bernoulli", shape, rate)
        return tf.where(mask, inputs * tf.cast(1 / (1 - rate), inputs.dtype), tf.zeros_like(inputs))

    def uniform(self, shape: Any, minval: float, maxval: float, dtype: Any) -> tf.Tensor:
        """Return supplied uniform numbers in a range."""
        numbers = minval + (maxval - minval) * self._request("uniform", shape)
        return tf.cast(numbers, dtype or keras.config.floatx())

    def normal(self, shape: Any, mean: float, stddev: float, dtype: Any) -> tf.Tensor:
        """Return supplied normal numbers with a mean and deviation."""
        return tf.cast(mean + stddev * self._request("normal", shape), dtype or keras.config.floatx())

    def _request(self, distribution: Distribution, shape: Any, rate: float = 0.0) -> tf.Tensor:
        sizes = tf.get_static_value(tf.convert_to_tensor(shape))
        if sizes is None:
            raise UntraceableError("random numbers whose count is not known before the call")
        first, *others = (int(size) for size in sizes)
        shared = first == 1 < self.rows
        if not shared and first % self.rows:
            raise UnsuitableModelError(
                "A layer draws random numbers whose first axis is not the batch. "
                f"Received: shape {(first, *others)} for a batch of {self.rows}. Make the batch the first axis."
            )
        inner = tuple(others) if shared or first == self.rows else (first // self.rows, *others)
        request = RandomRequest(len(self.requests), distribution, float(rate), inner, shared)
        self.requests.append(request)
        self.callers.append(layers_in_call())
        numbers = self.supply(request)
        return numbers if len(inner) == len(others) else tf.reshape(numbers, (first, *others))


class NoRandomness:
    """Numbers that change nothing, for the deterministic model."""

    def dropout(self, inputs: tf.Tensor, rate: float, noise_shape: Any) -> tf.Tensor:  # noqa: ARG002
        """Return the inputs as they are."""
        return inputs

    def uniform(self, shape: Any, minval: float, maxval: float, dtype: Any) -> tf.Tensor:  # noqa: ARG002
        """Return the upper end, which drops nothing."""
        return tf.fill(shape, tf.cast(maxval, dtype or keras.config.floatx()))

    def normal(self, shape: Any, mean: float, stddev: float, dtype: Any) -> tf.Tensor:  # noqa: ARG002
        """Return the mean."""
        return tf.fill(shape, tf.cast(mean, dtype or keras.config.floatx()))


@dataclass(frozen=True)
class Trace:
    """A model as a graph for a fixed number of rows.

    Attributes:
        rows: of the batch.
        function: TensorFlow's function of the graph.
        inputs: the examples, (rows, ...).
        requests: for random numbers, in order.
        numbers: the inputs for the random numbers, one a request, (rows, *request.shape).
        output: (rows, C).
        boundary: the tensors that all passes share and the random part starts from.
        random: references of the tensors that depend on the random numbers.
        random_layers: the layers whose random numbers reach the output, and their callers.
    """

    rows: int
    function: Any
    inputs: tf.Tensor
    requests: tuple[RandomRequest, ...]
    numbers: tuple[tf.Tensor, ...]
    output: tf.Tensor
    boundary: tuple[tf.Tensor, ...]
    random: frozenset[Any]
    random_layers: frozenset[keras.Layer]

    def extract(self, feeds: Sequence[tf.Tensor], fetches: Sequence[tf.Tensor]) -> Callable[..., list[tf.Tensor]]:
        """Return a function from some tensors of the graph to others."""
        return compile_function(
            self.function.prune(list(feeds), list(fetches)), [(feed.shape, feed.dtype) for feed in feeds]
        )


def trace(layers: StochasticLayers, call: Call, rows: int, shape: tuple[int, ...], dtype: str) -> Trace:
    """Trace `call` on (rows, *shape), with stochastic layers on.

    Raises:
        NoRandomnessReachesOutputError: no random number reaches the output.
        UntraceableError: the model cannot become a graph with its random numbers as inputs.
        UnsuitableModelError: it draws numbers that mcviz cannot supply.
    """
    numbers: list[tf.Tensor] = []
    graphs: list[Any] = []

    def supply(request: RandomRequest) -> tf.Tensor:
        if tf.compat.v1.get_default_graph() is not graphs[0]:
            raise UntraceableError("random numbers drawn anew in each step of a loop")
        kind = tf.bool if request.distribution == "bernoulli" else tf.float32
        numbers.append(tf.compat.v1.placeholder(kind, (rows, *request.shape)))
        return numbers[-1]

    source = SuppliedNumbers(rows, supply)

    def traced(examples: tf.Tensor) -> tf.Tensor:
        graphs.append(tf.compat.v1.get_default_graph())
        with layers.switch(source, on=True):
            return tf.identity(call(examples))

    function = tf.compat.v1.wrap_function(traced, [tf.TensorSpec((rows, *shape), dtype)])
    _check_randomness(function.graph)
    inputs, output = function.inputs[0], function.outputs[0]
    references, random = cut_graph(_steps(function.graph), [inputs.ref()], [tensor.ref() for tensor in numbers])
    if output.ref() not in random:
        raise NoRandomnessReachesOutputError
    boundary = tuple(reference.deref() for reference in references)
    if not all(_is_by_example(tensor, rows) for tensor in boundary):
        boundary = (inputs,)
    needed = find_needed([output.ref()], list_inputs)
    random_layers = frozenset(
        layer
        for number, callers in zip(numbers, source.callers, strict=True)
        if number.ref() in needed
        for layer in callers
    )
    requests = tuple(source.requests)
    return Trace(rows, function, inputs, requests, tuple(numbers), output, boundary, random, random_layers)


def trace_deterministic(layers: StochasticLayers, call: Call, rows: int, shape: tuple[int, ...], dtype: str) -> Any:
    """Trace `call` on (rows, *shape), with all randomness off."""

    def traced(examples: tf.Tensor) -> tf.Tensor:
        with layers.switch(NoRandomness(), on=False):
            return tf.identity(call(examples))

    function = tf.compat.v1.wrap_function(traced, [tf.TensorSpec((rows, *shape), dtype)])
    return compile_function(function, [((rows, *shape), dtype)])


def compile_function(function: Callable[..., Any], inputs: Sequence[tuple[Any, Any]], *, xla: bool = False) -> Any:
    """Make a graph of a function of tensors.

    Args:
        function: of tensors; its calls no longer look for matching signatures.
        inputs: the (shape, dtype) of each tensor.
        xla: whether XLA compiles it, in the first call.
    """
    specifications = [tf.TensorSpec(shape, dtype) for shape, dtype in inputs]
    return tf.function(
        lambda *tensors: function(*tensors), input_signature=specifications, autograph=False, jit_compile=xla or None
    ).get_concrete_function()


def default_compiler(trace: Trace) -> str:
    """Choose a random part's compiler: XLA, except for convolutions.

    The part has no masked dense layer.
    """
    if _has_convolution(trace) or xla_error():
        return NO_COMPILER
    return XLA


def _has_convolution(trace: Trace) -> bool:
    graph = trace.function.graph
    repeated = [op.type for op in graph.get_operations() if any(out.ref() in trace.random for out in op.outputs)]
    inside_loops = (node.op for node in function_nodes(graph.as_graph_def()))
    return any(kind.startswith(CONVOLUTIONS) for kind in [*repeated, *inside_loops])


@cache
def xla_error() -> str:
    """Return why this TensorFlow cannot compile by XLA, or ""."""
    try:
        tf.function(lambda: tf.zeros(1) + 1, jit_compile=True)()
    except (tf.errors.OpError, ValueError, NotImplementedError) as error:
        return reason(error)
    return ""


def only_consumer(trace: Trace, tensor: tf.Tensor) -> Any:
    """Return the only consumer of a tensor in the random part, or None."""
    consumers = [op for op in tensor.consumers() if any(out.ref() in trace.random for out in op.outputs)]
    return consumers[0] if len(consumers) == 1 else None


def largest_activation_bytes(trace: Trace, start: Sequence[tf.Tensor]) -> int:
    """Return bytes per row of the largest tensor from `start` on."""
    behind = find_behind(_steps(trace.function.graph), [tensor.ref() for tensor in start])
    return max(byte_size(reference.deref()) for reference in behind) // trace.rows


def find_masked_array(trace: Trace, request: RandomRequest) -> int | None:
    """Return the index of the boundary tensor that a mask multiplies, or None."""
    for number, tensor in enumerate(trace.boundary):
        for operation in trace.numbers[request.number].consumers():
            if (
                operation.type == "SelectV2"
                and operation.inputs[1] is tensor
                and request.shape == tuple(tensor.shape[1:])
            ):
                return number
    return None


def list_inputs(reference: Any) -> list[Any]:
    """Return the inputs of a tensor's operation."""
    return [tensor.ref() for tensor in reference.deref().op.inputs]


def _steps(graph: Any) -> list[tuple[list[Any], list[Any]]]:
    return [
        ([tensor.ref() for tensor in operation.inputs], [tensor.ref() for tensor in operation.outputs])
        for operation in graph.get_operations()
    ]


def _is_by_example(tensor: tf.Tensor, rows: int) -> bool:
    shape = tensor.shape
    return bool(shape.is_fully_defined() and shape.rank and shape[0] == rows and byte_size(tensor))


def _check_randomness(graph: Any) -> None:
    definition = graph.as_graph_def()
    for node in [*definition.node, *function_nodes(definition)]:
        if node.op.startswith(TENSORFLOW_RANDOM_OPERATIONS):
            raise UnsuitableModelError(
                "The model draws random numbers that do not come from Keras, so no seed can fix them. "
                f"Received: {node.op} in {node.name}. Use keras.random in that layer."
            )


def function_nodes(definition: Any) -> list[Any]:
    """Return nodes of called functions, with bodies of loops."""
    return [node for function in definition.library.function for node in function.node_def]


def byte_size(tensor: tf.Tensor) -> int:
    """Return a tensor's bytes, 0 if unknown before the call."""
    if not tensor.shape.is_fully_defined() or tensor.dtype in (tf.resource, tf.variant, tf.string):
        return 0
    return math.prod(tensor.shape.as_list()) * tensor.dtype.size
