"""The plan of a PyTorch model: a graph with random inputs, cut where passes begin to differ."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.fx import Graph, GraphModule, Node

from mcviz.errors import UnsuitableModelError
from mcviz.sampling.base import (
    FEWEST_SHARED,
    PASSES_PER_BLOCK,
    SHARED_BLOCK,
    Inputs,
    InputSpec,
    LayerReport,
    NoRandomnessReachesOutputError,
    Plan,
    choose_block,
    choose_device_examples,
    choose_shared_block,
)
from mcviz.sampling.graph import TracedDense, UntraceableError, cut_graph, find_behind, find_needed
from mcviz.sampling.torch.device import Compute, DeviceWeights, as_tensor, prepare_part, run_alone
from mcviz.sampling.torch.draws import (
    Call,
    Draw,
    Supply,
    borrow,
    find_training,
    supply_nothing,
    supply_numbers,
    supply_rows,
)
from mcviz.sampling.torch.internals import aten, to_copy, trace_operations, unsafe_view

RESHAPES = aten.view.default, unsafe_view, aten.clone.default
PLACING = *RESHAPES, aten.permute.default, to_copy  # of a mask
DIVISIONS = aten.div.Scalar, aten.div.Tensor
NUMBERS = {"bernoulli": torch.bool, "uniform": torch.float32, "normal": torch.float32}
Arrays = Sequence[np.ndarray]

ToPredictions = Callable[[torch.Tensor], torch.Tensor]  # (rows, C) of the model to (rows, width) float32


@dataclass(frozen=True)
class Trace:
    """A model as a graph for a fixed number of rows.

    Attributes:
        rows: of the batch.
        module: of the graph.
        inputs: the examples, each (rows, ...).
        numbers: the random numbers, each (rows, *request.shape).
        boundary: the tensors that all passes share and the random part starts from.
        random: the nodes that depend on the random numbers.
        draws: of the numbers.
    """

    rows: int
    module: GraphModule
    inputs: tuple[Node, ...]
    numbers: tuple[Node, ...]
    boundary: tuple[Node, ...]
    random: frozenset[Node]
    draws: tuple[Draw, ...]

    @property
    def output(self) -> Node:
        """The model's output, (rows, C)."""
        return next(reversed(self.module.graph.nodes)).args[0]

    def extract(
        self, feeds: Sequence[Node], fetches: Sequence[Node], place: Callable[[GraphModule], GraphModule] | None = None
    ) -> Callable[..., list[torch.Tensor]]:
        """Return a function from some nodes of the graph to others.

        `place` moves it to a device.
        """
        graph = Graph()
        copies = {feed: graph.placeholder(f"feed_{number}") for number, feed in enumerate(feeds)}
        needed = find_needed(fetches, _takes, feeds)
        for node in self.module.graph.nodes:
            if node in needed:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output([copies[fetch] for fetch in fetches])
        part = GraphModule(self.module, graph)
        part = place(part) if place else part
        return part.forward  # its call would reach recorders of a model's calls

    def find_constants(self, model: torch.nn.Module) -> list[torch.Tensor]:
        """Find tensors in the graph that are neither weights nor buffers."""
        held = {id(tensor) for tensor in [*model.parameters(), *model.buffers()]}
        found = [getattr(self.module, node.target) for node in self.module.graph.nodes if node.op == "get_attr"]
        return [each for each in found if isinstance(each, torch.Tensor) and id(each) not in held]

    def reached_draws(self) -> tuple[Draw, ...]:
        """Return the draws that the output depends on."""
        needed = find_needed([self.output], _takes)
        return tuple(draw for draw, node in zip(self.draws, self.numbers, strict=True) if node in needed)


