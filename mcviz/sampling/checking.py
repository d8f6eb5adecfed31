"""A check of a model on data before sampling, and calibration along distortions."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz.choices import Ignore, Masks
from mcviz.data import DataSet, Pictures, as_data_set
from mcviz.kinds import find_kind
from mcviz.manifest import LabelMaps
from mcviz.measures.calibration import calibration_terms
from mcviz.measures.registry import Terms
from mcviz.runs import Preprocessing, TargetScaler
from mcviz.runs.arrays import bytes_per_prediction
from mcviz.runs.tables import Rows
from mcviz.sampling.adapters import Adapter, adapter_for_examples
from mcviz.sampling.base import Network, explain_always_random
from mcviz.sampling.examples import describe_inputs
from mcviz.sampling.sampler import Sampler, as_sampler
from mcviz.tasks import TASKS
from mcviz.tasks.base import StoredLabels
from mcviz.text import format_duration

if TYPE_CHECKING:
    import keras
    import torch


EXAMPLES = 512  # that the model is tried on
UNCONFIRMED = (
    "Neither the model nor labels confirm that. If it is so, say from_logits, on the command line --from-logits; "
    "several labels an example are not supported yet."
)
EXAMPLES_OF_PIXELS = 16  # the same, of a model that predicts a class for every pixel
PASSES_TIMED, MOST_VALUES = 64, 1 << 24  # passes that are timed together, and the numbers that they may hold
SECONDS = 2.0  # to measure the time of passes


@dataclass(frozen=True)
class Check:
    """A check of a model on a data set.

    Attributes:
        examples: their count, N.
        kind: of the examples: "images", "texts", "rows", or "arrays" that are not shown.
        description: the form of the examples that the model was tried on, in a few words.
        inputs: the names, shapes and dtypes of what reaches the model of one example.
        outputs: the names of the outputs, by "classes" or "targets".
        meaning: what the model's outputs are taken for.
        layers: a sentence on the stochastic layers.
        preprocessing: how the model takes the examples.
        tried: the number of examples that the model was tried on.
        quality: accuracy or RMSE of the deterministic model on them, or None without labels or such a model.
        quality_text: the same; "" without such a model.
        labels: what masks hold, as `StoredLabels.summary`; "" of other labels.
        advice: a sentence on what may be wrong, or "".
        seconds_per_pass: over all N examples.
        bytes_per_pass: of stored predictions.
    """

    examples: int
    kind: str
    description: str
    inputs: str
    outputs: dict[str, str]
    meaning: str
    layers: str
    preprocessing: Preprocessing
    tried: int
    quality: float | None
    quality_text: str
    labels: str
    advice: str
    seconds_per_pass: float
    bytes_per_pass: float

    def findings(self, passes: int) -> dict[str, str]:
        """Return the check by name, with costs of passes."""
        name, value = (self.quality_text, "") if self.quality is None else self.quality_text.rsplit(" ", 1)
        good = f"{value} of {_say_which(self.tried, self.examples)}" if value else "no labels"
        return {
            "examples": f"{self.examples:,}",
            self.kind: self.description,
            "inputs": self.inputs,
            "preprocessing": f"{self.preprocessing}. {self.preprocessing.reason}".rstrip(),
            **self.outputs,
            "output": self.meaning,
            "layers": self.layers,
            **({"masks": self.labels} if self.labels else {}),
            **({name: f"{good}, dropout off"} if name else {}),
            f"{passes:,} passes": f"{format_duration(passes * self.seconds_per_pass)} of sampling, and time to load "
            f"and write, {max(0.1, passes * self.bytes_per_pass / 1e6):,.1f} MB of predictions",
        }

    def lines(self, passes: int) -> list[str]:
        """Return the check in lines, with costs of passes."""
        return [f"{f'{label}:'.ljust(15)} {text}" for label, text in self.findings(passes).items()]


def check_model(
    model: "keras.Model | torch.nn.Module | Network | Sampler",
    data: Any,
    *,
    masks: Masks = "per_pass",
    preprocessing: Preprocessing | None = None,
    target_scaler: TargetScaler | None = None,
    background: int | None = 0,
    ignore: Ignore = "auto",
) -> Check:
    """Try a model on some examples, and measure costs for all.

    Args:
        model: a classifier of Keras or PyTorch with dropout, or a `Sampler` of one or of a regression.
        data: as `sample_run` takes it.
        masks: `per_pass` or `per_example`.
        preprocessing: how the model takes the examples; derived from the model without it.
        target_scaler: as `sample_run` takes it.
        background: as `sample_run` takes it.
        ignore: as `sample_run` takes it.

    Raises:
        InvalidInputError: the data do not fit the model.
        UnsuitableModelError: a model whose passes would not differ, or that does not predict such labels.
    """
    sampler = as_sampler(model).with_target_scaler(target_scaler)
    examples = as_data_set(data, sampler.task)
    adapter, content = adapter_for_examples(sampler, examples, preprocessing)
    count, task = len(examples), TASKS[sampler.task]
    width = sampler.count_last(sampler.plan_for(adapter.from_stored(content[np.arange(1)]))[1].width)
    names = task.names(examples, width, sampler.predicts)[0] or task.default_names(width, sampler.predicts)[0]
    maps, labels = fit_labels(adapter, content, examples, names, background, ignore)
    trial = try_model(adapter, content, examples, labels, maps)
    some = trial.examples
    taken = adapter.from_stored(some)
    (inputs, plan), quality = sampler.plan_for(taken), ""
    if plan.deterministic is not None:
        quality = task.quality_name
        quality += "" if trial.quality is None else f" {task.format_quality(trial.quality, digits=1)}"
    seconds, size = _measure_costs(sampler, taken, masks)
    return Check(
        examples=count,
        kind=find_kind(examples).plural or "arrays",
        description=adapter.describe(some),
        inputs=describe_inputs(inputs),
        outputs=task.describe_outputs(examples, trial.width, sampler.predicts),
        meaning=sampler.meaning.text,
        layers=sampler.description(),
        preprocessing=adapter.preprocessing,
        tried=len(some),
        quality=trial.quality,
        quality_text=quality,
        labels=labels.summary,
        advice=trial.advice,
        seconds_per_pass=seconds * count,
        bytes_per_pass=size * count,
    )


@dataclass(frozen=True)
class Trial:
    """The deterministic model on some examples.

    Attributes:
        adapter: of examples to the model.
        examples: (n, …) those that were tried: all, or so many at random.
        labels: of all examples as a run holds them, with a report on them.
        width: the numbers of a prediction.
        quality: accuracy or RMSE on these examples, or None without labels or a deterministic model.
        advice: a sentence where the examples may not be as the model takes them, or its outputs not as they are taken;
            or "".
    """

    adapter: Adapter
    examples: np.ndarray
    labels: StoredLabels
    width: int
    quality: float | None
    advice: str


def fit_labels(
    adapter: Adapter,
    content: Rows,
    examples: DataSet,
    names: Sequence[str],
    background: int | None,
    ignore: Ignore,
) -> tuple[LabelMaps | None, StoredLabels]:
    """Bring labels into a run's form; fit masks like images.

    Args:
        adapter: of the data set to the model, which has seen an example.
        content: the examples as a run stores them.
        examples: the data set.
        names: of the classes.
        background: as `sample_run` takes it.
        ignore: as `sample_run` takes it.

    Returns:
        The form of the label maps, None where there are none; and the labels.

    Raises:
        InvalidInputError: they do not fit the model or the examples.
    """
    task = TASKS[adapter.sampler.task]
    task.check_mask_options(background, ignore)
    ignored, unknown = examples.resolve_ignore(ignore)
    maps = adapter.sampler.describe_maps(background, ignored)
    crops = adapter.preprocessing.crop and isinstance(examples.images, Pictures)
    crop = (content.shape[1], content.shape[2]) if crops else None
    return maps, task.stored_labels(examples, names, maps, crop=crop, as_images=True, find_foreground=unknown)


def try_model(
    adapter: Adapter, content: Rows, examples: DataSet, stored: StoredLabels, label_maps: LabelMaps | None
) -> Trial:
    """Check that data fit a model, and measure quality on a fixed sample.

    Args:
        adapter: of the data set to the model.
        content: its examples as a run stores them.
        examples: the data set.
        stored: its labels, as `fit_labels` returns them.
        label_maps: their form, as `fit_labels` returns it.

    Raises:
        InvalidInputError: the data do not fit the model.
    """
    sampler, count, labels = adapter.sampler, content.shape[0], stored.values
    task, most = TASKS[sampler.task], EXAMPLES_OF_PIXELS if TASKS[sampler.task].of_pixels else EXAMPLES
    offered = np.arange(count) if labels is None else np.flatnonzero(task.find_labelled(labels))
    places = offered
    if len(offered) > most:
        places = np.sort(np.random.default_rng(0).choice(offered, most, replace=False))
    some = content[places]
    plan = sampler.plan_for(adapter.from_stored(some[:1]))[1]
    width = sampler.count_last(plan.width)
    task.names(examples, width, sampler.predicts)
    if plan.deterministic is None:
        advice = f"{stored.advice} {explain_always_random(plan.layers.always_random)}".strip()
        return Trial(adapter, some, stored, width, None, advice)
    predictions = sampler.deterministic(adapter.from_stored(some[:1] if labels is None else some))
    if labels is None:
        meaning = sampler.meaning
        guess = f"The outputs are taken for {meaning.text}. {UNCONFIRMED}" if meaning.guessed else ""
        return Trial(adapter, some, stored, width, None, f"{guess} {adapter.doubts(some)}".strip())
    quality = task.compute_quality(predictions, labels[places], label_maps=label_maps)
    if np.isnan(quality):  # of images of which every pixel is ignored
        return Trial(adapter, some, stored, width, None, stored.advice)
    plural = find_kind(examples).plural
    which = f"{_say_which(len(some), len(offered))} {'labelled ' if len(offered) < count else ''}{plural}"
    advice = _advise(adapter, some, plural, which, labels[places], predictions, quality, label_maps)
    return Trial(adapter, some, stored, width, quality, f"{stored.advice} {advice}".strip())


def _say_which(tried: int, examples: int) -> str:
    return f"{tried:,} random" if tried < examples else f"all {tried:,}"


def _advise(
    adapter: Adapter,
    some: np.ndarray,
    plural: str,
    which: str,
    labels: np.ndarray,
    predictions: np.ndarray,
    quality: float,
    label_maps: LabelMaps | None,
) -> str:
    sampler = adapter.sampler
    task = TASKS[sampler.task]
    hint = task.guessing_hint(quality, labels, sampler.count_last(sampler.width), which)
    if not hint:
        return ""
    first = "" if sampler.target_scaler else task.first_doubt
    if first and (targets := task.target_hint(predictions, labels, quality)):
        return f"{hint} {targets}"
    for other, option in adapter.alternatives(some):
        prepared = sampler.deterministic(other.from_stored(some))
        better = task.rescaling_hint(quality, task.compute_quality(prepared, labels, label_maps=label_maps))
        if better:
            return f"{hint} With {option} {better}."
    return f"{hint} {first}Are the {plural} prepared as they were in training, {adapter.hint_where_accuracy_is_poor}?"


def _measure_costs(sampler: Sampler, examples: np.ndarray, masks: Masks) -> tuple[float, float]:
    examples = examples[: max(1, MOST_VALUES // (2 * sampler.width))]
    sampler.sample(examples, passes=2, masks=masks)  # preparations are not counted
    at_once = max(2, min(PASSES_TIMED, MOST_VALUES // (len(examples) * sampler.width)))
    passes, started = 0, time.perf_counter()
    predictions = np.empty(0)
    while not passes or time.perf_counter() - started < SECONDS:
        predictions = sampler.sample(examples, passes=at_once, first_pass=passes, masks=masks)
        passes += at_once
    seconds = (time.perf_counter() - started) / passes / len(examples)
    return seconds, bytes_per_prediction(predictions, sampler.task, sampler.predicts, sampler.describe_maps())


def sweep_calibration(
    sampler: Sampler,
    distort: Callable[[float], np.ndarray],
    amounts: Sequence[float],
    labels: np.ndarray,
    *,
    passes: int,
    masks: Masks = "per_pass",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Terms]]:
    """Compute calibration terms of all predictors along a distortion.

    Args:
        sampler: of a classifier.
        distort: takes an amount and returns the same N examples, distorted by it, as the model takes them.
        amounts: of the steps.
        labels: (N,) integers.
        passes: T, 2 or more; every step has the same masks.
        masks: as for `Sampler.sample`.
        seed: of the masks.
        progress: called with (done, total) predictions; an error that it raises ends the sampling.

    Returns:
        For each step the terms of `deterministic`, `single_pass` and `ensemble`, for
        `measures.calibration.calibration`.

    Raises:
        McvizError: examples or passes that the sampler refuses.
    """
    steps: list[dict[str, Terms]] = []
    per_step = passes * len(labels)

    def report(done: int, _: int) -> None:
        if progress:
            progress(len(steps) * per_step + done, len(amounts) * per_step)

    for amount in amounts:
        examples = distort(amount)
        probs = sampler.sample(examples, passes=passes, masks=masks, seed=seed, progress=report)
        predictions = {
            "deterministic": sampler.deterministic(examples)[None],
            "single_pass": probs,
            "ensemble": probs.mean(axis=0, dtype=np.float64)[None],
        }
        steps.append({name: calibration_terms(probs, labels) for name, probs in predictions.items()})
    return steps
