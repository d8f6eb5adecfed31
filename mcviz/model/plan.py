"""How one model is sampled: what is computed once an example, what in every pass, and in which blocks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import McvizError, UnsuitableModelError
from mcviz.model.keras_internals import nest_input
from mcviz.model.masked_dense import MaskedDense, find_masked_dense
from mcviz.model.model_files import reason
from mcviz.model.outputs import pick_output, to_probabilities
from mcviz.model.random_numbers import RandomRequest, numbers_from
from mcviz.model.stochastic import StochasticLayers
from mcviz.model.tracing import (
    Call,
    NoRandomness,
    SamePassesError,
    SuppliedNumbers,
    Trace,
    UntraceableError,
    compiled,
    largest_activation,
    masked_tensor,
    size_of,
    trace,
    trace_deterministic,
)

MOST_PASSES, MOST_ROWS = 128, 2048
FACTORED_PASSES, FACTORED_ROWS = 256, 4096  # few large products are faster; passes that nobody asks for are lost
MOST_BYTES = 16 << 20
MOST_BYTES_OF_EXAMPLE = 1 << 30
SHARED_BLOCK = 16


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
        classes: C.
        requests: for the random numbers that the model takes.
        shared_part: (shared_block, ...) examples to the tensors that are the same in every pass.
        random_part: those tensors for `examples` examples, and the numbers of every request for `examples` × `passes`
            rows (all passes of one example, then of the next), to (rows, C) float32. With `masked_dense`, the product
            of that layer for all rows instead of those tensors, and no numbers for the dropout in front of it.
        deterministic: (shared_block, ...) examples to (shared_block, C) float32, dropout off.
        masked_dense: the dense layer that is computed apart, factored, if there is one.
        masked_tensors: for the number of a request, that of the shared tensor that its mask is applied to element by
            element.
        random_layers: the layers whose random numbers the output depends on, and those that they were called by.
    """

    passes: int
    examples: int
    shared_block: int
    shared_bytes: int
    classes: int
    requests: tuple[RandomRequest, ...]
    shared_part: Callable[[tf.Tensor], list[tf.Tensor]]
    random_part: Callable[[list[tf.Tensor], list[tf.Tensor]], tf.Tensor]
    deterministic: Callable[[tf.Tensor], tf.Tensor]
    masked_dense: MaskedDense | None = None
    masked_tensors: Mapping[int, int] = field(default_factory=dict)
    random_layers: frozenset[keras.Layer] = frozenset()


def make_plan(
    layers: StochasticLayers,
    shape: tuple[int, ...],
    dtype: str,
    *,
    output: str | None = None,
    from_logits: bool | None = None,
    factored: bool = True,
) -> Plan:
    """Prepare a model for examples of one shape.

    Args:
        layers: of a built Keras model of one input.
        shape: of one example.
        dtype: of the examples.
        output: the name of the output, for models with several.
        from_logits: whether the output is logits; None finds out.
        factored: False leaves `MaskedDense` out, which gives the same numbers up to rounding.

    Raises:
        InvalidInputError: `output` names none of the outputs.
        SamePassesError: no random number reaches the output.
        UnsuitableModelError: no output of class scores, randomness that cannot be supplied, or a model that fails.
    """
    model = layers.model

    def scores(examples: tf.Tensor) -> tf.Tensor:
        return pick_output(model, model(nest_input(model, examples), training=False), output)

    @cache
    def some_scores() -> np.ndarray:
        with tf.init_scope(), layers.switched(NoRandomness(), on=False):
            return scores(tf.constant(random_examples(shape, dtype))).numpy()

    def probabilities(examples: tf.Tensor) -> tf.Tensor:
        returned = scores(examples)
        if not tf.executing_eagerly():
            _check_memory(returned.graph, examples.shape[0])
        return to_probabilities(returned, from_logits, some_scores)

    with _refusing_what_fails():
        try:
            plan = _traced_plan(layers, probabilities, shape, dtype, factored)
        except (UntraceableError, AttributeError, NotImplementedError, tf.errors.OperatorNotAllowedInGraphError):
            plan = _eager_plan(layers, probabilities, shape, dtype)
        except UnsuitableModelError as error:
            if isinstance(error.__context__, UnsuitableModelError):  # Keras wraps what a layer raises in its own words
                raise error.__context__ from None
            raise
    return replace(
        plan,
        shared_part=_refusing_what_fails()(plan.shared_part),
        random_part=_refusing_what_fails()(plan.random_part),
        deterministic=_refusing_what_fails()(plan.deterministic),
    )


@contextmanager
def _refusing_what_fails() -> Iterator[None]:
    """Raise what a model raises when it is run, which can be anything, as an UnsuitableModelError of one line."""
    try:
        yield
    except (McvizError, SamePassesError):
        raise
    except Exception as error:
        raise UnsuitableModelError(
            f"The model fails on these examples. Received: {reason(error)}. Do they have the shape and range that "
            "it was trained on, and does model.predict take them?"
        ) from error


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


def _traced_plan(layers: StochasticLayers, call: Call, shape: tuple[int, ...], dtype: str, factored: bool) -> Plan:
    small = trace(layers, call, SHARED_BLOCK, shape, dtype)
    passes, examples = _block(small)
    large = trace(layers, call, passes * examples, shape, dtype)
    _check_same_but_for_rows(small, large)
    masked_dense = find_masked_dense(large) if factored else None
    return Plan(
        passes=passes,
        examples=examples,
        shared_block=SHARED_BLOCK,
        shared_bytes=sum(size_of(tensor) for tensor in small.boundary) // SHARED_BLOCK,
        classes=int(large.output.shape[1]),
        requests=large.requests,
        shared_part=small.part([small.inputs], small.boundary),
        random_part=_random_part(large, masked_dense, passes),
        deterministic=trace_deterministic(layers, call, SHARED_BLOCK, shape, dtype),
        masked_dense=masked_dense,
        masked_tensors={
            request.number: tensor
            for request in large.requests
            if (tensor := masked_tensor(large, request)) is not None
        },
        random_layers=large.random_layers,
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


def _random_part(
    trace: Trace, masked_dense: MaskedDense | None, passes: int
) -> Callable[[list[tf.Tensor], list[tf.Tensor]], tf.Tensor]:
    """As `Plan.random_part`: without `masked_dense`, what an example's passes share is repeated for each of them."""
    repeats = 1 if masked_dense else passes
    start: Sequence[tf.Tensor] = (masked_dense.product,) if masked_dense else trace.boundary
    numbers = [
        tensor
        for request, tensor in zip(trace.requests, trace.numbers, strict=True)
        if not masked_dense or request != masked_dense.request
    ]
    part = trace.part([*start, *numbers], [trace.output])

    def repeated(*tensors: tf.Tensor) -> tf.Tensor:
        shared = tensors[: len(start)]
        if repeats > 1:
            shared = tuple(tf.repeat(each, repeats, axis=0) for each in shared)
        return part(*shared, *tensors[len(start) :])[0]

    inputs = [((trace.rows // repeats, *tensor.shape[1:]), tensor.dtype) for tensor in start]
    run = compiled(repeated, [*inputs, *((tensor.shape, tensor.dtype) for tensor in numbers)])
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
        classes=int(output.shape[1]),
        requests=tuple(first.requests),
        shared_part=lambda examples: [examples],
        random_part=random_part,
        deterministic=deterministic,
        random_layers=frozenset(layer for callers in first.callers for layer in callers),
    )
