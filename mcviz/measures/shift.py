"""New examples against labelled ones: tests of categories, and the expected accuracy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import hypot

import numpy as np
import scipy  # loads scipy.stats when it is first used

from mcviz.measures.calibration import apply_temperature, fit_temperature
from mcviz.measures.intervals import Interval, excess_mistakes, expected_mistakes
from mcviz.measures.scores import find_likeliest
from mcviz.measures.selective import Shift

Array = np.ndarray
LEAST_EXPECTED = 5  # of a category in either set, for a chi-square test; rarer ones are pooled
FEWEST_LABELS = 10  # to estimate an accuracy: with fewer, the temperature is too far off for its interval


def compare_categories(old: Array, new: Array) -> Shift:
    """Test by chi-square whether categories of two sets are distributed alike.

    Args:
        old: (N,) texts or numbers, N ≥ 1.
        new: (M,) of the same kind, M ≥ 1.
    """
    values, places = np.unique(np.concatenate([old, new]), return_inverse=True)
    counts = np.stack([np.bincount(part, minlength=len(values)) for part in (places[: len(old)], places[len(old) :])])
    expected = counts.sum(axis=0) * min(len(old), len(new)) / (len(old) + len(new))
    rare = expected < LEAST_EXPECTED
    together = counts[:, rare].sum(axis=1) if expected[rare].sum() >= LEAST_EXPECTED else counts[:, :0]
    counts = np.column_stack([counts[:, ~rare], together])
    if counts.shape[1] < 2:
        return Shift(0.0, 1.0)
    tested = scipy.stats.chi2_contingency(counts, correction=False)
    return Shift(float(tested.statistic), float(tested.pvalue))


def adjust_p_values(values: Mapping[str, float]) -> dict[str, float]:
    """Correct p-values for multiple tests (Holm 1979); the smallest comes first."""
    ordered = sorted(values, key=lambda name: values[name])
    steps = [(len(values) - rank) * values[name] for rank, name in enumerate(ordered)]
    return dict(zip(ordered, np.minimum(np.maximum.accumulate(steps), 1).tolist(), strict=True))


@dataclass(frozen=True)
class EstimatedAccuracy:
    """The accuracy on examples without labels.

    Attributes:
        temperature: the best one for the labels of others; above 1 the probabilities were over-confident.
        mean_confidence: at that temperature, as a fraction.
        accuracy: the estimate, and the ends of its interval, as fractions.
    """

    temperature: float
    mean_confidence: float
    accuracy: Interval


def estimate_accuracy(
    probs: Array,
    labels: Array,
    new_probs: Array,
    confidence: float = 0.95,
    decide: Callable[[Array], Array] = find_likeliest,
) -> EstimatedAccuracy:
    """Estimate the accuracy on new examples.

    The probabilities are scaled by the best temperature for the labels (Guo et al. 2017). If they are then calibrated
    for the new examples, the mean confidence is the expected accuracy, and mistakes are Poisson-binomial (Kivimäki et
    al. 2025). The labels' remaining confidence − accuracy is subtracted (difference of confidences, Guillory et al.
    2021).

    Args:
        probs: (N, C) floating point, of examples with labels, N ≥ `FEWEST_LABELS`.
        labels: (N,) integers.
        new_probs: (M, C) floating point, of the same model.
        confidence: above 0 and below 1, of the interval for the accuracy on these very examples: it covers chance in
            them and in the labels. Each end's distance is the root of the sum of the squares of both distances (Zou &
            Donner 2008).
        decide: gives the (n,) classes that (n, C) probabilities predict.
    """
    temperature, predicted, new_predicted = fit_temperature(probs, labels), decide(probs), decide(new_probs)
    chances, new_chances = (
        1 - np.take_along_axis(apply_temperature(of, temperature), classes[:, None], axis=1)[:, 0]
        for of, classes in ((probs, predicted), (new_probs, new_predicted))
    )
    mistakes = int(np.count_nonzero(predicted != labels))
    excess, expected = excess_mistakes(chances, mistakes, confidence), expected_mistakes(new_chances, confidence)
    share = expected.value + excess.value
    fewest = share - hypot(expected.value - expected.low, excess.value - excess.low)
    most = share + hypot(expected.high - expected.value, excess.high - excess.value)
    accuracy = Interval(*(float(np.clip(1 - errors, 0, 1)) for errors in (share, most, fewest)))
    return EstimatedAccuracy(temperature, 1 - expected.value, accuracy)
