"""From what a model returns to probabilities of classes."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.validate import invalid

UNCHANGING_OPERATIONS = ("Cast", "Identity", "Reshape", "StopGradient")


def pick_output(model: keras.Model, returned: Any, name: str | None) -> tf.Tensor:
    """The output that was asked for by name, or the only one, as (rows, C).

    Raises:
        InvalidInputError: several outputs and no name, or a name that is not there.
        UnsuitableModelError: the output is not one row of scores for each example.
    """
    names = [str(name) for name in getattr(model, "output_names", None) or []]
    if isinstance(returned, Mapping):
        named = {str(key): value for key, value in returned.items()}
    else:
        values = list(returned) if isinstance(returned, list | tuple) else [returned]
        named = dict(zip(names if len(names) == len(values) else map(str, range(len(values))), values, strict=True))
    if name is None and len(named) == 1:
        name = next(iter(named))
    if name not in named:
        raise invalid("output", f"one of the model's outputs: {', '.join(named)}", f"output={name!r}")
    output = named[name]
    if len(output.shape) != 2 or not output.dtype.is_floating:
        raise UnsuitableModelError(
            "The model must return one row of class scores for each example, (N, C) of floats. "
            f"Received: shape ({', '.join(['N', *map(str, output.shape[1:])])}), dtype {output.dtype.name}."
        )
    return output


def to_probabilities(output: tf.Tensor, from_logits: bool | None, some_scores: Callable[[], np.ndarray]) -> tf.Tensor:
    """(rows, C) class scores as float32 probabilities; a single score becomes two classes.

    Args:
        output: (rows, C) or (rows, 1).
        from_logits: whether `output` is logits; None finds out from the operation that made it.
        some_scores: computes (rows, C) of it, for when that operation says nothing.

    Raises:
        InvalidInputError: `from_logits` for what are probabilities already.
        UnsuitableModelError: a sigmoid over several outputs; two numbers that may be anything.
    """
    activation = _activation(output, some_scores)
    if from_logits and activation == "softmax":
        raise invalid("from_logits", "left out for a model that returns probabilities", from_logits)
    if activation == "none" and from_logits is None and output.shape[1] == 2:
        raise UnsuitableModelError(
            "The model returns two numbers without a softmax: logits of two classes, or no classes at all. "
            "If they are logits, say so (from_logits), on the command line by --from-logits."
        )
    logits = activation == "none" if from_logits is None else from_logits
    values = tf.cast(output, tf.float32)
    if values.shape[1] == 1:
        positive = tf.sigmoid(values) if logits else values
        return tf.concat([1 - positive, positive], axis=1)
    if not logits and (activation == "sigmoid" or (activation == "unclear" and from_logits is None)):
        raise UnsuitableModelError(
            "Several sigmoid outputs are no probabilities of classes that exclude each other: they need not sum to 1. "
            f"Received: {values.shape[1]} outputs. Pick a softmax output, or pass from_logits for logits."
        )
    return tf.nn.softmax(values) if logits else values


def _activation(output: tf.Tensor, some_scores: Callable[[], np.ndarray]) -> str:
    if not tf.executing_eagerly():
        operation = output.op
        while operation.type in UNCHANGING_OPERATIONS:
            operation = operation.inputs[0].op
        kinds = {"Softmax": "softmax", "Sigmoid": "sigmoid", "BiasAdd": "none", "MatMul": "none"}
        if operation.type in kinds:
            return kinds[operation.type]
    values = some_scores()
    if not np.all((values >= 0) & (values <= 1)):
        return "none"
    if values.shape[1] == 1:
        return "sigmoid"
    return "softmax" if np.allclose(values.sum(axis=1), 1, atol=1e-3) else "unclear"
