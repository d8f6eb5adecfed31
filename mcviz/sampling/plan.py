"""How one model is sampled: what is computed once an example, what in every pass, and in which blocks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.choices import Predicts
from mcviz.errors import UnsuitableModelError
from mcviz.sampling.keras_internals import nest_input
from mcviz.sampling.masked_layers import MaskedConvolution, MaskedDense, find_masked_convolutions, find_masked_dense
from mcviz.sampling.outputs import pick_output, to_outputs, to_probabilities
from mcviz.sampling.random_numbers import RandomRequest, numbers_from
from mcviz.sampling.stochastic import StochasticLayers
from mcviz.sampling.texts import TextLayer
from mcviz.sampling.tracing import (
    NO_COMPILER,
    XLA,
    Call,
    NoRandomness,
    SuppliedNumbers,
    Trace,
    UntraceableError,
    compiled,
    default_compiler,
    largest_activation,
    masked_tensor,
    refusing_what_fails,
    size_of,
    trace,
    trace_deterministic,
)
from mcviz.tasks import TASKS
from mcviz.text import reason

MOST_PASSES, MOST_ROWS = 128, 2048
FACTORED_PASSES, FACTORED_ROWS = 256, 4096  # few large products are faster; passes that nobody asks for are lost
MOST_BYTES = 16 << 20
MOST_BYTES_OF_EXAMPLE = 1 << 30
SHARED_BLOCK = 16
RandomPart = Callable[[list[tf.Tensor], list[tf.Tensor]], tf.Tensor]
NO_GRAPH = (UntraceableError, AttributeError, NotImplementedError, tf.errors.OperatorNotAllowedInGraphError)


@dataclass(frozen=True)
class Plan:
    """The prepared parts of a model: the shared part, that all passes have in common, and the random part behind it.

    Every part computes one fixed number of rows, whatever a caller asks for, and its blocks start at multiples of
    their size. Matrix products round differently for other sizes, and the same example and pass must give the same
    bits in any call.

    Attributes:
        passes: passes in a block of the random part.
        examples: examples in a block of the random part.
        shared_block: examples in a block of the shared part, and of `deterministic`.
        shared_bytes: what the shared part returns for one example.
        width: how many numbers a prediction is: C probabilities, or D values and perhaps D variances.
        requests: for the random numbers that the model takes.
        shared_part: (shared_block, ...) examples to the tensors that are the same in every pass.
        random_part: those tensors for `examples` examples, and the numbers of every request for `examples` × `passes`
            rows (all passes of one example, then of the next), to (rows, width) float32. With `masked_dense`, the
            product of that layer for all rows instead of those tensors, and no numbers for the dropout in front of it.
        deterministic: (shared_block, ...) examples to (shared_block, width) float32, dropout off.
        masked_dense: the dense layer that is computed apart, factored, if there is one.
        masked_tensors: for the number of a request, that of the shared tensor that its mask is applied to element by
            element.
        random_layers: the layers whose random numbers the output depends on, and those that they were called by.
        masked_convolutions: whether there are convolutions that can be computed from their channels.
        compiler: what compiled the random part, "xla" or "none".
    """

    passes: int
    examples: int
    shared_block: int
    shared_bytes: int
    width: int
    requests: tuple[RandomRequest, ...]
    shared_part: Callable[[tf.Tensor], list[tf.Tensor]]
    random_part: RandomPart
    deterministic: Callable[[tf.Tensor], tf.Tensor]
    masked_dense: MaskedDense | None = None
    masked_tensors: Mapping[int, int] = field(default_factory=dict)
    random_layers: frozenset[keras.Layer] = frozenset()
    masked_convolutions: bool = False
    compiler: str = NO_COMPILER


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
        task: what the model predicts.
        predicts: what the output's columns are in a regression.
        texts: the model's text layer, if it takes texts: it is left out.
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

    def picked(examples: tf.Tensor) -> tf.Tensor:
        returned = texts.call_behind(examples) if texts else model(nest_input(model, examples), training=False)
        return pick_output(model, returned, output)

    @cache
    def some_outputs() -> np.ndarray:
        with tf.init_scope(), layers.switched(NoRandomness(), on=False):
            return picked(tf.constant(random_examples(shape, dtype))).numpy()

    def predictions(examples: tf.Tensor) -> tf.Tensor:
        returned = picked(examples)
        if not tf.executing_eagerly():
            _check_memory(returned.graph, examples.shape[0])
        if not TASKS[task].predicts_classes:
            return to_outputs(returned, predicts, some_outputs)
        return to_probabilities(returned, from_logits, some_outputs)

    with refusing_what_fails():
        try:
            plan = _traced_plan(layers, predictions, shape, dtype, factored, channel_sums, compiler)
        except NO_GRAPH as error:
            _check_needs_no_graph(error, texts, compiler)
            plan = _eager_plan(layers, predictions, shape, dtype)
        except UnsuitableModelError as error:
            if isinstance(error.__context__, UnsuitableModelError):  # Keras wraps what a layer raises in its own words
                raise error.__context__ from None
            raise
    return replace(
        plan,
        shared_part=refusing_what_fails()(plan.shared_part),
        random_part=refusing_what_fails()(plan.random_part),
        deterministic=refusing_what_fails()(plan.deterministic),
    )


def _check_needs_no_graph(error: Exception, texts: TextLayer | None, compiler: str | None) -> None:
    if texts:
        raise UnsuitableModelError(
            "Texts need a model that TensorFlow can make a graph of. "
            f"Received: {reason(error)}. Sample the network behind {texts.layer.name}, on its numbers."
        ) from error
    if compiler == XLA:
        raise _not_compiled(error) from error


def random_examples(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Eight random examples that any model takes: floats in 0..1, or whole numbers 0 and 1."""
    generator = np.random.default_rng(0)
    if np.issubdtype(np.dtype(dtype), np.floating):
        return generator.random((8, *shape)).astype(dtype)
    return generator.integers(0, 2, (8, *shape)).astype(dtype)


