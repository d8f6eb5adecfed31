"""The device of a PyTorch model: tensors there, and blocks within its memory."""

import copy
import math
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.fx import GraphModule

from mcviz.devices import AUTO
from mcviz.errors import DeviceWarning, UnsuitableModelError
from mcviz.sampling.base import explain_missing_device
from mcviz.sampling.masks import ALIGNMENT, RandomRequest
from mcviz.sampling.torch.draws import Draw, RandomCall, iterate_attributes, supply_nothing
from mcviz.sampling.torch.internals import exact_products, one_thread, version_of
from mcviz.text import first_line, list_names

Compute = Callable[..., Sequence[torch.Tensor]]
Make = Callable[[int], Compute]  # from a count of items to a function of their tensors
Part = Callable[[Sequence[np.ndarray]], list[np.ndarray]]  # from the arrays of a block to results
Pairs = list[tuple[torch.Tensor, torch.Tensor]]  # the same numbers on two devices

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

    def unpack(self, numbers: torch.Tensor, request: RandomRequest) -> torch.Tensor:
        """Unpack (..., bytes) uint8 to (..., *request.shape) bool; see `Plan.packs_numbers`.

        Other numbers stay unchanged.
        """
        if numbers.dtype != torch.uint8:
            return numbers
        bits = (numbers[..., None] & self._bits).ne(0).flatten(-2)[..., : math.prod(request.shape)]
        return bits.reshape(*numbers.shape[:-1], *request.shape).contiguous()

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


@contextmanager
def without_cudnn() -> Iterator[None]:
    """Switch off cuDNN, whose recurrent layers have gradients in training mode alone."""
    before = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = before


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
        """Place a graph that was traced on the processor on the device."""
        if self.device.is_processor:
            return part
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

    def __init__(self, weights: DeviceWeights, make: Make, most: int, fewest: int = 1) -> None:
        """Take a part.

        Args:
            weights: of the model, on the device.
            make: its function for a number of items.
            most: the items of a block.
            fewest: the fewest items that it can compute.
        """
        self.device, self._weights = weights.device, weights
        self._make, self.most, self._fewest = make, most, fewest
        self.at_once = most
        self._functions: dict[int, Compute] = {}

    def compute(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute a block of arrays, (items, ...), or (1, ...) for all.

        After an error of memory, half as many items are computed at once from there on.

        Raises:
            UnsuitableModelError: the memory is too small for the fewest items.
        """
        results, start = [], 0
        with (
            nullcontext() if self.device.is_processor else _computing,
            torch.no_grad(),
            exact_products(self.device.place),
        ):
            self._weights.refresh()
            while start < self.most:
                stop = min(start + self.at_once, self.most)
                some = [array if len(array) == 1 else array[start:stop] for array in arrays]
                if (computed := self._try(stop - start, some)) is not None:
                    results.append(computed)
                    start = stop
        return [np.concatenate(parts) for parts in zip(*results, strict=True)]

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
    words = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in words or "ALLOC_FAILED" in words


def prepare_part(weights: DeviceWeights, make: Make, most: int, fewest: int = 1) -> Part:
    """Prepare a part of a plan; see `DevicePart`.

    On the processor, each thread computes whole blocks.
    """
    if not weights.device.is_processor:
        return DevicePart(weights, make, most, fewest).compute
    function = make(most)
    return lambda arrays: [each.numpy() for each in run_alone(function, list(map(as_tensor, arrays)))]


def run_alone(function: Callable[..., Any], tensors: Sequence[torch.Tensor]) -> Any:
    """Call a function of tensors in this thread alone, without gradients."""
    with one_thread(), torch.no_grad():
        return function(*tensors)


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """Return an array in C order as a tensor laid out like torch's.

    Products round by it. An axis of one element may have any stride in NumPy, which torch would take for another order
    of the axes.
    """
    flat, aligned = array.reshape(-1), array.ctypes.data % ALIGNMENT == 0
    return (torch.from_numpy(flat) if aligned and flat.flags.writeable else torch.tensor(flat)).view(array.shape)


def find_draws_on(model: torch.nn.Module, copied: torch.nn.Module, draws: Sequence[Draw]) -> tuple[Draw, ...]:
    """Return a module's draws with the modules of its copy."""
    twins = dict(zip(model.modules(), copied.modules(), strict=True))
    return tuple(
        replace(draw, module=twins[draw.module], training=frozenset(map(twins.__getitem__, draw.training)))
        for draw in draws
    )
