"""Any score against any other, with a lasso."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.caching import cached_for_run, names_key, table_key
from mcviz.app.columns import grouping_columns, groups
from mcviz.app.components.widgets import bind
from mcviz.app.filters import Filters, Lasso
from mcviz.app.needs import Need, available
from mcviz.app.resources import class_names, run_numbers, run_scores, table
from mcviz.app.selection import Selection, filter_mask
from mcviz.app.state import choose_name
from mcviz.app.views.linked import axis_title, lasso_marks, render_lasso_chart
from mcviz.figures import CORRECT, WRONG, Window, class_colour, coloured_map, scatter
from mcviz.figures.style import CLASSES, NAMED_CLASSES, NEUTRAL, diagonal
from mcviz.runs import Run
from mcviz.text import one_line


@dataclass(frozen=True)
class Colouring:
    """A choice for the colours of the points.

    Attributes:
        label: what it is called.
        needs: what a run has to have for it to be offered.
    """

    label: str
    needs: Collection[Need] = field(default_factory=frozenset)


COLOURINGS = {
    "correct": Colouring("correct or wrong", needs={"labels", "classes"}),
    "label": Colouring("label", needs={"labels", "classes"}),
    "prediction": Colouring("prediction", needs={"classes"}),
    "score": Colouring("score of the ranking"),
}


def render_scatter(selection: Selection) -> None:
    """Render the chart with its axes and colours, and the meaning of its corners."""
    run, state, numbers = selection.run, selection.state, run_numbers(selection.run)
    labels = {name: number.label for name, number in numbers.items()}
    x, y, colourings = state.x, state.y, [*available(COLOURINGS, run), *grouping_columns(run)]
    colouring = choose_name(state.colour, colourings)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for axis, chosen in (("x", x), ("y", y)):
            st.selectbox(f"{axis} axis", list(labels), format_func=labels.__getitem__, **bind(axis, chosen))
        st.selectbox(
            "Colour",
            colourings,
            format_func=_colouring_label,
            **bind("colour", colouring),
        )

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
        colouring: what the colours show, one of `COLOURINGS` or of `grouping_columns`.
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
        f"coloured by {_colouring_label(colouring)}. The table view lists the same numbers.",
        looks=looks,
    )


def _colouring_label(name: str) -> str:
    return COLOURINGS[name].label if name in COLOURINGS else one_line(name)


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
    scores = table(run)[list(run_numbers(run))][shown]
    points, examples = (scores[x].to_numpy(), scores[y].to_numpy()), scores.index.to_numpy()
    more: dict[str, Any] = {
        "axes": (axis_title(run, x), axis_title(run, y)),
        **lasso_marks(lasso, x, y, scores),
        "window": window,
    }
    if ranked_by:
        score = run_scores(run)[ranked_by]
        values = scores[ranked_by].to_numpy()
        figure = coloured_map(*points, values, score.label, examples, uncertain_when=score.uncertain_when, **more)
    else:
        members, names, colours = _colour_groups(run, colouring)
        figure = scatter(*points, members[shown], names, colours, examples, **more)
    if line:
        both = np.concatenate(points)
        figure.add_shape(**diagonal(float(both.min()), float(both.max())))
    return figure


def _colour_groups(run: Run, colouring: str) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Return the group of each example, and name and colour of each group; of many groups the largest ten."""
    if colouring == "correct":
        return (~table(run)["correct"].astype(bool)).to_numpy(int), ("correct", "wrong"), [CORRECT, WRONG]
    if colouring in COLOURINGS:
        members, names = table(run)[colouring].to_numpy(int), class_names(run)
    else:
        members, names = groups(run, colouring).members, groups(run, colouring).names
    if len(names) <= NAMED_CLASSES:
        return members, names, [class_colour(group) for group in range(len(names))]
    kept = np.sort(np.argsort(-np.bincount(members, minlength=len(names)), kind="stable")[: len(CLASSES)])
    place = np.full(len(names), len(kept))
    place[kept] = range(len(kept))
    others = f"{len(names) - len(kept):,} others"
    return place[members], (*(names[group] for group in kept), others), [*CLASSES, NEUTRAL]
