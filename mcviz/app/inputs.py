"""Inputs for a run's model that are not in the run: one, or many."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcviz.app.needs import RunPart
from mcviz.app.state import PageState
from mcviz.runs import Run

MOST_INPUTS = 2000  # of a sweep


@dataclass(frozen=True)
class ProbeInput:
    """An input for the model.

    Attributes:
        content: as the kind has it: (height, width, channels) float32 in 0..1, a text, or (D,) float32.
        name: what it is, such as "Uniform noise of seed 3".
        note: one sentence on what a correct prediction would be.
        label: its class, where it is known.
    """

    content: Any
    name: str
    note: str = ""
    label: int | None = None


def as_batch(content: Any) -> np.ndarray:
    """Return (1, …): one `ProbeInput.content` in an array, of dtype object for a text."""
    return np.array([content], object if isinstance(content, str) else None)


@dataclass(frozen=True)
class SweepInputs:
    """Inputs of a sweep.

    Attributes:
        kind: what the inputs are called, such as "noise images".
        name: what exactly they are, such as "uniform noise at 80% strength".
        available: how many there are.
        load: (start, stop) to stop - start contents in one array.
        digest: of the run whose model predicts.
        labels: (available,) int, or None where no prediction is correct.
    """

    kind: str
    name: str
    available: int
    load: Callable[[int, int], np.ndarray]
    digest: str
    labels: np.ndarray | None = None

    def same_as(self, other: "SweepInputs") -> bool:
        """Return whether the inputs of both are the same."""
        return (self.digest, self.kind, self.name) == (other.digest, other.kind, other.name)


@dataclass(frozen=True)
class Along:
    """An input at every position of a slider that changes it.

    Attributes:
        amounts: (P,) positions of the slider, ascending.
        contents: the input at each of them, as `ProbeInput.content`, in one array.
        title: of the slider.
        tick_format: d3's format of its numbers; empty for as they are.
        current: the slider's position now.
        are_pictures: whether the contents are images, which can be shown beside what is predicted.
    """

    amounts: np.ndarray
    contents: np.ndarray
    title: str
    tick_format: str
    current: float
    are_pictures: bool


@dataclass(frozen=True)
class InputKind:
    """A kind of input for the model.

    Attributes:
        label: what it is called.
        choose: its controls, and the input that they give.
        nothing_yet: an icon, and what to do where there is no input yet.
        sweep: many inputs of the kind, where that makes sense.
        along: the input along its slider, where it has one.
        needs: what a run has to have.
        seen_in_its_controls: whether the controls show the input, so that it need not be drawn beside them.
    """

    label: str
    choose: Callable[[Run, PageState], ProbeInput | None]
    nothing_yet: tuple[str, str] = ("", "")
    sweep: Callable[[Run, PageState], SweepInputs] | None = None
    along: Callable[[Run, PageState], Along] | None = None
    needs: Collection[RunPart] = field(default_factory=frozenset)
    seen_in_its_controls: bool = False
