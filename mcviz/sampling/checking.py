"""What a model makes of a data set, before hours are spent on it."""

import time
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from mcviz.choices import Masks
from mcviz.data import DataSet, as_data_set
from mcviz.kinds import find_kind
from mcviz.runs import Preprocessing
from mcviz.runs.arrays import stored_bytes
from mcviz.sampling.adapters import Adapter, adapter_for_examples
from mcviz.sampling.sampler import Sampler, as_sampler
from mcviz.tasks import TASKS
from mcviz.text import duration

EXAMPLES = 512  # that are looked at
SECONDS = 2.0  # that are spent on passes


@dataclass(frozen=True)
class Check:
    """What a model makes of a data set.

    Attributes:
        examples: how many there are, N.
        kind: what they are called: "images", "texts" or "rows".
        described: how those look that were looked at.
        predicted: "classes" or "targets", and which there are.
        layers: a sentence on what is stochastic.
        preprocessing: how the model takes the examples.
        looked_at: how many examples the following come from.
        quality: accuracy or RMSE of the deterministic model, or None without labels.
        quality_in_words: the same.
        advice: a sentence on what may be wrong, or "".
        seconds_per_pass: over all N examples.
        bytes_per_pass: of stored predictions.
    """

    examples: int
    kind: str
    described: str
    predicted: dict[str, str]
    layers: str
    preprocessing: Preprocessing
    looked_at: int
    quality: float | None
    quality_in_words: str
    advice: str
    seconds_per_pass: float
    bytes_per_pass: float

    def found(self, passes: int) -> dict[str, str]:
        """What was found, for a number of passes, in words by name."""
        name, _, value = self.quality_in_words.partition(" ")
        good = f"{value} of the first {self.looked_at:,}" if value else "no labels"
        return {
            "examples": f"{self.examples:,}",
            self.kind: self.described,
            "preprocessing": f"{self.preprocessing}. {self.preprocessing.reason}".rstrip(),
            **self.predicted,
            "layers": self.layers,
            name: f"{good}, dropout off",
            f"{passes:,} passes": f"{duration(passes * self.seconds_per_pass)}, "
            f"{max(0.1, passes * self.bytes_per_pass / 1e6):,.1f} MB of predictions",
        }

    def lines(self, passes: int) -> list[str]:
        """What was found, for a number of passes, a line each."""
        return [f"{f'{label}:'.ljust(15)} {text}" for label, text in self.found(passes).items()]


def check_model(
    model: keras.Model | Sampler, data: Any, *, masks: Masks = "per_pass", preprocessing: Preprocessing | None = None
) -> Check:
    """Look at what a model makes of some examples of a data set, and at what passes over all of them will take.

    Args:
        model: a Keras classifier with dropout, or a `Sampler` of one or of a regression.
        data: as `sample_run` takes it.
        masks: `per_pass` or `per_example`.
        preprocessing: how the model takes the examples; found out without it.

    Raises:
        InvalidInputError: the data do not fit the model.
        UnsuitableModelError: a model whose passes would not differ, or that does not predict what it should.
    """
    sampler = as_sampler(model)
    examples = as_data_set(data, sampler.task)
    look = first_look(sampler, examples, preprocessing)
    some, count, task = look.examples, len(examples), TASKS[sampler.task]
    quality = task.quality_name
    seconds, size = _costs(sampler, look.adapter.from_stored(some), masks)
    return Check(
        examples=count,
        kind=find_kind(examples).plural,
        described=look.adapter.describe(some),
        predicted=task.describe_outputs(examples, look.width, sampler.predicts),
        layers=sampler.description(),
        preprocessing=look.adapter.preprocessing,
        looked_at=len(some),
        quality=look.quality,
        quality_in_words=quality
        if look.quality is None
        else f"{quality} {task.format_quality(look.quality, digits=1)}",
        advice=look.advice,
        seconds_per_pass=seconds * count,
        bytes_per_pass=size * count,
    )


@dataclass(frozen=True)
class FirstLook:
    """What a model makes of the first examples of a data set.

    Attributes:
        adapter: of examples to the model.
        examples: (n, …) the first of them, as they are stored.
        width: how many numbers the model gives for an example.
        quality: accuracy or RMSE of the deterministic model on these, or None without labels.
        advice: a sentence where the examples may not be as the model takes them, or "".
    """

    adapter: Adapter
    examples: np.ndarray
    width: int
    quality: float | None
    advice: str


def first_look(sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None) -> FirstLook:
    """Check that a data set fits a model, and look whether the model is any good on its first examples.

    Args:
        sampler: of the model.
        examples: the data set.
        preprocessing: how the model takes them; found out from the model without it.

    Raises:
        InvalidInputError: the data do not fit the model.
    """
    adapter, content = adapter_for_examples(sampler, examples, preprocessing)
    some, labels = content[slice(EXAMPLES)], examples.labels
    asked = some[:1] if labels is None else some  # of one, the number of outputs is seen
    predictions = sampler.deterministic(adapter.from_stored(asked))
    width = predictions.shape[1]
    task = TASKS[sampler.task]
    task.names(examples, width, sampler.predicts)
    if labels is None:
        return FirstLook(adapter, some, width, None, adapter.doubts(some))
    labels = labels[: len(some)]
    found = task.compute_quality(predictions, labels)
    advice = _advice(adapter, some, find_kind(examples).plural, labels, found)
    return FirstLook(adapter, some, width, found, advice)


def _advice(adapter: Adapter, some: np.ndarray, plural: str, labels: np.ndarray, found: float) -> str:
    """A sentence where the model is hardly better than guessing, with what mends it if that is found; or ""."""
    sampler, which = adapter.sampler, f"the first {len(some):,} {plural}"
    task = TASKS[sampler.task]
    hardly = task.guessing_hint(found, labels, sampler.width, which)
    if not hardly:
        return ""
    for other, option in adapter.alternatives(some):
        predictions = sampler.deterministic(other.from_stored(some))
        better = task.rescaling_hint(found, task.compute_quality(predictions, labels))
        if better:
            return f"{hardly} With {option} {better}."
    return f"{hardly} Are the {plural} prepared as they were in training, {adapter.question}?"


def _costs(sampler: Sampler, taken: np.ndarray, masks: Masks) -> tuple[float, float]:
    """Seconds and stored bytes of one prediction."""
    sampler.sample(taken, passes=2, masks=masks)  # what is prepared once is not counted
    passes, started = 0, time.perf_counter()
    predictions = np.empty(0)
    while not passes or time.perf_counter() - started < SECONDS:
        predictions = sampler.sample(taken, passes=64, first_pass=passes, masks=masks)
        passes += 64
    seconds = (time.perf_counter() - started) / passes / len(taken)
    return seconds, stored_bytes(predictions, sampler.task, sampler.predicts)
