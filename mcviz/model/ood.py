"""The detector of out-of-distribution examples for a run and its model."""

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.measures.ood import OODDetector, OODPrediction
from mcviz.model.features import activations_before_dropout
from mcviz.model.inputs import ImageAdapter
from mcviz.model.sampler import Sampler
from mcviz.runs import Derived, Run, load_derived, save_derived

MOST_IMAGES = 5000
LEAST_IMAGES = 20
FIT = Derived("ood-detector", 1, {"unexplained": "float64"})


def fit_ood_detector(sampler: Sampler, run: Run) -> OODDetector:
    """Fit the detector on a run's own images: at most 5,000, evenly spread.

    It takes seconds: keep what comes back. What takes longest, the images judged by fits that did not see them, is kept
    with the run, so that the next time takes a third.

    Args:
        sampler: of the run's model.
        run: a run that keeps its images.

    Raises:
        InvalidInputError: a run of fewer than 20 images.
        McvizError: a run without images.
    """
    count = len(run)
    if count < LEAST_IMAGES:
        raise InvalidInputError(
            f"What is usual cannot be learnt from so few images. Received: a run of {count} images. "
            f"Sample at least {LEAST_IMAGES}."
        )
    step = max(1, -(-count // MOST_IMAGES))
    images = ImageAdapter.for_run(sampler, run).from_stored(run.images[::step])
    mean_probs = np.asarray(run.mean_probs)[::step]
    labels = None if run.labels is None else np.asarray(run.labels)[::step]
    kept = load_derived(run, FIT)
    unexplained = kept["unexplained"] if kept and kept["unexplained"].shape == (len(images),) else None
    detector = OODDetector.fit(mean_probs, activations_before_dropout(sampler, images), labels, unexplained)
    if unexplained is None:
        save_derived(run, FIT, {"unexplained": detector.unexplained})
    return detector


def ood_verdict(detector: OODDetector, sampler: Sampler, images: np.ndarray, probs: np.ndarray) -> OODPrediction:
    """Tell by a fitted detector which images are out of distribution.

    Args:
        detector: from `fit_ood_detector`.
        sampler: of the same model.
        images: (N, ...) float32 as the model takes them.
        probs: (T, N, C) the passes over them.

    Returns:
        For each image whether it is, with the p-values behind that.
    """
    return detector.predict(probs.mean(axis=0, dtype=np.float64), activations_before_dropout(sampler, images))
