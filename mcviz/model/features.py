"""What a model computes on its way to the answer: the activations that detectors of unfamiliar images look at."""

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.model.sampler import Sampler

MOST_FEATURES = 16_384
IMAGES_AT_ONCE = 500


def in_front(sampler: Sampler, images: np.ndarray) -> np.ndarray:
    """The activations that the first stochastic layers get: the same in every pass, so each image has them once.

    Where they are more than 16,384 numbers an image, maps of features are averaged over blocks of pixels. A model that
    cannot be taken apart gives its input.

    Args:
        sampler: the prepared model.
        images: (N, ...) as the model takes them.

    Returns:
        (N, D) float32.

    Raises:
        InvalidInputError: images that do not fit the model.
    """
    images, plan = sampler.plan_for(images)
    rows = []
    for start in range(0, len(images), plan.front_images):
        mine = images[start : start + plan.front_images]
        block = np.zeros((plan.front_images, *images.shape[1:]), images.dtype)
        block[: len(mine)] = mine
        tensors = [_condensed(tensor.numpy()[: len(mine)]) for tensor in plan.front(tf.constant(block))]
        rows.append(np.concatenate(tensors, axis=1))
    return np.concatenate(rows)


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


def penultimate(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What the last layer gets, dropout off.

    Args:
        model: as for `penultimate_model`.
        images: (N, ...) as the model takes them.

    Returns:
        (N, D) float32.
    """
    part = penultimate_model(model)
    return np.concatenate(
        [
            part(tf.constant(images[start : start + IMAGES_AT_ONCE]), training=False).numpy()
            for start in range(0, len(images), IMAGES_AT_ONCE)
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
