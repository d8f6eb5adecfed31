"""How pages show the kinds of examples: a renderer for each."""

from mcviz import kinds
from mcviz.app.components import PICTURE_WIDTH
from mcviz.app.kinds.base import KindRenderer, NothingRenderer
from mcviz.app.kinds.image import ImageRenderer
from mcviz.app.kinds.row import RowRenderer
from mcviz.app.kinds.text import TextRenderer
from mcviz.app.resources import check_needs
from mcviz.runs import Run

EXAMPLE_WIDTH = 360  # pixels, of an example beside what is predicted for it

# The first is taken that a kind is or derives from.
KIND_RENDERERS: dict[type[kinds.Kind], KindRenderer] = {
    kinds.Image: ImageRenderer(),
    kinds.Text: TextRenderer(),
    kinds.Row: RowRenderer(),
    kinds.Nothing: NothingRenderer(),
}


def render_example(run: Run, example: int, width: int = PICTURE_WIDTH) -> None:
    """Render an example at a width in pixels, or why it is not available."""
    if check_needs(run, {"examples"}):
        kind_renderer(run).render_example(run, example, width)


def kind_renderer(run: Run) -> KindRenderer:
    """Return the renderer of a run's kind or of the kind it derives from."""
    return next(renderer for kind, renderer in KIND_RENDERERS.items() if isinstance(run.kind, kind))
