"""The detectors of the study: each gives every example an OOD score, high for out of distribution.

Here are those that need no fitting. They take the `Outputs` of a model for N examples, and return (N,) float64. Of the
statistics of shape nobody can say beforehand which end is the suspicious one; `suspicious_end` asks the model's own
mistakes among in-distribution examples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import entr, log_softmax, logsumexp
from sklearn.metrics import roc_auc_score

from benchmarks.ood import moments
from mcviz.measures import SCORES, Predictions, Score, expected_entropy

Array = np.ndarray


@dataclass(frozen=True)
class Outputs:
    """The outputs of a model for N examples.

    Attributes:
        probs: (T, N, C) the passes.
        logits: (T, N, C) what they were before the softmax.
        deterministic_logits: (N, C) with dropout off.
    """

    probs: Array
    logits: Array
    deterministic_logits: Array


@dataclass(frozen=True)
class Detector:
    """A detector that needs no fitting.

    Attributes:
        label: its name for people.
        family: what it is made of.
        ood_score: of N examples' outputs (N,) float64.
        known_end: False where the model's mistakes have to say which end is suspicious.
    """

    label: str
    family: str
    ood_score: Callable[[Outputs], Array]
    known_end: bool = True


def of_predicted(outputs: Outputs) -> Array:
    """(T, N) each pass's probability for the class that the predictive mean prefers."""
    return _of_predicted(outputs.probs, outputs.probs)


def logit_of_predicted(outputs: Outputs) -> Array:
    """(T, N) each pass's logit of that class."""
    return _of_predicted(outputs.logits, outputs.probs)


def dirichlet_precision(probs: Array) -> Array:
    """The precision of the Dirichlet distribution whose mean and total variance are those of the passes.

    The method of moments (Minka 2000, "Estimating a Dirichlet distribution", without logarithms): for a Dirichlet of
    precision s the variances of all classes add up to (1 - sum of squared means) / (s + 1).

    Args:
        probs: (T, N, C).

    Returns:
        (N,) float64, 0 or more; high where the passes agree.
    """
    mean, variance = probs.mean(axis=0, dtype=np.float64), probs.var(axis=0, dtype=np.float64)
    spread = np.maximum(variance.sum(axis=1), np.finfo(np.float64).tiny)
    return np.maximum((1 - np.square(mean).sum(axis=1)) / spread - 1, 0)


def pairwise_divergence(probs: Array) -> Array:
    """The expected Kullback-Leibler divergence between two passes drawn at random (Malinin & Gales 2021), in nats.

    Args:
        probs: (T, N, C); the smallest float stands for 0.

    Returns:
        (N,) float64, 0 or more: mean over pairs of passes, a pass with itself among them.
    """
    logs = np.log(np.maximum(probs, np.finfo(np.float32).tiny))
    crossed = (probs.mean(axis=0, dtype=np.float64) * logs.mean(axis=0, dtype=np.float64)).sum(axis=1)
    return np.maximum(-crossed - expected_entropy(probs), 0)


def logit_disagreement(logits: Array) -> Array:
    """The variance over the passes of the logits, less each pass's own mean, summed over the classes. (N,) float64."""
    return (logits - logits.mean(axis=-1, keepdims=True)).var(axis=0, dtype=np.float64).sum(axis=1)


def relative_logit_disagreement(logits: Array) -> Array:
    """`logit_disagreement` as a share of the squared length of the mean logits. (N,) float64."""
    mean = (logits - logits.mean(axis=-1, keepdims=True)).mean(axis=0, dtype=np.float64)
    return logit_disagreement(logits) / np.maximum(np.square(mean).sum(axis=1), np.finfo(np.float32).tiny)


def energy(logits: Array) -> Array:
    """The energy score (Liu et al. 2020), -log of the sum of exponentials, its mean over any passes. (N,) float64.

    Args:
        logits: (T, N, C), or (N, C) of the model with dropout off.
    """
    values = -logsumexp(logits.astype(np.float64), axis=-1)
    return values if values.ndim == 1 else values.mean(axis=0)


def suspicious_end(ood_score: Array, mistakes: Array) -> int:
    """1 if the model's mistakes lie at the high end of a statistic, -1 if they lie at the low one.

    Args:
        ood_score: (N,) of in-distribution examples.
        mistakes: (N,) bool, some of each.
    """
    return 1 if roc_auc_score(mistakes, ood_score) >= 0.5 else -1


def _of_predicted(values: Array, probs: Array) -> Array:
    predicted = probs.mean(axis=0, dtype=np.float64).argmax(axis=-1)
    return np.take_along_axis(values, predicted[None, :, None], axis=-1)[..., 0]


