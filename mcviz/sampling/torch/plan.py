"""The plan of a PyTorch model: the part computed once an example, the part computed in every pass, and their blocks."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from mcviz.sampling.base import (
    MOST_PASSES,
    SHARED_BLOCK,
    Inputs,
    InputSpec,
    LayerReport,
    Plan,
    RandomPart,
    choose_block,
)
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
from mcviz.sampling.torch.tracing import (
    BatchAxis,
    Trace,
    TracedDense,
    as_tensor,
    byte_size,
    find_batch_axes,
    find_masked_dense,
    find_masking,
    run_alone,
    trace,
)

Finish = Callable[[torch.Tensor], torch.Tensor]  # (rows, C) as the model returns them to (rows, width) float32


def make_traced_plan(
    model: torch.nn.Module,
    call: Call,
    inputs: tuple[InputSpec, ...],
    draws: tuple[Draw, ...],
    small: Trace,
    finish: Finish,
    width: int,
    rate: float | None,
) -> Plan:
    """Make the plan of a model that can be traced.

    Args:
        model: the model.
        call: of it.
        inputs: their form.
        draws: of its passes.
        small: the model in its passes, traced on `SHARED_BLOCK` rows.
        finish: what its output means.
        width: the numbers of a prediction.
        rate: of the dropout, or None for that of the model.

    Raises:
        UntraceableError: it is another graph on other rows.
    """
    passes, examples = _choose_block(small)
    large = trace(model, call, inputs, passes * examples, draws, rate)
    dense = find_masked_dense(large)
    axes = find_batch_axes(small, large)
    if axes is None:
        small, large = (replace(each, boundary=each.inputs) for each in (small, large))
        axes, dense = [BatchAxis(0, 1, tuple(range(1 + len(spec.shape)))) for spec in inputs], None
    off = trace(model, call, inputs, SHARED_BLOCK)
    shared_part, deterministic = small.extract(small.inputs, small.boundary), off.extract(off.inputs, [off.output])

    def compute_shared_part(*tensors: torch.Tensor) -> list[torch.Tensor]:
        shared = [axis.gather(tensor) for axis, tensor in zip(axes, shared_part(*tensors), strict=True)]
        return [dense.scale * shared[0]] if dense else shared

    maskings = {number: find_masking(large, number) for number in range(len(large.draws))}
    reached = large.reached_draws()
    return Plan(
        passes_per_block=passes,
        examples_per_block=examples,
        shared_examples_per_block=SHARED_BLOCK,
        shared_bytes=sum(map(byte_size, small.boundary)) // SHARED_BLOCK,
        width=width,
        random_requests=tuple(draw.request for draw in large.draws),
        shared_part=lambda given: [each.numpy() for each in run_alone(compute_shared_part, _tensors(given, inputs))],
        random_part=_make_random_part(large, dense, axes, passes, finish),
        deterministic=lambda given: run_alone(
            lambda *tensors: finish(deterministic(*tensors)[0]), _tensors(given, inputs)
        ).numpy(),
        layers=_report_layers(reached, [draw for draw in large.draws if draw not in reached]),
        masked_dense=dense,
        masked_arrays={number: masking.array for number, masking in maskings.items() if masking},
    )


def _choose_block(small: Trace) -> tuple[int, int]:
    """Choose passes and examples of a block: other rows than those of the small trace tell the axis of the batch."""
    dense = find_masked_dense(small)
    repeated = {dense.product} if dense else set(small.random)
    for node in small.module.graph.nodes:
        if not repeated.isdisjoint(node.all_input_nodes):
            repeated.add(node)
    largest = max(map(byte_size, repeated)) // small.rows
    passes, examples = choose_block(largest, factored=dense is not None)
    return (passes // 2 if passes * examples == small.rows else passes), examples


def _make_random_part(
    large: Trace, dense: TracedDense | None, axes: Sequence[BatchAxis], passes: int, finish: Finish
) -> RandomPart:
    """Make `Plan.random_part`; without a masked dense layer it repeats the shared tensors of an example."""
    start = [dense.product] if dense else large.boundary
    numbers = [
        node
        for draw, node in zip(large.draws, large.numbers, strict=True)
        if dense is None or draw.request != dense.request
    ]
    part = large.extract([*start, *numbers], [large.output])

    def compute(*tensors: torch.Tensor) -> torch.Tensor:
        shared, given = tensors[: len(start)], tensors[len(start) :]
        if not dense:
            shared = tuple(
                axis.place(each.repeat_interleave(passes, dim=0)) for axis, each in zip(axes, shared, strict=True)
            )
        return finish(part(*shared, *given)[0])

    return lambda shared, given: run_alone(compute, [*map(as_tensor, shared), *map(as_tensor, given)]).numpy()


def make_eager_plan(
    model: torch.nn.Module,
    call: Call,
    inputs: tuple[InputSpec, ...],
    draws: tuple[Draw, ...],
    finish: Finish,
    width: int,
    reason: str,
) -> Plan:
    """Make the plan of a model that cannot be traced: all of it is computed in each pass, one example at a time.

    Args:
        model: the model.
        call: of it.
        inputs: their form.
        draws: of its passes.
        finish: what its output means.
        width: the numbers of a prediction.
        reason: why it cannot be traced.
    """
    training = find_training(draws)

    def run(*tensors: torch.Tensor, supply: Supply, training: set[torch.nn.Module]) -> torch.Tensor:
        with borrow(model), supply_numbers(model, training, supply):
            return finish(call({spec.name: tensor.clone() for spec, tensor in zip(inputs, tensors, strict=True)}))

    def random_part(shared: list[np.ndarray], numbers: list[np.ndarray]) -> np.ndarray:
        tensors = [as_tensor(array).repeat_interleave(MOST_PASSES, dim=0) for array in shared]
        supply = supply_rows(draws, list(map(as_tensor, numbers)))
        return run_alone(partial(run, supply=supply, training=training), tensors).numpy()

    return Plan(
        passes_per_block=MOST_PASSES,
        examples_per_block=1,
        shared_examples_per_block=1,
        shared_bytes=sum(np.dtype(spec.dtype).itemsize * math.prod(spec.shape) for spec in inputs),
        width=width,
        random_requests=tuple(draw.request for draw in draws),
        shared_part=lambda given: [given[spec.name] for spec in inputs],
        random_part=random_part,
        deterministic=lambda given: run_alone(
            partial(run, supply=supply_nothing, training=set()), _tensors(given, inputs)
        ).numpy(),
        layers=replace(_report_layers(draws, []), untraced=reason),
    )


def _report_layers(reached: Sequence[Draw], others: Sequence[Draw]) -> LayerReport:
    stochastic, without_effect = (tuple(dict.fromkeys(draw.layer for draw in draws)) for draws in (reached, others))
    return LayerReport(stochastic, without_effect=tuple(each for each in without_effect if each not in stochastic))


def _tensors(given: Inputs, inputs: Sequence[InputSpec]) -> list[torch.Tensor]:
    return [as_tensor(given[spec.name]) for spec in inputs]
