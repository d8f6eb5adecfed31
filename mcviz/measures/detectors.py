"""Detectors: numbers that should be high for images that a model should not be asked about.

Here are those that need no fitting. Each takes `evidence` of N images, and (N,) float64 comes back, high for out of
scope. Of the shape statistics nobody can say beforehand which end is suspicious; `oriented` asks the model's own
mistakes among held-out in-distribution images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import entr, log_softmax, logsumexp
from sklearn.metrics import roc_auc_score

from mcviz.measures import moments
from mcviz.measures.scores import (
    expected_entropy,
    margin,
    max_probability,
    mutual_information,
    predictive_entropy,
    predictive_std,
    variation_ratio,
)

Array = np.ndarray


@dataclass(frozen=True)
class Evidence:
    """What detectors may look at, of N images.

    Attributes:
        probs: (T, N, C) the passes.
        logits: (T, N, C) what they were before the softmax.
        deterministic_logits: (N, C) the ordinary model's, dropout off.
    """

    probs: Array
    logits: Array
    deterministic_logits: Array


def of_predicted(evidence: Evidence) -> Array:
    """(T, N) each pass's probability for the class that the predictive mean prefers."""
    return _of_predicted(evidence.probs, evidence.probs)


def logit_of_predicted(evidence: Evidence) -> Array:
    """(T, N) each pass's logit of that class."""
    return _of_predicted(evidence.logits, evidence.probs)


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
    """The energy score (Liu et al. 2020), -log of the sum of exponentials, meant over any passes. (N,) float64.

    Args:
        logits: (T, N, C), or (N, C) of the ordinary model.
    """
    values = -logsumexp(logits.astype(np.float64), axis=-1)
    return values if values.ndim == 1 else values.mean(axis=0)


@dataclass(frozen=True)
class Detector:
    """A detector that needs no fitting.

    Attributes:
        label: its name for people.
        family: what it is made of.
        surprise: of N images' evidence (N,) float64.
        known_end: False where mistakes have to say which end is suspicious.
    """

    label: str
    family: str
    surprise: Callable[[Evidence], Array]
    known_end: bool = True


PLAIN, PASSES, SHAPE = "ordinary model", "scores of the passes", "higher moments"


def _plain(evidence: Evidence) -> Array:
    return np.exp(log_softmax(evidence.deterministic_logits.astype(np.float64), axis=-1))


def _shapes(values: Callable[[Evidence], Array], of_what: str, name: str) -> dict[str, Detector]:
    statistics: dict[str, tuple[str, Callable[[Array], Array]]] = {
        "skewness": ("Skewness", moments.skewness),
        "kurtosis": ("Kurtosis", moments.kurtosis),
        "bimodality": ("Bimodality coefficient", moments.bimodality_coefficient),
        "spread_50": ("Middle half", lambda v: moments.quantile_spread(v, 0.25, 0.75)),
        "spread_90": ("Middle nine tenths", lambda v: moments.quantile_spread(v, 0.05, 0.95)),
    }
    return {
        f"{key}_{name}": Detector(f"{label} of {of_what}", SHAPE, _after(values, function), known_end=False)
        for key, (label, function) in statistics.items()
    }


def _after(values: Callable[[Evidence], Array], function: Callable[[Array], Array]) -> Callable[[Evidence], Array]:
    return lambda evidence: function(values(evidence))


DETECTORS: dict[str, Detector] = {
    "plain_max_probability": Detector("Max probability, dropout off", PLAIN, lambda e: -_plain(e).max(axis=1)),
    "plain_entropy": Detector("Entropy, dropout off", PLAIN, lambda e: entr(_plain(e)).sum(axis=1)),
    "plain_energy": Detector("Energy, dropout off", PLAIN, lambda e: energy(e.deterministic_logits)),
    "max_probability": Detector("Max probability", PASSES, lambda e: -max_probability(e.probs)),
    "predictive_entropy": Detector("Predictive entropy", PASSES, lambda e: predictive_entropy(e.probs)),
    "expected_entropy": Detector("Expected entropy", PASSES, lambda e: expected_entropy(e.probs)),
    "mutual_information": Detector("Mutual information", PASSES, lambda e: mutual_information(e.probs)),
    "predictive_std": Detector("Predictive std", PASSES, lambda e: predictive_std(e.probs)),
    "variation_ratio": Detector("Variation ratio", PASSES, lambda e: variation_ratio(e.probs)),
    "margin": Detector("Margin", PASSES, lambda e: -margin(e.probs)),
    "energy": Detector("Energy, mean of the passes", PASSES, lambda e: energy(e.logits)),
    "dirichlet": Detector("Dirichlet precision", PASSES, lambda e: -dirichlet_precision(e.probs)),
    "pairwise_divergence": Detector("Divergence between passes", PASSES, lambda e: pairwise_divergence(e.probs)),
    "logit_disagreement": Detector("Disagreement of logits", PASSES, lambda e: logit_disagreement(e.logits)),
    "relative_disagreement": Detector(
        "Disagreement of logits, relative", PASSES, lambda e: relative_logit_disagreement(e.logits)
    ),
    **_shapes(of_predicted, "the probability", "probability"),
    **_shapes(logit_of_predicted, "the logit", "logit"),
}


def oriented(surprise: Array, mistakes: Array) -> int:
    """1 if mistakes lie at the high end of a statistic, else -1.

    Args:
        surprise: (N,) of held-out in-distribution images.
        mistakes: (N,) bool, some of each.
    """
    return 1 if roc_auc_score(mistakes, surprise) >= 0.5 else -1


def _of_predicted(values: Array, probs: Array) -> Array:
    predicted = probs.mean(axis=0, dtype=np.float64).argmax(axis=-1)
    return np.take_along_axis(values, predicted[None, :, None], axis=-1)[..., 0]
