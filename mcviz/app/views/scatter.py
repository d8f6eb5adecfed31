"""Any score against any other, with a lasso."""

from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.caching import cached_for_run, names_key, table_key
from mcviz.app.components.widgets import state_widget_args
from mcviz.app.filters import Filters, Lasso
from mcviz.app.resources import run_numbers, table
from mcviz.app.selection import Selection, filter_mask
from mcviz.app.views.colours import colour_label, colouring_chooser, draw_points
from mcviz.app.views.linked import axis_title, lasso_marks, render_lasso_chart
from mcviz.figures import Window
from mcviz.figures.style import diagonal
from mcviz.runs import Run


def render_scatter(selection: Selection) -> None:
    """Render the chart with its axes and colours, and the meaning of its corners."""
    run, state, numbers = selection.run, selection.state, run_numbers(selection.run)
    labels = {name: number.label for name, number in numbers.items()}
    x, y = state.x, state.y
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for axis, chosen in (("x", x), ("y", y)):
            st.selectbox(f"{axis} axis", list(labels), format_func=labels.__getitem__, **state_widget_args(axis, chosen))
        colouring = colouring_chooser(run, state)

    render_scatter_chart(selection, x, y, colouring)
    if (x, y) == ("predictive_entropy", "mutual_information"):
        st.caption(
            "**Top right**: model (epistemic) uncertainty; the passes are confident of different classes, and more "
            "training examples of this kind may help. **Bottom right**: data (aleatoric) uncertainty; every single "
            "pass is uncertain. **Bottom left**: confident; a wrong prediction here is the worst kind. No point can "
            "lie above the diagonal."
        )


def render_scatter_chart(
    selection: Selection,
    x: str,
    y: str,
    colouring: str,
    *,
    name: str = "scatter",
    line: bool = False,
    looks: bool = True,
) -> None:
    """Render the chart of two numbers, with the lasso that selects.

    All that the other filters leave is drawn, so that a lasso can be seen among its surroundings.

    Args:
        selection: with the lasso that is on.
        x: name of the number along the x axis.
        y: the same for the y axis.
        colouring: what the colours show, one of `COLOURINGS` or of `all_grouping_columns`.
        name: of the chart.
        line: whether the line is drawn on which both numbers are equal.
        looks: whether there is a panel beside, in which a point can be looked at.
    """
    run, state, filters = selection.run, selection.state, selection.filters
    labels = {each: number.label for each, number in run_numbers(run).items()}
    others = filters.without("lasso")
    ranked_by = state.score if colouring == "score" else ""
    render_lasso_chart(
        name,
        run,
        Lasso(x, y, ()),
        filters.lasso,
        (others, x, y, colouring, ranked_by, table_key(run)),
        lambda lasso, window: _figure(run, others, x, y, colouring, ranked_by, lasso, line, window),
        f"Scatter chart of {filter_mask(run, others).sum():,} examples: {labels[x]} against {labels[y]}, "
        f"coloured by {colour_label(colouring)}. The table view lists the same numbers.",
        looks=looks,
    )


@cached_for_run(names_key, max_entries=8)  # a copy would be another chart to the browser
def _figure(
    run: Run,
    others: Filters,
    x: str,
    y: str,
    colouring: str,
    ranked_by: str,
    lasso: Lasso | None,
    line: bool,
    window: Window | None,
) -> Any:
    shown = filter_mask(run, others)
    scores = table(run)[list(run_numbers(run))][shown].dropna(subset=[x, y])  # which another run may lack
    along = scores[x].to_numpy(), scores[y].to_numpy()
    axes = axis_title(run, x), axis_title(run, y)
    marks = lasso_marks(lasso, x, y, scores)
    figure = draw_points(run, colouring, ranked_by, *along, scores.index.to_numpy(), axes=axes, window=window, **marks)
    if line and len(scores):
        both = np.concatenate(along)
        figure.add_shape(**diagonal(float(both.min()), float(both.max())))
    return figure
