"""Examples as a model takes them: its shape, its dtype, and their scale unless it is given."""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from mcviz.data import DataSet, InPlace, Pictures, as_examples
from mcviz.errors import UnsuitableModelError
from mcviz.runs import Preprocessing
from mcviz.validate import finite, invalid

SMALLEST_DIVISOR = 127
UNCHANGING = (  # layers that keep the range of the images
    keras.layers.InputLayer,
    keras.layers.Resizing,
    keras.layers.CenterCrop,
    keras.layers.Reshape,
    keras.layers.Flatten,
)
TEXTS_FOR_NUMBERS = (
    "The model takes numbers. Give its vocabulary (--vocabulary FILE, or mcviz.with_vocabulary), or put a "
    "TextVectorization layer in front of it."
)
InputShape = tuple[int | None, ...]


def read_input_spec(model: keras.Model) -> tuple[InputShape | None, str | None]:
    """Read the shape of one example and the dtype from a model, None where it does not say.

    Raises:
        UnsuitableModelError: the model has several inputs.
    """
    inputs = getattr(model, "inputs", None)
    if not inputs:
        shape = (model.get_build_config() or {}).get("input_shape")
        return (tuple(shape[1:]) if isinstance(shape, list | tuple) else None), None
    if len(inputs) > 1:
        raise UnsuitableModelError(
            f"The model must take one array. Received: {len(inputs)} inputs: {', '.join(each.name for each in inputs)}."
        )
    return tuple(inputs[0].shape[1:]), inputs[0].dtype


def prepare_examples(given: Any, model: keras.Model, shape: InputShape | None, dtype: str | None) -> np.ndarray:
    """Bring examples into the form that a model takes.

    Args:
        given: as `as_examples` takes them.
        model: for the examples.
        shape: of one example as the model takes it, None for any size; or None where the model does not say.
        dtype: of the model's input, or None.

    Returns:
        (N, ...) in the model's dtype; whole numbers of 0 to 255 that are images in the model's scale.

    Raises:
        InvalidInputError: they are no numbers, not finite, or of another shape than the model takes.
    """
    array = as_examples(given)
    if isinstance(array, DataSet) and array.texts is not None:
        raise invalid("examples", "numbers", "texts", TEXTS_FOR_NUMBERS)
    if isinstance(array, DataSet) and array.rows is not None:
        array = array.rows.to_numpy()
    if isinstance(array, DataSet):
        images = resize_to_model(array, shape)[:]
        array = images.reshape(model_shape(shape, images.shape))
    if array.size and isinstance(array.flat[0], str):
        raise invalid("examples", "numbers", f"dtype {array.dtype}", TEXTS_FOR_NUMBERS)
    if shape is not None and not fits_shape(array.shape[1:], shape):
        raise invalid("examples", f"of the shape that the model takes, {format_shape(shape)}", f"shape {array.shape}")
    if array.ndim < 2 or not array.size:
        raise invalid("examples", "(N, ...) with at least one example", f"shape {array.shape}")
    whole_numbers = takes_whole_numbers(dtype)
    if array.dtype.kind not in ("biu" if whole_numbers else "biuf"):
        raise invalid("examples", "whole numbers" if whole_numbers else "numbers", f"dtype {array.dtype}")
    if not whole_numbers and _are_bytes(array):
        return preprocess(array.astype(np.float32), default_preprocessing(model, dtype, np.dtype(np.uint8))).astype(
            dtype or "float32", copy=False
        )
    converted = array.astype(dtype or ("int32" if array.dtype in (np.int32, np.int64) else "float32"), copy=False)
    return converted if whole_numbers else finite("examples", converted)


def resize_to_model(examples: DataSet, shape: InputShape | None, crop: bool = False) -> np.ndarray | Pictures | InPlace:
    """Return the images of a data set, pictures from files at the size that a model takes.

    Args:
        examples: the data set.
        shape: of one example as the model takes it, None for any size; or None where the model does not say.
        crop: whether pictures are cut to the model's proportions, not stretched.

    Raises:
        InvalidInputError: the examples are no images; pictures differ in size, and the model takes any.
    """
    images = examples.images
    if images is None:
        raise invalid("data", "images", "examples without images", "Give a table with a column of paths.")
    if not isinstance(images, Pictures):
        return images
    height, width, channels = _image_size(shape)
    channels = channels or images.image_shape[2]
    if height and width:
        return images.resize((height, width, channels), crop)
    if len(images.sizes) > 1:
        sizes = ", ".join(f"{height} × {width}" for height, width in sorted(images.sizes)[:3])
        expected = "pictures of one size, since the model takes any"
        raise invalid("data", expected, f"{sizes}, …", "Bring them to one size.")
    return images.resize((*images.image_shape[:2], channels), crop)


