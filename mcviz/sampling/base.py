"""The protocol between engine and model: NumPy in and NumPy out.

A framework's folder has a subclass of `Network`, which makes a `Plan`.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from mcviz.choices import PREDICTS, Predicts
from mcviz.devices import AUTO, CPU
from mcviz.errors import InvalidInputError, McvizError, UnsuitableModelError
from mcviz.extras import is_function_name
from mcviz.manifest import Backend, Manifest
from mcviz.options import ModelOptions, TaskOptions
from mcviz.runs import Run
from mcviz.runs.tables import Rows
from mcviz.sampling.masks import Multiply, RandomRequest
from mcviz.tasks import find_task
from mcviz.text import list_names, reason
from mcviz.validate import choice, fraction, invalid

XLA, NO_COMPILER = "xla", "none"
COMPILERS = XLA, NO_COMPILER
PASSES_PER_BLOCK, ROWS_PER_BLOCK = 128, 2048
FACTORED_PASSES, FACTORED_ROWS = 256, 4096  # few large products are faster; passes that nobody asks for are lost
MOST_BYTES = 16 << 20  # of the largest array of a block
DEVICE_ROWS, DEVICE_BYTES = 8192, 256 << 20  # of a block off the processor, which takes many rows to be busy
SHARED_BLOCK, FEWEST_SHARED = 16, 2  # examples
SHARED_VALUES = 1 << 20  # predicted numbers of a block of them, of which one image of many pixels has as many
InputShape = tuple[int | None, ...]  # of one example; None for any size
Inputs = Mapping[str, np.ndarray]  # a block of examples by the names of the model's inputs, each (rows, ...) in C order
SharedPart = Callable[[Inputs], list[np.ndarray]]
RandomPart = Callable[[list[np.ndarray], list[np.ndarray]], np.ndarray]
Deterministic = Callable[[Inputs], np.ndarray]

LABELS_ADVICE = (
    "If each is the probability of a label of its own, give task='multilabel', on the command line --task multilabel."
)
WEIGHTS_ALONE = (
    "A file of PyTorch has weights, and the function that builds the model is missing: give --model "
    "package.module:function --weights FILE, or in Python mcviz.load_torch('package.module:function', weights=FILE)."
)


@dataclass(frozen=True)
class ModelSettings:
    """The user's arguments of `Sampler` about a model.

    Attributes:
        output: the name of the sampled output, or None.
        from_logits: whether that output is logits, or None to find out.
        task: "classification" or "regression".
        predicts: the meaning of the output's columns in a regression.
        rate: of the dropout, or None for the layers' own rates.
        device: that the model computes on, such as "cpu" or "cuda:1"; or "auto".

    Raises:
        InvalidInputError: an option that does not go with the task, or a rate out of range.
    """

    output: str | None = None
    from_logits: bool | None = None
    task: str = "classification"
    predicts: Predicts = "mean"
    rate: float | None = None
    device: str = AUTO

    def __post_init__(self) -> None:
        """Check them."""
        outputs = find_task(self.task).outputs
        choice("predicts", self.predicts, PREDICTS)
        if outputs == "values" and self.from_logits is not None:
            raise invalid("from_logits", f"left out for a {self.task}", self.from_logits)
        if outputs != "values" and self.predicts != "mean":
            advice = "Or give task='regression'."
            raise invalid("predicts", f"left out for a {self.task}", repr(self.predicts), advice)
        if self.rate is not None and not 0 < fraction("rate", self.rate) < 1:
            raise invalid("rate", "above 0 and below 1", self.rate)

    @classmethod
    def from_options(cls, options: ModelOptions, task: TaskOptions) -> Self:
        """Return settings from options."""
        return cls(options.output, options.from_logits, task.task, task.predicts, options.rate, options.device)

    @classmethod
    def from_manifest(cls, manifest: Manifest, rate: float | None, device: str = AUTO) -> Self:
        """Return settings of a run's model, sampled at a rate; "auto" is its device."""
        model = manifest.model
        output, from_logits = (model.output, model.from_logits) if model else (None, None)
        device = manifest.origin.device_name if device == AUTO else device
        return cls(output, from_logits, manifest.task, manifest.predicts, rate, device)


