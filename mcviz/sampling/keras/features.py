"""The activations of a Keras model in front of its last layer, and the gradient of its prediction by its input."""

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.sampling.keras.outputs import pick_output, to_probabilities

FEATURES_AT_ONCE = 500  # examples
GRADIENTS_AT_ONCE = 100  # the same


def penultimate_model(model: keras.Model) -> keras.Model:
    """Return the part of a model in front of its last layer, dropout layers included; the weights are shared.

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


def penultimate_activations(model: keras.Model, examples: np.ndarray) -> np.ndarray:
    """Compute the inputs of the last layer, dropout off.

    Args:
        model: as for `penultimate_model`.
        examples: (N, ...) as the model takes them.

    Returns:
        (N, D) float32.
    """
    part = penultimate_model(model)
    return np.concatenate(
        [
            part(tf.constant(examples[start : start + FEATURES_AT_ONCE]), training=False).numpy()
            for start in range(0, len(examples), FEATURES_AT_ONCE)
        ]
    )


def gradient_sign(
    model: keras.Model,
    examples: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    output: str | None = None,
    from_logits: bool | None = None,
) -> np.ndarray:
    """Compute the sign of the change of each number that makes a class less probable (Goodfellow et al. 2015).

    This is the direction of the fast gradient sign method; dropout is off.

    Args:
        model: a Keras classifier.
        examples: (N, ...) float32 as the model takes them.
        labels: (N,) the classes to move away from; the model's predictions without it.
        output: the name of the output, for models with several.
        from_logits: whether the output is logits; None finds out.

    Returns:
        (N, ...) float32 of -1, 0 and 1.

    Raises:
        UnsuitableModelError: the model takes whole numbers, which cannot change a little.
    """
    signs = []
    for start in range(0, len(examples), GRADIENTS_AT_ONCE):
        block = tf.constant(examples[start : start + GRADIENTS_AT_ONCE], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(block)
            scores, _ = pick_output(model, model(block, training=False), output, "mean")
            probs = to_probabilities(scores, from_logits, scores.numpy)
            classes = tf.argmax(probs, 1) if labels is None else tf.constant(labels[start : start + GRADIENTS_AT_ONCE])
            chosen = tf.gather(probs, tf.cast(classes, tf.int64), axis=1, batch_dims=1)
            # Cross-entropy up to its sign; the smallest float keeps the gradient of a probability that is 0 finite.
            loss = -tf.math.log(chosen + np.finfo(np.float32).tiny)
        gradient = tape.gradient(loss, block)
        if gradient is None:
            raise UnsuitableModelError(
                f"The prediction has no gradient by the input. Received: model {model.name!r}, which takes whole "
                "numbers. Take another distortion."
            )
        signs.append(np.sign(gradient.numpy()))
    return np.concatenate(signs)
