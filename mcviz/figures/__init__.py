"""Functions of arrays that return plotly figures, or pictures as bytes."""

from mcviz.figures.accuracy import (
    accuracy_against_ensemble,
    accuracy_by_ensemble_size,
    mistakes_found,
    rmse_against_ensemble,
    rmse_by_ensemble_size,
)
from mcviz.figures.cells import Window
from mcviz.figures.classes import by_role, class_counts, class_probabilities, shown_classes
from mcviz.figures.confusion import confusion_matrix
from mcviz.figures.images import CRISP_BELOW, contact_sheet, picture_url, png, png_url, sheet_url, thumbnails
from mcviz.figures.passes import estimate_by_passes, output_by_passes, two_classes
from mcviz.figures.regression import (
    coverage_of_intervals,
    error_against_score,
    outputs_of_example,
    predicted_against_true,
)
from mcviz.figures.rows import Curve, class_curves, curves_along, unusual_values
from mcviz.figures.scores import class_accuracies, coloured_map, scatter, score_distributions
from mcviz.figures.style import CORRECT, WRONG, class_colour, with_large_letters

__all__ = [
    "CORRECT",
    "CRISP_BELOW",
    "WRONG",
    "Curve",
    "Window",
    "accuracy_against_ensemble",
    "accuracy_by_ensemble_size",
    "by_role",
    "class_accuracies",
    "class_colour",
    "class_counts",
    "class_curves",
    "class_probabilities",
    "coloured_map",
    "confusion_matrix",
    "contact_sheet",
    "coverage_of_intervals",
    "curves_along",
    "error_against_score",
    "estimate_by_passes",
    "mistakes_found",
    "output_by_passes",
    "outputs_of_example",
    "picture_url",
    "png",
    "png_url",
    "predicted_against_true",
    "rmse_against_ensemble",
    "rmse_by_ensemble_size",
    "scatter",
    "score_distributions",
    "sheet_url",
    "shown_classes",
    "thumbnails",
    "two_classes",
    "unusual_values",
    "with_large_letters",
]
