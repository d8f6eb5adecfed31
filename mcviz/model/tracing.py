"""A model as graphs whose random numbers are inputs: what is the same in every pass, and what is not."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.model.draws import Site
from mcviz.model.stochastic import switched_on

UNKEYED_OPERATIONS = ("RandomUniform", "RandomStandardNormal", "RandomUniformInt", "TruncatedNormal", "Multinomial")


class GraphAnswers:
    """Answers a model's requests for random numbers with placeholders, and remembers them as sites."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.graph = tf.compat.v1.get_default_graph()
        self.sites: list[Site] = []
        self.placeholders: list[tf.Tensor] = []

    def dropout(self, inputs: tf.Tensor, rate: float, noise_shape: Any, layer: str) -> tf.Tensor:
        if rate >= 1:
            return tf.zeros_like(inputs)
        shape = inputs.shape if noise_shape is None else noise_shape
        kept = self._ask(
            "keep", tf.bool, [inputs.shape[i] if n is None else n for i, n in enumerate(shape)], layer, rate
        )
        return tf.where(kept, inputs * tf.cast(1 / (1 - rate), inputs.dtype), tf.zeros_like(inputs))

    def uniform(self, shape: Any, low: float, high: float, dtype: Any, layer: str) -> tf.Tensor:
        numbers = self._ask("uniform", tf.float32, shape, layer)
        return tf.cast(low + (high - low) * numbers, dtype or keras.config.floatx())

    def normal(self, shape: Any, mean: float, deviation: float, dtype: Any, layer: str) -> tf.Tensor:
        numbers = self._ask("normal", tf.float32, shape, layer)
        return tf.cast(mean + deviation * numbers, dtype or keras.config.floatx())

    def _ask(self, law: Any, dtype: tf.DType, shape: Any, layer: str, rate: float = 0.0) -> tf.Tensor:
        fixed = tf.get_static_value(tf.convert_to_tensor(shape)) if not isinstance(shape, tf.TensorShape) else shape
        if fixed is None or tf.compat.v1.get_default_graph() is not self.graph:
            raise UnsuitableModelError(
                f"Layer {layer!r} draws random numbers inside a loop or of a size that is not known before the call."
            )
        first, *rest = (int(size) for size in fixed)
        shared = first == 1 and self.rows > 1
        if not shared and first % self.rows:
            raise UnsuitableModelError(
                f"Layer {layer!r} draws random numbers whose first axis is not the batch. "
                f"Received: shape {tuple(fixed)} for a batch of {self.rows}."
            )
        inner = tuple(rest) if shared or first == self.rows else (first // self.rows, *rest)
        self.sites.append(Site(len(self.sites), layer, law, float(rate), inner, shared))
        placeholder = tf.compat.v1.placeholder(dtype, (self.rows, *inner))
        self.placeholders.append(placeholder)
        return placeholder if len(inner) == len(rest) else tf.reshape(placeholder, (first, *rest))


class OffAnswers:
    """Answers of a model whose randomness is off, also in layers that are always on."""

    def dropout(self, inputs: tf.Tensor, rate: float, noise_shape: Any, layer: str) -> tf.Tensor:
        return inputs

    def uniform(self, shape: Any, low: float, high: float, dtype: Any, layer: str) -> tf.Tensor:
        return tf.fill(shape, tf.cast(high, dtype or keras.config.floatx()))

    def normal(self, shape: Any, mean: float, deviation: float, dtype: Any, layer: str) -> tf.Tensor:
        return tf.fill(shape, tf.cast(mean, dtype or keras.config.floatx()))


@dataclass(frozen=True)
class Trace:
    """One tracing of a model for a batch of a fixed number of rows.

    Attributes:
        frontier: the tensors that are the same in every pass and that the rest of the graph starts from.
    """

    function: Any
    images: tf.Tensor
    sites: tuple[Site, ...]
    placeholders: tuple[tf.Tensor, ...]
    output: tf.Tensor
    frontier: tuple[tf.Tensor, ...]
    bytes_per_row: int

    def part(self, feeds: Sequence[tf.Tensor], fetches: Sequence[tf.Tensor]) -> Any:
        return self.function.prune(list(feeds), list(fetches))


def trace(
    model: keras.Model, call: Callable[[tf.Tensor], tf.Tensor], rows: int, item: tuple[int, ...], dtype: str
) -> Trace:
    """Trace `call`, which calls `model`, with the stochastic layers on."""
    answers: GraphAnswers | None = None

    def traced(images: tf.Tensor) -> tf.Tensor:
        nonlocal answers
        answers = GraphAnswers(rows)
        with switched_on(model, answers):
            return tf.identity(call(images))

    function = tf.compat.v1.wrap_function(traced, [tf.TensorSpec((rows, *item), dtype)])
    assert answers is not None
    for operation in function.graph.get_operations():
        if operation.type in UNKEYED_OPERATIONS:
            raise UnsuitableModelError(
                "The model draws random numbers that do not come from Keras, so they cannot be keyed to a seed. "
                f"Received: operation {operation.name}. Use keras.random in that layer."
            )
    images, output = function.inputs[0], function.outputs[0]
    frontier, bytes_per_row = _frontier(function.graph, images, answers.placeholders, output, rows)
    return Trace(function, images, tuple(answers.sites), tuple(answers.placeholders), output, frontier, bytes_per_row)


def trace_plain(
    model: keras.Model, call: Callable[[tf.Tensor], tf.Tensor], rows: int, item: tuple[int, ...], dtype: str
) -> Any:
    """The ordinary model as a function of `rows` images, its randomness off."""

    def traced(images: tf.Tensor) -> tf.Tensor:
        with switched_on(model, OffAnswers(), on=False):
            return tf.identity(call(images))

    return tf.compat.v1.wrap_function(traced, [tf.TensorSpec((rows, *item), dtype)])


def _frontier(
    graph: Any, images: tf.Tensor, placeholders: list[tf.Tensor], output: tf.Tensor, rows: int
) -> tuple[tuple[tf.Tensor, ...], int]:
    from_images, random = {images.ref()}, {placeholder.ref() for placeholder in placeholders}
    frontier: dict[Any, tf.Tensor] = {}
    largest = 1
    for operation in graph.get_operations():
        inputs = [tensor.ref() for tensor in operation.inputs]
        if any(tensor in random for tensor in inputs):
            random.update(tensor.ref() for tensor in operation.outputs)
            largest = max([largest, *(_bytes(tensor) // rows for tensor in operation.outputs)])
            frontier.update({t.ref(): t for t in operation.inputs if t.ref() in from_images and t.ref() not in random})
        elif any(tensor in from_images for tensor in inputs):
            from_images.update(tensor.ref() for tensor in operation.outputs)
    if output.ref() not in random:
        return (), largest
    batched = all(t.shape.rank and t.shape[0] == rows and t.shape.is_fully_defined() for t in frontier.values())
    if not batched or any(t.dtype in (tf.resource, tf.variant) for t in frontier.values()):
        return (images,), largest
    return tuple(frontier.values()), largest


def _bytes(tensor: tf.Tensor) -> int:
    if not tensor.shape.is_fully_defined() or tensor.dtype in (tf.resource, tf.variant):
        return 0
    return math.prod(tensor.shape.as_list()) * tensor.dtype.size
