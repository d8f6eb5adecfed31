"""The images of the study: the half that is fitted on, the half that is in distribution, and all sets that are not."""

from dataclasses import dataclass

import numpy as np

from benchmarks.ood.held_out_sets import held_out_sets
from benchmarks.ood.known_sets import ImageSet, known_sets
from mcviz.data import as_model_input
from mcviz.errors import InvalidInputError
from mcviz.runs import Run


@dataclass(frozen=True)
class StudyImages:
    """The data of the study.

    Attributes:
        images: (N, 28, 28, 1) float32 in 0..1, the run's: those with even numbers are fitted on.
        labels: (N,) their classes.
        sets: what is out of distribution, by name, made of the images with odd numbers where it is made of digits.
    """

    images: np.ndarray
    labels: np.ndarray
    sets: dict[str, ImageSet]


def study_images(run: Run) -> StudyImages:
    """Take the images of a run and make every set.

    Raises:
        InvalidInputError: a run without labels.
    """
    if run.labels is None:
        raise InvalidInputError(
            "The study needs labels, to know the model's mistakes. Received: a run without labels. "
            "Give a run of labelled images."
        )
    images, labels = as_model_input(np.asarray(run.images)), np.asarray(run.labels)
    held_out = images[1::2], labels[1::2]
    return StudyImages(images, labels, known_sets(*held_out) | held_out_sets(*held_out))
