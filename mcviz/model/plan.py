"""How one model is sampled: what is computed once an image, what in every pass, and in which blocks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.model.draws import Site, draw_from
from mcviz.model.keras_internals import nest_input
from mcviz.model.outputs import pick_output, to_probabilities
from mcviz.model.stochastic import switched
from mcviz.model.tracing import (
    Call,
    NoRandomness,
    SuppliedAnswers,
    UntraceableError,
    compiled,
    falls_on,
    largest_activation,
    size_of,
    trace,
    trace_deterministic,
)
from mcviz.model.turned import TurnedDense, find_turned_dense

PASSES_AT_MOST, ROWS_AT_MOST = 128, 2048
SHORT_WAY_PASSES, SHORT_WAY_ROWS = 256, 4096  # few large products are faster; passes that nobody asks for are lost
BYTES_AT_MOST = 16 << 20
FRONT_IMAGES = 16


@dataclass(frozen=True)
class Plan:
    """The prepared parts of a model.

    Every part computes one fixed number of rows, whatever a caller asks for, and its blocks start at multiples of
    their size. Matrix products round differently for other sizes, and the same image and pass must give the same bits
    in any call.

    Attributes:
        passes: passes in a block.
        images: images in a block of the part that differs from pass to pass.
        front_images: images in a block of the part that does not, and of `deterministic`.
        front_bytes: what that part returns for one image.
        classes: C.
        sites: where the model draws random numbers.
        front: (front_images, ...) images to the tensors that are the same in every pass.
        rest: those tensors for `images` images, and the random numbers of every site for `images` × `passes` rows (all
            passes of one image, then of the next), to (rows, C) float32. With `turned`, the product of the dense layer
            for all rows instead of those tensors, and no numbers for the dropout in front of it.
        deterministic: (front_images, ...) images to (front_images, C) float32 by the ordinary model.
        turned: the dense layer that is computed the short way, if there is one.
        falls_on: for the number of a site, that of the tensor in front on which its mask falls element by element.
        drew: the layers whose random numbers the output depends on, and those that they were called by.
    """

    passes: int
    images: int
    front_images: int
    front_bytes: int
    classes: int
    sites: tuple[Site, ...]
    front: Callable[[tf.Tensor], list[tf.Tensor]]
    rest: Callable[[list[tf.Tensor], list[tf.Tensor]], tf.Tensor]
    deterministic: Callable[[tf.Tensor], tf.Tensor]
    turned: TurnedDense | None = None
    falls_on: Mapping[int, int] = field(default_factory=dict)
    drew: frozenset[keras.Layer] = frozenset()


def make_plan(
    model: keras.Model,
    item: tuple[int, ...],
    dtype: str,
    *,
    output: str | None = None,
    from_logits: bool | None = None,
    short_way: bool = True,
) -> Plan:
    """Prepare a model for images of shape `item`.

    Args:
        model: a built Keras model of one input.
        item: the shape of one image.
        dtype: of the images.
        output: the name of the output, for models with several.
        from_logits: whether the output is logits; None finds out.
        short_way: False leaves `TurnedDense` out, which gives the same numbers up to rounding.

    Raises:
        InvalidInputError: `output` names none of the outputs.
        SamePassesError: no random number reaches the output.
        UnsuitableModelError: no output of class scores, or randomness that cannot be supplied.
    """

    def scores(images: tf.Tensor) -> tf.Tensor:
        return pick_output(model, model(nest_input(model, images), training=False), output)

    @cache
    def look() -> np.ndarray:
        with tf.init_scope(), switched(model, NoRandomness(), on=False):
            return scores(tf.constant(probe_images(item, dtype))).numpy()

    def probabilities(images: tf.Tensor) -> tf.Tensor:
        return to_probabilities(scores(images), from_logits, look)

    try:
        return _traced_plan(model, probabilities, item, dtype, short_way)
    except (UntraceableError, AttributeError, NotImplementedError, tf.errors.OperatorNotAllowedInGraphError):
        return _eager_plan(model, probabilities, item, dtype)
    except UnsuitableModelError as error:
        if isinstance(error.__context__, UnsuitableModelError):  # Keras wraps what a layer raises in words of its own
            raise error.__context__ from None
        raise


def probe_images(item: tuple[int, ...], dtype: str) -> np.ndarray:
    """Eight random inputs that any model takes: floats in 0..1, or whole numbers 0 and 1."""
    numbers = np.random.default_rng(0)
    if np.issubdtype(np.dtype(dtype), np.floating):
        return numbers.random((8, *item)).astype(dtype)
    return numbers.integers(0, 2, (8, *item)).astype(dtype)


def _traced_plan(model: keras.Model, call: Call, item: tuple[int, ...], dtype: str, short_way: bool) -> Plan:
    rest = trace(model, call, PASSES_AT_MOST, item, dtype)
    turned = find_turned_dense(rest)
    start = (turned.product,) if turned else rest.frontier
    passes, images = _block(largest_activation(rest, start), short_way=turned is not None)
    if passes * images != rest.rows:
        rest = trace(model, call, passes * images, item, dtype)
    turned = find_turned_dense(rest) if short_way else None
    start = (turned.product,) if turned else rest.frontier
    front = trace(model, call, FRONT_IMAGES, item, dtype)
    if [_of_one(tensor) for tensor in front.frontier] != [_of_one(tensor) for tensor in rest.frontier]:
        raise UntraceableError("a graph that changes with the size of the batch")
    numbers = [
        tensor for site, tensor in zip(rest.sites, rest.numbers, strict=True) if not turned or site != turned.site
    ]
    part = rest.part([*start, *numbers], [rest.output])

    times = 1 if turned else passes

    def repeated(*tensors: tf.Tensor) -> tf.Tensor:
        rows = (
            [tf.repeat(each, times, axis=0) for each in tensors[: len(start)]] if times > 1 else tensors[: len(start)]
        )
        return part(*rows, *tensors[len(start) :])[0]

    inputs = [((rest.rows // times, *tensor.shape[1:]), tensor.dtype) for tensor in start]
    run = compiled(repeated, [*inputs, *((tensor.shape, tensor.dtype) for tensor in numbers)])

    return Plan(
        passes=passes,
        images=images,
        front_images=FRONT_IMAGES,
        front_bytes=sum(size_of(tensor) for tensor in front.frontier) // FRONT_IMAGES,
        classes=int(rest.output.shape[1]),
        sites=rest.sites,
        front=front.part([front.images], front.frontier),
        rest=lambda tensors, numbers: run(*tensors, *numbers),
        deterministic=trace_deterministic(model, call, FRONT_IMAGES, item, dtype),
        turned=turned,
        falls_on={site.number: on for site in rest.sites if (on := falls_on(rest, site)) is not None},
        drew=rest.drew,
    )


def _eager_plan(model: keras.Model, call: Call, item: tuple[int, ...], dtype: str) -> Plan:
    """For a model that cannot be a graph: its layers are switched during each call."""

    def rest(tensors: list[tf.Tensor], numbers: list[tf.Tensor]) -> tf.Tensor:
        answers = SuppliedAnswers(PASSES_AT_MOST, lambda site: numbers[site.number])
        with switched(model, answers, on=True):
            output = call(tf.repeat(tensors[0], PASSES_AT_MOST, axis=0))
        if answers.sites != asked.sites:
            raise UnsuitableModelError(
                "The model does not ask for the same random numbers in every call, so no seed can fix them. "
                f"Received: {len(answers.sites)} requests after {len(asked.sites)}. "
                "Does a tf.function or a condition of its own hide some? Build it without."
            )
        return output

    def deterministic(images: tf.Tensor) -> tf.Tensor:
        with switched(model, NoRandomness(), on=False):
            return call(images)

    numbers = np.random.default_rng(0)
    asked = SuppliedAnswers(PASSES_AT_MOST, lambda site: tf.constant(draw_from(numbers, site, PASSES_AT_MOST)))
    with switched(model, asked, on=True):
        output = call(tf.repeat(tf.constant(probe_images(item, dtype)[:1]), PASSES_AT_MOST, axis=0))
    return Plan(
        passes=PASSES_AT_MOST,
        images=1,
        front_images=1,
        front_bytes=probe_images(item, dtype)[0].nbytes,
        classes=int(output.shape[1]),
        sites=tuple(asked.sites),
        front=lambda images: [images],
        rest=rest,
        deterministic=deterministic,
        drew=frozenset(layer for layers in asked.asked for layer in layers),
    )


def _of_one(tensor: tf.Tensor) -> tuple[tuple[int, ...], str]:
    return tuple(tensor.shape[1:]), tensor.dtype.name


def _block(bytes_per_row: int, *, short_way: bool) -> tuple[int, int]:
    """Passes and images in a block, powers of two; two rows at least, which tell a batch from a single image."""
    most, rows = (SHORT_WAY_PASSES, SHORT_WAY_ROWS) if short_way else (PASSES_AT_MOST, ROWS_AT_MOST)
    rows = min(rows, max(2, BYTES_AT_MOST // max(1, bytes_per_row)))
    passes = min(most, 1 << (rows.bit_length() - 1))
    return passes, 1 << ((rows // passes).bit_length() - 1)
