"""The accuracy on examples without labels, estimated by labels of others.

The probabilities are brought to the temperature that is best for the labels (Guo et al. 2017). Where they are then
calibrated for the new examples too, the mean confidence is the accuracy to be expected, and the number of mistakes has
the Poisson-binomial distribution (Kivimäki et al. 2025). By how much the mean confidence is off on the labels is taken
from it (the difference of confidences, Guillory et al. 2021), so that a model that no temperature calibrates is not
misjudged where the examples are alike.
"""

from dataclasses import dataclass
from math import hypot

import numpy as np

from mcviz.measures.bootstrap import Interval
from mcviz.measures.poisson_binomial import excess_mistakes, expected_mistakes
from mcviz.measures.temperature import apply_temperature, fit_temperature

Array = np.ndarray


@dataclass(frozen=True)
class EstimatedAccuracy:
    """The accuracy on examples without labels.

    Attributes:
        temperature: that is best for the labels of others; above 1 the probabilities were over-confident.
        mean_confidence: at that temperature, as a fraction.
        accuracy: the estimate, and the ends of its interval, as fractions.
    """

    temperature: float
    mean_confidence: float
    accuracy: Interval


def estimate_accuracy(probs: Array, labels: Array, new_probs: Array, confidence: float = 0.95) -> EstimatedAccuracy:
    """Estimate the accuracy on new examples.

    Args:
        probs: (N, C) floating point, of examples with labels.
        labels: (N,) integers.
        new_probs: (M, C) floating point, of the same model.
        confidence: above 0 and below 1, of the interval, which is for the accuracy on these very examples: it holds
            what chance does to them and to the labels. Each end lies as far from the estimate as the root of the sum of
            the squares of how far it would lie by either (Zou & Donner 2008).
    """
    temperature = fit_temperature(probs, labels)
    chances, new_chances = (1 - apply_temperature(each, temperature).max(axis=1) for each in (probs, new_probs))
    mistakes = int(np.count_nonzero(probs.argmax(axis=1) != labels))
    excess, expected = excess_mistakes(chances, mistakes, confidence), expected_mistakes(new_chances, confidence)
    share = expected.value + excess.value
    fewest = share - hypot(expected.value - expected.low, excess.value - excess.low)
    most = share + hypot(expected.high - expected.value, excess.high - excess.value)
    accuracy = Interval(*(float(np.clip(1 - each, 0, 1)) for each in (share, most, fewest)))
    return EstimatedAccuracy(temperature, 1 - expected.value, accuracy)
