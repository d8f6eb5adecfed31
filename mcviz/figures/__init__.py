"""Functions of arrays that return plotly figures, or pictures as bytes."""

from mcviz.figures.accuracy import (
    accuracy_against_ensemble,
    accuracy_by_ensemble_size,
    mistakes_by_reviewed,
    rmse_against_ensemble,
    rmse_by_ensemble_size,
)
from mcviz.figures.cells import Window
from mcviz.figures.confusion import confusion_matrix
from mcviz.figures.explanations import unusual_values
from mcviz.figures.images import CRISP_BELOW, contact_sheet, picture_url, png, png_url, sheet_url, thumbnails
from mcviz.figures.passes import (
    class_probabilities,
    estimate_by_passes,
    group_by_role,
    output_by_passes,
    select_classes,
    two_classes,
)
from mcviz.figures.regression import (
    ERROR_BARS,
    error_against_score,
    example_outputs,
    interval_coverage,
    predicted_against_true,
)
from mcviz.figures.scores import class_accuracies, class_counts, coloured_map, scatter, score_distributions
from mcviz.figures.style import CORRECT, WRONG, class_colour, enlarge_letters
from mcviz.figures.sweeps import Curve, class_curves, curves_along

__all__ = [
    "CORRECT",
    "CRISP_BELOW",
    "ERROR_BARS",
    "WRONG",
    "Curve",
    "Window",
    "accuracy_against_ensemble",
    "accuracy_by_ensemble_size",
    "class_accuracies",
    "class_colour",
    "class_counts",
    "class_curves",
    "class_probabilities",
    "coloured_map",
    "confusion_matrix",
    "contact_sheet",
    "curves_along",
    "enlarge_letters",
    "error_against_score",
    "estimate_by_passes",
    "example_outputs",
    "group_by_role",
    "interval_coverage",
    "mistakes_by_reviewed",
    "output_by_passes",
    "picture_url",
    "png",
    "png_url",
    "predicted_against_true",
    "rmse_against_ensemble",
    "rmse_by_ensemble_size",
    "scatter",
    "score_distributions",
    "select_classes",
    "sheet_url",
    "thumbnails",
    "two_classes",
    "unusual_values",
]
