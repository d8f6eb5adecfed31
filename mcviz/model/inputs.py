"""Images as a model takes them: its shape, its dtype and its range."""

import math
from collections.abc import Iterator

import keras
import numpy as np

from mcviz.data import as_model_input
from mcviz.errors import InvalidInputError
from mcviz.model.sampler import Sampler, fits, in_words, is_whole

SMALLEST_DIVISOR = 127
UNCHANGING = (  # layers that leave the range of the images as it is
    keras.layers.InputLayer,
    keras.layers.Resizing,
    keras.layers.CenterCrop,
    keras.layers.Reshape,
    keras.layers.Flatten,
)


def for_model(sampler: Sampler, images: np.ndarray, divides_by_255: bool = True) -> np.ndarray:
    """Bring images into the form that a model takes.

    Args:
        sampler: of the model.
        images: (N, height, width, channels) uint8, or float32 in the model's range.
        divides_by_255: whether uint8 images are divided by 255 first.

    Returns:
        (N, ...) of the model's shape: one channel, or all axes, may be folded away. Float32, or rounded for a model
        that takes whole numbers.

    Raises:
        InvalidInputError: images of another size.
    """
    shape = taken_shape(sampler, images.shape)
    if images.dtype == np.uint8 and divides_by_255:
        images = as_model_input(images)
    if is_whole(sampler.input_dtype):
        return images.round().astype(sampler.input_dtype).reshape(shape)
    return images.astype(np.float32, copy=False).reshape(shape)


def taken_shape(sampler: Sampler, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which a model takes images of the shape (N, height, width, channels).

    Raises:
        InvalidInputError: it takes images of another size.
    """
    wanted = sampler.input_shape
    if wanted is None or fits(shape[1:], wanted):
        return shape
    if shape[-1] == 1 and fits(shape[1:-1], wanted):
        return shape[:-1]
    if wanted == (math.prod(shape[1:]),):
        return shape[0], *wanted
    raise InvalidInputError(
        f"Images should have the shape that the model takes, {in_words(wanted)}. Received: shape {shape}."
    )


def takes_bytes(model: keras.Model, sampler: Sampler) -> bool:
    """Whether a model takes images in 0..255: it takes whole numbers, or begins by dividing itself."""
    if is_whole(sampler.input_dtype):
        return True
    first = next(_layers_that_change_the_range(model), None) if getattr(model, "inputs", None) else None
    return isinstance(first, keras.layers.Rescaling) and 0 < np.max(first.scale) <= 1 / SMALLEST_DIVISOR


def _layers_that_change_the_range(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers_that_change_the_range(layer)
        elif not isinstance(layer, UNCHANGING) and not type(layer).__name__.startswith("Rand"):  # augmentation
            yield layer
