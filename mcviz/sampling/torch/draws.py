"""The random operations of a model, found while it runs, and their numbers.

Classes of layers are not enough: dropout can be a function, and recurrent and attention layers have their own.
"""

import random
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any

import numpy as np
import torch

from mcviz.errors import McvizError, UnsuitableModelError
from mcviz.sampling.base import StochasticLayer
from mcviz.sampling.masks import Distribution, RandomRequest, draw_from
from mcviz.sampling.torch.internals import BatchNormalization, InterceptRandomness, record_calls, unfused_attention

Tensors = Mapping[str, torch.Tensor]
Call = Callable[[Tensors], torch.Tensor]  # of a model: inputs by name, each (rows, ...), to its output, (rows, C)
AGREE = 1e-4  # of predictions in one batch, and of the same ones beside other examples

TENSORS = torch.Tensor, torch.nn.Parameter  # and no subclasses, such as those without numbers

_borrowing = threading.RLock()


@dataclass(frozen=True)
class RandomCall:
    """Numbers that an operation asks for.

    Attributes:
        distribution: of the numbers.
        rate: the probability of a dropped element; 0 for other distributions than `bernoulli`.
        shape: of all numbers.
        calls: the modules in call, the innermost last.
    """

    distribution: Distribution
    rate: float
    shape: tuple[int, ...]
    calls: tuple[torch.nn.Module, ...]

    @property
    def module(self) -> torch.nn.Module:
        """The one that draws."""
        return self.calls[-1]


Supply = Callable[[int, RandomCall], torch.Tensor]  # the number of the draw, and what is asked for, to the numbers


@dataclass(frozen=True)
class Draw:
    """A place in a model that draws random numbers.

    Attributes:
        request: for the numbers of one example in one pass. Where an example has several along the axis of the batch,
            its shape begins with their count.
        axis: of the batch, in the shape that is asked for.
        is_split: whether an example has several along that axis.
        module: that draws.
        training: the modules that are in training mode for it.
        layer: the module, for people.
    """

    request: RandomRequest
    axis: int
    is_split: bool
    module: torch.nn.Module
    training: frozenset[torch.nn.Module]
    layer: StochasticLayer

    def place(self, numbers: torch.Tensor) -> torch.Tensor:
        """Reshape (rows, *request.shape) as asked."""
        flat = numbers.flatten(0, 1) if self.is_split else numbers
        return flat.movedim(0, self.axis) if self.axis else flat


