"""The kinds of examples that pages can show."""

from mcviz import kinds
from mcviz.app.kinds.base import Kind
from mcviz.app.kinds.image import Image
from mcviz.app.kinds.none import Nothing
from mcviz.app.kinds.row import Row
from mcviz.app.kinds.text import Text
from mcviz.runs import Run

# The first is taken that a kind is or derives from.
SHOWN_AS: dict[type[kinds.Kind], Kind] = {
    kinds.Image: Image(),
    kinds.Text: Text(),
    kinds.Row: Row(),
    kinds.Nothing: Nothing(),
}


def kind_of(run: Run) -> Kind:
    """How the examples of a run are shown: as the kind that they are or derive from."""
    return next(shown for kind, shown in SHOWN_AS.items() if isinstance(run.kind, kind))
