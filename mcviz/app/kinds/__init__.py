"""The kinds of examples that pages can show, by name."""

from mcviz.app.kinds.base import Kind
from mcviz.app.kinds.image import Image
from mcviz.app.kinds.none import Nothing
from mcviz.app.kinds.row import Row
from mcviz.app.kinds.text import Text
from mcviz.runs import Run

KINDS: dict[str, Kind] = {
    "image": Image(),
    "text": Text(),
    "row": Row(),
    "none": Nothing(),
}


def kind_of(run: Run) -> Kind:
    """The kind of a run's examples."""
    return KINDS[run.manifest.examples.kind]