class RandomSupplier:
    """Carries out the operations that draw with supplied numbers.

    Attributes:
        asked: what they asked for so far.
        operations: all that were called so far.
        taken: the `id` of all that they were given.
    """

    def __init__(self, supply: Supply, calls: Sequence[torch.nn.Module], names: Mapping[torch.nn.Module, str]) -> None:
        self._supply, self._calls, self._names = supply, calls, names
        self.asked: list[RandomCall] = []
        self.operations: list[str] = []
        self.taken: set[int] = set()

    def draw(self, operation: Any, given: Mapping[str, Any]) -> Any:
        """Carry out an operation, of arguments by name.

        Raises:
            UnsuitableModelError: one whose numbers cannot be supplied.
        """
        name = operation.overloadpacket.__name__
        chances = given.get("dropout_p"), given.get("training"), given.get("train")
        if name == "_fused_sdp_choice" or 0 in chances:  # nothing is drawn
            return operation(**given)
        if name == "native_dropout":  # by which a GPU computes all dropout
            return self._drop(given["input"], 1 - given["p"])
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

    def _drop(self, values: torch.Tensor, keep: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Return dropped values and the mask."""
        mask = self._ask("bernoulli", round(1 - keep, 12), values.shape)
        return values * (mask.to(values.dtype) / keep), mask.bool()

    def _ask(self, distribution: Distribution, rate: float, shape: Sequence[int]) -> torch.Tensor:
        self.asked.append(RandomCall(distribution, rate, tuple(shape), tuple(self._calls)))
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
def supply_numbers(
    model: torch.nn.Module, training: Collection[torch.nn.Module], supply: Supply
) -> Iterator[RandomSupplier]:
    """Supply numbers to a model in this thread, with chosen modules in training mode."""
    names = {module: name for name, module in model.named_modules() if name}
    with _borrowing, unfused_attention(), record_calls() as calls:
        modes = {module: module.training for module in model.modules()}
        try:
            for module in modes:
                module.training = module in training
            source = RandomSupplier(supply, calls, names)
            with InterceptRandomness(source.draw) as mode:
                source.operations, source.taken = mode.operations, mode.taken
                yield source
        finally:
            for module, mode in modes.items():
                module.training = mode


def supply_nothing(_: int, asked: RandomCall) -> torch.Tensor:
    """Supply numbers that change nothing, also outside of training."""
    value = {"bernoulli": 1 - asked.rate, "uniform": 1.0, "normal": 0.0}[asked.distribution]
    return torch.full(asked.shape, value)


def supply_rows(draws: Sequence[Draw], numbers: Sequence[torch.Tensor]) -> Supply:
    """Supply numbers of each draw, (rows, *request.shape)."""

    def supply(number: int, asked: RandomCall) -> torch.Tensor:
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


def find_draws(
    model: torch.nn.Module, run: Callable[[Tensors], Any], call: Call, examples: Tensors
) -> tuple[Draw, ...]:
    """Find a model's draws with only drawing modules in training mode.

    Args:
        model: the model.
        run: it, with all that it returns.
        call: of it.
        examples: some, of the form that it takes.

    Raises:
        UnsuitableModelError: numbers that cannot be supplied, other numbers from call to call, or predictions that
            depend on other examples of the batch or change the model.
    """

    def ask(training: Collection[torch.nn.Module], rows: int, function: Callable[[Tensors], Any]) -> list[RandomCall]:
        with torch.no_grad(), supply_numbers(model, training, supply_nothing) as source:
            function({name: tensor[:rows].clone() for name, tensor in examples.items()})
        return source.asked

    with keep_state(model):
        ask((), 2, call)  # an output that cannot be used is said before one that only training has
        everything = {module for module in model.modules() if not isinstance(module, BatchNormalization)}
        wanted = ask(everything, 2, run)
    drawing = frozenset(draw.module for draw in wanted)
    with keep_state(model) as changed:
        two = ask(drawing, 2, run)
        if two != wanted:  # some are drawn where a module around them is in training mode
            drawing = frozenset(module for draw in wanted for module in draw.calls)
            two = ask(drawing, 2, run)
        try:
            three = ask(drawing, 3, call)
        except McvizError as error:
            raise UnsuitableModelError(
                "The model returns something else in training mode, which its own random numbers need. "
                f"Received: {error} Let it return the same in both modes, or draw in a module without children, such "
                "as torch.nn.Dropout."
            ) from error
        for number, (first, again, other) in enumerate(zip_longest(wanted, two, three)):
            if first is None or first != again or other is None or other.calls != first.calls:
                raise _varying_draws(number)
        names = {module: name for name, module in model.named_modules()}
        pairs = enumerate(zip(two, three, strict=True))
        draws = tuple(_find_axis(number, *pair, drawing, names) for number, pair in pairs)
        _check_calls(model, call, draws, examples)
    if changed:
        raise UnsuitableModelError(
            "The model changes its own weights, buffers or other tensors in a pass, so its passes would depend on each "
            f"other. Received: {', '.join(changed)}. Leave them as they are in training mode, too."
        )
    return draws


def find_training(draws: Sequence[Draw]) -> set[torch.nn.Module]:
    """Return modules in training mode during a pass."""
    return set[torch.nn.Module]().union(*(draw.training for draw in draws))


def find_unknown_draws(model: torch.nn.Module, call: Call, examples: Tensors) -> tuple[str, ...]:
    """Find modules that draw outside of training with no neutral numbers known.

    Masks and noise have means, but a uniform number or True has the model's own meaning.

    Args:
        model: the model.
        call: of it.
        examples: some, of the form that it takes.

    Returns:
        Their names; none for a model whose randomness can be switched off.
    """

    def predict(supply: Supply) -> tuple[torch.Tensor, list[RandomCall]]:
        with torch.no_grad(), supply_numbers(model, (), supply) as source:
            predicted = call({name: tensor.clone() for name, tensor in examples.items()})
        return predicted.nan_to_num(), source.asked

    def change(number: int, value: float) -> torch.Tensor:
        return predict(lambda n, asked: torch.full(asked.shape, value) if n == number else supply_nothing(n, asked))[0]

    usual, asked = predict(supply_nothing)
    unknown = []
    for number, request in enumerate(asked):
        if request.distribution == "uniform":
            reacts = not torch.equal(change(number, 0.0), usual)
        elif request.distribution == "bernoulli":  # by its truth, not as a factor
            reacts = torch.equal(change(number, 1.0), usual) and not torch.equal(change(number, 0.0), usual)
        else:
            reacts = False
        unknown += [request.module] if reacts else []
    names = {module: name or type(module).__name__ for name, module in model.named_modules()}
    return tuple(names.get(module, type(module).__name__) for module in dict.fromkeys(unknown))


def _find_axis(
    number: int,
    two: RandomCall,
    three: RandomCall,
    training: frozenset[torch.nn.Module],
    names: Mapping[torch.nn.Module, str],
) -> Draw:
    """Find the batch axis of a draw from shapes for two and three rows."""
    kind = type(two.module).__name__
    name = names.get(two.module, kind) or kind
    axes = [axis for axis, sizes in enumerate(zip(two.shape, three.shape, strict=True)) if sizes[0] != sizes[1]]
    if len(axes) != 1 or two.shape[axes[0]] * 3 != three.shape[axes[0]] * 2:
        raise UnsuitableModelError(
            "The model draws random numbers for its whole batch together, so its rows cannot be different passes. "
            f"Received: numbers of shape {two.shape} for two examples in {name}. Draw them for each example."
        )
    (axis,), shape = axes, list(two.shape)
    half = shape.pop(axis) // 2
    inner = (half, *shape) if half > 1 else tuple(shape)
    rate = two.rate if two.distribution == "bernoulli" else None
    request = RandomRequest(number, two.distribution, two.rate, inner, shared=False)
    return Draw(request, axis, half > 1, two.module, training, StochasticLayer(name, kind, rate))


def _check_calls(model: torch.nn.Module, call: Call, draws: Sequence[Draw], examples: Tensors) -> None:
    """Check that equal numbers give equal predictions, whatever the other examples."""
    generator = np.random.default_rng(0)
    numbers = [torch.from_numpy(draw_from(generator, draw.request, 6)) for draw in draws]
    states = [_read_global_generators()]

    def predict(rows: list[int]) -> torch.Tensor:
        supply = supply_rows(draws, [array[rows] for array in numbers])
        with torch.no_grad(), supply_numbers(model, find_training(draws), supply):
            predicted = call({name: tensor[rows] for name, tensor in inputs.items()})
        states.append(_read_global_generators())
        return predicted

    # The last two are in the middle of the range, so that a batch has another largest and smallest number with others.
    inputs = {name: torch.cat([tensor[:4], _narrow(tensor[4:6])]) for name, tensor in examples.items()}
    first, again, beside_others = predict([0, 1, 2]), predict([0, 1, 2]), predict([3, 1, 2])
    few, many = predict([4, 5]), predict([0, 4, 5, 1])
    if not torch.equal(first.nan_to_num(), again.nan_to_num()):
        raise UnsuitableModelError(
            "The same random numbers do not give the same prediction twice, so no seed can fix the passes. "
            f"Received: {type(model).__name__}. Does it draw numbers from NumPy or from Python? Draw them by torch."
        )
    if all(one != other for one, other in pairwise(states)):  # once may have been another thread
        raise UnsuitableModelError(
            "The model draws random numbers from Python or from NumPy, where no seed can fix the passes. "
            f"Received: {type(model).__name__}, which changes the state of `random` or `numpy.random` in every call. "
            "Draw them by torch."
        )
    alike = (first[1:], beside_others[1:]), (few, many[1:3])
    if not all(torch.allclose(*pair, AGREE, AGREE, equal_nan=True) for pair in alike):
        raise UnsuitableModelError(
            "The prediction of an example depends on the other examples of its batch. "
            f"Received: {type(model).__name__}. Does it normalise over the batch?"
        )


def _read_global_generators() -> tuple[Any, ...]:
    _, keys, *position = np.random.get_state(legacy=True)  # noqa: NPY002 (of others, which is not changed)
    return random.getstate(), np.asarray(keys).tobytes(), position


def _narrow(examples: torch.Tensor) -> torch.Tensor:
    """Map floats in 0..1 to 0.25..0.5."""
    return (examples + 1) / 4 if examples.is_floating_point() else examples


@contextmanager
def borrow(model: torch.nn.Module) -> Iterator[None]:
    """Borrow a model for this thread, and restore its modules' attributes.

    Also entries of dicts and lists; `keep_state` restores tensors. Only one thread borrows at a time: torch has one
    list of hooks and one tracing.
    """
    with _borrowing:
        values = [value for _, value in iterate_attributes(model)]
        dicts = [(value, dict(value)) for value in values if isinstance(value, dict)]
        lists = [(value, list(value)) for value in values if isinstance(value, list)]
        try:
            yield
        finally:
            for entries, before in dicts:
                for name in entries.keys() - before.keys():
                    del entries[name]
                for name, value in before.items():
                    if name not in entries or entries[name] is not value:
                        entries[name] = value
            for elements, copy in lists:
                if list(map(id, elements)) != list(map(id, copy)):
                    elements[:] = copy


def find_plain_tensors(model: torch.nn.Module) -> list[torch.Tensor]:
    """Find tensors that are neither weights nor buffers."""
    held = {id(tensor) for tensor in [*model.parameters(), *model.buffers()]}
    return [value for _, value in iterate_attributes(model) if type(value) in TENSORS and id(value) not in held]


def iterate_attributes(model: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield named attributes of modules, also inside dicts, lists and tuples."""
    waiting: list[tuple[str, Any]] = [("", vars(model))]
    seen = set[int]()
    while waiting:
        name, attribute = waiting.pop()
        if id(attribute) in seen:
            continue
        seen.add(id(attribute))
        yield name.lstrip("."), attribute
        if isinstance(attribute, torch.nn.Module):
            waiting.append((name, vars(attribute)))
        elif isinstance(attribute, dict):
            waiting += [
                (name if key in ("_modules", "_parameters", "_buffers") else f"{name}.{key}", value)
                for key, value in attribute.items()
            ]
        elif isinstance(attribute, list | tuple):
            waiting += [(f"{name}.{number}", value) for number, value in enumerate(attribute)]


@contextmanager
def keep_state(model: torch.nn.Module) -> Iterator[list[str]]:
    """Restore weights, buffers and tensors; yields a list that names changed ones."""
    places = {
        (module, name): tensor
        for module in model.modules()
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    }
    tensors = [(name, value) for name, value in iterate_attributes(model) if type(value) in TENSORS]
    copies = [(name, tensor, tensor.detach().clone()) for name, tensor in tensors]
    changed: list[str] = []
    try:
        yield changed
    finally:
        replaced = {id(tensor) for (module, name), tensor in places.items() if getattr(module, name) is not tensor}
        with torch.no_grad():
            for name, tensor, before in copies:
                same = torch.equal(tensor.nan_to_num(), before.nan_to_num())
                if not same:
                    tensor.copy_(before)
                if not same or id(tensor) in replaced:
                    changed.append(name)
        for (module, name), tensor in places.items():
            setattr(module, name, tensor)
