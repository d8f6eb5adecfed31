"""The plan of a PyTorch model on a device, made of its plan on the processor, which all masks follow from."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from mcviz.errors import UnsuitableModelError
from mcviz.sampling.base import (
    FEWEST_SHARED,
    PASSES_PER_BLOCK,
    SHARED_BLOCK,
    Inputs,
    InputSpec,
    Plan,
    choose_device_examples,
)
from mcviz.sampling.graph import UntraceableError
from mcviz.sampling.masks import RandomRequest
from mcviz.sampling.torch.device import Device, DevicePart, DeviceWeights
from mcviz.sampling.torch.draws import Call, Draw, Supply, borrow, find_training, supply_numbers, supply_rows
from mcviz.sampling.torch.internals import unfused_products
from mcviz.sampling.torch.plan import ToPredictions, Trace, byte_size, find_boundary, find_maskings

Compute = Callable[..., list[torch.Tensor]]


def move_traced_plan(
    plan: Plan,
    retrace: Callable[..., Trace],
    inputs: tuple[InputSpec, ...],
    finish: ToPredictions,
    device: Device,
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
        device: where it computes.
        weights: of the model, there.

    Raises:
        UntraceableError: by those operations it is another graph, or applies masks elsewhere.
    """
    passes, block = plan.passes_per_block, plan.shared_examples_per_block
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
        part = traced.extract(traced.inputs, traced.boundary, weights)
        return lambda *given: [axis.gather(tensor) for axis, tensor in zip(axes, part(*given), strict=True)]

    def make_deterministic(count: int) -> Compute:
        traced = retrace(count, False)
        part = traced.extract(traced.inputs, [traced.output], weights)
        return lambda *given: [finish(part(*given)[0])]

    def make_random(count: int) -> Compute:
        traced = begin(retrace(passes * count))
        part = traced.extract([*traced.boundary, *traced.numbers], [traced.output], weights)

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
    inputs: tuple[InputSpec, ...],
    draws: Sequence[Draw],
    finish: ToPredictions,
    device: Device,
    weights: DeviceWeights,
) -> Plan:
    """Move the plan of a model that cannot be traced to a device.

    Args:
        plan: of the processor.
        model: the module there.
        call: of it.
        inputs: the form of the examples.
        draws: of its passes, with the modules there.
        finish: what its output means.
        device: where it computes.
        weights: of the model, there.

    Raises:
        UnsuitableModelError: a recurrent layer draws, which a GPU does within one operation.
    """
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
    """Return the draws of a module with the modules of its copy."""
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