DEFAULT_SETTINGS = ModelSettings()


@dataclass(frozen=True)
class OutputMeaning:
    """The interpretation of a model's outputs.

    Attributes:
        text: in words, such as "10 logits, of which a softmax makes probabilities of classes that exclude each other".
        guessed: whether the numbers alone say so, and neither the model nor its user.
        size: height and width of the label maps that they give, in pixels; None where they are no such.
    """

    text: str = ""
    guessed: bool = False
    size: tuple[int, int] | None = None


def choose_outputs(
    names: Sequence[str], output: str | None, predicts: Predicts, *, ordered: bool, usual: str | None = None
) -> tuple[str, ...]:
    """Choose the sampled output, or those of a mean and spread.

    Args:
        names: of all outputs, at least one.
        output: the name that the user gives, or None.
        predicts: what they are in a regression. Two parts are outputs of these names, or two in that order.
        ordered: whether the model returns them in an order, not only by names.
        usual: the name of one that needs no naming.

    Raises:
        InvalidInputError: several outputs and no name, or an unknown name.
    """
    parts = tuple(predicts.split(","))
    if output is None and len(names) == 1:
        return tuple(names)
    if output is None and len(parts) > 1 and (set(parts) <= set(names) or (ordered and len(names) == 2)):
        return parts if set(parts) <= set(names) else tuple(names)
    if output is None and usual in names:
        output = usual
    if output is not None and output in names:
        return (output,)
    advice = f"Name the one to sample by output={names[0]!r}, on the command line --output {names[0]}."
    if len(parts) > 1:
        advice += f" A mean and its spread are two outputs in that order, or called {' and '.join(parts)}."
    elif len(names) == 2:
        advice += " If they are the mean and the spread of a regression, say so by predicts (--predicts)."
    count = f"{len(names):,} " if len(names) > 1 else ""
    expected = f"the name of one of the model's {count}outputs: {list_names(names)}"
    raise invalid("output", expected, f"output={output!r}", advice)


def name_chosen(chosen: Sequence[str], names: Sequence[str]) -> str:
    """Name sampled outputs of several, or ""."""
    if len(names) == 1:
        return ""
    return f"{' and '.join(chosen)} of the model's {len(names):,} outputs ({list_names(names)}): "


def check_output(shape: tuple[int | None, ...], dtype: str, *, floating: bool, of_pixels: bool = False) -> None:
    """Check for one row of numbers an example or, `of_pixels`, a pixel.

    Raises:
        UnsuitableModelError: it has another form.
    """
    if of_pixels and (len(shape) != 4 or not floating):
        raise UnsuitableModelError(
            "A model of task='segmentation' must return scores of classes for each pixel: (N, H, W, C) of floats in "
            f"Keras, (N, C, H, W) in PyTorch. Received: shape ({', '.join(['N', *map(str, shape[1:])])}), dtype "
            f"{dtype}. Pick another output, or leave the task out."
        )
    if not of_pixels and (len(shape) != 2 or not floating):
        several = (
            " If these are scores of classes for each pixel, give task='segmentation' (--task segmentation)."
            if len(shape) == 4
            else ""
        )
        raise UnsuitableModelError(
            "The model must return one row of class scores or predicted values for each example, (N, C) of floats. "
            f"Received: shape ({', '.join(['N', *map(str, shape[1:])])}), dtype {dtype}.{several}"
        )


def check_same_width(chosen: Sequence[str], widths: Sequence[int | None]) -> None:
    """Refuse a mean and spread of unequal numbers of targets.

    Raises:
        UnsuitableModelError: they have.
    """
    if len(set(widths)) > 1:
        received = ", ".join(f"{width} of {name}" for name, width in zip(chosen, widths, strict=True))
        raise UnsuitableModelError(f"A mean and its spread should have as many columns. Received: {received}.")


