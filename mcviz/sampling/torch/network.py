"""A PyTorch model behind the engine's protocol."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch

from mcviz.choices import Predicts
from mcviz.errors import McvizError, UnsuitableModelError
from mcviz.extras import named_modules
from mcviz.options import ModelOptions, TaskOptions
from mcviz.runs import Run
from mcviz.runs.contents import Rows, hash_array
from mcviz.sampling.base import (
    SHARED_BLOCK,
    InputSpec,
    LayerReport,
    Network,
    Plan,
    SamePassesError,
    explain_always_random,
    find_specs,
    wrap_model_errors,
)
from mcviz.sampling.examples import make_random_examples
from mcviz.sampling.outputs import OutputMeaning, check_options, describe_values
from mcviz.sampling.torch.draws import (
    Tensors,
    borrow,
    find_draws,
    find_plain_tensors,
    find_training,
    find_unknown_draws,
    supply_nothing,
    supply_numbers,
)
from mcviz.sampling.torch.features import compute_features, compute_gradient_sign
from mcviz.sampling.torch.inputs import prepare_inputs
from mcviz.sampling.torch.internals import is_compiled
from mcviz.sampling.torch.model_files import (
    Weights,
    arguments_for_run,
    build_module,
    named_functions,
    read_arguments,
    write_weights,
)
from mcviz.sampling.torch.outputs import (
    LOGITS,
    find_activation,
    make_probabilities,
    make_values,
    pick_output,
)
from mcviz.sampling.torch.plan import Finish, make_eager_plan, make_traced_plan
from mcviz.sampling.torch.tracing import trace
from mcviz.tasks import find_task
from mcviz.text import reason

DTYPES = torch.float32, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool


@dataclass(frozen=True)
class _Known:
    """What is known of a model for examples of one form.

    Attributes:
        operations: that it computes.
        constants: the tensors that they take and that are neither weights nor buffers.
        finish: what its output means.
        always_random: names of the modules whose random numbers cannot be switched off.
    """

    operations: str
    constants: list[torch.Tensor]
    finish: Finish
    always_random: tuple[str, ...]


class TorchNetwork(Network):
    """See `Network`; the module is left as it was.

    Attributes:
        transform: of examples to what the module takes, or None.
        function: "package.module:function" that built the module, or "".
        transform_name: the same of the transform.
        inputs: the form of the examples that the digest is for: as it was given, or that of the first ones.
    """

    backend = "torch"

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        output: str | None = None,
        from_logits: bool | None = None,
        task: str = "classification",
        predicts: Predicts = "mean",
        rate: float | None = None,
        transform: Callable[..., Any] | None = None,
        function: str = "",
        transform_name: str = "",
        inputs: tuple[InputSpec, ...] | None = None,
    ) -> None:
        """Take a module; the arguments and errors are those of `Sampler`, and the attributes."""
        _check_module(model)
        check_options(task, predicts, from_logits, rate)
        self.model, self.name, self.output, self.from_logits = model, type(model).__name__, output, from_logits
        self.task, self.predicts, self.rate = task, predicts, rate
        self.transform, self.function, self.transform_name = transform, function, transform_name
        self.inputs = inputs
        if inputs and len(inputs) == 1 and transform is None:
            self.input_dtype = inputs[0].dtype
            self.input_shape = None if len(inputs[0].shape) == 3 else inputs[0].shape  # channels may be first
        self._layers = LayerReport(())
        self._known: dict[tuple[InputSpec, ...], _Known] = {}

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

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Those of `config.id2label`, as models of Hugging Face have it, unless these are made up or not different."""
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
        with borrow(self.model):
            plan = guard(self._make_plan)(inputs)
        return replace(
            plan,
            shared_part=guard(plan.shared_part),
            random_part=guard(plan.random_part),
            deterministic=plan.deterministic and guard(plan.deterministic),
        )

    def _make_plan(self, inputs: tuple[InputSpec, ...]) -> Plan:
        examples = {spec.name: make_random_examples(spec.shape, spec.dtype) for spec in inputs}
        tensors = {name: torch.from_numpy(array) for name, array in examples.items()}
        draws = find_draws(self.model, self._return, self._call, tensors)
        if not draws:
            raise UnsuitableModelError(
                f"All passes would be the same: the model draws no random numbers. Received: {self.name}. "
                "Monte Carlo dropout needs a model that was trained with dropout, at a rate above 0."
            )
        plain = find_plain_tensors(self.model)  # before a call that keeps what it computes
        with torch.no_grad(), supply_numbers(self.model, (), supply_nothing) as source:
            returned = self._return({name: torch.from_numpy(array) for name, array in examples.items()})
        always_random = find_unknown_draws(self.model, self._call, tensors) if source.asked else ()
        try:
            small = trace(self.model, self._call, inputs, SHARED_BLOCK, draws, self.rate)
            if self.rate is not None and all(draw.request.rate != self.rate for draw in small.draws):
                raise UnsuitableModelError(
                    "The model has no dropout whose rate can be changed. "
                    f"Received: {', '.join(str(draw.layer) for draw in draws)}. Leave the rate out."
                )
            finish, width, meaning = self._read(returned, small.output)
            plan = make_traced_plan(self.model, self._call, inputs, draws, small, finish, width, self.rate)
            operations, constants = small.module.code, small.find_constants(self.model)
        except (McvizError, SamePassesError):
            raise
        except Exception as error:
            if self.rate is not None:
                raise UnsuitableModelError(
                    f"The rate can be changed in a model that torch can trace. Received: {reason(error)}. "
                    "Leave the rate out."
                ) from error
            finish, width, meaning = self._read(returned, None)
            plan = make_eager_plan(self.model, self._call, inputs, draws, finish, width, reason(error))
            operations = str([source.operations, [draw.request for draw in draws]])
            with torch.no_grad(), supply_numbers(self.model, find_training(draws), supply_nothing) as in_a_pass:
                self._call(tensors)
            taken = source.taken | in_a_pass.taken
            constants = [tensor for tensor in plain if id(tensor) in taken]
        if always_random:
            plan = replace(plan, deterministic=None, layers=replace(plan.layers, always_random=always_random))
        self._known[inputs] = _Known(operations, constants, finish, always_random)
        self.inputs, self._layers = self.inputs or inputs, plan.layers
        return replace(plan, meaning=meaning)

    def _know(self, inputs: tuple[InputSpec, ...]) -> _Known:
        if inputs not in self._known:
            self.make_plan(inputs, channel_sums=False, compiler=None)
        return self._known[inputs]

    def _know_switched_off(self, inputs: Mapping[str, Rows]) -> _Known:
        """Likewise, of a model whose randomness can be switched off."""
        known = self._know(find_specs(inputs))
        if known.always_random:
            raise explain_always_random(known.always_random)
        return known

    def _read(self, returned: Any, output: torch.fx.Node | None) -> tuple[Finish, int, OutputMeaning]:
        """Find out what the model's output means; return the function to its predictions, and their width."""
        some, chosen, which = pick_output(returned, self.output, self.predicts)
        columns = some.shape[1]
        activation = LOGITS if chosen == (LOGITS,) else find_activation(output, some.numpy())
        if find_task(self.task).predicts_classes:
            finish, meaning = make_probabilities(columns, activation, self.from_logits, which)
            return finish, max(2, columns), meaning
        return make_values(columns, activation, self.predicts), columns, describe_values(columns, self.predicts, which)

    def _return(self, tensors: Tensors) -> Any:
        return self.model(next(iter(tensors.values()))) if len(tensors) == 1 else self.model(**tensors)

    def _call(self, tensors: Tensors) -> torch.Tensor:
        return pick_output(self._return(tensors), self.output, self.predicts)[0]

    def compute_digest(self) -> str:
        if self.inputs is None:
            raise UnsuitableModelError(
                "A digest is of a model's operations, which follow from the form of examples. "
                f"Received: {self.name}, which has seen none. "
                "Call Sampler.deterministic on some, or give their form as `inputs`."
            )
        with borrow(self.model):
            known = self._know(self.inputs)
            digest = hashlib.sha256(known.operations.encode())
            for module in self.model.modules():
                named = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
                for name, tensor in named:
                    digest.update(f"{name} {hash_array(tensor.detach().numpy())}".encode())
            for tensor in known.constants:
                digest.update(hash_array(_as_array(tensor)).encode())
        return digest.hexdigest()

    def save(self) -> bytes:
        with borrow(self.model):
            return write_weights(self.model, self)

    def compute_features(self, examples: Any) -> np.ndarray:
        inputs = self.prepare(examples)
        self._know_switched_off(inputs)
        return compute_features(self.model, self._call, inputs)

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
        finish = self._know_switched_off(inputs).finish
        sign = compute_gradient_sign(self.model, lambda block: finish(self._call({name: block})), rows[:], labels)
        return np.moveaxis(sign, 1, -1) if moved else sign


