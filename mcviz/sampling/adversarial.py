"""Examples changed a little so that the model errs: the fast gradient sign method (Goodfellow et al. 2015)."""

import keras
import numpy as np
import tensorflow as tf

from mcviz.errors import UnsuitableModelError
from mcviz.sampling.outputs import pick_output, to_probabilities

EXAMPLES_AT_ONCE = 100


def gradient_sign(
    model: keras.Model,
    examples: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    output: str | None = None,
    from_logits: bool | None = None,
) -> np.ndarray:
    """Find the direction, for each number of an example, that makes a class less probable; dropout is off.

    Args:
        model: a Keras classifier.
        examples: (N, ...) float32 as the model takes them.
        labels: (N,) the classes to move away from; the model's predictions without it.
        output: the name of the output, for models with several.
        from_logits: whether the output is logits; None finds out.

    Returns:
        (N, ...) float32 of -1, 0 and 1.

    Raises:
        UnsuitableModelError: the model takes whole numbers, so that nothing can be moved a little.
    """
    signs = []
    for start in range(0, len(examples), EXAMPLES_AT_ONCE):
        block = tf.constant(examples[start : start + EXAMPLES_AT_ONCE], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(block)
            scores = pick_output(model, model(block, training=False), output)
            probs = to_probabilities(scores, from_logits, scores.numpy)
            classes = tf.argmax(probs, 1) if labels is None else tf.constant(labels[start : start + EXAMPLES_AT_ONCE])
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
