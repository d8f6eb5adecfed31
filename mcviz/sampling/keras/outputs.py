"""The outputs of a model as probabilities of classes, or as the means and variances of a regression."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.choices import Predicts
from mcviz.errors import UnsuitableModelError
from mcviz.validate import invalid

UNCHANGING_OPERATIONS = ("Cast", "Identity", "Reshape", "StopGradient")


def pick_output(model: keras.Model, returned: Any, name: str | None) -> tf.Tensor:
    """Return the output of a name, or the only one, as (rows, C).

    Raises:
        InvalidInputError: several outputs and no name, or an unknown name.
        UnsuitableModelError: the output is not one row of numbers for each example.
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
            "The model must return one row of class scores or predicted values for each example, (N, C) of floats. "
            f"Received: shape ({', '.join(['N', *map(str, output.shape[1:])])}), dtype {output.dtype.name}."
        )
    return output


def to_probabilities(output: tf.Tensor, from_logits: bool | None, some_scores: Callable[[], np.ndarray]) -> tf.Tensor:
    """Turn (rows, C) class scores into float32 probabilities, a single score into those of two classes.

    Args:
        output: (rows, C) or (rows, 1).
        from_logits: whether `output` is logits; None finds out from the operation that made it.
        some_scores: computes (rows, C) of it, for when that operation says nothing.

    Raises:
        InvalidInputError: `from_logits` for probabilities.
        UnsuitableModelError: a sigmoid over several outputs; one or two numbers of unknown meaning.
    """
    activation = _find_activation(output, some_scores)
    if from_logits and activation == "softmax":
        raise invalid("from_logits", "left out for a model that returns probabilities", from_logits)
    if activation == "none" and from_logits is None and output.shape[1] <= 2:
        count, function, meaning = (
            ("one number", "sigmoid", "the logit") if output.shape[1] == 1 else ("two numbers", "softmax", "logits")
        )
        raise UnsuitableModelError(
            f"The model returns {count} without a {function}: is it a regression, or {meaning} of two classes? "
            "For a regression, give task='regression', on the command line --task regression; for logits, say so "
            "(from_logits), on the command line by --from-logits."
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


def to_outputs(output: tf.Tensor, predicts: Predicts, some_outputs: Callable[[], np.ndarray]) -> tf.Tensor:
    """Turn outputs into (rows, D) float32 values; with a predicted spread (rows, 2 · D): D means, then D variances.

    Args:
        output: (rows, D) or (rows, 2 · D): D means, then D spreads.
        predicts: the meaning of the columns.
        some_outputs: computes (rows, ...) of it, for when the operation that made it says nothing.

    Raises:
        UnsuitableModelError: a softmax over several classes; no spread for each mean.
    """
    columns = output.shape[1]
    if columns > 1 and _find_activation(output, some_outputs) == "softmax":
        raise UnsuitableModelError(
            f"The model returns probabilities of classes, a softmax over {columns} outputs, which is no regression. "
            "Leave out task='regression' (--task regression), or pick another output."
        )
    values = tf.cast(output, tf.float32)
    if predicts == "mean":
        return values
    if columns % 2:
        raise UnsuitableModelError(
            f"A model of predicts={predicts!r} returns a spread for each mean, so an even number of columns. "
            f"Received: {columns}. For means alone, give predicts='mean'."
        )
    means, spreads = tf.split(values, 2, axis=1)
    variances = {"mean,variance": tf.identity, "mean,log_variance": tf.exp, "mean,std": tf.square}[predicts](spreads)
    return tf.concat([means, variances], axis=1)


def _find_activation(output: tf.Tensor, some_scores: Callable[[], np.ndarray]) -> str:
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
