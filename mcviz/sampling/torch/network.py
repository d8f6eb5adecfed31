"""A PyTorch model behind the engine's protocol: inputs, outputs and plan."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, cached_property, partial
from typing import Any, Self

import numpy as np
import torch
from PIL import Image

from mcviz.choices import Predicts
from mcviz.data import DataSet, as_examples, as_model_input
from mcviz.data.given import NAMELESS, ONE_SIZE, is_tensor, spread_places, to_array
from mcviz.errors import InvalidInputError, McvizError, UnsuitableModelError
from mcviz.extras import named_modules
from mcviz.kinds.image import as_images
from mcviz.options import ModelOptions, TaskOptions
from mcviz.runs import Run
from mcviz.runs.tables import Rows, hash_array
from mcviz.sampling.base import (
    DEFAULT_SETTINGS,
    SHARED_BLOCK,
    InputSpec,
    LayerReport,
    ModelSettings,
    Network,
    NoRandomnessReachesOutputError,
    OutputMeaning,
    Plan,
    are_label_logits,
    are_logits,
    are_pixel_logits,
    check_output,
    check_regression,
    check_same_width,
    choose_outputs,
    describe_classes,
    describe_labels,
    describe_pixels,
    describe_values,
    explain_always_random,
    find_specs,
    guess_activation,
    name_chosen,
    wrap_model_errors,
)
from mcviz.sampling.engine import iterate_blocks
from mcviz.sampling.examples import describe_inputs, make_random_examples, resize_for_transform
from mcviz.sampling.torch.device import (
    CPU,
    PROCESSOR,
    DevicePart,
    DeviceWeights,
    choose_device,
    copy_module,
    find_draws_on,
    find_own_device,
    without_cudnn,
)
from mcviz.sampling.torch.draws import (
    Call,
    Tensors,
    borrow,
    find_draws,
    find_plain_tensors,
    find_training,
    find_unknown_draws,
    supply_nothing,
    supply_numbers,
)
from mcviz.sampling.torch.internals import aten, ignore_other_threads, is_compiled, log_softmax, softmax, to_copy
from mcviz.sampling.torch.model_files import (
    Weights,
    arguments_for_run,
    build_module,
    named_functions,
    read_arguments,
    write_weights,
)
from mcviz.sampling.torch.plan import ToPredictions, Trace, make_eager_plan, make_traced_plan, trace
from mcviz.tasks import find_task
from mcviz.text import first_line, reason
from mcviz.validate import finite, invalid

Transform = Callable[[Any], Any]
_transforming = threading.Lock()  # tokenizers of Hugging Face refuse calls by two threads at a time

LOGITS = "logits"  # an output of Hugging Face models
ACTIVATIONS = {
    softmax: "softmax",
    aten.sigmoid.default: "sigmoid",
    log_softmax: LOGITS,
    aten.addmm.default: "none",
    aten.mm.default: "none",
}
UNCHANGING = (
    to_copy,
    aten.clone.default,
    aten.select.int,
    aten.slice.Tensor,
    aten.squeeze.dim,
    aten.unsqueeze.default,
    aten.view.default,
)

FEATURES_AT_ONCE = 100  # examples
GRADIENTS_AT_ONCE = 100  # examples

DTYPES = torch.float32, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool


def prepare_inputs(examples: Any, transform: Transform | None) -> Mapping[str, Rows]:
    """Bring examples into the form that a model takes.

    Args:
        examples: as for `as_examples`, or a tensor. A tensor reaches the model unchanged. Images with channels last get
            them first, and those of whole numbers in 0 to 255 are divided by 255.
        transform: see `Sampler`; it gets each example when its inputs are read.

    Returns:
        N examples by the names of the model's inputs, each (N, ...); `NAMELESS` is the first argument of a model.

    Raises:
        InvalidInputError: the examples are invalid, or the transform fails or draws random numbers.
    """
    if isinstance(examples, tuple) and len(examples) == 2 and is_tensor(examples[0]):
        examples = examples[0]  # from a pair with labels
    given = to_array("examples", examples) if is_tensor(examples) else as_examples(examples)
    if transform is not None:
        return _transform_examples(_shown(given), transform)
    if isinstance(given, DataSet):
        given = _shown(given)[:] if given.inputs is None else given.inputs
    if given.dtype.names:
        return {name: _check(name, given[name]) for name in given.dtype.names}
    if given.size and isinstance(given.flat[0], str):
        advice = "Give the transform that makes numbers of a text (transform, on the command line --transform)."
        raise invalid("examples", "numbers, which the model takes", "texts", advice)
    if given.ndim == 4 and not is_tensor(examples):
        given = np.moveaxis(as_model_input(as_images("examples", given)), -1, 1)
    return {NAMELESS: _check(NAMELESS, given)}


def _shown(given: DataSet | np.ndarray) -> Rows:
    if isinstance(given, np.ndarray):
        given = given.astype(np.float32, copy=False) if given.dtype.kind == "f" else given
        return as_images("examples", given) if given.ndim in (3, 4) else given
    if given.images is not None:
        return resize_for_transform(given)
    array = given.held.to_array()
    if array is None:
        raise invalid("examples", "images, texts or rows, which the transform takes", "none of these")
    return array


def _check(name: str, array: np.ndarray) -> np.ndarray:
    if not array.size or array.dtype.kind not in "biuf":
        raise invalid(name, "numbers, of at least one example", f"shape {array.shape}, dtype {array.dtype}")
    return finite(name, array.astype(np.float32, copy=False)) if array.dtype.kind == "f" else array


def _transform_examples(examples: Rows, transform: Transform) -> dict[str, Rows]:
    """Apply the transform twice to a few examples, and to others when read."""
    if not examples.shape[0]:
        raise invalid("examples", "at least one", "none")
    some = examples[spread_places(examples.shape[0])]
    tried = [_apply(transform, example) for example in some]
    for once, example in zip(tried, some, strict=True):
        if any(array.tobytes() != once[name].tobytes() for name, array in _apply(transform, example).items()):
            raise InvalidInputError(
                "The transform gives another result for the same example when it is called again. Leave out what draws "
                "random numbers, such as augmentation."
            )
    return {name: _Transformed(examples, transform, name, array.shape, array.dtype) for name, array in tried[0].items()}


@dataclass(frozen=True)
class _Transformed:
    """An input of a model, which a transform makes when it is read.

    Attributes:
        examples: as a run stores them.
        transform: of the user.
        name: of the input.
        form: its shape for one example.
        dtype: of the input.
    """

    examples: Rows
    transform: Transform
    name: str
    form: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, ...)."""
        return self.examples.shape[0], *self.form

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        arrays_of_examples = [_apply(self.transform, example) for example in self.examples[rows]]
        for arrays in arrays_of_examples:
            if self.name not in arrays or arrays[self.name].shape != self.form:
                expected = f"the same inputs of every example, {describe_inputs({self.name: self})}"
                raise invalid("transform", f"one that gives {expected}", describe_inputs(arrays), ONE_SIZE)
        return np.array([arrays[self.name] for arrays in arrays_of_examples], self.dtype).reshape(-1, *self.form)


