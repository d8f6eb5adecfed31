"""Images changed a little so that the model errs: the fast gradient sign method (Goodfellow et al. 2015)."""

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import InvalidInputError
from mcviz.model.outputs import pick_output, to_probabilities

IMAGES_AT_ONCE = 100


def gradient_sign(model: keras.Model, images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """For each pixel the direction that makes an answer less likely, dropout off.

    Args:
        model: a Keras classifier of one output.
        images: (N, ...) float32 as the model takes them.
        labels: (N,) the answers to move away from; the model's own without it.

    Returns:
        (N, ...) float32 of -1, 0 and 1.

    Raises:
        InvalidInputError: the model takes whole numbers, so that no pixel can be moved a little.
    """
    signs = []
    for start in range(0, len(images), IMAGES_AT_ONCE):
        block = tf.constant(images[start : start + IMAGES_AT_ONCE], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(block)
            probs = _probabilities(model, block)
            answers = tf.argmax(probs, 1) if labels is None else tf.constant(labels[start : start + IMAGES_AT_ONCE])
            chosen = tf.gather(probs, tf.cast(answers, tf.int64), axis=1, batch_dims=1)
            # Cross-entropy up to its sign; the smallest float keeps the gradient of a probability that is 0 finite.
            loss = -tf.math.log(chosen + np.finfo(np.float32).tiny)
        gradient = tape.gradient(loss, block)
        if gradient is None:
            raise InvalidInputError("The answer has no gradient by the pixels: the model takes whole numbers.")
        signs.append(np.sign(gradient.numpy()))
    return np.concatenate(signs)


def fgsm(model: keras.Model, images: np.ndarray, step: float, labels: np.ndarray | None = None) -> np.ndarray:
    """Take one step of the fast gradient sign method.

    Args:
        model: a Keras classifier of one output.
        images: (N, ...) float32 in 0..1.
        step: how far each pixel moves, 0 to 1.
        labels: (N,) the answers to move away from; the model's own without it.

    Returns:
        (N, ...) float32 in 0..1.

    Raises:
        InvalidInputError: a step that is not from 0 to 1.
    """
    if not 0 <= step <= 1:
        raise InvalidInputError(f"step should be from 0 to 1. Received: {step}.")
    moved = images + np.float32(step) * gradient_sign(model, images, labels)
    return np.clip(moved, 0, 1).astype(np.float32)


def _probabilities(model: keras.Model, images: tf.Tensor) -> tf.Tensor:
    output = pick_output(model, model(images, training=False), None)
    return to_probabilities(output, None, output.numpy)
