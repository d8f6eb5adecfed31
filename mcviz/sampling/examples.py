"""Examples in the form of a model: shape, dtype and scale."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mcviz.data import DataSet, LazyRows, Pictures, as_examples
from mcviz.data.given import NAMELESS
from mcviz.data.pictures import MOST_PIXELS_A_SIDE
from mcviz.errors import InvalidInputError
from mcviz.runs import Preprocessing
from mcviz.runs.tables import Rows
from mcviz.sampling.base import InputShape, Network
from mcviz.tasks import find_task
from mcviz.validate import finite, invalid

BY_TRANSFORM = Preprocessing(reason="The transform is given them, and makes what the model takes.")
TEXTS_FOR_NUMBERS = (
    "The model takes numbers. Give its vocabulary (--vocabulary FILE, or mcviz.with_vocabulary), or put a "
    "TextVectorization layer in front of it."
)


def prepare_examples(given: Any, network: Network) -> np.ndarray:
    """Bring examples into the form that a model takes.

    Args:
        given: as for `as_examples`.
        network: the model, of one input.

    Returns:
        (N, ...) in the model's dtype; images of whole numbers in 0 to 255 are scaled for the model.

    Raises:
        InvalidInputError: they are no numbers, not finite, or do not have the model's shape.
    """
    shape, dtype = network.input_shape, network.input_dtype
    array = _to_one_array(as_examples(given), shape)
    if array.size and isinstance(array.flat[0], str):
        received = "texts" if array.ndim == 1 else f"dtype {array.dtype}"
        raise invalid("examples", "numbers", received, TEXTS_FOR_NUMBERS)
    if shape is not None and not fits_shape(array.shape[1:], shape):
        raise invalid("examples", f"of the shape that the model takes, {format_shape(shape)}", f"shape {array.shape}")
    if array.ndim < 2 or not array.size:
        raise invalid("examples", "(N, ...) with at least one example", f"shape {array.shape}")
    whole_numbers = takes_whole_numbers(dtype)
    if array.dtype.kind not in ("biu" if whole_numbers else "biuf"):
        raise invalid("examples", "whole numbers" if whole_numbers else "numbers", f"dtype {array.dtype}")
    if not whole_numbers and _are_bytes(array):
        return preprocess(array.astype(np.float32), default_preprocessing(network, np.dtype(np.uint8))).astype(
            dtype or "float32", copy=False
        )
    converted = array.astype(dtype or ("int32" if array.dtype in (np.int32, np.int64) else "float32"), copy=False)
    return converted if whole_numbers else finite("examples", converted)


def prepare_texts(given: Any) -> np.ndarray:
    """Bring texts into one form.

    Args:
        given: N texts, as a list or an array, (N,) or (N, 1), alone or in a pair with labels; or a data set of texts.

    Returns:
        (N,) of dtype object, each a str.

    Raises:
        InvalidInputError: other values, none at all, or a missing text.
    """
    if isinstance(given, tuple) and len(given) == 2 and not isinstance(given[0], str):
        given = given[0]
    if isinstance(given, DataSet):
        given = given.texts
    wanted, advice = "texts, since the model takes texts", "Give a list of str, or an array of them."
    if isinstance(given, str | bytes) or not hasattr(given, "__len__"):
        raise invalid("examples", wanted, f"{given!r:.100}", advice)
    try:
        texts = np.array(given, dtype=object)
    except Exception as error:  # frameworks raise their own errors, and so do lists of unequal lengths
        raise invalid("examples", wanted, type(given).__name__, advice) from error
    if texts.ndim == 2 and texts.shape[1] == 1:
        texts = texts[:, 0]
    if texts.ndim != 1 or not len(texts):
        raise invalid("examples", "(N,) texts, at least one", f"shape {texts.shape}", advice)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            advice = "Give a str for each example, an empty one where a text is missing."
            raise invalid("examples", wanted, f"{text!r:.100} at position {number}", advice)
    return np.array([str(text) for text in texts], dtype=object)  # numpy's str is a subclass


def resize_to_model(
    examples: DataSet, shape: InputShape | None, crop: bool = False
) -> np.ndarray | Pictures | LazyRows:
    """Return images, fitted to the model if they are in files.

    Args:
        examples: the data set.
        shape: of one example of the model, None for any size; or None if the model does not say.
        crop: whether pictures are cut to the model's proportions, not stretched.

    Raises:
        InvalidInputError: the examples are no images, or pictures differ in size for a model of any size.
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


def resize_for_transform(examples: DataSet, crop: bool = False) -> np.ndarray | Pictures | LazyRows:
    """Return the images as a transform gets them and a run stores them.

    Pictures from files get their most frequent size, at most 512 pixels a side.

    Args:
        examples: the data set.
        crop: whether pictures of other proportions are cut, not stretched.
    """
    images = examples.images
    assert images is not None
    if not isinstance(images, Pictures):
        return images
    return images.resize(images.image_shape, crop).limit_side(MOST_PIXELS_A_SIDE)


