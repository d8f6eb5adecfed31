"""All private parts of torch that mcviz uses, and the versions it was tried with.

torch has no public way to replace random numbers of operations, and its tracing of operations may change. It was tried
with torch 2.13 for the processor, and with 2.15 and its Triton.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch._decomp import decompositions, get_decompositions
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mcviz.extras import import_without_second_llvm

import_without_second_llvm("torch._dynamo")  # or else torch does so within its first `no_grad`

aten = torch.ops.aten
to_copy, unsafe_view = aten._to_copy.default, aten._unsafe_view.default
softmax, log_softmax = aten._softmax.default, aten._log_softmax.default
BatchNormalization = torch.nn.modules.batchnorm._NormBase  # also InstanceNorm; in training mode both change buffers

_lock = threading.Lock()
_users = 0  # calls within `one_thread`
_usual_threads = 1  # outside of them


def version_of(tensor: torch.Tensor) -> int:
    """Return the count of in-place changes of a tensor; 0 in inference mode."""
    return 0 if tensor.is_inference() else tensor._version


class InterceptRandomness(TorchDispatchMode):
    """Call `draw` for each operation of this thread that could draw numbers.

    Attributes:
        operations: all that were called, with their plain numbers.
        taken: the `id` of all their arguments.
    """

    def __init__(self, draw: Callable[[Any, Mapping[str, Any]], Any]) -> None:
        """Take a function of (operation, arguments by name) to its result."""
        super().__init__()
        self._draw = draw
        self.operations: list[str] = []
        self.taken: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `draw`, or any other operation."""
        kwargs = kwargs or {}
        self.taken.update(map(id, tree_leaves((args, kwargs))))
        self.operations.append(f"{func} {[arg for arg in args if isinstance(arg, int | float)]}")
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        defaults = {
            argument.name: argument.default_value for argument in func._schema.arguments if argument.has_default_value()
        }
        given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False))
        return self._draw(func, defaults | given | kwargs)


def is_compiled(module: torch.nn.Module) -> bool:
    """Return whether a module is from torch.compile or torch.jit.

    These hide its operations.
    """
    return isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod")


def ignore_other_threads(hook: Callable[..., object]) -> Callable[..., None]:
    """Return a hook that acts in this thread alone.

    torch calls the hooks of modules in all threads.
    """
    own = threading.get_ident()

    def act(*given: object) -> None:
        if threading.get_ident() == own:
            hook(*given)

    return act


@contextmanager
def record_calls() -> Iterator[list[torch.nn.Module]]:
    """Yield a list of this thread's modules in call, the innermost last."""
    stack: list[torch.nn.Module] = []
    begin = ignore_other_threads(lambda module, _: stack.append(module))
    end = ignore_other_threads(lambda *_: stack.pop())
    hooks = register_module_forward_pre_hook(begin), register_module_forward_hook(end, always_call=True)
    try:
        yield stack
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def unfused_attention() -> Iterator[None]:
    """Switch off the fused path of transformer layers, which skips their dropout."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in the calling thread alone.

    The engine has threads of its own, and bits depend on their number. Each thread has its own setting in torch, but
    new threads get the last one set anywhere, so the usual one is read while nobody is within.
    """
    global _users, _usual_threads
    with _lock:
        if not _users:
            _usual_threads = torch.get_num_threads()
        _users += 1
    torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            torch.set_num_threads(_usual_threads)


@contextmanager
def exact_products(place: torch.device) -> Iterator[None]:
    """Compute products in float32, by operations that draw nothing.

    This is for devices other than the processor: convolutions on CUDA take TF32 by default, and the dropout within
    fused scaled dot products is hidden.
    """
    settings = torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn
    before = [each.fp32_precision for each in settings]
    try:
        for each in settings if place.type == "cuda" else ():
            each.fp32_precision = "ieee"
        with nullcontext() if place.type == "cpu" else sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        for each, precision in zip(settings, before, strict=True):
            if each.fp32_precision != precision:
                each.fp32_precision = precision


def _one_layer_of_lstm(words: torch.Tensor, *given: Any) -> tuple[torch.Tensor, ...]:
    """Compute `aten.mkldnn_rnn_layer`, of the processor, with operations of any device."""
    *weights, state, cell, is_reverse = given[:7]
    hidden = state.squeeze(0), cell.squeeze(0)
    steps, (last, cells) = decompositions.one_layer_lstm(words, hidden, weights, has_biases=True, reverse=is_reverse)
    return steps, last.unsqueeze(0), cells.unsqueeze(0), words.new_empty(0)


# Replacements of operations that only the processor has; missing biases are zeros.
ON_ANY_DEVICE = {
    **get_decompositions([aten._scaled_dot_product_flash_attention_for_cpu]),
    aten.mkldnn_rnn_layer.default: _one_layer_of_lstm,
}


def trace_operations(
    function: Callable[..., torch.Tensor], tensors: Sequence[torch.Tensor], on_any_device: bool = False
) -> torch.fx.GraphModule:
    """Trace a function of tensors to a graph without in-place changes.

    The numbers in the tensors do not matter. The weights are those of the model, not copies. With `on_any_device`, the
    operations exist on other devices than the processor, too.
    """
    options: dict[str, Any] = {"tracing_mode": "fake", "_allow_non_fake_inputs": True}
    options |= {"decomposition_table": ON_ANY_DEVICE} if on_any_device else {}
    module = make_fx(function, **options)(*tensors)
    module = make_fx(torch.func.functionalize(module, remove="mutations"), **options)(*tensors)
    for node in module.graph.nodes:
        if node.target is aten.copy.default and _same_form(node, node.args[1]):  # into new memory for a mask
            node.replace_all_uses_with(node.args[1])
        if node.target is aten.copy_.default:  # back into an input
            node.replace_all_uses_with(node.args[0])
            module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def _same_form(one: torch.fx.Node, other: torch.fx.Node) -> bool:
    tensors = one.meta["val"], other.meta["val"]
    return tensors[0].shape == tensors[1].shape and tensors[0].dtype == tensors[1].dtype
