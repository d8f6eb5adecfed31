"""What a model makes of a data set, before hours are spent on it."""

import time
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from msgspec.structs import replace

from mcviz.data import DataSet, as_data_set
from mcviz.measures import percent
from mcviz.model.examples import first_scaling
from mcviz.model.inputs import ImageAdapter
from mcviz.model.run_sampling import check_classes
from mcviz.model.sampler import Masks, Sampler, as_sampler
from mcviz.runs import Preprocessing
from mcviz.runs.arrays import MISSING, StoredArray, encode, quantise
from mcviz.runs.manifest import CHUNK_VALUES

EXAMPLES = 512  # that are looked at
SECONDS = 2.0  # that are spent on passes
NEAR_CHANCE = 0.15  # of the way from guessing to being always right
MENDED = 0.2  # accuracy that the other scale adds


@dataclass(frozen=True)
class Check:
    """What a model makes of a data set.

    Attributes:
        examples: how many there are, N.
        shape: of one image.
        dtype: of the images.
        lowest: the smallest value of those that were looked at.
        highest: the largest.
        classes: C.
        class_names: names, where the data know them.
        layers: a sentence on what is stochastic.
        preprocessing: how the model takes the images.
        looked_at: how many examples the following come from.
        accuracy: of the deterministic model, or None without labels.
        advice: a sentence on a scale that fits better, or "".
        seconds_per_pass: over all N examples.
        bytes_per_pass: of stored probabilities.
    """

    examples: int
    shape: tuple[int, ...]
    dtype: str
    lowest: float
    highest: float
    classes: int
    class_names: tuple[str, ...] | None
    layers: str
    preprocessing: Preprocessing
    looked_at: int
    accuracy: float | None
    advice: str
    seconds_per_pass: float
    bytes_per_pass: float

    def lines(self, passes: int) -> list[str]:
        """What was found, for a number of passes, a line each."""
        names = "" if self.class_names is None else f": {', '.join(self.class_names[:20])}"
        described = " × ".join(map(str, self.shape))
        right = "no labels" if self.accuracy is None else f"{percent(self.accuracy)} of the first {self.looked_at:,}"
        return [
            f"examples:       {self.examples:,}",
            f"images:         {described}, {self.dtype}, {self.lowest:g} to {self.highest:g}",
            f"preprocessing:  {self.preprocessing}. {self.preprocessing.reason}",
            f"classes:        {self.classes:,}{names}",
            f"layers:         {self.layers}",
            f"accuracy:       {right}, dropout off",
            f"{passes:,} passes:".ljust(16) + f"{_duration(passes * self.seconds_per_pass)}, "
            f"{max(0.1, passes * self.bytes_per_pass / 1e6):,.1f} MB of probabilities",
        ]


def check_model(
    model: keras.Model | Sampler, data: Any, *, masks: Masks = "per_pass", preprocessing: Preprocessing | None = None
) -> Check:
    """Look at what a model makes of some examples of a data set, and at what passes over all of them will take.

    Args:
        model: a Keras classifier with dropout, or a `Sampler` of one.
        data: as `sample_run` takes it.
        masks: `per_pass` or `per_example`.
        preprocessing: how the model takes the images; found out without it.

    Raises:
        InvalidInputError: the data do not fit the model.
        UnsuitableModelError: a model whose passes would not differ, or that is no classifier.
    """
    examples, sampler = as_data_set(data), as_sampler(model, output=None, from_logits=None)
    look = first_look(sampler, examples, preprocessing)
    some, count = look.images, len(examples)
    seconds, size = _costs(sampler, look.adapter.from_stored(some), masks)
    return Check(
        examples=count,
        shape=some.shape[1:],
        dtype=str(some.dtype),
        lowest=float(some.min()),
        highest=float(some.max()),
        classes=look.classes,
        class_names=examples.class_names,
        layers=sampler.description(),
        preprocessing=look.adapter.preprocessing,
        looked_at=len(some),
        accuracy=look.accuracy,
        advice=look.advice,
        seconds_per_pass=seconds * count,
        bytes_per_pass=size * count,
    )


