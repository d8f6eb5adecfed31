"""The detector of out-of-distribution examples for a run and its model."""

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.measures.ood import (
    LEAST_CALIBRATING,
    LEAST_OOD_EXAMPLES,
    ClassSubspaces,
    OODDetector,
    OODPrediction,
    unexplained_share,
)
from mcviz.measures.referral import Shift, compare_scores
from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.sampling.adapters import adapter_for_run, load_stored
from mcviz.sampling.features import activations_before_dropout
from mcviz.sampling.sampler import Sampler

MOST_EXAMPLES = 5000  # to fit the subspaces on, and again to calibrate on
FIT = Derived("ood-detector", 2, {"unexplained": "float64"})


def fit_ood_detector(sampler: Sampler, run: Run) -> OODDetector:
    """Fit the detector on one half of the examples of a classification, and calibrate it on the other.

    The halves are drawn at random; of more than 10,000 examples that many are taken. It takes seconds: keep the
    detector. Its calibration is kept with the run, so that the next time takes half as long.

    Args:
        sampler: of the run's model.
        run: a run that keeps its examples.

    Raises:
        InvalidInputError: a run of fewer than 20 examples.
        McvizError: a run of a regression, or without its examples.
    """
    _check_enough(len(run), LEAST_OOD_EXAMPLES)
    fitted, calibrating = split_halves(np.arange(len(run)))
    kept = load_derived(run.path, run.digest, FIT)
    unexplained = kept["unexplained"] if kept and kept["unexplained"].shape == (len(calibrating),) else None
    subspaces, mean_probs = fit_class_subspaces(sampler, run, fitted), run.mean_probs[calibrating]
    if unexplained is None:
        activations = activations_before_dropout(sampler, model_inputs(sampler, run, calibrating))
        unexplained = unexplained_share(subspaces, mean_probs, activations)
        save_derived(run.path, run.digest, FIT, {"unexplained": unexplained})
    return OODDetector.calibrate(subspaces, mean_probs, unexplained)


def split_halves(examples: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Split examples at random into those to fit on and those to calibrate on, each in ascending order.

    Args:
        examples: (N,) their numbers, at least 20.
        seed: of the split.

    Returns:
        At most 5,000 each; half of the examples, and at least 19, are to calibrate on.
    """
    drawn = np.random.default_rng(seed).permutation(examples)[: 2 * MOST_EXAMPLES]
    fitted, calibrating = np.split(drawn, [len(drawn) - max(LEAST_CALIBRATING, -(-len(drawn) // 2))])
    return np.sort(fitted), np.sort(calibrating)


def fit_class_subspaces(sampler: Sampler, run: Run, examples: np.ndarray) -> ClassSubspaces:
    """Fit the subspaces of the classes on some of a run's examples, by their labels, or else by their predictions.

    Args:
        sampler: of the run's model.
        run: a classification that keeps its examples.
        examples: (M,) their numbers, ascending.
    """
    labels = run.mean_probs[examples].argmax(axis=1) if run.labels is None else np.asarray(run.labels)[examples]
    activations = activations_before_dropout(sampler, model_inputs(sampler, run, examples))
    return ClassSubspaces.fit(activations, labels, run.mean_probs.shape[1])


def model_inputs(sampler: Sampler, run: Run, examples: np.ndarray) -> np.ndarray:
    """Read some of a run's examples, by their numbers, ascending, in the form of its model."""
    return adapter_for_run(sampler, run).from_stored(load_stored(run)[examples])


def ood_verdict(detector: OODDetector, sampler: Sampler, images: np.ndarray, probs: np.ndarray) -> OODPrediction:
    """Decide by a fitted detector which images are out of distribution.

    Args:
        detector: from `fit_ood_detector`.
        sampler: of the same model.
        images: (N, ...) float32 as the model takes them.
        probs: (T, N, C) the passes over them.

    Returns:
        The verdict on each image, with its p-values.
    """
    return detector.predict(probs.mean(axis=0, dtype=np.float64), activations_before_dropout(sampler, images))


def ood_shift(sampler: Sampler, old: Run, new: Run, seed: int = 0) -> tuple[Shift, float, float]:
    """Measure how far the examples of one run differ from those of another, by the OOD score.

    The detector is fitted on one half of the old examples. It is calibrated on the other half, and the new examples are
    compared with these: examples that it was fitted on would look more usual than any others.

    Args:
        sampler: of the model of both.
        old: a classification that keeps its examples; of more than 10,000 that many are taken at random.
        new: likewise, of other examples; at most 5,000 are taken, evenly spread.
        seed: of the halves.

    Returns:
        The shift between the OOD scores of old and new examples, and the shares of the old and of the new examples
        that are out of distribution, of the old ones at most 5%.

    Raises:
        InvalidInputError: `old` has fewer than 40 examples.
        McvizError: a run without its examples, or with others than the model takes.
    """
    _check_enough(len(old), 2 * LEAST_OOD_EXAMPLES)
    fitted, others = split_halves(np.arange(len(old)), seed)
    activations = activations_before_dropout(sampler, model_inputs(sampler, old, others))
    subspaces, mean_probs = fit_class_subspaces(sampler, old, fitted), old.mean_probs[others]
    detector = OODDetector.calibrate(subspaces, mean_probs, unexplained_share(subspaces, mean_probs, activations))
    spread = np.arange(0, len(new), max(1, -(-len(new) // MOST_EXAMPLES)))
    new_activations = activations_before_dropout(sampler, model_inputs(sampler, new, spread))
    verdict = detector.predict(new.mean_probs[spread], new_activations)
    found = compare_scores(-np.log10(detector.calibration_combined), verdict.ood_score)
    return found, detector.calibration_share, float(verdict.is_ood.mean())


def _check_enough(count: int, least: int) -> None:
    if count < least:
        raise InvalidInputError(
            f"What is usual cannot be learnt from so few examples. Received: a run of {count} examples. "
            f"Sample at least {least}."
        )
