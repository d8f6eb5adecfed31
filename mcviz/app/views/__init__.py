"""The views of a selection, each with what it needs of a run."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from mcviz.app.resources import Need
from mcviz.app.selection import Selection
from mcviz.app.views.look_panel import render_gallery
from mcviz.app.views.scatter import render_confusion, render_errors, render_map, render_predicted, render_scatter
from mcviz.app.views.tables import render_classes, render_groups, render_intervals, render_table


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
    "gallery": View("Gallery", render_gallery),
    "table": View("Table", render_table),
    "scatter": View("Scatter", render_scatter, own_filters=("lasso",)),
    "map": View("Map", render_map, needs={"examples or features"}, own_filters=("area", "selected")),
    "confusion": View("Confusion", render_confusion, needs={"labels", "classes"}, own_filters=("label", "prediction")),
    "classes": View("Classes", render_classes, needs={"labels", "classes"}),
    "predicted": View("Predicted", render_predicted, needs={"labels", "targets"}, own_filters=("lasso",)),
    "errors": View("Errors", render_errors, needs={"labels", "targets"}, own_filters=("lasso",)),
    "intervals": View("Intervals", render_intervals, needs={"labels", "targets"}),
    "groups": View("Groups", render_groups, needs={"groups"}),
}
