"""A model under changed examples: those that are made to mislead it, and its calibration along a distortion."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from mcviz.choices import Masks
from mcviz.errors import UnsuitableModelError
from mcviz.measures.calibration import CalibrationTerms, calibration_terms
from mcviz.sampling.outputs import pick_output, to_probabilities
from mcviz.sampling.sampler import Sampler

EXAMPLES_AT_ONCE = 100


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


def sweep_calibration(
    sampler: Sampler,
    distort: Callable[[float], np.ndarray],
    amounts: Sequence[float],
    labels: np.ndarray,
    *,
    passes: int,
    masks: Masks = "per_pass",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, CalibrationTerms]]:
    """Compute the terms of the calibration of the three ways to predict, at each step of a distortion.

    Args:
        sampler: of a classifier.
        distort: takes an amount and returns the same N examples, distorted by it, as the model takes them.
        amounts: of the steps.
        labels: (N,) integers.
        passes: T, 2 or more; every step has the same masks.
        masks: as for `Sampler.sample`.
        seed: of the masks.
        progress: called with (done, total) predictions; an error that it raises ends the sampling.

    Returns:
        For each step the terms of `deterministic`, `single_pass` and `ensemble`, for
        `measures.calibration.calibration`.

    Raises:
        McvizError: examples or passes that the sampler refuses.
    """
    steps: list[dict[str, CalibrationTerms]] = []
    per_step = passes * len(labels)

    def report(done: int, _: int) -> None:
        if progress:
            progress(len(steps) * per_step + done, len(amounts) * per_step)

    for amount in amounts:
        examples = distort(amount)
        probs = sampler.sample(examples, passes=passes, masks=masks, seed=seed, progress=report)
        predictions = {
            "deterministic": sampler.deterministic(examples)[None],
            "single_pass": probs,
            "ensemble": probs.mean(axis=0, dtype=np.float64)[None],
        }
        steps.append({name: calibration_terms(probs, labels) for name, probs in predictions.items()})
    return steps
