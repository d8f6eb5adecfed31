"""A device that is none: it computes on the processor, refuses to meet tensors of it, and counts bytes between them.

torch takes it for a GPU: dropout is one operation there, and a tensor has no array. It is registered once a process.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Self

import torch
from torch.utils import backend_registration
from torch.utils._mode_utils import no_dispatch
from torch.utils._pytree import tree_leaves, tree_map

NAME = "pretend"
aten = torch.ops.aten
CROSSING = aten._to_copy.default, aten.copy_.default, aten._copy_from.default, aten._copy_from_and_resize.default


class Traffic:
    """What the device was asked for.

    Attributes:
        up: bytes that were sent to it, tensor by tensor.
        down: the same of those that came back.
        operations: that it carried out.
        fail: called before each operation, to raise what a device would.
    """

    def __init__(self) -> None:
        self.up, self.down, self.operations = list[int](), list[int](), list[Any]()
        self.fail: Callable[[Any], None] = lambda _: None


traffic = Traffic()


class Pretend(torch.Tensor):
    """A tensor of the device, with one of the processor behind it."""

    @staticmethod
    def __new__(cls, behind: torch.Tensor) -> Self:
        form = {"strides": behind.stride(), "dtype": behind.dtype, "storage_offset": behind.storage_offset()}
        tensor = torch.Tensor._make_wrapper_subclass(cls, behind.shape, device=f"{NAME}:0", **form)
        tensor.behind = behind
        return tensor

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        if func not in CROSSING and any(not isinstance(each, Pretend) and each.dim() for each in tensors):
            raise RuntimeError(f"Expected all tensors to be on the same device: {func} met one of the processor")
        traffic.operations.append(func)
        traffic.fail(func)
        to = kwargs.get("device")
        if to is not None:
            kwargs["device"] = "cpu"
        result = OF_CUDA.get(func, func)(*tree_map(unwrap, args), **tree_map(unwrap, kwargs))
        if func is aten.copy_.default:
            count_copy(*args[:2])
            return args[0]
        if to is not None and torch.device(to).type == "cpu":
            traffic.down.append(result.nbytes)
            return result
        if func._schema.name.endswith("_") and isinstance(args[0], Pretend):
            if torch.Tag.inplace_view in func.tags:
                with no_dispatch():
                    func(*args, **kwargs)  # which gives the tensor the shape of the one behind it
            return args[0]
        return tree_map(lambda each: Pretend(each) if isinstance(each, torch.Tensor) else each, result)


def lstm_cell(given: Any, state: Any, cell: Any, bias: Any = 0, other: Any = 0) -> tuple[torch.Tensor, ...]:
    gates = (given + state + bias + other).chunk(4, 1)
    taken, kept, new, shown = gates[0].sigmoid(), gates[1].sigmoid(), gates[2].tanh(), gates[3].sigmoid()
    cells = kept * cell + taken * new
    return shown * cells.tanh(), cells, torch.cat([taken, kept, new, shown], 1)


def gru_cell(given: Any, state: Any, before: Any, bias: Any = 0, other: Any = 0) -> tuple[torch.Tensor, ...]:
    one, two = (given + bias).chunk(3, 1), (state + other).chunk(3, 1)
    reset, kept = (one[0] + two[0]).sigmoid(), (one[1] + two[1]).sigmoid()
    new = (one[2] + reset * two[2]).tanh()
    return new + kept * (before - new), torch.cat([reset, kept, new, before, two[2]], 1)


def lstm_cell_backward(
    state: Any, cell: Any, before: Any, after: Any, gates: torch.Tensor, has_bias: bool
) -> tuple[torch.Tensor | None, ...]:
    taken, kept, new, shown = gates.chunk(4, 1)
    state, cell = (torch.zeros_like(after) if each is None else each for each in (state, cell))
    cell = cell + state * shown * (1 - after.tanh() ** 2)
    by_gate = [
        cell * new * taken * (1 - taken),
        cell * before * kept * (1 - kept),
        cell * taken * (1 - new**2),
        state * after.tanh() * shown * (1 - shown),
    ]
    by_gates = torch.cat(by_gate, 1)
    return by_gates, cell * kept, by_gates.sum(0) if has_bias else None


def gru_cell_backward(state: torch.Tensor, gates: torch.Tensor, has_bias: bool) -> tuple[torch.Tensor | None, ...]:
    reset, kept, new, before, hidden = gates.chunk(5, 1)
    by_new = state * (1 - kept) * (1 - new**2)
    by_kept, by_reset = state * (before - new) * kept * (1 - kept), by_new * hidden * reset * (1 - reset)
    by_gates = [torch.cat([by_reset, by_kept, each], 1) for each in (by_new, by_new * reset)]
    return *by_gates, state * kept, *(each.sum(0) if has_bias else None for each in by_gates)


OF_CUDA = {  # without a kernel of the processor
    aten._thnn_fused_lstm_cell.default: lstm_cell,
    aten._thnn_fused_gru_cell.default: gru_cell,
    aten._thnn_fused_lstm_cell_backward_impl.default: lstm_cell_backward,
    aten._thnn_fused_gru_cell_backward.default: gru_cell_backward,
}


def unwrap(value: Any) -> Any:
    return value.behind if isinstance(value, Pretend) else value


def count_copy(there: torch.Tensor, given: torch.Tensor) -> None:
    if isinstance(there, Pretend) and not isinstance(given, Pretend):
        traffic.up.append(given.nbytes)
    if isinstance(given, Pretend) and not isinstance(there, Pretend):
        traffic.down.append(given.nbytes)


def copy_from(given: torch.Tensor, there: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    count_copy(there, given)
    unwrap(there).copy_(unwrap(given))
    return there


@cache
def register() -> torch.library.Library:
    """Make the device known to torch."""
    backend_registration._setup_privateuseone_for_python_backend(NAME)
    library = torch.library.Library("aten", "IMPL")  # its operations are known for as long as it is held

    def make(*args: Any, operation: Any, pin_memory: Any = None, **kwargs: Any) -> torch.Tensor:
        return Pretend(operation(*args, **{**kwargs, "device": "cpu"}))

    for name, operation in (
        ("empty.memory_format", aten.empty.memory_format),
        ("empty_strided", aten.empty_strided.default),
    ):
        library.impl(
            name, lambda *args, operation=operation, **kwargs: make(*args, operation=operation, **kwargs), "PrivateUse1"
        )
    library.impl("_copy_from", copy_from, "PrivateUse1")
    return library


@contextmanager
def watched() -> Iterator[Traffic]:
    """Forget what the device was asked for, and let it fail no more at the end."""
    register()
    traffic.__init__()
    try:
        yield traffic
    finally:
        traffic.__init__()


def move(module: torch.nn.Module) -> torch.nn.Module:
    """Move a module to the device."""
    register()
    swaps, overwrites = (
        torch.__future__.get_swap_module_params_on_conversion(),
        torch.__future__.get_overwrite_module_params_on_conversion(),
    )
    torch.__future__.set_swap_module_params_on_conversion(False)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        return module.to(NAME)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swaps)
        torch.__future__.set_overwrite_module_params_on_conversion(overwrites)
