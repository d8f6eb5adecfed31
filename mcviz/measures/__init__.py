"""What the passes say: functions of arrays, which know no file, no screen and no model."""

from mcviz.measures.accuracy import correct_by_ensemble_size, correct_per_pass
from mcviz.measures.scores import (
    OTHER_COLUMNS,
    SCORES,
    Predictions,
    Score,
    expected_entropy,
    margin,
    max_probability,
    most_uncertain_first,
    mutual_information,
    predictive_entropy,
    predictive_std,
    register,
    scores,
    variation_ratio,
)
from mcviz.measures.summary import PassSummary, summarise
from mcviz.measures.units import percent

__all__ = [
    "OTHER_COLUMNS",
    "SCORES",
    "PassSummary",
    "Predictions",
    "Score",
    "correct_by_ensemble_size",
    "correct_per_pass",
    "expected_entropy",
    "margin",
    "max_probability",
    "most_uncertain_first",
    "mutual_information",
    "percent",
    "predictive_entropy",
    "predictive_std",
    "register",
    "scores",
    "summarise",
    "variation_ratio",
]
