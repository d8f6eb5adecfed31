"""The device that a PyTorch model computes on, and its plan there, made of that on the processor."""

import copy
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.fx import GraphModule

from mcviz.devices import AUTO
from mcviz.errors import DeviceWarning, UnsuitableModelError
from mcviz.sampling.base import (
    FEWEST_SHARED,
    PASSES_PER_BLOCK,
    SHARED_BLOCK,
    Inputs,
    InputSpec,
    Plan,
    choose_device_examples,
    explain_missing_device,
)
from mcviz.sampling.graph import UntraceableError
from mcviz.sampling.masks import RandomRequest
from mcviz.sampling.torch.draws import (
    Call,
    Draw,
    RandomCall,
    Supply,
    borrow,
    find_training,
    iterate_attributes,
    supply_nothing,
    supply_numbers,
    supply_rows,
)
from mcviz.sampling.torch.internals import exact_products, unfused_products, version_of
from mcviz.sampling.torch.plan import ToPredictions, Trace, as_tensor, byte_size, find_boundary, find_maskings
from mcviz.text import first_line, list_names

Compute = Callable[..., Sequence[torch.Tensor]]
Make = Callable[[int], Compute]  # a count of items to a function of tensors of so many
Pairs = list[tuple[torch.Tensor, torch.Tensor]]  # the same numbers on two devices
Cut = Callable[[slice], Sequence[np.ndarray]]  # some of the items of a block to the arrays of these

_computing = threading.Lock()  # a device computes one block, while other threads draw numbers for the next


