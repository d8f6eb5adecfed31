"""The calibration of a model along a distortion of its examples."""

from collections.abc import Callable, Sequence

import numpy as np

from mcviz.choices import Masks
from mcviz.measures.calibration import CalibrationTerms, calibration_terms
from mcviz.sampling.sampler import Sampler


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
