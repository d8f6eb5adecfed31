"""A model as a graph of operations, cut before its random part.

A graph is a list of steps in order: the values that an operation takes and gives. Values are a framework's hashable
tensors.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mcviz.sampling.base import MaskedDense

Value = TypeVar("Value")
Steps = Sequence[tuple[Collection[Value], Collection[Value]]]


class UntraceableError(Exception):
    """The model has no graph for all batch sizes with random inputs."""


@dataclass(frozen=True)
class TracedDense(MaskedDense):
    """A dense layer behind a dropout in a graph.

    Attributes:
        product: the replaced tensor of the graph, (rows, units).
        scale: the remaining factor of the shared array.
    """

    product: Any
    scale: float = 1.0


def find_behind(steps: Steps[Value], start: Iterable[Value]) -> set[Value]:
    """Return some values and all that depend on them."""
    behind = set(start)
    for takes, gives in steps:
        if not behind.isdisjoint(takes):
            behind.update(gives)
    return behind


def find_needed(
    outputs: Iterable[Value], takes: Callable[[Value], Iterable[Value]], given: Collection[Value] = ()
) -> set[Value]:
    """Return some values and all that they depend on.

    Args:
        outputs: the values.
        takes: from a value to the inputs of its operation.
        given: values that need no computation.
    """
    needed, waiting = set[Value](), list(outputs)
    while waiting:
        value = waiting.pop()
        if value not in needed and value not in given:
            needed.add(value)
            waiting += takes(value)
    return needed


def cut_graph(
    steps: Steps[Value], inputs: Iterable[Value], numbers: Iterable[Value]
) -> tuple[tuple[Value, ...], frozenset[Value]]:
    """Cut a graph before passes begin to differ.

    Args:
        steps: of the graph.
        inputs: the examples.
        numbers: the random numbers.

    Returns:
        The boundary, in order: values that depend only on the examples, and that operations with random inputs take.
        And the random values, which depend on the numbers.
    """
    random = find_behind(steps, numbers)
    same = find_behind(steps, inputs) - random
    boundary = (value for takes, _ in steps if not random.isdisjoint(takes) for value in takes if value in same)
    return tuple(dict.fromkeys(boundary)), frozenset(random)