def trace(
    model: torch.nn.Module,
    call: Call,
    inputs: Sequence[InputSpec],
    rows: int,
    draws: tuple[Draw, ...] | None = None,
    rate: float | None = None,
    on_any_device: bool = False,
) -> Trace:
    """Trace a model on `rows` examples in its passes.

    Without draws, all randomness is off.

    Args:
        model: the model.
        call: of it.
        inputs: their form.
        rows: of the batch.
        draws: of the passes, as the model has them.
        rate: of the dropout, or None for that of the model.
        on_any_device: whether to take only operations that other devices than the processor have.

    Raises:
        UnsuitableModelError: it draws other numbers than before.
    """
    training = find_training(draws or ())
    tensors = [torch.empty((rows, *spec.shape), dtype=getattr(torch, spec.dtype)) for spec in inputs]
    tensors += [
        torch.empty((rows, *draw.request.shape), dtype=NUMBERS[draw.request.distribution]) for draw in draws or ()
    ]

    def function(*given: torch.Tensor) -> torch.Tensor:
        supply = supply_nothing if draws is None else supply_rows(draws, given[len(inputs) :])
        examples = {spec.name: tensor for spec, tensor in zip(inputs, given, strict=False)}
        with supply_numbers(model, training, supply):
            return call(examples)

    with torch.no_grad(), borrow(model):
        module = trace_operations(function, tensors, on_any_device)
    nodes = list(module.graph.nodes)
    placeholders = [node for node in nodes if node.op == "placeholder"]
    given, numbers = tuple(placeholders[: len(inputs)]), tuple(placeholders[len(inputs) :])
    boundary, random = cut_graph(_steps(nodes), given, numbers)
    draws = tuple(_change_rate(draw, node, rate) for draw, node in zip(draws or (), numbers, strict=True))
    traced = Trace(rows, module, given, numbers, boundary, random, draws)
    if draws and traced.output not in random:
        raise NoRandomnessReachesOutputError
    return traced


def _change_rate(draw: Draw, numbers: Node, rate: float | None) -> Draw:
    """Change a dropout's rate in its draw and its division."""
    node, keep = numbers, 1 - draw.request.rate
    while len(node.users) == 1 and node.target not in DIVISIONS:
        node = next(iter(node.users))
        if node.target not in (*PLACING, *DIVISIONS):
            return draw
    if rate is None or draw.request.distribution != "bernoulli" or node.target not in DIVISIONS:
        return draw
    if not isinstance(node.args[1], float) or not math.isclose(node.args[1], keep):
        return draw
    node.args = node.args[0], 1 - rate
    return replace(draw, request=replace(draw.request, rate=rate), layer=replace(draw.layer, rate=rate))


def _takes(node: Node) -> list[Node]:
    return node.all_input_nodes


def _steps(nodes: Iterable[Node]) -> list[tuple[list[Node], list[Node]]]:
    return [(node.all_input_nodes, [node]) for node in nodes]


@dataclass(frozen=True)
class BatchAxis:
    """The axis of the batch in a tensor.

    Attributes:
        axis: its number.
        count: of an example's entries along it, one after another.
        order: of the tensor's axes in memory, for which the next operations were traced.
    """

    axis: int
    count: int
    order: tuple[int, ...]

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """Bring the batch to the front, (rows, ...)."""
        moved = tensor.movedim(self.axis, 0)
        return (moved.unflatten(0, (-1, self.count)) if self.count > 1 else moved).contiguous()

    def place(self, tensor: torch.Tensor) -> torch.Tensor:
        """Bring (rows, ...) back."""
        placed = (tensor.flatten(0, 1) if self.count > 1 else tensor).movedim(0, self.axis)
        return placed.permute(self.order).contiguous().permute(*np.argsort(self.order))