@dataclass(frozen=True)
class FirstLook:
    """What a model makes of the first examples of a data set.

    Attributes:
        adapter: of images to the model.
        images: (n, height, width, channels) the first of them, as they are stored.
        classes: C.
        accuracy: of the deterministic model on these, or None without labels.
        advice: a sentence where the images may be of another scale than the model's, or "".
    """

    adapter: ImageAdapter
    images: np.ndarray
    classes: int
    accuracy: float | None
    advice: str


def first_look(sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None) -> FirstLook:
    """Check that a data set fits a model, and look whether the model is any good on its first examples.

    Args:
        sampler: of the model.
        examples: with images.
        preprocessing: how the model takes them; found out from the model without it.

    Raises:
        InvalidInputError: the data do not fit the model.
    """
    adapter, images = ImageAdapter.for_examples(sampler, examples, preprocessing)
    some, labels = images[:EXAMPLES], examples.labels
    asked = some[:1] if labels is None else some  # of one, the number of classes is seen
    probs = sampler.deterministic(adapter.from_stored(asked))
    check_classes(examples, probs.shape[1])
    if labels is None:
        return FirstLook(adapter, some, probs.shape[1], None, _unusual_range(adapter, some))
    accuracy = _accuracy(probs, labels)
    return FirstLook(adapter, some, probs.shape[1], accuracy, _scale_advice(adapter, some, labels, accuracy))


def _scale_advice(adapter: ImageAdapter, some: np.ndarray, labels: np.ndarray, found: float) -> str:
    """A sentence where the model is hardly better than guessing, with the scale that mends it; or ""."""
    chance = 1 / adapter.sampler.classes
    if found > chance + NEAR_CHANCE * (1 - chance):
        return ""
    hardly = (
        f"The model is right on {percent(found)} of the first {len(some):,} images, and would be by guessing on "
        f"{percent(chance)}."
    )
    for divide_by in _other_scales(adapter.preprocessing.divide_by, some):
        other = ImageAdapter(adapter.sampler, replace(adapter.preprocessing, divide_by=divide_by))
        better = _accuracy(adapter.sampler.deterministic(other.from_stored(some)), labels)
        if better > found + MENDED:
            return f"{hardly} With --scale {divide_by:g} it is right on {percent(better)}."
    return f"{hardly} Are the images prepared as they were in training, and the classes in the same order?"


def _unusual_range(adapter: ImageAdapter, images: np.ndarray) -> str:
    how, highest = adapter.preprocessing, float(images.max())
    untouched = how.divide_by == 1 and not how.mean and not how.applied and first_scaling(adapter.sampler.model) is None
    if images.dtype == np.uint8 or not untouched or images.min() < 0 or highest <= 1:
        return ""
    return f"The images go up to {highest:g} and reach the model as they are. If it was trained on 0..1, give --scale."


def _other_scales(divide_by: float, images: np.ndarray) -> list[float]:
    whole = images.dtype == np.uint8 or float(images.max()) > 1
    return [scale for scale in ((1.0, 255.0, 127.5) if whole else (1.0, 1 / 255)) if scale != divide_by]


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 1 else "under a second"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _accuracy(probs: np.ndarray, labels: np.ndarray) -> float:
    return float((probs.argmax(axis=1) == labels[: len(probs)]).mean())


def _costs(sampler: Sampler, taken: np.ndarray, masks: Masks) -> tuple[float, float]:
    """Seconds and stored bytes of one prediction."""
    sampler.sample(taken, passes=2, masks=masks)  # what is prepared once is not counted
    passes, started = 0, time.perf_counter()
    probs = np.empty(0)
    while not passes or time.perf_counter() - started < SECONDS:
        probs = sampler.sample(taken, passes=64, first_pass=passes, masks=masks)
        passes += 64
    seconds = (time.perf_counter() - started) / passes / len(taken)
    steps = quantise(probs)
    rows = min(len(steps), max(1, CHUNK_VALUES // steps[0].size))
    array = StoredArray("probs", steps.shape, "uint16", ("example", "category", "draw"), rows, rows, MISSING)
    return seconds, len(encode(array, 0, steps[:rows])) / (rows * len(probs))