def _check_memory(graph: Any, rows: int) -> None:
    largest = max(size_of(tensor) for operation in graph.get_operations() for tensor in operation.outputs) // rows
    if largest > MOST_BYTES_OF_EXAMPLE:
        raise UnsuitableModelError(
            "The model takes more memory than mcviz gives one example. "
            f"Received: {largest / 2**30:,.1f} GB for a tensor inside it, of {MOST_BYTES_OF_EXAMPLE >> 30}."
        )


def _traced_plan(
    layers: StochasticLayers,
    call: Call,
    shape: tuple[int, ...],
    dtype: str,
    factored: bool,
    channel_sums: bool,
    compiler: str | None,
) -> Plan:
    small = trace(layers, call, SHARED_BLOCK, shape, dtype)
    passes, examples = _block(small)
    large = trace(layers, call, passes * examples, shape, dtype)
    _check_same_but_for_rows(small, large)
    masked_dense = find_masked_dense(large) if factored else None
    convolutions = () if masked_dense else find_masked_convolutions(large)
    factors = convolutions if channel_sums else ()
    random_part, compiled_by = _compiled_random_part(large, masked_dense, factors, passes, compiler)
    return Plan(
        passes=passes,
        examples=examples,
        shared_block=SHARED_BLOCK,
        shared_bytes=sum(size_of(tensor) for tensor in small.boundary) // SHARED_BLOCK,
        width=int(large.output.shape[1]),
        requests=large.requests,
        shared_part=small.part([small.inputs], small.boundary),
        random_part=random_part,
        deterministic=trace_deterministic(layers, call, SHARED_BLOCK, shape, dtype),
        masked_dense=masked_dense,
        masked_tensors={
            request.number: tensor
            for request in large.requests
            if (tensor := masked_tensor(large, request)) is not None
        },
        random_layers=large.random_layers,
        masked_convolutions=bool(convolutions),
        compiler=compiled_by,
    )


