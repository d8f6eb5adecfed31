"""The views of a selection, each with what it needs of a run."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from mcviz.app.needs import Need
from mcviz.app.selection import Selection
from mcviz.app.views.classes import classes_view
from mcviz.app.views.confusion import confusion_view
from mcviz.app.views.gallery import gallery_view
from mcviz.app.views.layout_map import map_view
from mcviz.app.views.scatter import scatter_view
from mcviz.app.views.table import table_view


@dataclass(frozen=True)
class View:
    """A view of a selection.

    Attributes:
        label: what it is called.
        show: draws it.
        needs: what a run has to have for it to be offered.
        beside_gallery: whether the gallery stands beside it.
    """

    label: str
    show: Callable[[Selection], None]
    needs: Collection[Need] = field(default_factory=frozenset)
    beside_gallery: bool = False


VIEWS = {
    "gallery": View("Gallery", gallery_view),
    "table": View("Table", table_view),
    "scatter": View("Scatter", scatter_view, beside_gallery=True),
    "map": View("Map", map_view, needs={"images"}, beside_gallery=True),
    "confusion": View("Confusion", confusion_view, needs={"labels"}, beside_gallery=True),
    "classes": View("Classes", classes_view, needs={"labels"}),
}
