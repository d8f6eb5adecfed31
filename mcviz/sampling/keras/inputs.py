"""What a Keras model takes: the shape and dtype of its input, and whether it scales that by itself."""

from collections.abc import Iterator

import keras
import numpy as np

from mcviz.errors import UnsuitableModelError
from mcviz.sampling.base import InputShape

SMALLEST_DIVISOR = 127
UNCHANGING = (  # layers that keep the range of the images
    keras.layers.InputLayer,
    keras.layers.Resizing,
    keras.layers.CenterCrop,
    keras.layers.Reshape,
    keras.layers.Flatten,
)


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


def find_scaling_layer(model: keras.Model) -> keras.Layer | None:
    """Find the layer that scales 0..255, or embeds numbers of words, at the beginning of a model."""
    first = next(_range_changing_layers(model), None) if getattr(model, "inputs", None) else None
    if isinstance(first, keras.layers.Rescaling) and 0 < np.max(first.scale) <= 1 / SMALLEST_DIVISOR:
        return first
    if isinstance(first, keras.layers.Normalization) and _spread(first) > 1:  # adapted to 0..1, it would be below
        return first
    return first if isinstance(first, keras.layers.Embedding) else None


def _spread(layer: keras.layers.Normalization) -> float:
    return float(np.max(keras.ops.convert_to_numpy(layer.variance))) ** 0.5


def _range_changing_layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _range_changing_layers(layer)
        elif not isinstance(layer, UNCHANGING) and not type(layer).__name__.startswith("Rand"):  # augmentation
            yield layer
