"""The plan of a Keras model: shared part, random part and blocks.

A dense layer behind a dropout, with at most reshaping between, is a `Product` of masks with the scaled kernel. A
convolution behind a spatial dropout is a sum over channels: each channel is convolved once, and masks weigh the
results. A 3 × 3 kernel takes a ninth of the multiplications. Both are exact.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.choices import Predicts
from mcviz.errors import UnsuitableModelError
from mcviz.sampling.base import (
    DEFAULT_SETTINGS,
    NO_COMPILER,
    PASSES_PER_BLOCK,
    SHARED_BLOCK,
    XLA,
    Inputs,
    ModelSettings,
    OutputMeaning,
    Plan,
    RandomPart,
    are_label_logits,
    are_logits,
    are_pixel_logits,
    check_output,
    check_regression,
    check_same_width,
    choose_block,
    choose_outputs,
    choose_shared_block,
    describe_classes,
    describe_labels,
    describe_pixels,
    describe_values,
    guess_activation,
    name_chosen,
)
from mcviz.sampling.examples import make_random_examples
from mcviz.sampling.graph import TracedDense, UntraceableError
from mcviz.sampling.keras.internals import nest_input
from mcviz.sampling.keras.stochastic import StochasticLayers
from mcviz.sampling.keras.texts import TextLayer
from mcviz.sampling.keras.tracing import (
    Call,
    NoRandomness,
    SuppliedNumbers,
    Trace,
    byte_size,
    compile_function,
    default_compiler,
    find_masked_array,
    largest_activation_bytes,
    only_consumer,
    trace,
    trace_deterministic,
    wrap_model_errors,
)
from mcviz.sampling.masks import ALIGNMENT, RandomRequest, draw_from
from mcviz.tasks import TASKS
from mcviz.text import reason

UNCHANGING_OPERATIONS = ("Cast", "Identity", "Reshape", "StopGradient")

LEAST_POSITIONS = 3  # of a kernel, each of which is spared in every pass
MOST_BYTES = 16 << 20  # of the convolved channels of one example

MOST_BYTES_OF_EXAMPLE = 1 << 30
NO_GRAPH = (UntraceableError, AttributeError, NotImplementedError, tf.errors.OperatorNotAllowedInGraphError)


def pick_output(
    model: keras.Model, returned: Any, name: str | None, predicts: Predicts, of_pixels: bool = False
) -> tuple[tf.Tensor, str]:
    """Return a named or the only output as (rows, C), or `of_pixels` (rows, H, W, C), and its name in words.

    A mean and spread in two outputs are concatenated.

    Raises:
        InvalidInputError: several outputs and no name, or an unknown name.
        UnsuitableModelError: the output is not one row of numbers for each example.
    """
    names = [str(name) for name in getattr(model, "output_names", None) or []]
    if isinstance(returned, Mapping):
        named = {str(key): value for key, value in returned.items()}
    else:
        values = list(returned) if isinstance(returned, list | tuple) else [returned]
        named = dict(zip(names if len(names) == len(values) else map(str, range(len(values))), values, strict=True))
    chosen = choose_outputs(list(named), name, predicts, ordered=not isinstance(returned, Mapping))
    outputs = [named[name] for name in chosen]
    for output in outputs:
        floating = output.dtype.is_floating
        check_output(tuple(output.shape), output.dtype.name, floating=floating, of_pixels=of_pixels)
    check_same_width(chosen, [output.shape[1] for output in outputs])
    return outputs[0] if len(outputs) == 1 else tf.concat(outputs, 1), name_chosen(chosen, list(named))


def to_probabilities(output: tf.Tensor, from_logits: bool | None, some_scores: Callable[[], np.ndarray]) -> tf.Tensor:
    """Turn (rows, C) scores into float32 probabilities, one score into two classes.

    Args:
        output: (rows, C) or (rows, 1).
        from_logits: whether `output` is logits; None finds out from the operation that made it.
        some_scores: computes (rows, C) of it, for when that operation says nothing.

    Raises:
        InvalidInputError: `from_logits` for probabilities.
        UnsuitableModelError: a sigmoid over several outputs; one or two numbers of unknown meaning.
    """
    logits = are_logits(output.shape[1], find_activation(output, some_scores), from_logits)
    values = tf.cast(output, tf.float32)
    if values.shape[1] == 1:
        positive = tf.sigmoid(values) if logits else values
        return tf.concat([1 - positive, positive], axis=1)
    return tf.nn.softmax(values) if logits else values


def _interpret_rows(
    output: tf.Tensor, settings: ModelSettings, which: str, some_outputs: Callable[[], np.ndarray]
) -> tuple[tf.Tensor, OutputMeaning]:
    columns, outputs = int(output.shape[1]), TASKS[settings.task].outputs
    if outputs == "values":
        values = to_outputs(output, settings.predicts, some_outputs)
        return values, describe_values(columns, settings.predicts, which)
    activation = find_activation(output, some_outputs)
    if outputs == "sigmoids":
        meaning = describe_labels(columns, activation, settings.from_logits, which)
        values = tf.cast(output, tf.float32)
        return tf.sigmoid(values) if are_label_logits(columns, activation, settings.from_logits) else values, meaning
    meaning = describe_classes(columns, activation, settings.from_logits, which)
    return to_probabilities(output, settings.from_logits, some_outputs), meaning


def _interpret_pixels(
    output: tf.Tensor,
    shape: tuple[int, ...],
    from_logits: bool | None,
    which: str,
    some_outputs: Callable[[], np.ndarray],
) -> tuple[tf.Tensor, OutputMeaning]:
    if len(shape) != 3:
        raise UnsuitableModelError(
            f"A model of task='segmentation' takes images, (N, H, W, channels). Received: {shape}."
        )
    given, classes = tuple(map(int, output.shape[1:3])), int(output.shape[3])
    activation = find_activation(output, lambda: some_outputs().reshape(-1, classes))
    logits = are_pixel_logits(classes, activation, from_logits)
    meaning = describe_pixels(classes, logits, (shape[0], shape[1]), (given[0], given[1]), which)
    return _to_pixel_probabilities(output, logits, (shape[0], shape[1])), meaning


def _to_pixel_probabilities(output: tf.Tensor, logits: bool, size: tuple[int, int]) -> tf.Tensor:
    """Turn (rows, h, w, C) scores into (rows, H · W · C) float32 probabilities."""
    values = tf.cast(output, tf.float32)
    if tuple(values.shape[1:3]) != size:
        values = tf.image.resize(values, size, "bilinear")
    if values.shape[3] == 1:
        positive = tf.sigmoid(values) if logits else values
        values = tf.concat([1 - positive, positive], axis=3)
    elif logits:
        values = tf.nn.softmax(values)
    return tf.reshape(values, (-1, size[0] * size[1] * values.shape[3]))


def to_outputs(output: tf.Tensor, predicts: Predicts, some_outputs: Callable[[], np.ndarray]) -> tf.Tensor:
    """Turn outputs into (rows, D) float32, or (rows, 2 · D): means, then variances.

    Args:
        output: (rows, D) or (rows, 2 · D): D means, then D spreads.
        predicts: the meaning of the columns.
        some_outputs: computes (rows, ...) of it, for when the operation that made it says nothing.

    Raises:
        UnsuitableModelError: a softmax over several classes; no spread for each mean.
    """
    check_regression(output.shape[1], predicts, lambda: find_activation(output, some_outputs))
    values = tf.cast(output, tf.float32)
    if predicts == "mean":
        return values
    means, spreads = tf.split(values, 2, axis=1)
    variances = {"mean,variance": tf.identity, "mean,log_variance": tf.exp, "mean,std": tf.square}[predicts](spreads)
    return tf.concat([means, variances], axis=1)


def find_activation(output: tf.Tensor, some_scores: Callable[[], np.ndarray]) -> str:
    """Return the activation of (rows, C) outputs, for `are_logits`."""
    if not tf.executing_eagerly():
        operation = output.op
        while operation.type in UNCHANGING_OPERATIONS:
            operation = operation.inputs[0].op
        kinds = {"Softmax": "softmax", "Sigmoid": "sigmoid", "BiasAdd": "none", "MatMul": "none"}
        if operation.type in kinds:
            return kinds[operation.type]
    return guess_activation(some_scores())


def find_masked_dense(trace: Trace) -> TracedDense | None:
    """Find the dense layer that all randomness passes first."""
    if len(trace.boundary) != 1 or trace.boundary[0].dtype != tf.float32:
        return None
    dropout = only_consumer(trace, trace.boundary[0])
    requests = [request for request in trace.requests if not request.shared and find_masked_array(trace, request) == 0]
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
        """The replaced tensor of the graph, (rows, height, width, filters)."""
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
    """Find convolutions behind channel dropout with constant inputs."""
    convolutions = (_find_convolution(trace, request) for request in trace.requests if not request.shared)
    return tuple(convolution for convolution in convolutions if convolution)


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
    """Multiply masks by scaled weights, as `MaskedDense` does."""
    return tf.raw_ops.MatMul(a=as_tensor(masks), b=as_tensor(scaled), transpose_a=transposed).numpy()


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """Return an aligned array as a tensor without a copy; do not change it meanwhile."""
    aligned = array.ctypes.data % ALIGNMENT == 0  # TensorFlow ends the process at memory that is not
    if not array.size or not aligned or array.dtype.kind not in "biuf":
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def make_plan(
    layers: StochasticLayers,
    shape: tuple[int, ...],
    dtype: str,
    settings: ModelSettings = DEFAULT_SETTINGS,
    *,
    texts: TextLayer | None = None,
    channel_sums: bool = True,
    compiler: str | None = None,
) -> Plan:
    """Prepare a model for examples of one shape.

    Args:
        layers: of a built Keras model of one input.
        shape: of one example; with `texts`, of the numbers of one text.
        dtype: of the examples.
        settings: what is said of the model.
        texts: the model's text layer, if it has one; it is left out of the graph.
        channel_sums: False leaves `MaskedConvolution` out, which gives the same numbers up to rounding.
        compiler: of the random part, "xla" or "none", whose last bits differ; None follows `default_compiler`.

    Raises:
        InvalidInputError: `settings.output` names none of the outputs.
        NoRandomnessReachesOutputError: no random number reaches the output.
        UnsuitableModelError: no output of that task, randomness that cannot be supplied, a model that fails, or one
            that XLA was asked to compile and cannot.
    """
    model, meaning, task = layers.model, OutputMeaning(), TASKS[settings.task]

    def select(examples: tf.Tensor) -> tuple[tf.Tensor, str]:
        returned = texts.call_network(examples) if texts else model(nest_input(model, examples), training=False)
        return pick_output(model, returned, settings.output, settings.predicts, task.of_pixels)

    @cache
    def some_outputs() -> np.ndarray:
        with tf.init_scope(), layers.switch(NoRandomness(), on=False):
            return select(tf.constant(make_random_examples(shape, dtype)))[0].numpy()

    def predictions(examples: tf.Tensor) -> tf.Tensor:
        nonlocal meaning
        returned, which = select(examples)
        if not tf.executing_eagerly():
            _check_memory(returned.graph, examples.shape[0])
        if task.of_pixels:
            outputs, meaning = _interpret_pixels(returned, shape, settings.from_logits, which, some_outputs)
        else:
            outputs, meaning = _interpret_rows(returned, settings, which, some_outputs)
        return outputs

    with wrap_model_errors():
        try:
            plan = _trace_plan(layers, predictions, shape, dtype, channel_sums, compiler)
        except NO_GRAPH as error:
            _check_works_eagerly(error, texts, compiler)
            plan = _make_eager_plan(layers, predictions, shape, dtype)
        except UnsuitableModelError as error:
            if isinstance(error.__context__, UnsuitableModelError):  # Keras wraps what a layer raises in its own words
                raise error.__context__ from None
            raise
    return replace(plan.guard(wrap_model_errors()), meaning=meaning)


def _check_works_eagerly(error: Exception, texts: TextLayer | None, compiler: str | None) -> None:
    if texts:
        raise UnsuitableModelError(
            "Texts need a model that TensorFlow can make a graph of. "
            f"Received: {reason(error)}. Sample the network behind {texts.layer.name}, on its numbers."
        ) from error
    if compiler == XLA:
        raise _compilation_error(error) from error


def _check_memory(graph: Any, rows: int) -> None:
    largest = max(byte_size(tensor) for operation in graph.get_operations() for tensor in operation.outputs) // rows
    if largest > MOST_BYTES_OF_EXAMPLE:
        raise UnsuitableModelError(
            "The model takes more memory than mcviz gives one example. "
            f"Received: {largest / 2**30:,.1f} GB for a tensor inside it, of {MOST_BYTES_OF_EXAMPLE >> 30}."
        )


def _trace_plan(
    layers: StochasticLayers,
    call: Call,
    shape: tuple[int, ...],
    dtype: str,
    channel_sums: bool,
    compiler: str | None,
) -> Plan:
    small = trace(layers, call, SHARED_BLOCK, shape, dtype)
    passes, examples = _choose_block(small)
    large = trace(layers, call, passes * examples, shape, dtype)
    _check_same_graph(small, large)
    masked_dense = find_masked_dense(large)
    convolutions = () if masked_dense else find_masked_convolutions(large)
    factors = convolutions if channel_sums else ()
    random_part, compiled_by = _compile_random_part(large, masked_dense, factors, passes, compiler)
    width = int(large.output.shape[1])
    block = choose_shared_block(width)
    shared = small if block == SHARED_BLOCK else trace(layers, call, block, shape, dtype)
    shared_part = shared.extract([shared.inputs], shared.boundary)
    deterministic = trace_deterministic(layers, call, block, shape, dtype)
    return Plan(
        passes_per_block=passes,
        examples_per_block=examples,
        shared_examples_per_block=block,
        shared_bytes=sum(byte_size(tensor) for tensor in small.boundary) // SHARED_BLOCK,
        width=width,
        random_requests=large.requests,
        shared_part=lambda inputs: [tensor.numpy() for tensor in shared_part(_input(inputs))],
        random_part=random_part,
        deterministic=lambda inputs: deterministic(_input(inputs)).numpy(),
        layers=layers.report(large.random_layers),
        masked_dense=masked_dense,
        masked_arrays={
            request.number: number
            for request in large.requests
            if (number := find_masked_array(large, request)) is not None
        },
        masked_convolutions=bool(convolutions),
        compiler=compiled_by,
    )


def _choose_block(trace: Trace) -> tuple[int, int]:
    masked_dense = find_masked_dense(trace)
    start = (masked_dense.product,) if masked_dense else trace.boundary
    return choose_block(largest_activation_bytes(trace, start), factored=masked_dense is not None)


def _check_same_graph(small: Trace, large: Trace) -> None:
    """Compare traces of two batch sizes."""
    boundaries = [[(tuple(tensor.shape[1:]), tensor.dtype) for tensor in plan.boundary] for plan in (small, large)]
    if boundaries[0] != boundaries[1] or len(small.requests) != len(large.requests):
        raise UntraceableError("a graph that changes with the size of the batch")
    _check_requests(small.requests, large.requests)


def _check_requests(small: Sequence[RandomRequest], large: Sequence[RandomRequest]) -> None:
    """Refuse draws whose first axis is a batch multiple by chance."""
    for one, other in zip(small, large, strict=False):
        if one != other:
            raise UnsuitableModelError(
                "A layer draws random numbers whose first axis is not the batch. Received: "
                f"shape {other.shape} a row for one size of the batch, {one.shape} for another. "
                "Make the batch the first axis."
            )


def _compile_random_part(
    trace: Trace,
    masked_dense: TracedDense | None,
    convolutions: Sequence[MaskedConvolution],
    passes: int,
    compiler: str | None,
) -> tuple[RandomPart, str]:
    """Build the random part by the given or best compiler; return both."""
    wanted = compiler or (NO_COMPILER if masked_dense else default_compiler(trace))
    if wanted == XLA:
        try:
            return _build_random_part(trace, masked_dense, convolutions, passes, xla=True), XLA
        except tf.errors.OpError as error:
            if compiler:
                raise _compilation_error(error) from error
    return _build_random_part(trace, masked_dense, convolutions, passes), NO_COMPILER


def _compilation_error(error: Exception) -> UnsuitableModelError:
    return UnsuitableModelError(
        f"XLA cannot compile this model. Received: {reason(error)}. Leave the compiler out, or give compiler='none'."
    )


def _build_random_part(
    trace: Trace,
    masked_dense: TracedDense | None,
    convolutions: Sequence[MaskedConvolution],
    passes: int,
    *,
    xla: bool = False,
) -> RandomPart:
    """Build `Plan.random_part`; repeat shared tensors for each pass without `masked_dense`."""
    repeats = 1 if masked_dense else passes
    start: Sequence[tf.Tensor] = (masked_dense.product,) if masked_dense else trace.boundary
    requests = [request for request in trace.requests if not masked_dense or request != masked_dense.request]
    numbers = [trace.numbers[request.number] for request in requests]
    layers = {convolution.request.number: convolution for convolution in convolutions}
    others = [at for at, request in enumerate(requests) if request.number not in layers]
    part = trace.extract(
        [*start, *(convolution.product for convolution in convolutions), *(numbers[at] for at in others)],
        [trace.output],
    )

    def compute(*tensors: tf.Tensor) -> tf.Tensor:
        shared, given = tensors[: len(start)], tensors[len(start) :]
        convolved = [
            layer.convolve(shared[layer.tensor_number], mask)
            for request, mask in zip(requests, given, strict=True)
            if (layer := layers.get(request.number))
        ]
        if repeats > 1:
            shared = tuple(tf.repeat(tensor, repeats, axis=0) for tensor in shared)
        return part(*shared, *convolved, *(given[at] for at in others))[0]

    inputs = [((trace.rows // repeats, *tensor.shape[1:]), tensor.dtype) for tensor in start]
    inputs += [(tensor.shape, tensor.dtype) for tensor in numbers]
    run = compile_function(compute, inputs, xla=xla)
    if xla:  # it is compiled in the first call, which fails where XLA lacks an operation
        run(*(tf.zeros(shape, dtype) for shape, dtype in inputs))
    return lambda shared, numbers: run(*map(as_tensor, [*shared, *numbers])).numpy()


def _make_eager_plan(layers: StochasticLayers, call: Call, shape: tuple[int, ...], dtype: str) -> Plan:
    """Plan a model without a graph: switch its layers in each call."""

    def random_part(shared: list[np.ndarray], numbers: list[np.ndarray]) -> np.ndarray:
        source = SuppliedNumbers(PASSES_PER_BLOCK, lambda request: as_tensor(numbers[request.number]))
        with layers.switch(source, on=True):
            output = call(tf.repeat(tf.constant(shared[0]), PASSES_PER_BLOCK, axis=0))
        if source.requests != first.requests:
            raise UnsuitableModelError(
                "The model does not ask for the same random numbers in every call, so no seed can fix them. "
                f"Received: {len(source.requests)} requests after {len(first.requests)}. "
                "Does a tf.function or a condition of its own hide some? Build it without."
            )
        return output.numpy()

    def deterministic(inputs: Inputs) -> np.ndarray:
        with layers.switch(NoRandomness(), on=False):
            return call(_input(inputs)).numpy()

    def record_requests(rows: int) -> tuple[SuppliedNumbers, tf.Tensor]:
        source = SuppliedNumbers(rows, lambda request: tf.constant(draw_from(generator, request, rows)))
        with layers.switch(source, on=True):
            return source, call(tf.repeat(tf.constant(some[:1]), rows, axis=0))

    generator, some = np.random.default_rng(0), make_random_examples(shape, dtype)
    first, output = record_requests(PASSES_PER_BLOCK)
    _check_requests(record_requests(SHARED_BLOCK)[0].requests, first.requests)
    return Plan(
        passes_per_block=PASSES_PER_BLOCK,
        examples_per_block=1,
        shared_examples_per_block=1,
        shared_bytes=some[0].nbytes,
        width=int(output.shape[1]),
        random_requests=tuple(first.requests),
        shared_part=lambda inputs: list(inputs.values()),
        random_part=random_part,
        deterministic=deterministic,
        layers=layers.report(frozenset(layer for callers in first.callers for layer in callers)),
    )


def _input(inputs: Inputs) -> tf.Tensor:
    (examples,) = inputs.values()
    return tf.constant(examples)
