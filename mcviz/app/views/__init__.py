"""The views of a selection, each with what it needs of a run."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from mcviz.app.needs import Need
from mcviz.app.selection import Selection
from mcviz.app.views.classes import classes_view
from mcviz.app.views.confusion import confusion_view
from mcviz.app.views.errors import errors_view
from mcviz.app.views.gallery import gallery_view
from mcviz.app.views.groups import groups_view
from mcviz.app.views.intervals import intervals_view
from mcviz.app.views.layout_map import map_view
from mcviz.app.views.predicted import predicted_view
from mcviz.app.views.scatter import scatter_view
from mcviz.app.views.table import table_view


@dataclass(frozen=True)
class View:
    """A view of a selection.

    Attributes:
        label: what it is called.
        show: draws it.
        needs: what a run has to have for it to be offered.
        own_filters: the attributes of `Filters` that it sets; the gallery stands beside such a view.
    """

    label: str
    show: Callable[[Selection], None]
    needs: Collection[Need] = field(default_factory=frozenset)
    own_filters: tuple[str, ...] = ()


VIEWS = {
    "gallery": View("Gallery", gallery_view),
    "table": View("Table", table_view),
    "scatter": View("Scatter", scatter_view, own_filters=("lasso",)),
    "map": View("Map", map_view, needs={"examples or features"}, own_filters=("area", "selected")),
    "confusion": View("Confusion", confusion_view, needs={"labels", "classes"}, own_filters=("label", "prediction")),
    "classes": View("Classes", classes_view, needs={"labels", "classes"}),
    "predicted": View("Predicted", predicted_view, needs={"labels", "targets"}, own_filters=("lasso",)),
    "errors": View("Errors", errors_view, needs={"labels", "targets"}, own_filters=("lasso",)),
    "intervals": View("Intervals", intervals_view, needs={"labels", "targets"}),
    "groups": View("Groups", groups_view, needs={"groups"}),
}