def guess_activation(values: np.ndarray) -> str:
    """Guess the activation of (N, C) outputs: "softmax", "none", or "unclear" in 0 to 1."""
    if not np.all((values >= 0) & (values <= 1)):
        return "none"
    sums_to_one = values.shape[1] > 1 and np.allclose(values.sum(axis=1), 1, atol=1e-3)
    return "softmax" if sums_to_one else "unclear"


def are_logits(columns: int, activation: str, from_logits: bool | None) -> bool:
    """Return whether (N, C) class scores are logits.

    Args:
        columns: C.
        activation: that made them: "softmax", "sigmoid", "none", or "unclear".
        from_logits: what the user says of it, or None.

    Raises:
        InvalidInputError: `from_logits` for probabilities.
        UnsuitableModelError: several outputs in 0 to 1 that need not sum to 1; one or two numbers of unknown meaning.
    """
    if columns > 1 and activation == "sigmoid":
        raise UnsuitableModelError(
            "Several sigmoid outputs are no probabilities of classes that exclude each other: they need not sum to 1. "
            f"Received: {columns} outputs. {LABELS_ADVICE}"
        )
    if columns > 1 and activation == "unclear":
        raise UnsuitableModelError(
            "The outputs lie in 0 to 1 and do not sum to 1, as probabilities of classes that exclude each other would. "
            f"Received: {columns} outputs. {LABELS_ADVICE} If they are logits, let the model return their softmax."
        )
    if from_logits and activation in ("softmax", "sigmoid"):
        raise invalid("from_logits", "left out for a model that returns probabilities", from_logits)
    if activation == "none" and from_logits is None and columns <= 2:
        count, function, meaning = (
            ("one number", "sigmoid", "the logit") if columns == 1 else ("two numbers", "softmax", "logits")
        )
        raise UnsuitableModelError(
            f"The model returns {count} without a {function}: is it a regression, or {meaning} of two classes? "
            "For a regression, give task='regression', on the command line --task regression; for logits, say so "
            "(from_logits), on the command line by --from-logits."
        )
    return activation == "none" if from_logits is None else from_logits


def are_label_logits(columns: int, activation: str, from_logits: bool | None) -> bool:
    """Return whether (N, C) label outputs are logits; see `are_logits`.

    Raises:
        InvalidInputError: `from_logits` for probabilities.
        UnsuitableModelError: a softmax over several classes.
    """
    if columns > 1 and activation == "softmax":
        raise UnsuitableModelError(
            f"The model returns probabilities of classes that exclude each other, a softmax over {columns} outputs. "
            "Leave out task='multilabel' (--task multilabel), or pick another output."
        )
    if from_logits and activation == "sigmoid":
        raise invalid("from_logits", "left out for a model that returns probabilities", from_logits)
    return activation == "none" if from_logits is None else from_logits


def describe_labels(columns: int, activation: str, from_logits: bool | None, which: str) -> OutputMeaning:
    """Describe (N, C) label outputs; see `are_label_logits`."""
    logits = are_label_logits(columns, activation, from_logits)
    kind = "logits, of each of which a sigmoid makes the probability" if logits else "probabilities"
    guessed = from_logits is None and activation in ("none", "unclear")
    return OutputMeaning(f"{which}{columns:,} {kind} of classes that do not exclude each other", guessed)


def describe_classes(columns: int, activation: str, from_logits: bool | None, which: str) -> OutputMeaning:
    """Describe (N, C) class scores; `which` names their outputs."""
    logits = are_logits(columns, activation, from_logits)
    guessed = from_logits is None and activation in ("none", "unclear")
    if columns == 1:
        return OutputMeaning(
            f"{which}one {'logit' if logits else 'probability'}, of the second of two classes", guessed
        )
    kind = "logits, of which a softmax makes probabilities" if logits else "probabilities"
    return OutputMeaning(f"{which}{columns:,} {kind} of classes that exclude each other", guessed)