@dataclass(frozen=True)
class Device:
    """A device for a model.

    Attributes:
        place: the device, with its number if there are several.
        reason: for the choice.
    """

    place: torch.device
    reason: str

    @property
    def is_processor(self) -> bool:
        """Whether this is the processor."""
        return self.place.type == "cpu"

    def put(self, array: np.ndarray) -> torch.Tensor:
        """Bring an array to the device."""
        return as_tensor(array).to(self.place)

    def supply_nothing(self, number: int, asked: RandomCall) -> torch.Tensor:
        """Supply numbers that change nothing, on the device; see `draws.supply_nothing`."""
        return supply_nothing(number, asked).to(self.place)

    def unpack(self, packed: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Unpack (rows, bytes) uint8 of one bit an element, the highest first, to (rows, *shape) bool."""
        bits = (packed[:, :, None] & self._bits).ne(0).flatten(1)
        return bits[:, : int(np.prod(shape))].reshape(-1, *shape).contiguous()

    @cached_property
    def _bits(self) -> torch.Tensor:
        return self.put(1 << np.arange(7, -1, -1, dtype=np.uint8))


CPU = torch.device("cpu")
PROCESSOR = Device(CPU, "")


def choose_device(wanted: str, model: torch.nn.Module) -> Device:
    """Choose the device for a module.

    Args:
        wanted: its name, such as "cuda" or "cuda:1"; "auto" takes that of the module, else CUDA, else the processor.
        model: the module.

    Raises:
        InvalidInputError: torch cannot compute there.
        UnsuitableModelError: the module is spread over several devices.
    """
    own = find_own_device(model)
    if wanted == AUTO and own.type != "cpu":
        return Device(own, "where the module is")
    if wanted == AUTO and not torch.cuda.is_available():
        only_asked = ", and takes MPS only where it is asked for" if torch.backends.mps.is_available() else ""
        return Device(own, f"PyTorch sees no CUDA{only_asked}")
    try:
        place = torch.device("cuda" if wanted == AUTO else wanted)
        place = own if place.index is None and place.type == own.type else torch.zeros(1, device=place).device
    except (RuntimeError, AssertionError) as error:  # NotImplementedError is one, too
        raise explain_missing_device(wanted, f"PyTorch says: {first_line(error):.200}") from error
    return Device(place, "PyTorch sees CUDA" if wanted == AUTO else "as chosen")


def find_own_device(model: torch.nn.Module) -> torch.device:
    """Return the device of a module's weights and buffers, or the processor.

    Raises:
        UnsuitableModelError: there are several.
    """
    devices = {tensor.device for tensor in [*model.parameters(), *model.buffers()]} or {CPU}
    if len(devices) > 1 or torch.device("meta") in devices:
        raise UnsuitableModelError(
            "A module is sampled on one device. Received: one with weights on "
            f"{list_names(sorted(map(str, devices)))}. Bring it to one of them first."
        )
    return devices.pop()


def copy_module(
    model: torch.nn.Module, place: torch.device, move: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> tuple[torch.nn.Module, Pairs]:
    """Copy a module to another device.

    Args:
        model: the module.
        place: the device, which also replaces devices in the module's attributes.
        move: moves a tensor there; None copies it.

    Returns:
        The copy, and pairs of a tensor of the copy and that of the module.

    Raises:
        UnsuitableModelError: it has attributes that cannot be copied.
    """
    move = move or (lambda tensor: tensor.detach().to(place))
    memo: dict[int, Any] = {}
    pairs: Pairs = []
    for _, value in iterate_attributes(model):
        if isinstance(value, torch.device):
            memo[id(value)] = place
        elif isinstance(value, torch.Tensor):
            moved = move(value)
            if isinstance(value, torch.nn.Parameter):
                moved = torch.nn.Parameter(moved, requires_grad=value.requires_grad)
            memo[id(value)] = moved
            pairs.append((moved, value))
    try:
        return copy.deepcopy(model, memo), pairs
    except Exception as error:  # from the user's classes
        raise UnsuitableModelError(
            f"The module cannot be copied to {place}, which sampling on another device takes. Received: "
            f"{type(model).__name__}, {type(error).__name__}: {first_line(error):.200}. "
            "Sample it where it is, on the processor."
        ) from error


class DeviceWeights:
    """A module's tensors on a device, shared by graphs."""

    def __init__(self, device: Device, present: Pairs) -> None:
        """Take pairs of a tensor on the processor and on the device."""
        self.device, self.place = device, device.place
        self._present = {id(pair[0]): pair for pair in present}
        self._moved: dict[int, tuple[torch.Tensor, torch.Tensor, int]] = {}

    def move(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a processor's tensor on the device."""
        if id(tensor) in self._present:
            return self._present[id(tensor)][1].detach()
        if id(tensor) not in self._moved:
            self._moved[id(tensor)] = tensor, tensor.detach().to(self.place), version_of(tensor)
        return self._moved[id(tensor)][1]

    def refresh(self) -> None:
        """Move tensors again that have changed since, such as by training."""
        for key, (tensor, moved, version) in self._moved.items():
            if version_of(tensor) != version:
                moved.copy_(tensor.detach())
                self._moved[key] = tensor, moved, version_of(tensor)

    def place_graph(self, part: GraphModule) -> GraphModule:
        """Let a graph that was traced on the processor run on the device, with its tensors there."""
        held = {node.target for node in part.graph.nodes if node.op == "get_attr"}
        moved = {name: self.move(each) for name in held if isinstance(each := getattr(part, name), torch.Tensor)}
        for name, tensor in moved.items():
            delattr(part, name)  # else only a parameter may replace a parameter
            setattr(part, name, tensor)
        for node in part.graph.nodes:
            if "device" in node.kwargs:
                node.kwargs = {**node.kwargs, "device": self.place}
        part.recompile()
        return part


class DevicePart:
    """A part on a device, which computes as many items as memory holds."""

    def __init__(
        self, device: Device, make: Make, most: int, fewest: int = 1, refresh: Callable[[], None] = lambda: None
    ) -> None:
        """Take a part.

        Args:
            device: where it computes.
            make: its function for a number of items.
            most: the items of a block.
            fewest: that it can compute.
            refresh: is called before a block.
        """
        self.device, self._make, self.most, self._fewest, self._refresh = device, make, most, fewest, refresh
        self.at_once = most
        self._functions: dict[int, Compute] = {}

    def compute(self, cut: Cut) -> list[np.ndarray]:
        """Compute a block; after an error of memory, by half as many items at once from there on.

        Raises:
            UnsuitableModelError: the memory is too small for the fewest items.
        """
        results, start = [], 0
        with (
            nullcontext() if self.device.is_processor else _computing,
            torch.no_grad(),
            exact_products(self.device.place),
        ):
            self._refresh()
            while start < self.most:
                stop = min(start + self.at_once, self.most)
                if (computed := self._try(stop - start, cut(slice(start, stop)))) is not None:
                    results.append(computed)
                    start = stop
        return [np.concatenate(arrays) if len(arrays) > 1 else arrays[0] for arrays in zip(*results, strict=True)]

    def compute_arrays(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute a block of arrays, each (items, ...)."""
        return self.compute(lambda some: [array[some] for array in arrays])

    def _try(self, count: int, arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
        """Compute some items; return None if memory holds only fewer."""
        try:
            if count not in self._functions:
                self._functions[count] = self._make(count)
            computed = self._functions[count](*map(self.device.put, arrays))
            return [tensor.cpu().numpy() for tensor in computed]
        except RuntimeError as error:
            if not _is_memory_error(error):
                raise
            place, rest = self.device.place, max(self._fewest, count // 2)
            if count <= self._fewest:
                raise UnsuitableModelError(
                    f"The memory of {place} is too small for a block of the model. Received: {first_line(error):.200} "
                    "Free some of it, or give device='cpu', on the command line --device cpu."
                ) from error
        self.at_once, self._functions = rest, {}
        free_memory = getattr(getattr(torch, place.type, None), "empty_cache", None)
        if free_memory:
            free_memory()
        warnings.warn(
            f"The memory of {place} ran out: {rest:,} of a block of {self.most:,} are computed at once from now on.",
            DeviceWarning,
            stacklevel=2,
        )
        return None


def _is_memory_error(error: RuntimeError) -> bool:
    """Return whether a device's memory ran out, by the message."""
    words = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in words or "ALLOC_FAILED" in words


def move_traced_plan(
    plan: Plan,
    retrace: Callable[..., Trace],
    inputs: tuple[InputSpec, ...],
    finish: ToPredictions,
    weights: DeviceWeights,
) -> Plan:
    """Move the plan of a model that can be traced to a device.

    A block has as many passes as on the processor, since masks differ by their number, and more examples.

    Args:
        plan: of the processor.
        retrace: traces the model on some rows by operations of any device: in its passes, or where its second argument
            is False with all randomness off.
        inputs: the form of the examples.
        finish: what its output means.
        weights: of the model, on the device.

    Raises:
        UntraceableError: by those operations it is another graph, or applies masks elsewhere.
    """
    passes, block, device = plan.passes_per_block, plan.shared_examples_per_block, weights.device
    small = retrace(SHARED_BLOCK)
    row_bytes = max(map(byte_size, small.random)) // small.rows
    examples = max(plan.examples_per_block, choose_device_examples(passes, row_bytes))
    examples *= 2 if passes * examples == small.rows else 1  # other rows tell the axis of the batch
    large = retrace(passes * examples)
    axes, begin = find_boundary(small, large, inputs)
    large = begin(large)
    maskings = find_maskings(large)
    if maskings.keys() != plan.masked_arrays.keys():
        raise UntraceableError("its masks are applied elsewhere by the operations of a device")

    def make_shared(count: int) -> Compute:
        traced = begin(retrace(count))
        part = traced.extract(traced.inputs, traced.boundary, weights.place_graph)
        return lambda *given: [axis.gather(tensor) for axis, tensor in zip(axes, part(*given), strict=True)]

    def make_deterministic(count: int) -> Compute:
        traced = retrace(count, False)
        part = traced.extract(traced.inputs, [traced.output], weights.place_graph)
        return lambda *given: [finish(part(*given)[0])]

    def make_random(count: int) -> Compute:
        traced = begin(retrace(passes * count))
        part = traced.extract([*traced.boundary, *traced.numbers], [traced.output], weights.place_graph)

        def compute(*given: torch.Tensor) -> list[torch.Tensor]:
            repeated = (each.repeat_interleave(passes, dim=0) for each in given[: len(axes)])
            start = [axis.place(each) for axis, each in zip(axes, repeated, strict=True)]
            numbers = _unpack_numbers(given[len(axes) :], plan.random_requests, device, traced.rows)
            return [finish(part(*start, *numbers)[0])]

        return compute

    shared_part, deterministic = (
        DevicePart(device, make, block, FEWEST_SHARED, weights.refresh) for make in (make_shared, make_deterministic)
    )
    random_part = DevicePart(device, make_random, examples, refresh=weights.refresh)

    def compute_random_part(shared: list[np.ndarray], numbers: list[np.ndarray]) -> np.ndarray:
        def cut(some: slice) -> list[np.ndarray]:
            rows = slice(some.start * passes, some.stop * passes)
            return [
                *(each[some] for each in shared),
                *(each if len(each) == passes else each[rows] for each in numbers),
            ]

        return random_part.compute(cut)[0]

    return replace(
        plan,
        examples_per_block=examples,
        shared_bytes=sum(map(byte_size, large.boundary)) // large.rows,
        shared_part=lambda given: shared_part.compute_arrays(_take(given, inputs)),
        random_part=compute_random_part,
        deterministic=lambda given: deterministic.compute_arrays(_take(given, inputs))[0],
        masked_dense=None,
        masked_arrays=maskings,
        packs_numbers=True,
    )


def move_eager_plan(
    plan: Plan,
    model: torch.nn.Module,
    call: Call,
    draws: Sequence[Draw],
    finish: ToPredictions,
    weights: DeviceWeights,
    inputs: tuple[InputSpec, ...],
) -> Plan:
    """Move the plan of a model that cannot be traced to a device.

    Args:
        plan: of the processor.
        model: the module there.
        call: of it.
        draws: of its passes, with the modules there.
        finish: what its output means.
        weights: of the model, on the device.
        inputs: the form of the examples.

    Raises:
        UnsuitableModelError: a recurrent layer draws, which a GPU does within one operation.
    """
    device = weights.device
    recurrent = [str(draw.layer) for draw in draws if isinstance(draw.module, torch.nn.RNNBase)]
    if recurrent:
        raise UnsuitableModelError(
            "Off the processor, the dropout within a recurrent layer can be supplied only in a model that torch can "
            f"trace. Received: {', '.join(dict.fromkeys(recurrent))} ({plan.layers.untraced}). Give device='cpu', on "
            "the command line --device cpu."
        )

    def run(given: Sequence[torch.Tensor], supply: Supply, training: set[torch.nn.Module]) -> list[torch.Tensor]:
        with borrow(model), supply_numbers(model, training, supply), unfused_products():
            return [finish(call({spec.name: tensor for spec, tensor in zip(inputs, given, strict=True)}))]

    def make_random(count: int) -> Compute:
        def compute(*given: torch.Tensor) -> list[torch.Tensor]:
            repeated = [each.repeat_interleave(count, dim=0) for each in given[: len(inputs)]]
            numbers = _unpack_numbers(given[len(inputs) :], plan.random_requests, device, count)
            return run(repeated, supply_rows(draws, numbers), find_training(draws))

        return compute

    def make_deterministic(_: int) -> Compute:
        return lambda *given: run(given, device.supply_nothing, set())

    random_part = DevicePart(device, make_random, PASSES_PER_BLOCK, refresh=weights.refresh)
    deterministic = DevicePart(device, make_deterministic, 1, refresh=weights.refresh)
    return replace(
        plan,
        random_part=lambda shared, numbers: random_part.compute(
            lambda some: [*shared, *(each[some] for each in numbers)]
        )[0],
        deterministic=lambda given: deterministic.compute_arrays(_take(given, inputs))[0],
        packs_numbers=True,
    )


def find_draws_on(model: torch.nn.Module, copied: torch.nn.Module, draws: Sequence[Draw]) -> tuple[Draw, ...]:
    """Return a module's draws with the modules of its copy."""
    twins = dict(zip(model.modules(), copied.modules(), strict=True))
    return tuple(
        replace(draw, module=twins[draw.module], training=frozenset(map(twins.__getitem__, draw.training)))
        for draw in draws
    )


def _take(given: Inputs, inputs: Sequence[InputSpec]) -> list[np.ndarray]:
    return [given[spec.name] for spec in inputs]


def _unpack_numbers(
    given: Sequence[torch.Tensor], requests: Sequence[RandomRequest], device: Device, rows: int
) -> list[torch.Tensor]:
    """Return the numbers of a block as a model takes them, each (rows, *request.shape); see `Plan.packs_numbers`."""
    numbers = []
    for each, request in zip(given, requests, strict=True):
        drawn = device.unpack(each, request.shape) if request.distribution == "bernoulli" else each
        repeats = rows // len(drawn)  # those that all examples share come once
        numbers.append(drawn.expand(repeats, *drawn.shape).flatten(0, 1) if repeats > 1 else drawn)
    return numbers