def _apply(transform: Transform, example: Any) -> dict[str, np.ndarray]:
    example = _as_picture(example) if getattr(example, "ndim", 0) == 3 else example
    try:
        with _transforming:
            output = transform(example)
        named = output if isinstance(output, Mapping) else {NAMELESS: output}
        arrays = {name: to_array(name, each) for name, each in named.items()}
    except Exception as error:  # from the user's code
        raise InvalidInputError(f"The transform fails: {type(error).__name__}: {first_line(error):.200}") from error
    if isinstance(output, Mapping) and all(each.ndim > 1 and len(each) == 1 for each in arrays.values()):
        arrays = {name: each[0] for name, each in arrays.items()}  # a batch of one, as of return_tensors="pt"
    return {name: _check(f"{name} of the transform", each) for name, each in arrays.items()}


def _as_picture(image: np.ndarray) -> Image.Image:
    if image.dtype != np.uint8:
        raise invalid("examples", "uint8 images, which the transform takes as PIL images", f"dtype {image.dtype}")
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def pick_output(
    returned: Any, name: str | None, predicts: Predicts, of_pixels: bool = False
) -> tuple[torch.Tensor, tuple[str, ...], str]:
    """Return the named output, its name, and its name in words.

    It is (rows, C), or `of_pixels` (rows, C, H, W). The default is `logits`, for pixels also `out`, or the only one. A
    mean and spread in two outputs are concatenated.

    Raises:
        InvalidInputError: several outputs and no name, or an unknown name.
        UnsuitableModelError: the output is not one row of numbers for each example.
    """
    ordered = not is_dataclass(returned) and not isinstance(returned, Mapping)
    if is_dataclass(returned):  # before a mapping: outputs of Hugging Face are both
        named = {each.name: getattr(returned, each.name) for each in fields(returned)}
    elif isinstance(returned, Mapping):
        named = {str(key): value for key, value in returned.items()}
    else:
        named = {str(n): each for n, each in enumerate(returned if isinstance(returned, tuple | list) else [returned])}
    named = {key: value for key, value in named.items() if value is not None}
    usual = "out" if of_pixels and LOGITS not in named else LOGITS  # as torchvision names it
    chosen = choose_outputs(list(named), name, predicts, ordered=ordered, usual=usual)
    outputs = [each[:, None] if each.ndim == 1 else each for each in map(named.__getitem__, chosen)]
    for rows in outputs:
        dtype, floating = str(rows.dtype).removeprefix("torch."), rows.is_floating_point()
        check_output(tuple(rows.shape), dtype, floating=floating, of_pixels=of_pixels)
    check_same_width(chosen, [rows.shape[1] for rows in outputs])
    return (outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)), chosen, name_chosen(chosen, list(named))


