"""How one model is sampled for images of one shape: what is computed once an image, what in every pass, in which blocks."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.model.draws import Site
from mcviz.model.outputs import activation_of, check_output, pick_output, to_probabilities
from mcviz.model.tracing import Trace, trace, trace_plain

PASSES_AT_MOST = 128
ROWS_AT_MOST = 2048
BYTES_AT_MOST = 16 << 20
FRONT_IMAGES = 16


@dataclass(frozen=True)
class Plan:
    """The compiled parts of a model.

    Every computation has one fixed size, whatever a caller asks for, and starts at a multiple of it: matrix products
    round differently for other sizes, and the same image and pass must give the same bits in any call.

    Attributes:
        passes: passes in a block.
        images: images in a block of the part that differs from pass to pass.
        front_images: images in a block of the part that does not.
        front: (front_images, ...) to the tensors that are the same in every pass.
        rest: those tensors for `images`, and the random numbers of every site for `images` x `passes` rows (all passes
            of the first image, then the next), to (rows, C) float32.
        plain: (front_images, ...) to (front_images, C) float32, the ordinary model.
    """

    item: tuple[int, ...]
    dtype: str
    passes: int
    images: int
    front_images: int
    classes: int
    sites: tuple[Site, ...]
    front: Any
    rest: Any
    plain: Any


def make_plan(
    model: keras.Model, item: tuple[int, ...], dtype: str, output: str | None, from_logits: bool | None
) -> Plan:
    """Trace a model for images of shape `item` and lay out its blocks by the size of its activations.

    Raises:
        UnsuitableModelError: no output of class scores, or randomness that cannot be keyed.
    """

    def scores(images: tf.Tensor) -> tf.Tensor:
        return pick_output(model, model(images, training=False), output)

    logits = from_logits if from_logits is not None else _returns_logits(model, scores, item, dtype)

    def probabilities(images: tf.Tensor) -> tf.Tensor:
        return to_probabilities(scores(images), logits)

    first = trace(model, probabilities, PASSES_AT_MOST, item, dtype)
    rows = min(ROWS_AT_MOST, BYTES_AT_MOST // first.bytes_per_row)
    passes = min(PASSES_AT_MOST, _power_of_two(rows))
    images = _power_of_two(rows // passes)
    rest = first if images * passes == PASSES_AT_MOST else trace(model, probabilities, images * passes, item, dtype)
    if not rest.frontier:
        raise UnsuitableModelError("No stochastic layer reaches the model's output, so all passes would be the same.")
    front = trace(model, probabilities, FRONT_IMAGES, item, dtype)
    if [t.name for t in front.frontier] != [t.name for t in rest.frontier]:
        raise AssertionError("two traces of one model differ")
    return Plan(
        item,
        dtype,
        passes,
        images,
        FRONT_IMAGES,
        int(rest.output.shape[1]),
        rest.sites,
        front.part([front.images], front.frontier),
        _repeated(rest, passes),
        trace_plain(model, probabilities, FRONT_IMAGES, item, dtype),
    )


def _repeated(trace: Trace, passes: int) -> Any:
    part = trace.part([*trace.frontier, *trace.placeholders], [trace.output])
    count = len(trace.frontier)

    @tf.function(autograph=False)
    def rest(frontier: list[tf.Tensor], numbers: list[tf.Tensor]) -> tf.Tensor:
        return part(*(tf.repeat(t, passes, axis=0) for t in frontier), *numbers)[0]

    assert count
    return rest


def _returns_logits(model: keras.Model, scores: Any, item: tuple[int, ...], dtype: str) -> bool:
    kind = "unknown"

    def looked_at(images: tf.Tensor) -> tf.Tensor:
        nonlocal kind
        result = scores(images)
        check_output(result)
        kind = activation_of(result)
        return result

    values = trace_plain(model, looked_at, 8, item, dtype)(tf.constant(probe_images(8, item, dtype))).numpy()
    if kind == "sigmoid" and values.shape[1] > 1:
        raise UnsuitableModelError(
            "A sigmoid over several outputs gives no probabilities of classes that exclude each other. "
            f"Received: {values.shape[1]} outputs with a sigmoid."
        )
    if kind == "unknown":
        sums_to_one = values.shape[1] > 1 and np.allclose(values.sum(axis=1), 1, atol=1e-3)
        return not (np.all((values >= 0) & (values <= 1)) and (sums_to_one or values.shape[1] == 1))
    return kind == "none"


def probe_images(count: int, item: tuple[int, ...], dtype: str) -> np.ndarray:
    """Random inputs that any model takes: in 0..1, or 0 and 1 for whole numbers."""
    stream = np.random.default_rng(0)
    if np.issubdtype(np.dtype(dtype), np.floating):
        return stream.random((count, *item)).astype(dtype)
    return stream.integers(0, 2, (count, *item)).astype(dtype)


def _power_of_two(at_most: int) -> int:
    return 1 << int(math.log2(max(1, at_most)))