def are_pixel_logits(classes: int, activation: str, from_logits: bool | None) -> bool:
    """Return whether pixel scores are logits; see `are_logits`."""
    return are_logits(classes, activation, True if activation == "none" and from_logits is None else from_logits)


def describe_pixels(
    classes: int, logits: bool, size: tuple[int, int], given: tuple[int, int], which: str
) -> OutputMeaning:
    """Describe scores of classes for each pixel.

    Args:
        classes: that the model returns; one is that of the second of two.
        logits: whether they are logits.
        size: height and width of an image, and so of the label maps.
        given: height and width that the model returns, which are resized where they differ.
        which: outputs they are, in words.
    """
    kind = "logits" if logits else "probabilities"
    of = f"one {kind.removesuffix('s').replace('probabilitie', 'probability')}, of the second of two classes,"
    count = of if classes == 1 else f"{kind} of {classes:,} classes"
    resized = "" if size == given else f", resized (bilinear) from {given[0]:,} × {given[1]:,}"
    return OutputMeaning(f"{which}{count} for each of {size[0]:,} × {size[1]:,} pixels{resized}", size=size)


def describe_values(columns: int, predicts: Predicts, which: str) -> OutputMeaning:
    """Describe (N, columns) regression outputs; `which` names them."""
    parts = predicts.replace("_", " ").split(",")
    targets = columns // len(parts)
    return OutputMeaning(f"{which}{' and '.join(parts)} of {targets:,} target{'s' * (targets != 1)}")


def check_regression(columns: int, predicts: Predicts, find_activation: Callable[[], str]) -> None:
    """Check (N, columns) outputs of a regression.

    Raises:
        UnsuitableModelError: a softmax over several classes; no spread for each mean.
    """
    if columns > 1 and find_activation() == "softmax":
        raise UnsuitableModelError(
            f"The model returns probabilities of classes, a softmax over {columns} outputs, which is no regression. "
            "Leave out task='regression' (--task regression), or pick another output."
        )
    if predicts != "mean" and columns % 2:
        raise UnsuitableModelError(
            f"A model of predicts={predicts!r} returns a spread for each mean, so an even number of columns. "
            f"Received: {columns}. For means alone, give predicts='mean'."
        )


class NoRandomnessReachesOutputError(Exception):
    """No random number reaches the model's output."""


@contextmanager
def wrap_model_errors(call: str, advice: str = "") -> Iterator[None]:
    """Turn a model's errors into one-line UnsuitableModelErrors.

    Args:
        call: of the model by its user, in code.
        advice: what to do, where the reason is known.
    """
    try:
        yield
    except (McvizError, NoRandomnessReachesOutputError):
        raise
    except Exception as error:
        raise UnsuitableModelError(
            f"The model fails on these examples. Received: {reason(error)}. "
            + (advice or f"Do they have the shape and range that it was trained on, and does {call} take them?")
        ) from error