def model_shape(wanted: InputShape | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the model's shape for images (N, height, width, channels).

    Raises:
        InvalidInputError: the model takes images of another size.
    """
    if wanted is None or fits_shape(shape[1:], wanted):
        return shape
    if shape[-1] == 1 and fits_shape(shape[1:-1], wanted):
        return shape[:-1]
    if wanted == (math.prod(shape[1:]),):
        return shape[0], *wanted
    raise invalid("images", f"of the shape that the model takes, {format_shape(wanted)}", f"shape {shape}")


def fits_shape(shape: tuple[int, ...], wanted: InputShape) -> bool:
    """Return whether an example fits a shape, with None for any size."""
    return len(shape) == len(wanted) and all(size in (None, given) for size, given in zip(wanted, shape, strict=True))


def format_shape(wanted: InputShape) -> str:
    """Format the shape of a model's examples."""
    return f"({', '.join(['N', *('any' if size is None else str(size) for size in wanted)])})"


def takes_whole_numbers(dtype: str | None) -> bool:
    """Return whether the input is of whole numbers; floats by default."""
    return dtype != "string" and np.dtype(dtype or "float32").kind in "iu"


def describe_inputs(inputs: Mapping[str, Rows]) -> str:
    """Describe inputs: name, shape of an example, dtype."""
    return ", ".join(f"{name} {rows.shape[1:]} {rows.dtype}" for name, rows in inputs.items())


def name_classes_by_model(
    examples: DataSet, network: Network, given: Sequence[str] | Mapping[str, str] | None = None
) -> DataSet:
    """Name classes by the model, in its order, unless all are given.

    Args:
        examples: with the classes.
        network: the model.
        given: names, as for `DataSet.with_class_names`, or None.

    Raises:
        InvalidInputError: the data have other names of classes.
    """
    if given is not None:
        examples = examples.with_class_names(given)
    names = network.class_names if given is None or isinstance(given, Mapping) else None
    if names is None or find_task(network.settings.task).last_axis != "class":
        return examples
    try:
        return examples.with_class_names(names)
    except InvalidInputError as error:
        raise InvalidInputError(
            f"The model names its classes, and the data have others. {error} Names that are given (class_names, on the "
            "command line --class-names) replace those of the model."
        ) from error


def make_random_examples(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Make eight random examples: floats in 0..1, or 0 and 1."""
    generator = np.random.default_rng(0)
    if np.issubdtype(np.dtype(dtype), np.floating):
        return generator.random((8, *shape)).astype(dtype)
    return generator.integers(0, 2, (8, *shape)).astype(dtype)


def preprocess(images: np.ndarray, how: Preprocessing) -> np.ndarray:
    """Compute `(images / divide_by - mean) / std`, float32.

    The images are (N, ..., channels); the result has the model's order of channels.
    """
    if how.channel_order == "bgr":
        images = images[..., ::-1]
    if how.divide_by != 1:
        images = images / np.float32(how.divide_by)
    if how.mean:
        images = images - np.array(how.mean, np.float32)
    if how.std:
        images = images / np.array(how.std, np.float32)
    return images


def default_preprocessing(network: Network, dtype: np.dtype) -> Preprocessing:
    """Choose the scaling for a dtype, with the reason."""
    if network.transform is not None:
        return BY_TRANSFORM
    if dtype != np.uint8:
        return Preprocessing(reason="Floating-point images reach the model as they are.")
    if takes_whole_numbers(network.input_dtype):
        return Preprocessing(reason="The model takes whole numbers, so uint8 images reach it as they are.")
    if network.scaling_layer is not None:
        return Preprocessing(
            reason=f"The model scales its input in {network.scaling_layer}, so uint8 images reach it as they are."
        )
    return Preprocessing(
        255.0, reason="uint8 images are divided by 255, since the model has no layer that scales its input."
    )


def _to_one_array(examples: DataSet | np.ndarray, shape: InputShape | None) -> np.ndarray:
    if isinstance(examples, DataSet):
        array = examples.held.to_array() if examples.inputs is None else examples.inputs
        if array is not None:
            examples = array
        else:
            images = resize_to_model(examples, shape)[:]
            examples = images.reshape(model_shape(shape, images.shape))
    if examples.dtype.names == (NAMELESS,):
        return examples[NAMELESS]
    if examples.dtype.names:
        raise invalid("examples", "one array, as the model takes", f"arrays by name: {', '.join(examples.dtype.names)}")
    return examples


def _are_bytes(examples: np.ndarray) -> bool:
    """Return whether examples are uint8, or images of whole numbers in 0..255."""
    if examples.dtype.kind not in "iu" or examples.dtype == np.uint8:
        return examples.dtype == np.uint8
    return examples.ndim == 4 and examples.min() >= 0 and examples.max() <= 255


def _image_size(wanted: InputShape | None) -> tuple[int | None, int | None, int | None]:
    """Return height, width and channels; None for any, or for flat images."""
    if wanted is None or len(wanted) not in (2, 3):
        return None, None, None
    height, width, *channels = wanted
    return height, width, channels[0] if channels else 1
