"""How pages show the kinds of examples: a renderer for each."""

from mcviz import kinds
from mcviz.app.kinds.base import KindRenderer
from mcviz.app.kinds.image import ImageRenderer
from mcviz.app.kinds.none import NothingRenderer
from mcviz.app.kinds.row import RowRenderer
from mcviz.app.kinds.text import TextRenderer
from mcviz.runs import Run

# The first is taken that a kind is or derives from.
KIND_RENDERERS: dict[type[kinds.Kind], KindRenderer] = {
    kinds.Image: ImageRenderer(),
    kinds.Text: TextRenderer(),
    kinds.Row: RowRenderer(),
    kinds.Nothing: NothingRenderer(),
}


def kind_renderer(run: Run) -> KindRenderer:
    """Return what renders the examples of a run: the renderer of the kind that they are or derive from."""
    return next(renderer for kind, renderer in KIND_RENDERERS.items() if isinstance(run.kind, kind))
