"""What a model computes on its way to the output: the activations by which examples out of distribution are told."""

from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.measures.ood import scale_to_unit_length
from mcviz.sampling.job import padded_blocks
from mcviz.sampling.sampler import Sampler

MOST_FEATURES = 16_384
EXAMPLES_AT_ONCE = 500
MOST_COMPARED = 512  # features of an example, that examples are compared by; more are projected onto as many


def activations_before_dropout(sampler: Sampler, examples: np.ndarray) -> np.ndarray:
    """Compute what the first stochastic layers get: the same in every pass, so each example has it once.

    Where they are more than 16,384 numbers an example, maps of features are averaged over blocks of pixels. A model
    that cannot be taken apart gives its input.

    Args:
        sampler: the prepared model.
        examples: (N, ...) as the model takes them, or N texts.

    Returns:
        (N, D) float32.

    Raises:
        InvalidInputError: examples that do not fit the model.
    """
    taken, plan = sampler.plan_for(examples)
    found = []
    for rows, block in padded_blocks(taken, plan.shared_block):
        tensors = [tensor.numpy()[: rows.stop - rows.start] for tensor in plan.shared_part(tf.constant(block))]
        found.append(np.concatenate([_condensed(tensor) for tensor in tensors], axis=1))
    return np.concatenate(found)


def own_features(sampler: Sampler, examples: np.ndarray) -> np.ndarray:
    """What a model makes of examples, as directions: two that point the same way are alike to it.

    They are what the last layer gets, dropout off, or, where the model does not end in a dense layer, what the first
    stochastic layers get. More than 512 are projected onto random directions, which nearly keeps the angles between
    examples (Johnson & Lindenstrauss 1984).

    Args:
        sampler: the prepared model.
        examples: (N, ...) as the model takes them, or N texts.

    Returns:
        (N, D) float32 of unit length; 0 where nothing is active.

    Raises:
        InvalidInputError: examples that do not fit the model.
    """
    model = sampler.model
    try:
        taken = np.asarray(examples).reshape(-1, *model.inputs[0].shape[1:]) if sampler.takes_texts else examples
        found = penultimate(model, taken)
    except UnsuitableModelError:
        found = activations_before_dropout(sampler, examples)
    if found.shape[1] > MOST_COMPARED:
        found = found @ _directions(found.shape[1])
    return scale_to_unit_length(found)


@lru_cache(maxsize=2)
def _directions(features: int) -> np.ndarray:
    """(features, `MOST_COMPARED`) float32, random ones."""
    return np.random.default_rng(0).normal(size=(features, MOST_COMPARED)).astype(np.float32)


def penultimate_model(model: keras.Model) -> keras.Model:
    """The part of a model up to what its last layer gets, dropout layers included; the weights are shared.

    Args:
        model: a Sequential or functional model with one output that ends in a dense layer.

    Raises:
        UnsuitableModelError: any other model.
    """
    one_output = getattr(model, "inputs", None) and len(model.outputs) == 1  # or the last layer need not be its own
    last = model.layers[-1] if one_output else None
    if not isinstance(last, keras.layers.Dense) or len(last.input.shape) != 2:
        raise UnsuitableModelError(
            "Penultimate activations need a Sequential or functional model with one output that ends in a dense layer. "
            f"Received: model {model.name!r}."
        )
    return keras.Model(model.inputs[0], last.input)


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
