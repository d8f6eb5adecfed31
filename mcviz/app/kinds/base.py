"""How pages show a kind of examples, and examples that are not in the run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn

import numpy as np

from mcviz.app.probe.inputs import Distorter, InputKind, Parts, ProbeInput
from mcviz.errors import McvizError
from mcviz.runs import Run

TILE = 208  # pixels that a larger image is scaled down to: the smallest tile on a screen of twice the usual sharpness


@dataclass(frozen=True)
class Tiles:
    """Pictures in one sheet, or words on each tile, for the gallery.

    Attributes:
        sheet: the picture of all tiles and how the browser cuts it, as the component takes it; or nothing.
        details: what else the component takes of each example, or nothing.
    """

    sheet: Mapping[str, object] = field(default_factory=dict)
    details: tuple[Mapping[str, Any], ...] = ()


class KindRenderer(ABC):
    """How pages show a kind of examples. A subclass says only where it differs from examples that cannot be shown.

    Attributes:
        inputs: what can be predicted besides the run's own examples.
        fits_column: whether `render_small` fits into a narrow column; if not, an input is rendered alone.
        has_noise: whether there is `noise`.
        has_parts: whether an input has `parts`.
        distorter: how examples are distorted step by step, or None where nobody has said.
    """

    inputs: ClassVar[Mapping[str, InputKind]] = {}
    fits_column = False
    has_noise = False
    has_parts = False
    distorter: Distorter | None = None

    @abstractmethod
    def render_example(self, run: Run, example: int, width: int) -> None:
        """Render an example of a run that keeps its examples, a picture at most `width` pixels wide."""

    @abstractmethod
    def render_input(self, run: Run, content: Any, spoken: str) -> None:
        """Render an input; `spoken` is for those who cannot see it."""

    @abstractmethod
    def contents(self, run: Run, examples: np.ndarray) -> np.ndarray:
        """Return some examples in the form of `ProbeInput.content`, in one array."""

    def text(self, run: Run, example: int) -> str:
        """Return the text that an example of a run is; "" where it is none."""
        return ""

    def render_small(self, run: Run, content: Any, spoken: str) -> None:
        """Render an example that is kept beside a run, as small as the kind can be."""
        self.render_input(run, content, spoken)

    def tiles(self, run: Run, examples: np.ndarray, side: int = TILE) -> Tiles:
        """Return the gallery's view of some examples, of photographs at most `side` pixels high and wide."""
        return Tiles()

    def input_tiles(self, run: Run, contents: np.ndarray) -> Tiles:
        """Return the gallery's view of some inputs that are not in the run."""
        return Tiles()

    def table_columns(self, run: Run, examples: np.ndarray) -> dict[str, tuple[list[Any], Any]]:
        """Return columns of the table of examples by name: values, and how Streamlit shows them."""
        return {}

    def thumbnail(self, content: Any) -> str:
        """Return the address of a small picture of an example that is kept beside a run; "" without one."""
        return ""

    def noise(self, run: Run) -> ProbeInput:
        """Return an input that is nothing."""
        raise NotImplementedError

    def parts(self, run: Run, content: Any) -> Parts:
        """Return the parts of an input, which can be hidden one after the other."""
        raise NotImplementedError


class NothingRenderer(KindRenderer):
    """Examples that are not in the run."""

    def render_example(self, run: Run, example: int, width: int) -> NoReturn:
        raise _missing(run)

    def render_input(self, run: Run, content: Any, spoken: str) -> NoReturn:
        raise _missing(run)

    def contents(self, run: Run, examples: np.ndarray) -> NoReturn:
        raise _missing(run)


def _missing(run: Run) -> McvizError:
    return McvizError(f"The examples of {run.path} are not in it.")