@dataclass(frozen=True)
class InputSpec:
    """The form of one of a model's inputs.

    Attributes:
        name: of the input.
        shape: of one example.
        dtype: of the numbers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str


def find_specs(inputs: Mapping[str, Rows]) -> tuple[InputSpec, ...]:
    """Return the form of examples, as `Network.prepare` returns them."""
    return tuple(InputSpec(name, rows.shape[1:], rows.dtype.name) for name, rows in inputs.items())


@dataclass(frozen=True)
class StochasticLayer:
    """A layer with new random numbers in each pass.

    Attributes:
        name: the layer's own name.
        kind: its class, and the argument for layers with several (`LSTM recurrent_dropout`).
        rate: the probability of a dropped element; for `GaussianNoise` the standard deviation of the noise; None for a
            layer of the user's own without a number as its `rate`.
    """

    name: str
    kind: str
    rate: float | None

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})" if self.rate is None else f"{self.name} ({self.kind} {self.rate:g})"


@dataclass(frozen=True)
class LayerReport:
    """A model's random layers, by their effect on passes.

    Attributes:
        stochastic: the stochastic layers that the passes differ by.
        always_random: names of the layers of other kinds that take random numbers in any call.
        without_effect: stochastic layers that take none: their rate is 0, or the output does not depend on them.
        inactive: names of the layers whose random generator is not used: mostly augmentation.
        untraced: why each pass computes the whole model, one example at a time; or "".
    """

    stochastic: tuple[StochasticLayer, ...]
    always_random: tuple[str, ...] = ()
    without_effect: tuple[StochasticLayer, ...] = ()
    inactive: tuple[str, ...] = ()
    untraced: str = ""

    def __str__(self) -> str:
        groups = {
            "Stochastic layers": self.stochastic,
            "always random": self.always_random,
            "without effect": self.without_effect,
            "inactive": self.inactive,
        }
        parts = [f"{name}: {', '.join(map(str, layers))}" for name, layers in groups.items() if layers]
        if self.untraced:
            parts.append(f"each pass computes the whole model, one example at a time ({self.untraced})")
        return "; ".join(parts)


def explain_always_random(names: Sequence[str]) -> UnsuitableModelError:
    """Return the error of a model without deterministic predictions."""
    return UnsuitableModelError(
        "The model has no deterministic prediction: it draws random numbers outside of training, too, and nothing "
        f"tells which of them leave its input as it is. Received: {', '.join(names)}. Use dropout of the framework "
        "there, or draw in training mode alone."
    )


@dataclass(frozen=True)
class MaskedDense:
    """A dense layer behind a dropout, computed by a `Product`; the shared part returns its input / (1 - rate).

    Attributes:
        request: for the masks of the dropout.
        units: the number of outputs of the layer.
        kernel: () to the layer's present weights, (n, units) float32.
        multiply: the framework's matrix product, for the product "matmul": (rows, n) float32 masks, or (n, rows) where
            the third argument is True, and (n, units) float32, to (rows, units) float32.
    """

    request: RandomRequest
    units: int
    kernel: Callable[[], np.ndarray]
    multiply: Multiply


@dataclass(frozen=True)
class Plan:
    """The prepared parts of a model: shared by all passes, and random.

    Each part computes a fixed number of rows in aligned blocks: matrix products round differently for other sizes, and
    an example must give the same bits in any call. Threads call parts concurrently. Parts must not write to their
    arguments, which are reused memory, and raise `UnsuitableModelError` if the model fails.

    Attributes:
        passes_per_block: of the random part.
        examples_per_block: of the random part.
        shared_examples_per_block: S, of the shared part and of `deterministic`; a multiple of `examples_per_block`, or
            a divisor.
        shared_bytes: of the shared part's arrays for one example.
        width: the numbers of a prediction: C probabilities, or D values and perhaps D variances.
        random_requests: for the random numbers that the model takes.
        shared_part: S examples, each input (S, ...), to the arrays that are the same in every pass, each (S, ...).
        random_part: these arrays for a block of examples, and the numbers of every request for its examples × passes
            rows (all passes of one example, then of the next), to (rows, width) float32. With `masked_dense`, the
            product of that layer for all rows replaces the arrays, and the dropout in front of it gets no numbers. Rows
            that are not wanted then hold any numbers, NaN too, which must not reach other rows.
        deterministic: S examples, each input (S, ...), to (S, width) float32, dropout off; None where the randomness of
            the layers in `layers.always_random` cannot be switched off.
        layers: which layers are random in the passes.
        meaning: what the outputs are taken for.
        masked_dense: the dense layer that is computed apart, factored, or None.
        masked_arrays: by the number of a request, the number of the shared array that its mask is applied to element
            by element. Under masks per example, an element that is 0 is masked without a random number.
        packs_numbers: whether the random part takes the random numbers in little memory, to be sent to a device: each
            (rows, *request.shape), or (passes, *request.shape) where all examples share them; and of bools one bit an
            element, (rows, bytes) uint8, the highest bit first.
        masked_convolutions: whether some convolutions can be computed from their channels.
        compiler: of the random part, "xla" or "none".
    """

    passes_per_block: int
    examples_per_block: int
    shared_examples_per_block: int
    shared_bytes: int
    width: int
    random_requests: tuple[RandomRequest, ...]
    shared_part: SharedPart
    random_part: RandomPart
    deterministic: Deterministic | None
    layers: LayerReport
    meaning: OutputMeaning = field(default_factory=OutputMeaning)
    masked_dense: MaskedDense | None = None
    masked_arrays: Mapping[int, int] = field(default_factory=dict)
    packs_numbers: bool = False
    masked_convolutions: bool = False
    compiler: str = NO_COMPILER

    def guard(self, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> "Plan":
        """Return the plan with each part wrapped by a decorator."""
        return replace(
            self,
            shared_part=wrap(self.shared_part),
            random_part=wrap(self.random_part),
            deterministic=self.deterministic and wrap(self.deterministic),
        )


def choose_block(row_bytes: int, *, factored: bool) -> tuple[int, int]:
    """Choose passes and examples of a block, powers of two, at least two rows.

    Args:
        row_bytes: of the largest array that a row takes in the random part.
        factored: whether the plan has a `MaskedDense`.
    """
    most_passes, most_rows = (FACTORED_PASSES, FACTORED_ROWS) if factored else (PASSES_PER_BLOCK, ROWS_PER_BLOCK)
    rows = min(most_rows, max(2, MOST_BYTES // max(1, row_bytes)))
    rows = 1 << (rows.bit_length() - 1)
    passes = min(most_passes, rows)
    return passes, rows // passes


def choose_device_examples(passes: int, row_bytes: int) -> int:
    """Choose the examples of a block on a device, a power of two.

    Args:
        passes: of a block.
        row_bytes: as for `choose_block`.
    """
    rows = min(DEVICE_ROWS, DEVICE_BYTES // max(1, row_bytes))
    return 1 << max(0, (rows // passes).bit_length() - 1)


def explain_missing_device(wanted: str, reason: str) -> InvalidInputError:
    """Return the error of a missing device, given the reason."""
    return invalid(
        "device",
        "one that this machine has and the framework sees",
        f"{wanted!r} ({reason})",
        "Give another, such as device='cpu', on the command line --device cpu.",
    )


def choose_shared_block(width: int) -> int:
    """Choose examples of a shared block, a power of two, by their size.

    Args:
        width: K, the numbers of a prediction.
    """
    most = min(SHARED_BLOCK, max(FEWEST_SHARED, SHARED_VALUES // width))
    return 1 << (most.bit_length() - 1)


class Network(ABC):
    """A model of a framework, with its user's settings.

    Attributes:
        backend: the name of the framework in a run's manifest.
        function: what builds the model, `package.module:function`, where that is not in its file; or "".
        transform_name: what makes its input of an example, `package.module:function`; or "".
        model: the framework's own object, left as it was.
        name: of the model.
        settings: what its user says of it.
        device: the kind of device that it computes on: "cpu", "cuda", "mps".
        input_shape: of one example, None for any size; None altogether if the model does not say.
        input_dtype: of the examples, "string" for texts; None if the model does not say.
        takes_texts: whether examples are texts.
        transform: makes what the model takes of an example: a PIL image, a text, or a row (D,) float32; or None.
    """

    backend: Backend
    function: str = ""
    transform_name: str = ""
    model: Any
    name: str
    settings: ModelSettings
    device: str = CPU
    input_shape: InputShape | None = None
    input_dtype: str | None = None
    takes_texts: bool = False
    transform: Callable[[Any], Any] | None = None

    @classmethod
    @abstractmethod
    def load(cls, options: ModelOptions, task: TaskOptions, run: Run | None) -> Self:
        """Load a model from its file, by options or as a run used it.

        Raises:
            DataNotFoundError: there is no such file.
            InvalidInputError: an option that does not fit the model.
            UnsuitableModelError: a model that cannot be loaded or sampled.
        """

    @classmethod
    @abstractmethod
    def for_run(cls, model: Any, run: Run) -> Self:
        """Return a run's model as the run used it.

        Raises:
            UnsuitableModelError: another model, which cannot be sampled.
        """

    @classmethod
    @abstractmethod
    def limit_threads(cls, most: int) -> None:
        """Limit the framework's own threads in this process."""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The model's names of classes, in the order of outputs."""
        return None

    @property
    def scaling_layer(self) -> str | None:
        """The first layer that scales or embeds 0 to 255, or None."""
        return None

    @property
    def on_gpu(self) -> bool:
        """Whether the framework computes on a GPU."""
        return self.device != CPU

    def describe_device(self) -> str:
        """Name the device, and why it is that one."""
        return self.device

    def on_device(self, device: str) -> Self:
        """Return the network on a named device.

        Raises:
            InvalidInputError: there is no such device.
        """
        if device == self.device:
            return self
        raise explain_missing_device(device, f"such a model computes on {self.device}")

    @abstractmethod
    def report_layers(self) -> LayerReport:
        """Report random layers before examples: rates above 0 count."""

    @property
    @abstractmethod
    def input_specs(self) -> tuple[InputSpec, ...] | None:
        """The inputs of the model; None if sizes depend on examples."""

    @abstractmethod
    def prepare(self, examples: Any) -> Mapping[str, Rows]:
        """Check examples and bring them into the model's form.

        Args:
            examples: as `Sampler.sample` takes them.

        Returns:
            N examples by the names of the model's inputs, each (N, ...), in memory or read where they are indexed.

        Raises:
            InvalidInputError: examples that do not fit the model.
        """

    @abstractmethod
    def make_plan(self, inputs: tuple[InputSpec, ...], *, channel_sums: bool, compiler: str | None) -> Plan:
        """Prepare the model for examples of one form.

        Args:
            inputs: the form.
            channel_sums: whether to compute convolutions behind dropout of whole channels from their channels.
            compiler: of the random part, "xla" or "none", or None to choose.

        Raises:
            InvalidInputError: `output` names none of the outputs.
            NoRandomnessReachesOutputError: no random number reaches the output.
            UnsuitableModelError: no output of that task, randomness that cannot be supplied, a model that fails, or one
                that cannot be compiled.
        """

    @property
    def xla_error(self) -> str:
        """Why XLA cannot compile this model here, or ""."""
        return f"XLA is not for such a model. Received: {self.name}."

    @abstractmethod
    def compute_digest(self) -> str:
        """Return the SHA-256 of architecture and weights, in memory or loaded."""

    @abstractmethod
    def save(self) -> bytes:
        """Return the bytes of a file for `load`, without training state.

        Raises:
            UnsuitableModelError: the framework cannot save it.
        """

    @abstractmethod
    def compute_features(self, examples: Any) -> np.ndarray:
        """Compute the inputs of the last layer, dropout off.

        Args:
            examples: (N, ...) as the model takes them, or N texts.

        Returns:
            (N, D) float32.

        Raises:
            UnsuitableModelError: a model without such a layer.
        """

    @abstractmethod
    def compute_gradient_sign(self, examples: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Return signs of changes that lower a class's probability (fast gradient sign, Goodfellow et al. 2015).

        Args:
            examples: (N, ...) float32 as the model takes them.
            labels: (N,) the classes to move away from; the model's predictions without it.

        Returns:
            (N, ...) float32 of -1, 0 and 1.

        Raises:
            UnsuitableModelError: a model without a gradient by its input, such as one that takes whole numbers.
        """


@dataclass(frozen=True)
class ModelSpec:
    """A model's file or function, and the arguments of its `Sampler`.

    Attributes:
        options: of the model, with paths that mean the same to every process.
        task: what it predicts.
        run: of the run whose own model it is, which is then sampled as it was for that run; or None.
    """

    options: ModelOptions
    task: TaskOptions = field(default_factory=TaskOptions)
    run: str | None = None


def absolute(path: str | os.PathLike[str]) -> str:
    """Return an absolute path; addresses and functions unchanged."""
    text = os.fspath(path)
    return text if "://" in text or is_function_name(text) else str(Path(text).absolute())
