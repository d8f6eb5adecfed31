"""What a model predicts of examples as they are distorted step by step, held against their labels."""

from collections.abc import Callable, Sequence

import numpy as np

from mcviz.choices import Masks
from mcviz.measures.calibration import CalibrationTerms, calibration_terms
from mcviz.sampling.sampler import Sampler


def terms_along(
    sampler: Sampler,
    distorted: Callable[[float], np.ndarray],
    amounts: Sequence[float],
    labels: np.ndarray,
    *,
    passes: int,
    masks: Masks = "per_pass",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, CalibrationTerms]]:
    """The terms of calibration of the three ways to predict, at each step of a distortion.

    Args:
        sampler: of a classifier.
        distorted: takes an amount and returns the same N examples, distorted by that, as the model takes them.
        amounts: of the steps.
        labels: (N,) integers.
        passes: T, 2 or more; every step has the same masks.
        masks: as for `Sampler.sample`.
        seed: of the masks.
        progress: called with (done, total) predictions; what it raises ends the sampling.

    Returns:
        For each step those of `deterministic`, `single_pass` and `ensemble`, for `measures.calibration.calibration`.

    Raises:
        McvizError: examples or passes that the sampler refuses.
    """
    found: list[dict[str, CalibrationTerms]] = []
    of_one = passes * len(labels)

    def of_all(done: int, _: int) -> None:
        if progress:
            progress(len(found) * of_one + done, len(amounts) * of_one)

    for amount in amounts:
        examples = distorted(amount)
        probs = sampler.sample(examples, passes=passes, masks=masks, seed=seed, progress=of_all)
        ways = {
            "deterministic": sampler.deterministic(examples)[None],
            "single_pass": probs,
            "ensemble": probs.mean(axis=0, dtype=np.float64)[None],
        }
        found.append({name: calibration_terms(of_way, labels) for name, of_way in ways.items()})
    return found