def find_activation(output: torch.fx.Node | None, values: np.ndarray) -> str:
    """Return the activation of (rows, C) outputs.

    It is "softmax", "sigmoid", "none", "unclear", or "logits" for sure.

    Args:
        output: in a graph; None without a graph.
        values: some, (n, C), if its operation is unknown.
    """
    while output is not None and output.target in UNCHANGING:
        output = output.args[0]
    return ACTIVATIONS.get(output and output.target) or guess_activation(values)


def make_probabilities(
    columns: int, activation: str, from_logits: bool | None, which: str
) -> tuple[Callable[[torch.Tensor], torch.Tensor], OutputMeaning]:
    """Return a function from (rows, C) scores to float32 probabilities.

    A single score becomes two classes.

    Returns:
        The function, and the interpretation of the scores, which begins with `which`.

    Raises:
        InvalidInputError: `from_logits` for probabilities.
        UnsuitableModelError: several outputs in 0 to 1 need not sum to 1, or one or two numbers have no known meaning.
    """
    if activation == LOGITS:
        activation, from_logits = "none", True if from_logits is None else from_logits
    logits = are_logits(columns, activation, from_logits)

    def finish(output: torch.Tensor) -> torch.Tensor:
        values = output.float()
        if columns == 1:
            positive = values.sigmoid() if logits else values
            return torch.cat([1 - positive, positive], dim=1)
        return values.softmax(dim=1) if logits else values

    return finish, describe_classes(columns, activation, from_logits, which)


def make_pixel_probabilities(logits: bool, size: tuple[int, int]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function from scores of pixels to float32 probabilities.

    It turns (rows, C, h, w) into (rows, H · W · C), and a single score into two classes.
    """

    def finish(output: torch.Tensor) -> torch.Tensor:
        values = output.float()
        if tuple(values.shape[2:]) != size:
            values = torch.nn.functional.interpolate(values, size, mode="bilinear", align_corners=False)
        if values.shape[1] == 1:
            positive = values.sigmoid() if logits else values
            values = torch.cat([1 - positive, positive], dim=1)
        elif logits:
            values = values.softmax(dim=1)
        return values.movedim(1, -1).flatten(1)

    return finish


def _last_axes(inputs: tuple[InputSpec, ...]) -> tuple[int, int]:
    """Return height and width of a first input (channels, height, width)."""
    shape = (0, 0, *inputs[0].shape)
    return shape[-2], shape[-1]


def make_values(columns: int, activation: str, predicts: Predicts) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function from (rows, D) outputs to float32 values.

    With a predicted spread, they are D means, then D variances.

    Raises:
        UnsuitableModelError: a softmax over several classes, or no spread for each mean.
    """
    check_regression(columns, predicts, lambda: activation)

    def finish(output: torch.Tensor) -> torch.Tensor:
        values = output.float()
        if predicts in ("mean", "mean,variance"):
            return values
        means, spreads = values.chunk(2, dim=1)
        return torch.cat([means, spreads.exp() if predicts == "mean,log_variance" else spreads.square()], dim=1)

    return finish


def compute_features(
    model: torch.nn.Module, call: Call, inputs: Mapping[str, Rows], weights: DeviceWeights
) -> np.ndarray:
    """Compute the inputs of the last dense layer in call, dropout off.

    Args:
        model: the model.
        call: of it.
        inputs: N examples, each input (N, ...).
        weights: of the model, where it computes.

    Returns:
        (N, D) float32.

    Raises:
        UnsuitableModelError: the model has no such layer, or the layer's input is not (N, D).
    """
    taken: list[torch.Tensor] = []
    take = ignore_other_threads(lambda _, given: taken.append(given[0]))
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]

    def compute(*tensors: torch.Tensor) -> list[torch.Tensor]:
        taken.clear()
        with borrow(model), supply_numbers(model, (), weights.device.supply_nothing):
            hooks = [layer.register_forward_pre_hook(take) for layer in layers]
            try:
                call({name: tensor.clone() for name, tensor in zip(inputs, tensors, strict=True)})
            finally:
                for hook in hooks:
                    hook.remove()
        if not taken or taken[-1].ndim != 2 or len(taken[-1]) != len(tensors[0]):
            raise UnsuitableModelError(
                "The inputs of the last layer need a model that ends in a torch.nn.Linear over one row an example. "
                f"Received: {type(model).__name__}."
            )
        return [taken.pop().float()]

    part, features = DevicePart(weights, lambda _: compute, FEATURES_AT_ONCE), []
    for rows, block in iterate_blocks(inputs, FEATURES_AT_ONCE):
        (computed,) = part.compute(list(block.values()))
        features.append(computed[: rows.stop - rows.start])
    return np.concatenate(features)


