"""Examples as a model takes them: its shape, its dtype, and the scale where nobody says it."""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from mcviz.data import DataSet, InPlace, Pictures, as_examples
from mcviz.runs import Preprocessing
from mcviz.validate import finite, invalid

SMALLEST_DIVISOR = 127
UNCHANGING = (  # layers that leave the range of the images as it is
    keras.layers.InputLayer,
    keras.layers.Resizing,
    keras.layers.CenterCrop,
    keras.layers.Reshape,
    keras.layers.Flatten,
)
TEXTS_FOR_NUMBERS = (
    "The model takes numbers. Give its vocabulary (--vocabulary FILE, or mcviz.sampling.with_vocabulary), or put a "
    "TextVectorization layer in front of it."
)
Shape = tuple[int | None, ...]


def check_examples(given: Any, model: keras.Model, shape: Shape | None, dtype: str | None) -> np.ndarray:
    """Bring examples into the form that a model takes.

    Args:
        given: as `as_examples` takes them.
        model: that is to take them.
        shape: of one example as the model takes it, None for any size; or None where the model does not say.
        dtype: of the model's input, or None.

    Returns:
        (N, ...) in the model's dtype; whole numbers of 0 to 255 that are images in the model's scale.

    Raises:
        InvalidInputError: they are no numbers, not finite, or of another shape than the model takes.
    """
    held = as_examples(given)
    if isinstance(held, DataSet) and held.texts is not None:
        raise invalid("examples", "numbers", "texts", TEXTS_FOR_NUMBERS)
    if isinstance(held, DataSet) and held.rows is not None:
        held = held.rows.to_numpy()
    if isinstance(held, DataSet):
        images = resize_images(held, shape)[:]
        held = images.reshape(shape_for(shape, images.shape))
    if held.size and isinstance(held.flat[0], str):
        raise invalid("examples", "numbers", f"dtype {held.dtype}", TEXTS_FOR_NUMBERS)
    if shape is not None and not fits(held.shape[1:], shape):
        raise invalid("examples", f"of the shape that the model takes, {shape_in_words(shape)}", f"shape {held.shape}")
    if held.ndim < 2 or not held.size:
        raise invalid("examples", "(N, ...) with at least one example", f"shape {held.shape}")
    whole_numbers = takes_whole_numbers(dtype)
    if held.dtype.kind not in ("biu" if whole_numbers else "biuf"):
        raise invalid("examples", "whole numbers" if whole_numbers else "numbers", f"dtype {held.dtype}")
    if not whole_numbers and _are_bytes(held):
        return preprocess(held.astype(np.float32), find_preprocessing(model, dtype, np.dtype(np.uint8))).astype(
            dtype or "float32", copy=False
        )
    taken = held.astype(dtype or ("int32" if held.dtype in (np.int32, np.int64) else "float32"), copy=False)
    return taken if whole_numbers else finite("examples", taken)


def resize_images(examples: DataSet, shape: Shape | None, crop: bool = False) -> np.ndarray | Pictures | InPlace:
    """The images of a data set; pictures from files are brought to the size that a model takes.

    Args:
        examples: the data set.
        shape: of one example as the model takes it, None for any size; or None where the model does not say.
        crop: whether pictures are cut to the model's proportions; they are stretched without it.

    Raises:
        InvalidInputError: the examples are no images; pictures differ in size, and the model takes any.
    """
    images = examples.images
    if images is None:
        raise invalid("data", "images", "examples without images", "Give a table with a column of paths.")
    if not isinstance(images, Pictures):
        return images
    height, width, channels = _size_taken(shape)
    channels = channels or images.image_shape[2]
    if height and width:
        return images.brought_to((height, width, channels), crop)
    if len(images.sizes) > 1:
        sizes = ", ".join(f"{height} × {width}" for height, width in sorted(images.sizes)[:3])
        expected = "pictures of one size, since the model takes any"
        raise invalid("data", expected, f"{sizes}, …", "Bring them to one size.")
    return images.brought_to((*images.image_shape[:2], channels), crop)


