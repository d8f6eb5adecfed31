"""Statistics of the passes: functions of arrays, independent of files, screens and models."""

from .quality import correct_by_ensemble_size as correct_by_ensemble_size
from .quality import correct_per_pass as correct_per_pass
from .registry import REGRESSION_SCORES as REGRESSION_SCORES
from .registry import SCORES as SCORES
from .registry import Predictions as Predictions
from .registry import RegressionPredictions as RegressionPredictions
from .registry import Score as Score
from .registry import Scores as Scores
from .registry import most_uncertain_first as most_uncertain_first
from .registry import register as register
from .regression import regression_scores as regression_scores
from .regression import squared_error_by_ensemble_size as squared_error_by_ensemble_size
from .regression import squared_error_per_pass as squared_error_per_pass
from .scores import PassSummary as PassSummary
from .scores import expected_entropy as expected_entropy
from .scores import margin as margin
from .scores import max_probability as max_probability
from .scores import mutual_information as mutual_information
from .scores import normalized_margin as normalized_margin
from .scores import predictive_entropy as predictive_entropy
from .scores import predictive_std as predictive_std
from .scores import scores as scores
from .scores import self_confidence as self_confidence
from .scores import summarise as summarise
from .scores import variation_ratio as variation_ratio
