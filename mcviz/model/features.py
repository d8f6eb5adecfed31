"""What a model computes on its way to the output: the activations by which examples out of distribution are told."""

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.model.blocks import padded_blocks
from mcviz.model.sampler import Sampler

MOST_FEATURES = 16_384
EXAMPLES_AT_ONCE = 500


def activations_before_dropout(sampler: Sampler, examples: np.ndarray) -> np.ndarray:
    """Compute what the first stochastic layers get: the same in every pass, so each example has it once.

    Where they are more than 16,384 numbers an example, maps of features are averaged over blocks of pixels. A model
    that cannot be taken apart gives its input.

    Args:
        sampler: the prepared model.
        examples: (N, ...) as the model takes them.

    Returns:
        (N, D) float32.

    Raises:
        InvalidInputError: examples that do not fit the model.
    """
    examples, plan = sampler.plan_for(examples)
    found = []
    for rows, block in padded_blocks(examples, plan.shared_block):
        tensors = [tensor.numpy()[: rows.stop - rows.start] for tensor in plan.shared_part(tf.constant(block))]
        found.append(np.concatenate([_condensed(tensor) for tensor in tensors], axis=1))
    return np.concatenate(found)


def penultimate_model(model: keras.Model) -> keras.Model:
    """The part of a model up to what its last layer gets, dropout layers included; the weights are shared.

    Args:
        model: a Sequential or functional classifier that ends in a dense layer.

    Raises:
        UnsuitableModelError: any other model.
    """
    last = model.layers[-1] if getattr(model, "inputs", None) else None
    if not isinstance(last, keras.layers.Dense) or len(last.input.shape) != 2:
        raise UnsuitableModelError(
            "Penultimate activations need a Sequential or functional model that ends in a dense layer. "
            f"Received: model {model.name!r}."
        )
    return keras.Model(model.inputs, last.input)


def penultimate(model: keras.Model, examples: np.ndarray) -> np.ndarray:
    """What the last layer gets, dropout off.

    Args:
        model: as for `penultimate_model`.
        examples: (N, ...) as the model takes them.

    Returns:
        (N, D) float32.
    """
    part = penultimate_model(model)
    return np.concatenate(
        [
            part(tf.constant(examples[start : start + EXAMPLES_AT_ONCE]), training=False).numpy()
            for start in range(0, len(examples), EXAMPLES_AT_ONCE)
        ]
    )


def last_logits(model: keras.Model, activations: np.ndarray) -> np.ndarray:
    """The last layer's outputs before its activation.

    Args:
        model: as for `penultimate_model`.
        activations: (..., D) float32, what the layer gets.

    Returns:
        (..., C) float32.
    """
    kernel, bias = model.layers[-1].get_weights()
    return activations @ kernel + bias


def _condensed(tensor: np.ndarray) -> np.ndarray:
    """(N, D) float32 with D at most `MOST_FEATURES`, by averages over blocks along the axes before the last."""
    while tensor[0].size > MOST_FEATURES and tensor.ndim > 2:
        axis = int(np.argmax(tensor.shape[1:-1])) + 1
        if tensor.shape[axis] == 1:
            break
        edges = np.arange(0, tensor.shape[axis], 2)
        sums = np.add.reduceat(tensor, edges, axis=axis)
        widths = np.diff(np.r_[edges, tensor.shape[axis]])
        tensor = sums / widths.reshape([-1 if i == axis else 1 for i in range(tensor.ndim)])
    flat = tensor.reshape(len(tensor), -1).astype(np.float32)
    if flat.shape[1] <= MOST_FEATURES:
        return flat
    edges = np.linspace(0, flat.shape[1], MOST_FEATURES, endpoint=False).astype(int)
    return np.add.reduceat(flat, edges, axis=1)