def compute_gradient_sign(
    model: torch.nn.Module,
    predict: Callable[[torch.Tensor], torch.Tensor],
    examples: np.ndarray,
    labels: np.ndarray | None,
    weights: DeviceWeights,
) -> np.ndarray:
    """Return the signs of changes that lower a class's probability, dropout off.

    This is the fast gradient sign method (Goodfellow et al. 2015).

    Args:
        model: a classifier.
        predict: (N, ...) examples to (N, C) probabilities.
        examples: (N, ...) float32 model inputs.
        labels: (N,) the classes to move away from; the model's predictions without it.
        weights: of the model, where it computes.

    Returns:
        (N, ...) float32 of -1, 0 and 1.
    """

    def compute(given: torch.Tensor, *classes_given: torch.Tensor) -> list[torch.Tensor]:
        block = given.clone().requires_grad_()
        quiet = supply_numbers(model, (), weights.device.supply_nothing)
        with torch.enable_grad(), without_cudnn(), borrow(model), quiet:
            probs = predict(block.clone())  # a model may write into its input
            classes = classes_given[0] if classes_given else probs.argmax(dim=1)
            chosen = probs.gather(1, classes.long()[:, None])
            # Cross-entropy up to its sign; the smallest float keeps the gradient of a probability that is 0 finite.
            (gradient,) = torch.autograd.grad(-(chosen + torch.finfo(torch.float32).tiny).log().sum(), block)
        return [gradient.sign()]

    signs, given = [], [examples] if labels is None else [examples, np.asarray(labels)]
    for start in range(0, len(examples), GRADIENTS_AT_ONCE):
        block = [array[start : start + GRADIENTS_AT_ONCE] for array in given]
        part = DevicePart(weights, lambda _: compute, len(block[0]))
        signs += part.compute(block)
    return np.concatenate(signs)


@dataclass(frozen=True)
class _TracedModel:
    """The traced model for examples of one form.

    Attributes:
        operations: of the model.
        constants: the tensors that they take and that are neither weights nor buffers.
        finish: from its output to predictions.
        always_random: names of the modules whose random numbers cannot be switched off.
    """

    operations: str
    constants: list[torch.Tensor]
    finish: ToPredictions
    always_random: tuple[str, ...]