def _block(trace: Trace) -> tuple[int, int]:
    """Passes and examples in a block, powers of two; two rows at least, which tell a batch from a single example."""
    masked_dense = find_masked_dense(trace)
    start = (masked_dense.product,) if masked_dense else trace.boundary
    most_passes, most_rows = (FACTORED_PASSES, FACTORED_ROWS) if masked_dense else (MOST_PASSES, MOST_ROWS)
    rows = min(most_rows, max(2, MOST_BYTES // max(1, largest_activation(trace, start))))
    passes = min(most_passes, 1 << (rows.bit_length() - 1))
    return passes, 1 << ((rows // passes).bit_length() - 1)


def _check_same_but_for_rows(small: Trace, large: Trace) -> None:
    """Hold two traces of one model, for batches of two sizes, against each other."""
    of_one = [[(tuple(tensor.shape[1:]), tensor.dtype) for tensor in each.boundary] for each in (small, large)]
    if of_one[0] != of_one[1] or len(small.requests) != len(large.requests):
        raise UntraceableError("a graph that changes with the size of the batch")
    _check_requests(small.requests, large.requests)


def _check_requests(small: Sequence[RandomRequest], large: Sequence[RandomRequest]) -> None:
    """Refuse numbers whose first axis is a multiple of one size of a batch by chance: those of weights, say."""
    for one, other in zip(small, large, strict=False):
        if one != other:
            raise UnsuitableModelError(
                "A layer draws random numbers whose first axis is not the batch. Received: "
                f"shape {other.shape} a row for one size of the batch, {one.shape} for another. "
                "Make the batch the first axis."
            )


def _compiled_random_part(
    trace: Trace,
    masked_dense: MaskedDense | None,
    convolutions: Sequence[MaskedConvolution],
    passes: int,
    compiler: str | None,
) -> tuple[RandomPart, str]:
    """The random part by the compiler that is asked for, or else by the one that suits it; and which that is."""
    wanted = compiler or (NO_COMPILER if masked_dense else default_compiler(trace))
    if wanted == XLA:
        try:
            return _random_part(trace, masked_dense, convolutions, passes, xla=True), XLA
        except tf.errors.OpError as error:
            if compiler:
                raise _not_compiled(error) from error
    return _random_part(trace, masked_dense, convolutions, passes), NO_COMPILER


def _not_compiled(error: Exception) -> UnsuitableModelError:
    return UnsuitableModelError(
        f"XLA cannot compile this model. Received: {reason(error)}. Leave the compiler out, or give compiler='none'."
    )


def _random_part(
    trace: Trace,
    masked_dense: MaskedDense | None,
    convolutions: Sequence[MaskedConvolution],
    passes: int,
    *,
    xla: bool = False,
) -> RandomPart:
    """As `Plan.random_part`: without `masked_dense`, what an example's passes share is repeated for each of them."""
    repeats = 1 if masked_dense else passes
    start: Sequence[tf.Tensor] = (masked_dense.product,) if masked_dense else trace.boundary
    requests = [each for each in trace.requests if not masked_dense or each != masked_dense.request]
    numbers = [trace.numbers[request.number] for request in requests]
    masks = {each.request.number: each for each in convolutions}
    kept = [at for at, request in enumerate(requests) if request.number not in masks]
    part = trace.part([*start, *(each.product for each in convolutions), *(numbers[at] for at in kept)], [trace.output])

    def repeated(*tensors: tf.Tensor) -> tf.Tensor:
        shared, given = tensors[: len(start)], tensors[len(start) :]
        convolved = [
            masks[request.number].of_passes(shared[masks[request.number].number], mask)
            for request, mask in zip(requests, given, strict=True)
            if request.number in masks
        ]
        if repeats > 1:
            shared = tuple(tf.repeat(each, repeats, axis=0) for each in shared)
        return part(*shared, *convolved, *(given[at] for at in kept))[0]

    inputs = [((trace.rows // repeats, *tensor.shape[1:]), tensor.dtype) for tensor in start]
    inputs += [(tensor.shape, tensor.dtype) for tensor in numbers]
    run = compiled(repeated, inputs, xla=xla)
    if xla:  # it is compiled in the first call, which fails for what XLA does not have
        run(*(tf.zeros(shape, dtype) for shape, dtype in inputs))
    return lambda tensors, numbers: run(*tensors, *numbers)


def _eager_plan(layers: StochasticLayers, call: Call, shape: tuple[int, ...], dtype: str) -> Plan:
    """For a model that cannot be a graph: its layers are switched during each call."""

    def random_part(tensors: list[tf.Tensor], numbers: list[tf.Tensor]) -> tf.Tensor:
        source = SuppliedNumbers(MOST_PASSES, lambda request: numbers[request.number])
        with layers.switched(source, on=True):
            output = call(tf.repeat(tensors[0], MOST_PASSES, axis=0))
        if source.requests != first.requests:
            raise UnsuitableModelError(
                "The model does not ask for the same random numbers in every call, so no seed can fix them. "
                f"Received: {len(source.requests)} requests after {len(first.requests)}. "
                "Does a tf.function or a condition of its own hide some? Build it without."
            )
        return output

    def deterministic(examples: tf.Tensor) -> tf.Tensor:
        with layers.switched(NoRandomness(), on=False):
            return call(examples)

    def requests_of(rows: int) -> tuple[SuppliedNumbers, tf.Tensor]:
        source = SuppliedNumbers(rows, lambda request: tf.constant(numbers_from(generator, request, rows)))
        with layers.switched(source, on=True):
            return source, call(tf.repeat(tf.constant(some[:1]), rows, axis=0))

    generator, some = np.random.default_rng(0), random_examples(shape, dtype)
    first, output = requests_of(MOST_PASSES)
    _check_requests(requests_of(SHARED_BLOCK)[0].requests, first.requests)
    return Plan(
        passes=MOST_PASSES,
        examples=1,
        shared_block=1,
        shared_bytes=some[0].nbytes,
        width=int(output.shape[1]),
        requests=tuple(first.requests),
        shared_part=lambda examples: [examples],
        random_part=random_part,
        deterministic=deterministic,
        random_layers=frozenset(layer for callers in first.callers for layer in callers),
    )
