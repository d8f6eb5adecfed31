"""What pages ask of the kind of a run's examples: how one is shown, small and large, and what can be made like it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcviz.app.explaining.parts import Parts
from mcviz.app.inputs import InputKind, ProbeInput
from mcviz.app.probe.distorting import Distorter
from mcviz.runs import Run
from mcviz.runs.contents import Progress


@dataclass(frozen=True)
class Tiles:
    """What the gallery shows of examples: pictures in one sheet, or words on each tile.

    Attributes:
        sheet: the picture of all tiles and how the browser cuts it, as the component takes it; or nothing.
        each: what else the component takes of each example, or nothing.
    """

    sheet: Mapping[str, object] = field(default_factory=dict)
    each: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Kind:
    """What pages ask of a kind of examples.

    Attributes:
        compared: what examples are compared by where the run has no features, such as "pixels".
        large: draws an example, a picture at most so many pixels wide; of a run that keeps its examples.
        draw: draws an input, with a sentence for those who cannot see it.
        tiles: what the gallery shows of some examples.
        columns: what the table of examples shows of some: values and how Streamlit shows them, by name.
        components: (N, K) float32 by which examples are alike; it tells how many of them are done.
        contents: of some examples, in the form of `ProbeInput.content`, in one array.
        inputs: what can be predicted besides the run's own examples.
        noise: an input that is nothing, or None where there is no such thing.
        thumbnail: the address of a small picture of an example that is kept beside a run; "" where there is none.
        draw_small: draws such an example in a narrow column, with a sentence for those who cannot see it; None where
            one takes more room, and is drawn alone.
        parts: of an input, that can be hidden one after the other, or None where that means nothing.
        distorter: how examples are distorted step by step, or None where nobody has said.
        address: of the picture of an example of a run, neither side longer than so many pixels; None where examples are
            no pictures.
    """

    compared: str
    large: Callable[[Run, int, int], None]
    draw: Callable[[Run, Any, str], None]
    tiles: Callable[[Run, np.ndarray], Tiles]
    columns: Callable[[Run, np.ndarray], dict[str, tuple[list[Any], Any]]]
    components: Callable[[Run, Progress], np.ndarray]
    contents: Callable[[Run, np.ndarray], np.ndarray]
    inputs: Mapping[str, InputKind]
    noise: Callable[[Run], ProbeInput] | None = None
    thumbnail: Callable[[Any], str] = lambda _: ""
    draw_small: Callable[[Run, Any, str], None] | None = None
    parts: Callable[[Run, Any], Parts] | None = None
    distorter: Distorter | None = None
    address: Callable[[Run, int, int], str] | None = None