class TorchNetwork(Network):
    """A PyTorch module, left unchanged.

    Attributes:
        transform: from examples to the module's inputs, or None.
        function: "package.module:function" that built the module, or "".
        transform_name: the same for the transform.
        inputs: the form of the examples of the digest: as given, or that of the first examples.
    """

    backend = "torch"

    def __init__(
        self,
        model: torch.nn.Module,
        settings: ModelSettings = DEFAULT_SETTINGS,
        *,
        transform: Callable[..., Any] | None = None,
        function: str = "",
        transform_name: str = "",
        inputs: tuple[InputSpec, ...] | None = None,
    ) -> None:
        """Take a module; the arguments and errors are those of `Sampler`, and the attributes."""
        _check_module(model)
        self.model, self.name, self.settings = model, type(model).__name__, settings
        self._device = choose_device(settings.device, model)
        self.device = self._device.place.type
        own, place = find_own_device(model), self._device.place
        with borrow(model):
            self._traceable, pairs = (model, []) if own == CPU else copy_module(model, CPU)
        self._weights = DeviceWeights(self._device, pairs if own == place else [])
        self._source = model if own in (CPU, place) else self._traceable  # its weights count, also later ones
        self.transform, self.function, self.transform_name = transform, function, transform_name
        self.inputs = inputs
        if inputs and len(inputs) == 1 and transform is None:
            self.input_dtype = inputs[0].dtype
            self.input_shape = None if len(inputs[0].shape) == 3 else inputs[0].shape  # channels may be first
        self._layers = LayerReport(())
        self._traced: dict[tuple[InputSpec, ...], _TracedModel] = {}

    @classmethod
    def load(cls, options: ModelOptions, task: TaskOptions, run: Run | None) -> Self:
        return cls(**read_arguments(options, task, run))

    @classmethod
    def for_run(cls, model: torch.nn.Module, run: Run) -> Self:
        return cls(model, **arguments_for_run(run, named_modules()))

    @classmethod
    def limit_threads(cls, most: int) -> None:
        torch.set_num_threads(most)

    def report_layers(self) -> LayerReport:
        return self._layers

    def describe_device(self) -> str:
        return f"{self._device.place}, {self._device.reason}"

    def on_device(self, device: str) -> Self:
        return type(self)(
            self.model,
            replace(self.settings, device=device),
            transform=self.transform,
            function=self.function,
            transform_name=self.transform_name,
            inputs=self.inputs,
        )

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names in `config.id2label` of Hugging Face, unless made up or repeated."""
        named = getattr(getattr(self.model, "config", None), "id2label", None)
        if not isinstance(named, Mapping):
            return None
        names = tuple(str(named[place]) for place in range(len(named)) if place in named)
        made_up = all(name == f"LABEL_{place}" for place, name in enumerate(names))
        return None if made_up or len(set(names)) != len(named) else names

    @property
    def input_specs(self) -> tuple[InputSpec, ...] | None:
        return self.inputs

    def prepare(self, examples: Any) -> Mapping[str, Rows]:
        return prepare_inputs(examples, self.transform)

    def make_plan(self, inputs: tuple[InputSpec, ...], *, channel_sums: bool, compiler: str | None) -> Plan:
        wide = any(each.dtype == torch.float64 for each in self.model.parameters())
        floats = any(np.dtype(spec.dtype).kind == "f" for spec in inputs)
        advice = "Its weights are of float64, and examples reach it as float32. Call model.float() first."
        guard = wrap_model_errors("model(x)", advice if wide and floats else "")
        with borrow(self._traceable):
            plan = guard(self._make_plan)(inputs)
        return plan.guard(guard)

    def _make_plan(self, inputs: tuple[InputSpec, ...]) -> Plan:
        model, rate = self._traceable, self.settings.rate
        run, call = partial(self._run_model, model), partial(self._run_output, model)
        examples = {spec.name: make_random_examples(spec.shape, spec.dtype) for spec in inputs}
        tensors = {name: torch.from_numpy(array) for name, array in examples.items()}
        draws = find_draws(model, run, call, tensors)
        if not draws:
            raise UnsuitableModelError(
                f"All passes would be the same: the model draws no random numbers. Received: {self.name}. "
                "Monte Carlo dropout needs a model that was trained with dropout, at a rate above 0."
            )
        plain = find_plain_tensors(model)  # before a call, which may keep its results
        with torch.no_grad(), supply_numbers(model, (), supply_nothing) as source:
            returned = run({name: torch.from_numpy(array) for name, array in examples.items()})
        always_random = find_unknown_draws(model, call, tensors) if source.asked else ()

        @cache
        def retrace(rows: int, in_passes: bool = True, on_any_device: bool = False) -> Trace:
            return trace(model, call, inputs, rows, draws if in_passes else None, rate, on_any_device)

        try:
            small = retrace(SHARED_BLOCK)
            if rate is not None and all(draw.request.rate != rate for draw in small.draws):
                raise UnsuitableModelError(
                    "The model has no dropout whose rate can be changed. "
                    f"Received: {', '.join(str(draw.layer) for draw in draws)}. Leave the rate out."
                )
            finish, width, meaning = self._interpret_output(returned, small.output, _last_axes(inputs))
            plan = make_traced_plan(retrace, inputs, finish, width, DeviceWeights(PROCESSOR, []))
            operations, constants = small.module.code, small.find_constants(model)
        except (McvizError, NoRandomnessReachesOutputError):
            raise
        except Exception as error:
            if rate is not None:
                raise UnsuitableModelError(
                    f"The rate can be changed in a model that torch can trace. Received: {reason(error)}. "
                    "Leave the rate out."
                ) from error
            finish, width, meaning = self._interpret_output(returned, None, _last_axes(inputs))
            placed, there = self._placed, find_draws_on(model, self._placed, draws)
            run_there = partial(self._run_output, placed)
            plan = make_eager_plan(placed, run_there, inputs, there, finish, width, reason(error), self._weights)
            operations = str([source.operations, [draw.request for draw in draws]])
            with torch.no_grad(), supply_numbers(model, find_training(draws), supply_nothing) as in_a_pass:
                call(tensors)
            taken = source.taken | in_a_pass.taken
            constants = [tensor for tensor in plain if id(tensor) in taken]
        if not (plan.layers.untraced or self._device.is_processor):
            plan = make_traced_plan(partial(retrace, on_any_device=True), inputs, finish, width, self._weights, plan)
        if always_random:
            plan = replace(plan, deterministic=None, layers=replace(plan.layers, always_random=always_random))
        self._traced[inputs] = _TracedModel(operations, constants, finish, always_random)
        self.inputs, self._layers = self.inputs or inputs, plan.layers
        return replace(plan, meaning=meaning)

    @cached_property
    def _placed(self) -> torch.nn.Module:
        """The module on the device; a copy if it is elsewhere."""
        if find_own_device(self.model) == self._device.place:
            return self.model
        return copy_module(self._traceable, self._device.place, self._weights.move)[0]

    def _traced_for(self, inputs: tuple[InputSpec, ...]) -> _TracedModel:
        if inputs not in self._traced:
            self.make_plan(inputs, channel_sums=False, compiler=None)
        return self._traced[inputs]

    def _traced_switched_off(self, inputs: Mapping[str, Rows]) -> _TracedModel:
        known = self._traced_for(find_specs(inputs))
        if known.always_random:
            raise explain_always_random(known.always_random)
        return known

    def _interpret_output(
        self, returned: Any, output: torch.fx.Node | None, size: tuple[int, int]
    ) -> tuple[ToPredictions, int, OutputMeaning]:
        said = self.settings
        task = find_task(said.task)
        some, chosen, which = pick_output(returned, said.output, said.predicts, task.of_pixels)
        columns = some.shape[1]
        if task.of_pixels:
            classes = some.movedim(1, -1).reshape(-1, columns).numpy()
            activation = "none" if chosen == (LOGITS,) else find_activation(output, classes)
            logits = are_pixel_logits(columns, "none" if activation == LOGITS else activation, said.from_logits)
            given = some.shape[2], some.shape[3]
            meaning = describe_pixels(columns, logits, size, given, which)
            return make_pixel_probabilities(logits, size), size[0] * size[1] * max(2, columns), meaning
        activation = LOGITS if chosen == (LOGITS,) else find_activation(output, some.numpy())
        outputs = task.outputs
        if outputs == "softmax":
            finish, meaning = make_probabilities(columns, activation, said.from_logits, which)
            return finish, max(2, columns), meaning
        if outputs == "sigmoids":
            from_logits = said.from_logits
            if activation == LOGITS:
                activation, from_logits = "none", True if from_logits is None else from_logits
            logits = are_label_logits(columns, activation, from_logits)
            meaning = describe_labels(columns, activation, from_logits, which)
            return lambda output: output.float().sigmoid() if logits else output.float(), columns, meaning
        return make_values(columns, activation, said.predicts), columns, describe_values(columns, said.predicts, which)

    @property
    def _of_pixels(self) -> bool:
        return find_task(self.settings.task).of_pixels

    def _run_model(self, model: torch.nn.Module, tensors: Tensors) -> Any:
        return model(next(iter(tensors.values()))) if len(tensors) == 1 else model(**tensors)

    def _run_output(self, model: torch.nn.Module, tensors: Tensors) -> torch.Tensor:
        returned = self._run_model(model, tensors)
        return pick_output(returned, self.settings.output, self.settings.predicts, self._of_pixels)[0]

    def compute_digest(self) -> str:
        if self.inputs is None:
            raise UnsuitableModelError(
                "A digest is of a model's operations, which follow from the form of examples. "
                f"Received: {self.name}, which has seen none. "
                "Call Sampler.deterministic on some, or give their form as `inputs`."
            )
        with borrow(self._source):
            known = self._traced_for(self.inputs)
            digest = hashlib.sha256(known.operations.encode())
            for module in self._source.modules():
                named = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
                for name, tensor in named:
                    digest.update(f"{name} {hash_array(tensor.detach().cpu().numpy())}".encode())
            for tensor in known.constants:
                digest.update(hash_array(_as_array(tensor)).encode())
        return digest.hexdigest()

    def save(self) -> bytes:
        with borrow(self._source):
            model = self._source if self._source is self._traceable else copy_module(self._source, CPU)[0]
            return write_weights(model, self)

    def compute_features(self, examples: Any) -> np.ndarray:
        inputs = self.prepare(examples)
        self._traced_switched_off(inputs)
        return compute_features(self._placed, partial(self._run_output, self._placed), inputs, self._weights)

    def compute_gradient_sign(self, examples: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        inputs = self.prepare(examples)
        name, rows = next(iter(inputs.items()))
        moved = examples.ndim == 4 and rows.shape == np.moveaxis(examples, -1, 1).shape  # images, as torch has them
        if len(inputs) > 1 or rows.dtype.kind != "f" or not (moved or rows.shape == examples.shape):
            raise UnsuitableModelError(
                "The prediction has no gradient by the examples. "
                f"Received: {self.name}, which takes {', '.join(inputs)} of dtype {rows.dtype}. "
                "Take another distortion."
            )
        finish = self._traced_switched_off(inputs).finish
        call = partial(self._run_output, self._placed)
        sign = compute_gradient_sign(
            self._placed, lambda block: finish(call({name: block})), rows[:], labels, self._weights
        )
        return np.moveaxis(sign, 1, -1) if moved else sign


def _as_array(tensor: torch.Tensor) -> np.ndarray:
    """Return a tensor as an array, also of dtypes that NumPy lacks."""
    dense = tensor.detach().to_dense()
    return np.atleast_1d((dense.float() if dense.dtype == torch.bfloat16 else dense).numpy())


def _check_module(model: Any) -> None:
    if not isinstance(model, torch.nn.Module):
        raise UnsuitableModelError(f"Argument `model` must be a torch.nn.Module. Received: {type(model).__name__}.")
    if is_compiled(model):
        raise UnsuitableModelError(
            f"The operations of a compiled module are hidden. Received: {type(model).__name__}. Give the module itself."
        )
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if torch.nn.parameter.is_lazy(tensor):
            raise UnsuitableModelError(
                f"The model has no weights yet. Received: {name} of {type(model).__name__}. Call it once on a batch."
            )
        if tensor.dtype not in DTYPES:
            raise UnsuitableModelError(
                f"PyTorch models are sampled with weights of 32 or 64 bits. Received: {name} of dtype "
                f"{str(tensor.dtype).removeprefix('torch.')}. Call model.float() first."
            )


def load_torch(
    function: str, *, weights: Weights | None = None, transform: str | None = None, **options: Any
) -> TorchNetwork:
    """Build a PyTorch model by your function, so that its run can be opened again.

    `mcviz.sample_run` and `mcviz.Sampler` take the result. The dashboard imports both named functions if `--import`
    names their package.

    Args:
        function: `package.module:function`, which is called without arguments and returns a `torch.nn.Module`.
        weights: a `.safetensors` file, a `.pt` or `.pth` file of a state_dict, or a state_dict; None leaves the built
            module unchanged.
        transform: `package.module:function`, which makes the module's input of an example; see `Sampler`.
        **options: of the model, as for `Sampler`: `output`, `from_logits`, `task`, `predicts`, `rate`, `device`.

    Raises:
        DataNotFoundError: the file of weights does not exist.
        InvalidInputError: a function does not exist or fails, or an option does not fit the model.
        MissingPackageError: the package of a function is missing.
        UnsuitableModelError: the function returns no module; or the weights are no state_dict, or do not fit the
            module.
    """
    inputs, settings = options.pop("inputs", None), ModelSettings(**options)
    return TorchNetwork(
        build_module(function, weights), settings, inputs=inputs, **named_functions(function, transform)
    )
