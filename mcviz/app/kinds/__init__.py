"""The registry of kinds: what pages ask of what a run's examples are."""

from mcviz.app.kinds.image import IMAGE
from mcviz.app.kinds.kind import Kind
from mcviz.app.kinds.none import NONE
from mcviz.app.kinds.row import ROW
from mcviz.app.kinds.text import TEXT
from mcviz.runs import Run

KINDS: dict[str, Kind] = {
    "image": IMAGE,
    "text": TEXT,
    "row": ROW,
    "none": NONE,
}


def kind_of(run: Run) -> Kind:
    """The kind of a run's examples."""
    return KINDS[run.manifest.examples.kind]
