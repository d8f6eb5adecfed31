"""A model as a graph: parts that depend on random numbers, and the cut.

A graph is a list of steps in order: the values that an operation takes and gives, as hashables.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mcviz.sampling.base import MaskedDense

Value = TypeVar("Value")
Steps = Sequence[tuple[Collection[Value], Collection[Value]]]


class UntraceableError(Exception):
    """The model cannot become a graph for any batch with random inputs."""


@dataclass(frozen=True)
class TracedDense(MaskedDense):
    """A dense layer behind a dropout in a graph.

    Attributes:
        product: the tensor in the graph that it replaces, (rows, units).
        scale: what the shared array is still to be multiplied by.
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
        takes: a value to those that its operation takes.
        given: values that need not be computed.
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
    """Cut a graph where passes begin to differ.

    Args:
        steps: of the graph.
        inputs: the examples.
        numbers: the random numbers.

    Returns:
        The boundary: the values that follow from the examples alone and that operations take beside what is random, in
        their order. And the random values, which depend on the numbers.
    """
    random = find_behind(steps, numbers)
    same = find_behind(steps, inputs) - random
    boundary = (value for takes, _ in steps if not random.isdisjoint(takes) for value in takes if value in same)
    return tuple(dict.fromkeys(boundary)), frozenset(random)
