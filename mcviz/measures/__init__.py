"""What the passes say: functions of predicted probabilities, in numpy alone."""

from mcviz.measures.accuracy import correct_by_ensemble_size, correct_per_pass
from mcviz.measures.scores import (
    SCORES,
    Score,
    expected_entropy,
    margin,
    max_probability,
    most_uncertain_first,
    mutual_information,
    predictive_entropy,
    predictive_std,
    scores,
    variation_ratio,
)

__all__ = [
    "SCORES",
    "Score",
    "correct_by_ensemble_size",
    "correct_per_pass",
    "expected_entropy",
    "margin",
    "max_probability",
    "most_uncertain_first",
    "mutual_information",
    "predictive_entropy",
    "predictive_std",
    "scores",
    "variation_ratio",
]
