"""The plan of a Keras model: the part computed once an example, the part computed in every pass, and their blocks."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from mcviz.choices import Predicts
from mcviz.errors import UnsuitableModelError
from mcviz.sampling.base import MOST_PASSES, NO_COMPILER, SHARED_BLOCK, XLA, Inputs, Plan, RandomPart, choose_block
from mcviz.sampling.examples import make_random_examples
from mcviz.sampling.keras.internals import nest_input
from mcviz.sampling.keras.masked_layers import (
    MaskedConvolution,
    TracedDense,
    as_tensor,
    find_masked_convolutions,
    find_masked_dense,
)
from mcviz.sampling.keras.outputs import find_activation, pick_output, to_outputs, to_probabilities
from mcviz.sampling.keras.stochastic import StochasticLayers
from mcviz.sampling.keras.texts import TextLayer
from mcviz.sampling.keras.tracing import (
    Call,
    NoRandomness,
    SuppliedNumbers,
    Trace,
    UntraceableError,
    byte_size,
    compile_function,
    default_compiler,
    find_masked_array,
    largest_activation_bytes,
    trace,
    trace_deterministic,
    wrap_model_errors,
)
from mcviz.sampling.outputs import OutputMeaning, describe_classes, describe_values
from mcviz.sampling.random_numbers import RandomRequest, draw_from
from mcviz.tasks import TASKS
from mcviz.text import reason

MOST_BYTES_OF_EXAMPLE = 1 << 30
NO_GRAPH = (UntraceableError, AttributeError, NotImplementedError, tf.errors.OperatorNotAllowedInGraphError)


def make_plan(
    layers: StochasticLayers,
    shape: tuple[int, ...],
    dtype: str,
    *,
    output: str | None = None,
    from_logits: bool | None = None,
    task: str = "classification",
    predicts: Predicts = "mean",
    texts: TextLayer | None = None,
    factored: bool = True,
    channel_sums: bool = True,
    compiler: str | None = None,
) -> Plan:
    """Prepare a model for examples of one shape.

    Args:
        layers: of a built Keras model of one input.
        shape: of one example; with `texts`, of the numbers of one text.
        dtype: of the examples.
        output: the name of the output, for models with several.
        from_logits: whether the output is logits; None finds out.
        task: of the model.
        predicts: the meaning of the output's columns in a regression.
        texts: the model's text layer, if it has one; it is left out of the graph.
        factored: False leaves `MaskedDense` out, which gives the same numbers up to rounding.
        channel_sums: False leaves `MaskedConvolution` out, likewise.
        compiler: of the random part, "xla" or "none", likewise; None follows `default_compiler`.

    Raises:
        InvalidInputError: `output` names none of the outputs.
        SamePassesError: no random number reaches the output.
        UnsuitableModelError: no output of that task, randomness that cannot be supplied, a model that fails, or one
            that XLA was asked to compile and cannot.
    """
    model = layers.model

    meaning = OutputMeaning()

    def select(examples: tf.Tensor) -> tuple[tf.Tensor, str]:
        returned = texts.call_network(examples) if texts else model(nest_input(model, examples), training=False)
        return pick_output(model, returned, output, predicts)

    @cache
    def some_outputs() -> np.ndarray:
        with tf.init_scope(), layers.switch(NoRandomness(), on=False):
            return select(tf.constant(make_random_examples(shape, dtype)))[0].numpy()

    def predictions(examples: tf.Tensor) -> tf.Tensor:
        nonlocal meaning
        returned, which = select(examples)
        if not tf.executing_eagerly():
            _check_memory(returned.graph, examples.shape[0])
        columns = int(returned.shape[1])
        if not TASKS[task].predicts_classes:
            meaning = describe_values(columns, predicts, which)
            return to_outputs(returned, predicts, some_outputs)
        meaning = describe_classes(columns, find_activation(returned, some_outputs), from_logits, which)
        return to_probabilities(returned, from_logits, some_outputs)

    with wrap_model_errors():
        try:
            plan = _trace_plan(layers, predictions, shape, dtype, factored, channel_sums, compiler)
        except NO_GRAPH as error:
            _check_works_eagerly(error, texts, compiler)
            plan = _make_eager_plan(layers, predictions, shape, dtype)
        except UnsuitableModelError as error:
            if isinstance(error.__context__, UnsuitableModelError):  # Keras wraps what a layer raises in its own words
                raise error.__context__ from None
            raise
    return replace(
        plan,
        meaning=meaning,
        shared_part=wrap_model_errors()(plan.shared_part),
        random_part=wrap_model_errors()(plan.random_part),
        deterministic=plan.deterministic and wrap_model_errors()(plan.deterministic),
    )


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
    factored: bool,
    channel_sums: bool,
    compiler: str | None,
) -> Plan:
    small = trace(layers, call, SHARED_BLOCK, shape, dtype)
    passes, examples = _choose_block(small)
    large = trace(layers, call, passes * examples, shape, dtype)
    _check_same_graph(small, large)
    masked_dense = find_masked_dense(large) if factored else None
    convolutions = () if masked_dense else find_masked_convolutions(large)
    factors = convolutions if channel_sums else ()
    random_part, compiled_by = _compile_random_part(large, masked_dense, factors, passes, compiler)
    shared_part = small.extract([small.inputs], small.boundary)
    deterministic = trace_deterministic(layers, call, SHARED_BLOCK, shape, dtype)
    return Plan(
        passes_per_block=passes,
        examples_per_block=examples,
        shared_examples_per_block=SHARED_BLOCK,
        shared_bytes=sum(byte_size(tensor) for tensor in small.boundary) // SHARED_BLOCK,
        width=int(large.output.shape[1]),
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
    """Compare two traces of one model, for batches of two sizes."""
    boundaries = [[(tuple(tensor.shape[1:]), tensor.dtype) for tensor in each.boundary] for each in (small, large)]
    if boundaries[0] != boundaries[1] or len(small.requests) != len(large.requests):
        raise UntraceableError("a graph that changes with the size of the batch")
    _check_requests(small.requests, large.requests)


def _check_requests(small: Sequence[RandomRequest], large: Sequence[RandomRequest]) -> None:
    """Refuse numbers whose first axis is a multiple of one batch size by chance, such as those of weights."""
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
    """Build the random part with the compiler that is asked for, or else the one that suits it; return both."""
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
    """Build `Plan.random_part`; without `masked_dense` it repeats the shared tensors of an example for each pass."""
    repeats = 1 if masked_dense else passes
    start: Sequence[tf.Tensor] = (masked_dense.product,) if masked_dense else trace.boundary
    requests = [each for each in trace.requests if not masked_dense or each != masked_dense.request]
    numbers = [trace.numbers[request.number] for request in requests]
    layers = {each.request.number: each for each in convolutions}
    others = [at for at, request in enumerate(requests) if request.number not in layers]
    part = trace.extract(
        [*start, *(each.product for each in convolutions), *(numbers[at] for at in others)], [trace.output]
    )

    def compute(*tensors: tf.Tensor) -> tf.Tensor:
        shared, given = tensors[: len(start)], tensors[len(start) :]
        convolved = [
            layer.convolve(shared[layer.tensor_number], mask)
            for request, mask in zip(requests, given, strict=True)
            if (layer := layers.get(request.number))
        ]
        if repeats > 1:
            shared = tuple(tf.repeat(each, repeats, axis=0) for each in shared)
        return part(*shared, *convolved, *(given[at] for at in others))[0]

    inputs = [((trace.rows // repeats, *tensor.shape[1:]), tensor.dtype) for tensor in start]
    inputs += [(tensor.shape, tensor.dtype) for tensor in numbers]
    run = compile_function(compute, inputs, xla=xla)
    if xla:  # it is compiled in the first call, which fails where XLA lacks an operation
        run(*(tf.zeros(shape, dtype) for shape, dtype in inputs))
    return lambda shared, numbers: run(*map(as_tensor, [*shared, *numbers])).numpy()


def _make_eager_plan(layers: StochasticLayers, call: Call, shape: tuple[int, ...], dtype: str) -> Plan:
    """Make the plan of a model that cannot become a graph: its layers are switched during each call."""

    def random_part(shared: list[np.ndarray], numbers: list[np.ndarray]) -> np.ndarray:
        source = SuppliedNumbers(MOST_PASSES, lambda request: as_tensor(numbers[request.number]))
        with layers.switch(source, on=True):
            output = call(tf.repeat(tf.constant(shared[0]), MOST_PASSES, axis=0))
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
    first, output = record_requests(MOST_PASSES)
    _check_requests(record_requests(SHARED_BLOCK)[0].requests, first.requests)
    return Plan(
        passes_per_block=MOST_PASSES,
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
    """Return the only input of a model as a tensor."""
    (examples,) = inputs.values()
    return tf.constant(examples)
