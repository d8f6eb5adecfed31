"""Pictures of arrays: plotly figures, drawn the same whatever shows them."""

from mcviz.figures.accuracy import accuracy_against_ensemble, accuracy_by_ensemble_size
from mcviz.figures.classes import class_counts, class_probabilities, pass_histograms
from mcviz.figures.images import contact_sheet, png

__all__ = [
    "accuracy_against_ensemble",
    "accuracy_by_ensemble_size",
    "class_counts",
    "class_probabilities",
    "contact_sheet",
    "pass_histograms",
    "png",
]
