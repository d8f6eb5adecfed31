"""Functions of arrays that return plotly figures, or pictures as bytes."""

from mcviz.figures.accuracy import accuracy_against_ensemble, accuracy_by_ensemble_size, mistakes_found
from mcviz.figures.classes import by_role, class_counts, class_probabilities, shown_classes
from mcviz.figures.confusion import confusion_matrix
from mcviz.figures.images import CRISP_BELOW, contact_sheet, picture_url, png, png_url, sheet_url, thumbnails
from mcviz.figures.passes import estimate_by_passes, two_classes
from mcviz.figures.scores import class_accuracies, coloured_map, scatter, score_distributions
from mcviz.figures.style import CORRECT, WRONG, class_colour

__all__ = [
    "CORRECT",
    "CRISP_BELOW",
    "WRONG",
    "accuracy_against_ensemble",
    "accuracy_by_ensemble_size",
    "by_role",
    "class_accuracies",
    "class_colour",
    "class_counts",
    "class_probabilities",
    "coloured_map",
    "confusion_matrix",
    "contact_sheet",
    "estimate_by_passes",
    "mistakes_found",
    "picture_url",
    "png",
    "png_url",
    "scatter",
    "score_distributions",
    "sheet_url",
    "shown_classes",
    "thumbnails",
    "two_classes",
]