def _as_array(tensor: torch.Tensor) -> np.ndarray:
    """Return a tensor as an array of at least one axis, also where NumPy has no such numbers."""
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
        if tensor.device.type != "cpu" or tensor.dtype not in DTYPES:
            raise UnsuitableModelError(
                f"PyTorch models are sampled on the processor, with weights of 32 or 64 bits. Received: {name} on "
                f"{tensor.device}, dtype {str(tensor.dtype).removeprefix('torch.')}. Call model.cpu().float() first."
            )


def load_torch(
    function: str, *, weights: Weights | None = None, transform: str | None = None, **options: Any
) -> TorchNetwork:
    """Build a PyTorch model by a function of yours, so that a run of it can be opened again.

    `mcviz.sample_run` and `mcviz.Sampler` take what it returns. The run names both functions, and the dashboard imports
    them where it is started with `--import` and their package.

    Args:
        function: `package.module:function`, which is called without arguments and returns a `torch.nn.Module`.
        weights: a `.safetensors` file, a `.pt` or `.pth` file of a state_dict, or a state_dict; None takes the module
            as it is built.
        transform: `package.module:function`, which makes the module's input of an example; see `Sampler`.
        **options: what is said of the model, as `Sampler` takes it: `output`, `from_logits`, `task`, `predicts`,
            `rate`.

    Raises:
        DataNotFoundError: there is no such file of weights.
        InvalidInputError: no such function, or one that fails; an option that does not fit the model.
        MissingPackageError: the package of a function is not there.
        UnsuitableModelError: the function returns no module; the weights are no state_dict, or not those of the module.
    """
    return TorchNetwork(build_module(function, weights), **named_functions(function, transform), **options)
