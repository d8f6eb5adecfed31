"""From what a model returns to probabilities."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from mcviz.errors import InvalidInputError, UnsuitableModelError

PASS_THROUGH = ("Identity", "Cast", "Reshape", "StopGradient")


def pick_output(model: keras.Model, returned: Any, name: str | None) -> tf.Tensor:
    """The one output that was asked for by name, or the only one.

    Raises:
        InvalidInputError: several outputs and no name, or a name that is not there.
    """
    if isinstance(returned, Mapping):
        named = {str(key): value for key, value in returned.items()}
    elif isinstance(returned, list | tuple):
        names = getattr(model, "output_names", None) or []
        keys = names if len(names) == len(returned) else [str(i) for i in range(len(returned))]
        named = dict(zip(keys, returned, strict=True))
    else:
        named = {str((getattr(model, "output_names", None) or ["output"])[0]): returned}
    if name is None and len(named) == 1:
        return next(iter(named.values()))
    if name not in named:
        raise InvalidInputError(
            f"Argument `output` must name one of the model's outputs: {', '.join(named)}. Received: output={name!r}."
        )
    return named[name]


def activation_of(output: tf.Tensor) -> str:
    """`softmax`, `sigmoid`, `none` or `unknown`, from the operation that made the tensor."""
    operation = output.op
    while operation.type in PASS_THROUGH:
        operation = operation.inputs[0].op
    kinds = {"Softmax": "softmax", "Sigmoid": "sigmoid", "BiasAdd": "none", "MatMul": "none", "AddV2": "none"}
    return kinds.get(operation.type, "unknown")


def check_output(output: tf.Tensor) -> None:
    """Raise UnsuitableModelError unless the tensor is (rows, C) of floats."""
    if output.shape.rank != 2 or output.shape[1] is None or not output.dtype.is_floating:
        raise UnsuitableModelError(
            "The model must return one row of class scores for each image, float (N, C). "
            f"Received: {output.dtype.name} {tuple(output.shape)}."
        )


def to_probabilities(output: tf.Tensor, from_logits: bool) -> tf.Tensor:
    """(rows, C) logits or probabilities as float32 probabilities; a single one as two classes."""
    values = tf.cast(output, tf.float32)
    if values.shape[1] == 1:
        positive = tf.sigmoid(values) if from_logits else values
        return tf.concat([1 - positive, positive], axis=1)
    return tf.nn.softmax(values) if from_logits else values
