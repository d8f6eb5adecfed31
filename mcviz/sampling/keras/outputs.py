"""The outputs of a model as probabilities of classes, or as the means and variances of a regression."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcviz.choices import Predicts
from mcviz.sampling.outputs import (
    are_logits,
    check_output,
    check_regression,
    check_same_width,
    choose_outputs,
    guess_activation,
    name_chosen,
)

UNCHANGING_OPERATIONS = ("Cast", "Identity", "Reshape", "StopGradient")


def pick_output(model: keras.Model, returned: Any, name: str | None, predicts: Predicts) -> tuple[tf.Tensor, str]:
    """Return the output of a name, or the only one, as (rows, C), and which of several it is, in words.

    A mean and its spread in two outputs are concatenated.

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
    chosen = choose_outputs(list(named), name, predicts, ordered=not isinstance(returned, Mapping))
    outputs = [named[each] for each in chosen]
    for output in outputs:
        check_output(tuple(output.shape), output.dtype.name, floating=output.dtype.is_floating)
    check_same_width(chosen, [output.shape[1] for output in outputs])
    return outputs[0] if len(outputs) == 1 else tf.concat(outputs, 1), name_chosen(chosen, list(named))


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
    logits = are_logits(output.shape[1], find_activation(output, some_scores), from_logits)
    values = tf.cast(output, tf.float32)
    if values.shape[1] == 1:
        positive = tf.sigmoid(values) if logits else values
        return tf.concat([1 - positive, positive], axis=1)
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
    check_regression(output.shape[1], predicts, lambda: find_activation(output, some_outputs))
    values = tf.cast(output, tf.float32)
    if predicts == "mean":
        return values
    means, spreads = tf.split(values, 2, axis=1)
    variances = {"mean,variance": tf.identity, "mean,log_variance": tf.exp, "mean,std": tf.square}[predicts](spreads)
    return tf.concat([means, variances], axis=1)


def find_activation(output: tf.Tensor, some_scores: Callable[[], np.ndarray]) -> str:
    """Find the activation of (rows, C) outputs, as `are_logits` takes it, from its operation or from some outputs."""
    if not tf.executing_eagerly():
        operation = output.op
        while operation.type in UNCHANGING_OPERATIONS:
            operation = operation.inputs[0].op
        kinds = {"Softmax": "softmax", "Sigmoid": "sigmoid", "BiasAdd": "none", "MatMul": "none"}
        if operation.type in kinds:
            return kinds[operation.type]
    return guess_activation(some_scores())
