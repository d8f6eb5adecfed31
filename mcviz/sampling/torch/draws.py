"""What is random in a model: the operations that draw numbers, found while it runs, and their numbers supplied.

Classes of layers would not do: dropout is a function as often as a module, and recurrent and attention layers have
their own inside. What all have in common is an operation that draws.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mcviz.errors import UnsuitableModelError
from mcviz.sampling.base import Inputs, StochasticLayer
from mcviz.sampling.random_numbers import Distribution, RandomRequest, draw_from
from mcviz.sampling.torch.internals import BatchNormalization, InterceptRandomness, record_calls, unfused_attention

Tensors = Mapping[str, torch.Tensor]
Call = Callable[[Tensors], torch.Tensor]  # of a model: inputs by name, each (rows, ...), to its output, (rows, C)
AGREE = 1e-4  # of predictions in one batch, and of the same ones beside other examples

_switching = threading.RLock()


@dataclass(frozen=True)
class Asked:
    """Numbers that an operation asks for.

    Attributes:
        distribution: of the numbers.
        rate: the probability of a dropped element; 0 for other distributions than `bernoulli`.
        shape: of all numbers.
        module: that was in call.
    """

    distribution: Distribution
    rate: float
    shape: tuple[int, ...]
    module: torch.nn.Module


Supply = Callable[[int, Asked], torch.Tensor]  # the number of the draw, and what is asked for, to the numbers


@dataclass(frozen=True)
class Draw:
    """A place in a model that draws random numbers.

    Attributes:
        request: for the numbers of one example in one pass. Where an example has several along the axis of the batch,
            its shape begins with their count.
        axis: of the batch, in the shape that is asked for.
        is_split: whether an example has several along that axis.
        module: that draws.
        layer: the same, for people.
    """

    request: RandomRequest
    axis: int
    is_split: bool
    module: torch.nn.Module
    layer: StochasticLayer

    def place(self, numbers: torch.Tensor) -> torch.Tensor:
        """Bring (rows, *request.shape) into the shape that is asked for."""
        flat = numbers.flatten(0, 1) if self.is_split else numbers
        return flat.movedim(0, self.axis) if self.axis else flat


class Source:
    """Carries out the operations that draw with supplied numbers.

    Attributes:
        asked: what they asked for so far.
        operations: all that were called so far.
    """

    def __init__(self, supply: Supply, calls: Sequence[torch.nn.Module], names: Mapping[torch.nn.Module, str]) -> None:
        self._supply, self._calls, self._names = supply, calls, names
        self.asked: list[Asked] = []
        self.operations: list[str] = []

    def draw(self, operation: Any, given: Mapping[str, Any]) -> Any:
        """Carry out an operation, of arguments by name.

        Raises:
            UnsuitableModelError: one whose numbers cannot be supplied.
        """
        name = operation.overloadpacket.__name__
        if name == "_fused_sdp_choice" or 0 in (given.get("dropout_p"), given.get("training")):  # nothing is drawn
            return operation(**given)
        make = DISTRIBUTIONS.get(name.rstrip("_").removesuffix("_like").removesuffix("_functional"))
        if make is None:
            raise UnsuitableModelError(
                "The model draws random numbers that mcviz cannot supply. "
                f"Received: {operation} in {self._names.get(self._calls[-1], type(self._calls[-1]).__name__)}. "
                "Build that part on dropout, torch.bernoulli, torch.rand or torch.randn."
            )
        numbers = make(given, self._ask)
        if name.endswith("_"):
            return given["self"].copy_(numbers.to(given["self"].dtype))
        default = given["self"].dtype if "self" in given else torch.get_default_dtype()
        return numbers.to(given.get("dtype") or default)

    def _ask(self, distribution: Distribution, rate: float, shape: Sequence[int]) -> torch.Tensor:
        self.asked.append(Asked(distribution, rate, tuple(shape), self._calls[-1]))
        return self._supply(len(self.asked) - 1, self.asked[-1])


def _make_bernoulli(given: Mapping[str, Any], ask: Callable[..., torch.Tensor]) -> torch.Tensor:
    keep, shape = given.get("p", given["self"]), given["self"].shape
    if isinstance(keep, torch.Tensor):
        return ask("uniform", 0.0, shape) < keep
    return ask("bernoulli", round(1 - keep, 12), shape)


def _make_uniform(given: Mapping[str, Any], ask: Callable[..., torch.Tensor]) -> torch.Tensor:
    low, high = given.get("from", 0.0), given.get("to", 1.0)
    return low + (high - low) * ask("uniform", 0.0, _find_shape(given))


def _make_normal(given: Mapping[str, Any], ask: Callable[..., torch.Tensor]) -> torch.Tensor:
    return given.get("mean", 0.0) + given.get("std", 1.0) * ask("normal", 0.0, _find_shape(given))


def _find_shape(given: Mapping[str, Any]) -> Sequence[int]:
    if "size" in given:
        return given["size"]
    tensors = (value for value in given.values() if isinstance(value, torch.Tensor))  # one, or a mean and a deviation
    return torch.broadcast_shapes(*(tensor.shape for tensor in tensors))


DISTRIBUTIONS = {
    "bernoulli": _make_bernoulli,
    "rand": _make_uniform,
    "uniform": _make_uniform,
    "randn": _make_normal,
    "normal": _make_normal,
}


@contextmanager
def supply_numbers(model: torch.nn.Module, training: Collection[torch.nn.Module], supply: Supply) -> Iterator[Source]:
    """Let a model draw supplied numbers in this thread, with some of its modules in training mode and no other."""
    modes = {module: module.training for module in model.modules()}
    names = {module: name for name, module in model.named_modules() if name}
    with _switching, unfused_attention(), record_calls() as calls:
        try:
            for module in modes:
                module.training = module in training
            source = Source(supply, calls, names)
            with InterceptRandomness(source.draw) as mode:
                source.operations = mode.operations
                yield source
        finally:
            for module, mode in modes.items():
                module.training = mode


def supply_nothing(_: int, asked: Asked) -> torch.Tensor:
    """Supply numbers that change nothing, for what draws outside of training, too: dropout then keeps all."""
    value = {"bernoulli": 1 - asked.rate, "uniform": 1.0, "normal": 0.0}[asked.distribution]
    return torch.full(asked.shape, value)


def supply_rows(draws: Sequence[Draw], numbers: Sequence[torch.Tensor]) -> Supply:
    """Supply the numbers of each draw, each (rows, *request.shape)."""

    def supply(number: int, asked: Asked) -> torch.Tensor:
        if number >= len(draws) or draws[number].module is not asked.module:
            raise _varying_draws(number)
        placed = draws[number].place(numbers[number])
        if placed.shape != asked.shape:
            raise _varying_draws(number)
        return placed

    return supply


def _varying_draws(number: int) -> UnsuitableModelError:
    return UnsuitableModelError(
        "The model does not draw the same random numbers in every call, so no seed can fix them. "
        f"Received: another draw at place {number + 1}. Does it follow from a condition on its input?"
    )


def find_draws(model: torch.nn.Module, call: Call, examples: Inputs) -> tuple[Draw, ...]:
    """Find what a model draws when the modules that draw, and no others, are in training mode.

    Args:
        model: the model.
        call: of it.
        examples: some, of the form that it takes.

    Raises:
        UnsuitableModelError: numbers that cannot be supplied, other numbers from call to call, or predictions that
            depend on other examples of the batch or change the model.
    """
    tensors = {name: torch.from_numpy(array) for name, array in examples.items()}

    def ask(training: Collection[torch.nn.Module], rows: int) -> list[Asked]:
        with torch.no_grad(), supply_numbers(model, training, supply_nothing) as source:
            call({name: tensor[:rows].clone() for name, tensor in tensors.items()})
        return source.asked

    with keep_state(model):
        everything = {module for module in model.modules() if not isinstance(module, BatchNormalization)}
        wanted = ask(everything, 2)
        drawing = {each.module for each in wanted}
    with keep_state(model) as changed:
        two, three = ask(drawing, 2), ask(drawing, 3)
        if wanted != two:
            raise _varying_draws(
                next((n for n, pair in enumerate(zip(wanted, two, strict=False)) if pair[0] != pair[1]), len(two))
            )
        names = {module: name for name, module in model.named_modules()}
        draws = tuple(_find_axis(number, *each, names) for number, each in enumerate(zip(two, three, strict=True)))
        _check_calls(model, call, draws, tensors)
    if changed:
        raise UnsuitableModelError(
            "The model changes its own weights or buffers in a pass, so its passes would depend on each other. "
            f"Received: {', '.join(changed)}. Leave them as they are in training mode, too."
        )
    return draws


def _find_axis(number: int, two: Asked, three: Asked, names: Mapping[torch.nn.Module, str]) -> Draw:
    """Find the axis of the batch of a draw from its shapes for two and for three rows."""
    kind = type(two.module).__name__
    name = names.get(two.module, kind) or kind
    axes = [axis for axis, sizes in enumerate(zip(two.shape, three.shape, strict=True)) if sizes[0] != sizes[1]]
    if len(axes) != 1 or two.shape[axes[0]] * 3 != three.shape[axes[0]] * 2:
        raise UnsuitableModelError(
            "The model draws random numbers for its whole batch together, so its rows cannot be different passes. "
            f"Received: numbers of shape {two.shape} for two examples in {name}. Draw them for each example."
        )
    (axis,), shape = axes, list(two.shape)
    each = shape.pop(axis) // 2
    inner = (each, *shape) if each > 1 else tuple(shape)
    rate = two.rate if two.distribution == "bernoulli" else None
    request = RandomRequest(number, two.distribution, two.rate, inner, shared=False)
    return Draw(request, axis, each > 1, two.module, StochasticLayer(name, kind, rate))


def _check_calls(model: torch.nn.Module, call: Call, draws: Sequence[Draw], tensors: Tensors) -> None:
    """Check that the same numbers give the same predictions, and that other examples have no part in them."""
    generator = np.random.default_rng(0)
    numbers = [torch.from_numpy(draw_from(generator, draw.request, 4)) for draw in draws]

    def predict(rows: list[int]) -> torch.Tensor:
        supply = supply_rows(draws, [each[rows] for each in numbers])
        with torch.no_grad(), supply_numbers(model, {draw.module for draw in draws}, supply):
            return call({name: tensor[rows] for name, tensor in tensors.items()})

    first, again, beside_others = predict([0, 1, 2]), predict([0, 1, 2]), predict([3, 1, 2])
    if not torch.equal(first.nan_to_num(), again.nan_to_num()):
        raise UnsuitableModelError(
            "The same random numbers do not give the same prediction twice, so no seed can fix the passes. "
            f"Received: {type(model).__name__}. Does it draw numbers from NumPy or from Python? Draw them by torch."
        )
    if not torch.allclose(first[1:], beside_others[1:], AGREE, AGREE, equal_nan=True):
        raise UnsuitableModelError(
            "The prediction of an example depends on the other examples of its batch. "
            f"Received: {type(model).__name__}. Does it normalise over the batch?"
        )


@contextmanager
def keep_state(model: torch.nn.Module) -> Iterator[list[str]]:
    """Put weights and buffers back at the end; the list then has the names of those that had changed."""
    places = [(module, prefix) for prefix, module in model.named_modules()]
    kept = {
        (module, name): (f"{prefix}.{name}".lstrip("."), tensor, tensor.detach().clone())
        for module, prefix in places
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    }
    changed: list[str] = []
    try:
        yield changed
    finally:
        with torch.no_grad():
            for (module, name), (full_name, tensor, copy) in kept.items():
                same = torch.equal(tensor.nan_to_num(), copy.nan_to_num())
                if not same:
                    tensor.copy_(copy)
                if not same or getattr(module, name) is not tensor:
                    changed.append(full_name)
                    setattr(module, name, tensor)
