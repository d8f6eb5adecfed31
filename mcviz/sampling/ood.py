"""The detector of out-of-distribution examples for a run and its model."""

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.measures.ood import LEAST_CALIBRATING, LEAST_EXAMPLES, OODDetector, OODPrediction
from mcviz.measures.referral import Shift, shift
from mcviz.measures.subspaces import ClassSubspaces, unexplained_share
from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.sampling.adapters import adapter_for_run, load_stored
from mcviz.sampling.features import activations_before_dropout
from mcviz.sampling.sampler import Sampler

MOST_EXAMPLES = 5000  # to fit the subspaces on, and again to calibrate on
FIT = Derived("ood-detector", 2, {"unexplained": "float64"})


def fit_ood_detector(sampler: Sampler, run: Run) -> OODDetector:
    """Fit the detector on one half of the examples of a classification, and calibrate it on the other.

    The halves are drawn at random; of more than 10,000 examples that many are taken. It takes seconds: keep what comes
    back. What the calibration finds is kept with the run, so that the next time takes half as long.

    Args:
        sampler: of the run's model.
        run: a run that keeps its examples.

    Raises:
        InvalidInputError: a run of fewer than 20 examples.
        McvizError: a run of a regression, or without its examples.
    """
    _check_enough(len(run), LEAST_EXAMPLES)
    fitted, calibrating = halves(np.arange(len(run)))
    kept = load_derived(run.path, run.digest, FIT)
    unexplained = kept["unexplained"] if kept and kept["unexplained"].shape == (len(calibrating),) else None
    subspaces, mean_probs = class_subspaces(sampler, run, fitted), run.mean_probs[calibrating]
    if unexplained is None:
        activations = activations_before_dropout(sampler, taken(sampler, run, calibrating))
        unexplained = unexplained_share(subspaces, mean_probs, activations)
        save_derived(run.path, run.digest, FIT, {"unexplained": unexplained})
    return OODDetector.calibrated(subspaces, mean_probs, unexplained)


def halves(examples: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Deal examples at random into those to fit on and those to calibrate on, each in ascending order.

    Args:
        examples: (N,) their numbers, at least 20.
        seed: of the draw.

    Returns:
        At most 5,000 each; those to calibrate on are half of them, and at least 19.
    """
    drawn = np.random.default_rng(seed).permutation(examples)[: 2 * MOST_EXAMPLES]
    fitted, calibrating = np.split(drawn, [len(drawn) - max(LEAST_CALIBRATING, -(-len(drawn) // 2))])
    return np.sort(fitted), np.sort(calibrating)


def class_subspaces(sampler: Sampler, run: Run, examples: np.ndarray) -> ClassSubspaces:
    """The subspaces of the classes of some of a run's examples, by their labels, or else by their predictions.

    Args:
        sampler: of the run's model.
        run: a classification that keeps its examples.
        examples: (M,) their numbers, ascending.
    """
    labels = run.mean_probs[examples].argmax(axis=1) if run.labels is None else np.asarray(run.labels)[examples]
    activations = activations_before_dropout(sampler, taken(sampler, run, examples))
    return ClassSubspaces.fit(activations, labels, run.mean_probs.shape[1])


def taken(sampler: Sampler, run: Run, examples: np.ndarray) -> np.ndarray:
    """Some of a run's examples by their numbers, ascending, as its model takes them."""
    return adapter_for_run(sampler, run).from_stored(load_stored(run)[examples])


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


def ood_shift(sampler: Sampler, old: Run, new: Run, seed: int = 0) -> tuple[Shift, float, float]:
    """Whether the examples of one run are like those of another, by the OOD score.

    The detector is fitted on one half of the old examples. The other half is what it is calibrated on, and what the new
    examples are compared with: examples that it was fitted on would look more usual than any others.

    Args:
        sampler: of the model of both.
        old: a classification that keeps its examples; of more than 10,000 that many are taken at random.
        new: likewise, of other examples; at most 5,000 are taken, evenly spread.
        seed: of the halves.

    Returns:
        How far the OOD scores of the new examples are distributed otherwise than those of the old ones, and the shares
        of the old ones and of the new ones that are out of distribution; of the old ones it is at most 5%.

    Raises:
        InvalidInputError: `old` has fewer than 40 examples.
        McvizError: a run without its examples, or that the model cannot take.
    """
    _check_enough(len(old), 2 * LEAST_EXAMPLES)
    fitted, others = halves(np.arange(len(old)), seed)
    activations = activations_before_dropout(sampler, taken(sampler, old, others))
    subspaces, mean_probs = class_subspaces(sampler, old, fitted), old.mean_probs[others]
    detector = OODDetector.calibrated(subspaces, mean_probs, unexplained_share(subspaces, mean_probs, activations))
    spread = np.arange(0, len(new), max(1, -(-len(new) // MOST_EXAMPLES)))
    of_new = detector.predict(new.mean_probs[spread], activations_before_dropout(sampler, taken(sampler, new, spread)))
    found = shift(-np.log10(detector.own_combined), of_new.ood_score)
    return found, detector.own_share, float(of_new.is_ood.mean())


def _check_enough(count: int, least: int) -> None:
    if count < least:
        raise InvalidInputError(
            f"What is usual cannot be learnt from so few examples. Received: a run of {count} examples. "
            f"Sample at least {least}."
        )