def find_batch_axes(small: Trace, large: Trace) -> list[BatchAxis] | None:
    """Return each boundary tensor's batch axis, or None.

    Raises:
        UntraceableError: the traces differ by more than their sizes.
    """
    if [node.target for node in small.module.graph.nodes] != [node.target for node in large.module.graph.nodes]:
        raise UntraceableError("a graph that changes with the size of the batch")
    axes = []
    for one, other in zip(small.boundary, large.boundary, strict=True):
        sizes, larger = shape_of(one), shape_of(other)
        moved = [axis for axis, pair in enumerate(zip(sizes, larger, strict=True)) if pair[0] != pair[1]]
        if len(moved) != 1 or sizes[moved[0]] * large.rows != larger[moved[0]] * small.rows:
            return None
        strides = other.meta["val"].stride()
        order = tuple(sorted(range(len(sizes)), key=lambda axis: -strides[axis]))
        axes.append(BatchAxis(moved[0], sizes[moved[0]] // small.rows, order))
    return axes


def shape_of(node: Node) -> tuple[int, ...]:
    """Return the shape of a tensor in a graph."""
    return tuple(node.meta["val"].shape)


def byte_size(node: Node) -> int:
    """Return the bytes of a tensor in a graph, 0 for anything else."""
    value = node.meta.get("val")
    return math.prod(value.shape) * value.dtype.itemsize if isinstance(value, torch.Tensor) else 0


@dataclass(frozen=True)
class Masking:
    """The place of a mask: the boundary tensor that it multiplies.

    Attributes:
        array: the number of that tensor.
        masked: the node of the result.
        scale: of kept elements.
    """

    array: int
    masked: Node
    scale: float


def find_masking(trace: Trace, number: int) -> Masking | None:
    """Find the boundary tensor that a draw's mask multiplies."""
    draw, node = trace.draws[number], trace.numbers[number]
    scale, user = 1.0, _only_user(trace, node)
    if draw.axis or draw.is_split or draw.request.distribution != "bernoulli":
        return None
    while user is not None and user.target in (to_copy, *DIVISIONS):
        if user.target is not to_copy:
            if not isinstance(user.args[1], float) or user.args[0] is not node:
                return None
            scale /= user.args[1]
        node, user = user, _only_user(trace, user)
    if user is None or user.target is not aten.mul.Tensor:
        return None
    for array, each in enumerate(trace.boundary):
        if each in user.args and shape_of(each) == (trace.rows, *draw.request.shape):
            return Masking(array, user, scale)
    return None


def find_masked_dense(trace: Trace) -> TracedDense | None:
    """Find the dense layer that all randomness passes first."""
    if len(trace.boundary) != 1 or trace.boundary[0].meta["val"].dtype != torch.float32:
        return None
    maskings = [find_masking(trace, number) for number in range(len(trace.draws))]
    found = [(draw, masking) for draw, masking in zip(trace.draws, maskings, strict=True) if masking]
    if len(found) != 1 or _only_user(trace, trace.boundary[0]) is not found[0][1].masked:
        return None
    draw, masking = found[0]
    tensor, user = masking.masked, _only_user(trace, masking.masked)
    while user is not None and user.target in RESHAPES:
        tensor, user = user, _only_user(trace, user)
    if user is None or user.target not in (aten.addmm.default, aten.mm.default) or user.kwargs:
        return None
    *bias, factor, kernel = user.args
    size = math.prod(draw.request.shape)
    if factor is not tensor or shape_of(tensor) != (trace.rows, size) or not _is_constant(kernel):
        return None
    product = user
    if bias:
        graph = trace.module.graph
        with graph.inserting_before(user):
            product = graph.call_function(aten.mm.default, (factor, kernel))
            product.meta["val"] = user.meta["val"]
            total = graph.call_function(aten.add.Tensor, (product, bias[0]))
        user.replace_all_uses_with(total)
    weights = trace.extract([], [kernel])
    return TracedDense(
        draw.request,
        shape_of(product)[1],
        lambda: weights()[0].detach().numpy(),
        multiply,
        product,
        masking.scale,
    )


def multiply(masks: np.ndarray, scaled: np.ndarray, transposed: bool) -> np.ndarray:
    """Multiply masks by scaled weights, as `MaskedDense` does."""
    factors = as_tensor(masks)
    return run_alone(torch.mm, [factors.T if transposed else factors, as_tensor(scaled)]).numpy()


def _only_user(trace: Trace, node: Node) -> Node | None:
    """Return the only random node behind another, or None."""
    users = [user for user in node.users if user in trace.random]
    return users[0] if len(users) == 1 else None


def _is_constant(node: Any) -> bool:
    """Return whether a node depends only on weights."""
    return isinstance(node, Node) and node.op != "placeholder" and all(map(_is_constant, node.all_input_nodes))


@dataclass(frozen=True)
class _Parts:
    """The parts of a model that can be traced; each is made for a number of examples.

    Attributes:
        retrace: see `make_traced_plan`.
        starts_from_inputs: whether the random part does, since a tensor of the boundary has no axis of the batch.
        axes: of the batch in what the random part starts from.
        dense: the dense layer that is computed apart, or None.
        passes: of a block.
        finish: what the output means.
        weights: of the model, where it computes.
    """

    retrace: Callable[..., Trace]
    starts_from_inputs: bool
    axes: Sequence[BatchAxis]
    dense: TracedDense | None
    passes: int
    finish: ToPredictions
    weights: DeviceWeights

    def begin(self, rows: int) -> Trace:
        """Trace the model in its passes, with the boundary that the random part starts from."""
        traced = self.retrace(rows)
        return replace(traced, boundary=traced.inputs) if self.starts_from_inputs else traced

    def make_shared(self, count: int) -> Compute:
        """Make the shared part."""
        traced = self.begin(count)
        part = traced.extract(traced.inputs, traced.boundary, self.weights.place_graph)

        def compute(*given: torch.Tensor) -> list[torch.Tensor]:
            gathered = [axis.gather(tensor) for axis, tensor in zip(self.axes, part(*given), strict=True)]
            return [self.dense.scale * gathered[0]] if self.dense else gathered

        return compute

    def make_random(self, count: int) -> Compute:
        """Make the random part, of numbers (examples, passes, ...), or (1, passes, ...) for all examples.

        Without a masked dense layer it repeats the shared tensors of an example.
        """
        traced, dense = self.begin(self.passes * count), self.dense
        start = [dense.product] if dense else traced.boundary
        drawn = [
            (draw.request, node)
            for draw, node in zip(traced.draws, traced.numbers, strict=True)
            if dense is None or draw.request != dense.request
        ]
        part = traced.extract([*start, *(node for _, node in drawn)], [traced.output], self.weights.place_graph)

        def compute(*given: torch.Tensor) -> list[torch.Tensor]:
            shared, numbers = given[: len(start)], list[torch.Tensor]()
            if not dense:
                repeated = (each.repeat_interleave(self.passes, dim=0) for each in shared)
                shared = tuple(axis.place(each) for axis, each in zip(self.axes, repeated, strict=True))
            for (request, _), each in zip(drawn, given[len(start) :], strict=True):
                unpacked = self.weights.device.unpack(each, request)
                numbers.append(unpacked.expand(count, *unpacked.shape[1:]).flatten(0, 1))
            return [self.finish(part(*shared, *numbers)[0])]

        return compute

    def make_deterministic(self, count: int) -> Compute:
        """Make the model with all randomness off."""
        traced = self.retrace(count, False)
        part = traced.extract(traced.inputs, [traced.output], self.weights.place_graph)
        return lambda *given: [self.finish(part(*given)[0])]


def make_traced_plan(
    retrace: Callable[..., Trace],
    inputs: tuple[InputSpec, ...],
    finish: ToPredictions,
    width: int,
    weights: DeviceWeights,
    usual: Plan | None = None,
) -> Plan:
    """Make the plan of a model that can be traced.

    Args:
        retrace: traces the model on some rows: in its passes, or with all randomness off if its second argument is
            False. It gives the same trace again for the same rows.
        inputs: the form of the examples.
        finish: from the model's output to predictions.
        width: the numbers of a prediction.
        weights: of the model, on its device.
        usual: the plan of the processor, for another device. A block has as many passes there, since masks differ by
            their number, and more examples.

    Raises:
        UntraceableError: the graph differs on other rows, or draws or masks differ by the operations of a device.
    """
    small, block = retrace(SHARED_BLOCK), choose_shared_block(width)
    passes, examples = _choose_block(small, usual)
    large = retrace(passes * examples)
    dense = None if usual else find_masked_dense(large)
    axes = find_batch_axes(small, large)
    if axes is None:
        of_inputs = [BatchAxis(0, 1, tuple(range(1 + len(spec.shape)))) for spec in inputs]
        parts = _Parts(retrace, True, of_inputs, None, passes, finish, weights)
    else:
        parts = _Parts(retrace, False, axes, dense, passes, finish, weights)
    large = parts.begin(large.rows)
    requests, maskings = tuple(draw.request for draw in large.draws), find_maskings(large)
    if usual and (requests, maskings.keys()) != (usual.random_requests, usual.masked_arrays.keys()):
        raise UntraceableError("its masks are drawn or applied otherwise by the operations of a device")
    random_part = prepare_part(weights, parts.make_random, examples)
    shared_part, deterministic = (
        prepare_part(weights, make, block, FEWEST_SHARED) for make in (parts.make_shared, parts.make_deterministic)
    )
    reached = large.reached_draws()
    return Plan(
        passes_per_block=passes,
        examples_per_block=examples,
        shared_examples_per_block=block,
        shared_bytes=sum(map(byte_size, large.boundary)) // large.rows,
        width=width,
        random_requests=requests,
        shared_part=lambda given: shared_part(_take(given, inputs)),
        random_part=lambda shared, numbers: random_part(
            [*shared, *(each.reshape(-1, passes, *each.shape[1:]) for each in numbers)]
        )[0],
        deterministic=lambda given: deterministic(_take(given, inputs))[0],
        layers=_report_layers(reached, [draw for draw in large.draws if draw not in reached]),
        masked_dense=parts.dense,
        masked_arrays=maskings,
        packs_numbers=usual is not None,
    )


def find_maskings(trace: Trace) -> dict[int, int]:
    """Find `Plan.masked_arrays`."""
    maskings = ((number, find_masking(trace, number)) for number in range(len(trace.draws)))
    return {number: masking.array for number, masking in maskings if masking}


def _choose_block(small: Trace, usual: Plan | None) -> tuple[int, int]:
    """Choose passes and examples of a block.

    Its rows differ from those of the small trace, which tells the batch axis.
    """
    dense = None if usual else find_masked_dense(small)
    repeated = find_behind(_steps(small.module.graph.nodes), [dense.product] if dense else small.random)
    largest = max(map(byte_size, repeated)) // small.rows
    if usual:
        passes = usual.passes_per_block
        examples = max(usual.examples_per_block, choose_device_examples(passes, largest))
        return passes, (2 * examples if passes * examples == small.rows else examples)
    passes, examples = choose_block(largest, factored=dense is not None)
    return (passes // 2 if passes * examples == small.rows else passes), examples


def make_eager_plan(
    model: torch.nn.Module,
    call: Call,
    inputs: tuple[InputSpec, ...],
    draws: tuple[Draw, ...],
    finish: ToPredictions,
    width: int,
    reason: str,
    weights: DeviceWeights,
) -> Plan:
    """Make the plan of a model that cannot be traced.

    Each pass computes all of it, one example at a time.

    Args:
        model: on its device.
        call: of the model.
        inputs: the form of the examples.
        draws: of its passes.
        finish: from its output to predictions.
        width: the numbers of a prediction.
        reason: why it cannot be traced.
        weights: of the model, on its device.

    Raises:
        UnsuitableModelError: a recurrent layer draws, which a GPU does within one operation.
    """
    device, training, requests = weights.device, find_training(draws), tuple(draw.request for draw in draws)
    recurrent = [str(draw.layer) for draw in draws if isinstance(draw.module, torch.nn.RNNBase)]
    if recurrent and not device.is_processor:
        raise UnsuitableModelError(
            "Off the processor, the dropout within a recurrent layer can be supplied only in a model that torch can "
            f"trace. Received: {', '.join(dict.fromkeys(recurrent))} ({reason}). Give device='cpu', on the command "
            "line --device cpu."
        )

    def run(given: Sequence[torch.Tensor], supply: Supply, training: set[torch.nn.Module]) -> list[torch.Tensor]:
        with borrow(model), supply_numbers(model, training, supply):
            return [finish(call({spec.name: tensor.clone() for spec, tensor in zip(inputs, given, strict=True)}))]

    def make_random(count: int) -> Compute:
        def compute(*given: torch.Tensor) -> list[torch.Tensor]:
            repeated = [each.repeat_interleave(count, dim=0) for each in given[: len(inputs)]]
            numbers = list(map(device.unpack, given[len(inputs) :], requests))
            return run(repeated, supply_rows(draws, numbers), training)

        return compute

    random_part = prepare_part(weights, make_random, PASSES_PER_BLOCK)
    deterministic = prepare_part(weights, lambda _: lambda *given: run(given, device.supply_nothing, set()), 1)
    return Plan(
        passes_per_block=PASSES_PER_BLOCK,
        examples_per_block=1,
        shared_examples_per_block=1,
        shared_bytes=sum(np.dtype(spec.dtype).itemsize * math.prod(spec.shape) for spec in inputs),
        width=width,
        random_requests=requests,
        shared_part=lambda given: _take(given, inputs),
        random_part=lambda shared, numbers: random_part([*shared, *numbers])[0],
        deterministic=lambda given: deterministic(_take(given, inputs))[0],
        layers=replace(_report_layers(draws, []), untraced=reason),
        packs_numbers=not device.is_processor,
    )


def _report_layers(reached: Sequence[Draw], others: Sequence[Draw]) -> LayerReport:
    stochastic, without_effect = (tuple(dict.fromkeys(draw.layer for draw in draws)) for draws in (reached, others))
    return LayerReport(stochastic, without_effect=tuple(each for each in without_effect if each not in stochastic))


def _take(given: Inputs, inputs: Sequence[InputSpec]) -> list[np.ndarray]:
    return [given[spec.name] for spec in inputs]