def _deterministic(outputs: Outputs) -> Array:
    return np.exp(log_softmax(outputs.deterministic_logits.astype(np.float64), axis=-1))


def _registered(score: Score, outputs: Outputs) -> Array:
    return score.uncertainty(score.compute(Predictions(outputs.probs)))


def _statistic(values: Callable[[Outputs], Array], statistic: Callable[[Array], Array], outputs: Outputs) -> Array:
    return statistic(values(outputs))


DETERMINISTIC, PASSES, SHAPE = "deterministic", "scores of the passes", "higher moments"
STATISTICS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "skewness": ("Skewness", moments.skewness),
    "kurtosis": ("Kurtosis", moments.kurtosis),
    "bimodality": ("Bimodality", moments.bimodality_coefficient),
    "spread_50": ("Middle half", partial(moments.quantile_spread, low=0.25, high=0.75)),
    "spread_90": ("Middle nine tenths", partial(moments.quantile_spread, low=0.05, high=0.95)),
}

DETECTORS: dict[str, Detector] = {
    "deterministic_max_probability": Detector(
        "Max probability, dropout off", DETERMINISTIC, lambda o: -_deterministic(o).max(axis=1)
    ),
    "deterministic_entropy": Detector(
        "Entropy, dropout off", DETERMINISTIC, lambda o: entr(_deterministic(o)).sum(axis=1)
    ),
    "deterministic_energy": Detector("Energy, dropout off", DETERMINISTIC, lambda o: energy(o.deterministic_logits)),
    **{
        name: Detector(score.label, PASSES, partial(_registered, score))
        for name, score in SCORES.items()
        if score.needs == ("probs",)
    },
    "energy": Detector("Energy, mean of the passes", PASSES, lambda o: energy(o.logits)),
    "dirichlet_precision": Detector("Dirichlet precision", PASSES, lambda o: -dirichlet_precision(o.probs)),
    "pairwise_divergence": Detector("Divergence between passes", PASSES, lambda o: pairwise_divergence(o.probs)),
    "logit_disagreement": Detector("Disagreement of logits", PASSES, lambda o: logit_disagreement(o.logits)),
    "relative_logit_disagreement": Detector(
        "Disagreement of logits, relative", PASSES, lambda o: relative_logit_disagreement(o.logits)
    ),
    **{
        f"{key}_{name}": Detector(f"{label} of the {name}", SHAPE, partial(_statistic, values, statistic), False)
        for name, values in (("probability", of_predicted), ("logit", logit_of_predicted))
        for key, (label, statistic) in STATISTICS.items()
    },
}

ACTIVATIONS, OF_MOMENTS, COMBINATIONS, BOUNDS = "activations", "models of the moments", "combinations", "bounds"
MODELS = {
    "gaussian": "Gaussian by class",
    "neighbours": "Ten neighbours",
    "isolation_forest": "Isolation forest",
    "one_class": "One-class SVM",
}
MOMENTS = {2: "two moments", 4: "four moments"}

# Those that are fitted, in `study.py`: label and family.
FITTED: dict[str, tuple[str, str]] = {
    "unexplained_share": ("Unexplained share", ACTIVATIONS),
    "neighbours_penultimate": ("Ten neighbours, penultimate layer", ACTIVATIONS),
    "neighbours_penultimate_passes": ("Ten neighbours, penultimate layer, mean of the passes", ACTIVATIONS),
    "neighbours_front": ("Ten neighbours, in front of dropout", ACTIVATIONS),
    "gaussian_penultimate": ("Gaussian by class, penultimate layer", ACTIVATIONS),
    "gaussian_penultimate_passes": ("Gaussian by class, penultimate layer, mean of the passes", ACTIVATIONS),
    **{
        f"{model}_{name.replace(' ', '_')}": (f"{label}, {name}", OF_MOMENTS)
        for name in MOMENTS.values()
        for model, label in MODELS.items()
    },
    **{
        f"{way}_{uncertainty}_{distance}": (f"{label}: {DETECTORS[uncertainty].label.lower()}, {what}", COMBINATIONS)
        for way, label in (("harmonic", "Harmonic mean"), ("fisher", "Fisher"))
        for uncertainty in ("max_probability", "expected_entropy")
        for distance, what in (("unexplained_share", "unexplained share"), ("neighbours_penultimate", "ten neighbours"))
    },
    **{f"bound_{name.replace(' ', '_')}": (f"Bound, {name}", BOUNDS) for name in MOMENTS.values()},
}


def label_of(detector: str) -> str:
    """A detector's name for people."""
    return FITTED[detector][0] if detector in FITTED else DETECTORS[detector].label


def family_of(detector: str) -> str:
    """The inputs of a detector."""
    return FITTED[detector][1] if detector in FITTED else DETECTORS[detector].family