def shape_for(wanted: Shape | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which a model takes images of the shape (N, height, width, channels).

    Raises:
        InvalidInputError: it takes images of another size.
    """
    if wanted is None or fits(shape[1:], wanted):
        return shape
    if shape[-1] == 1 and fits(shape[1:-1], wanted):
        return shape[:-1]
    if wanted == (math.prod(shape[1:]),):
        return shape[0], *wanted
    raise invalid("images", f"of the shape that the model takes, {shape_in_words(wanted)}", f"shape {shape}")


def fits(shape: tuple[int, ...], wanted: Shape) -> bool:
    """Whether one example has the shape that a model takes; None stands for any size."""
    return len(shape) == len(wanted) and all(size in (None, given) for size, given in zip(wanted, shape, strict=True))


def shape_in_words(wanted: Shape) -> str:
    """The shape of the examples that a model takes, as a message has it."""
    return f"({', '.join(['N', *('any' if size is None else str(size) for size in wanted)])})"


def takes_whole_numbers(dtype: str | None) -> bool:
    """Whether a model's input is of whole numbers; one that does not say takes floats."""
    return dtype != "string" and np.dtype(dtype or "float32").kind in "iu"


def preprocess(images: np.ndarray, how: Preprocessing) -> np.ndarray:
    """(N, ..., channels) float32: `(images / divide_by - mean) / std`, in the model's order of channels."""
    taken = images[..., ::-1] if how.channel_order == "bgr" else images
    if how.divide_by != 1:
        taken = taken / np.float32(how.divide_by)
    if how.mean:
        taken = taken - np.array(how.mean, np.float32)
    if how.std:
        taken = taken / np.array(how.std, np.float32)
    return taken


def find_preprocessing(model: keras.Model, input_dtype: str | None, dtype: np.dtype) -> Preprocessing:
    """How a model takes images of a dtype where nobody says it, with the reason."""
    if dtype != np.uint8:
        return Preprocessing(reason="Floating-point images reach the model as they are.")
    if takes_whole_numbers(input_dtype):
        return Preprocessing(reason="The model takes whole numbers, so uint8 images reach it as they are.")
    layer = first_scaling(model)
    if layer is not None:
        return Preprocessing(
            reason=f"The model scales its input in {layer.name}, so uint8 images reach it as they are."
        )
    return Preprocessing(
        255.0, reason="uint8 images are divided by 255, since the model has no layer that scales its input."
    )


def first_scaling(model: keras.Model) -> keras.Layer | None:
    """The layer that brings 0..255, or numbers of words, into the range of the others, where a model begins with it."""
    first = next(_layers_that_change_the_range(model), None) if getattr(model, "inputs", None) else None
    if isinstance(first, keras.layers.Rescaling) and 0 < np.max(first.scale) <= 1 / SMALLEST_DIVISOR:
        return first
    if isinstance(first, keras.layers.Normalization) and _spread(first) > 1:  # adapted to 0..1, it would be below
        return first
    return first if isinstance(first, keras.layers.Embedding) else None


def _are_bytes(examples: np.ndarray) -> bool:
    """Whether examples are uint8, or images with channels of whole numbers that could be."""
    if examples.dtype.kind not in "iu" or examples.dtype == np.uint8:
        return examples.dtype == np.uint8
    return examples.ndim == 4 and examples.min() >= 0 and examples.max() <= 255


def _spread(layer: keras.layers.Normalization) -> float:
    return float(np.max(keras.ops.convert_to_numpy(layer.variance))) ** 0.5


def _layers_that_change_the_range(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers_that_change_the_range(layer)
        elif not isinstance(layer, UNCHANGING) and not type(layer).__name__.startswith("Rand"):  # augmentation
            yield layer


def _size_taken(wanted: Shape | None) -> tuple[int | None, int | None, int | None]:
    """Height, width and channels of the images that a model takes, None where any or where it takes them flat."""
    if wanted is None or len(wanted) not in (2, 3):
        return None, None, None
    height, width, *channels = wanted
    return height, width, channels[0] if channels else 1
