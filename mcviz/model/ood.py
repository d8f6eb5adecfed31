"""The detector of images out of distribution, for a run and its model."""

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.measures.ood import OODDetector, Verdict
from mcviz.model.features import activations_before_dropout
from mcviz.model.inputs import ImageAdapter
from mcviz.model.sampler import Sampler
from mcviz.runs import Derived, Run, load_derived, save_derived

MOST_IMAGES = 5000
LEAST_IMAGES = 20
FIT = Derived("ood-detector", 1, {"novelty": "float64"})


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
    novelty = kept["novelty"] if kept and kept["novelty"].shape == (len(images),) else None
    detector = OODDetector.fit(mean_probs, activations_before_dropout(sampler, images), labels, novelty)
    if novelty is None:
        save_derived(run, FIT, {"novelty": detector.novelty})
    return detector


def ood_verdict(detector: OODDetector, sampler: Sampler, images: np.ndarray, probs: np.ndarray) -> Verdict:
    """Judge images by a fitted detector.

    Args:
        detector: from `fit_ood_detector`.
        sampler: of the same model.
        images: (N, ...) float32 as the model takes them.
        probs: (T, N, C) the passes over them.

    Returns:
        The verdict on each image, with the p-values behind it.
    """
    return detector.judge(probs.mean(axis=0, dtype=np.float64), activations_before_dropout(sampler, images))