def model_shape(wanted: InputShape | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape in which a model takes images of the shape (N, height, width, channels).

    Raises:
        InvalidInputError: it takes images of another size.
    """
    if wanted is None or fits_shape(shape[1:], wanted):
        return shape
    if shape[-1] == 1 and fits_shape(shape[1:-1], wanted):
        return shape[:-1]
    if wanted == (math.prod(shape[1:]),):
        return shape[0], *wanted
    raise invalid("images", f"of the shape that the model takes, {format_shape(wanted)}", f"shape {shape}")


def fits_shape(shape: tuple[int, ...], wanted: InputShape) -> bool:
    """Return whether one example has the shape that a model takes; None stands for any size."""
    return len(shape) == len(wanted) and all(size in (None, given) for size, given in zip(wanted, shape, strict=True))


def format_shape(wanted: InputShape) -> str:
    """Format the shape of the examples that a model takes for a message."""
    return f"({', '.join(['N', *('any' if size is None else str(size) for size in wanted)])})"


def takes_whole_numbers(dtype: str | None) -> bool:
    """Return whether a model's input is of whole numbers; a model that does not say takes floats."""
    return dtype != "string" and np.dtype(dtype or "float32").kind in "iu"


def preprocess(images: np.ndarray, how: Preprocessing) -> np.ndarray:
    """Compute `(images / divide_by - mean) / std`, (N, ..., channels) float32 in the model's order of channels."""
    if how.channel_order == "bgr":
        images = images[..., ::-1]
    if how.divide_by != 1:
        images = images / np.float32(how.divide_by)
    if how.mean:
        images = images - np.array(how.mean, np.float32)
    if how.std:
        images = images / np.array(how.std, np.float32)
    return images


def default_preprocessing(model: keras.Model, input_dtype: str | None, dtype: np.dtype) -> Preprocessing:
    """Choose how a model takes images of a dtype unless it is given, with the reason."""
    if dtype != np.uint8:
        return Preprocessing(reason="Floating-point images reach the model as they are.")
    if takes_whole_numbers(input_dtype):
        return Preprocessing(reason="The model takes whole numbers, so uint8 images reach it as they are.")
    layer = find_scaling_layer(model)
    if layer is not None:
        return Preprocessing(
            reason=f"The model scales its input in {layer.name}, so uint8 images reach it as they are."
        )
    return Preprocessing(
        255.0, reason="uint8 images are divided by 255, since the model has no layer that scales its input."
    )


def find_scaling_layer(model: keras.Model) -> keras.Layer | None:
    """Find the layer that scales 0..255, or embeds numbers of words, at the beginning of a model."""
    first = next(_range_changing_layers(model), None) if getattr(model, "inputs", None) else None
    if isinstance(first, keras.layers.Rescaling) and 0 < np.max(first.scale) <= 1 / SMALLEST_DIVISOR:
        return first
    if isinstance(first, keras.layers.Normalization) and _spread(first) > 1:  # adapted to 0..1, it would be below
        return first
    return first if isinstance(first, keras.layers.Embedding) else None


def _are_bytes(examples: np.ndarray) -> bool:
    """Return whether examples are uint8, or images with channels of whole numbers in its range."""
    if examples.dtype.kind not in "iu" or examples.dtype == np.uint8:
        return examples.dtype == np.uint8
    return examples.ndim == 4 and examples.min() >= 0 and examples.max() <= 255


def _spread(layer: keras.layers.Normalization) -> float:
    return float(np.max(keras.ops.convert_to_numpy(layer.variance))) ** 0.5


def _range_changing_layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _range_changing_layers(layer)
        elif not isinstance(layer, UNCHANGING) and not type(layer).__name__.startswith("Rand"):  # augmentation
            yield layer


def _image_size(wanted: InputShape | None) -> tuple[int | None, int | None, int | None]:
    """Return height, width and channels of the images that a model takes, None for any or for flat ones."""
    if wanted is None or len(wanted) not in (2, 3):
        return None, None, None
    height, width, *channels = wanted
    return height, width, channels[0] if channels else 1
