"""Statistics of the passes: functions of arrays, which know no file, no screen and no model."""

from mcviz.measures.convergence import correct_by_ensemble_size, correct_per_pass
from mcviz.measures.registry import (
    REGRESSION_SCORES,
    SCORES,
    Predictions,
    RegressionPredictions,
    Score,
    Scores,
    most_uncertain_first,
    register,
)
from mcviz.measures.regression import squared_error_by_ensemble_size, squared_error_per_pass
from mcviz.measures.regression_scores import regression_scores
from mcviz.measures.scores import (
    expected_entropy,
    margin,
    max_probability,
    mutual_information,
    normalized_margin,
    predictive_entropy,
    predictive_std,
    scores,
    self_confidence,
    variation_ratio,
)
from mcviz.measures.summary import PassSummary, summarise
from mcviz.measures.units import percent, significant

__all__ = [
    "REGRESSION_SCORES",
    "SCORES",
    "PassSummary",
    "Predictions",
    "RegressionPredictions",
    "Score",
    "Scores",
    "correct_by_ensemble_size",
    "correct_per_pass",
    "expected_entropy",
    "margin",
    "max_probability",
    "most_uncertain_first",
    "mutual_information",
    "normalized_margin",
    "percent",
    "predictive_entropy",
    "predictive_std",
    "register",
    "regression_scores",
    "scores",
    "self_confidence",
    "significant",
    "squared_error_by_ensemble_size",
    "squared_error_per_pass",
    "summarise",
    "variation_ratio",
]
