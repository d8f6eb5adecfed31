"""Any score against any other, with a lasso."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.caching import cached_for_run, names_key, table_key
from mcviz.app.columns import grouping_columns, groups
from mcviz.app.components.widgets import bound
from mcviz.app.filters import Filters, Lasso
from mcviz.app.needs import Need, offered
from mcviz.app.resources import class_names, numbers_of, scores_of, table
from mcviz.app.selection import Selection, passing
from mcviz.app.state import one_of
from mcviz.app.views.linked import axis_title, lasso_chart, shown_lasso
from mcviz.figures import CORRECT, WRONG, Window, class_colour, coloured_map, scatter
from mcviz.figures.style import CLASSES, NAMED_CLASSES, NEUTRAL, diagonal
from mcviz.runs import Run
from mcviz.text import one_line


@dataclass(frozen=True)
class Colouring:
    """What the colours of the points show.

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


def scatter_view(selection: Selection) -> None:
    """The chart, what its corners mean, and the lasso that selects."""
    run, state, numbers = selection.run, selection.state, numbers_of(selection.run)
    labels = {name: number.label for name, number in numbers.items()}
    x, y, colourings = state.x, state.y, [*offered(COLOURINGS, run), *grouping_columns(run)]
    colouring = one_of(state.colour, colourings)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for axis, chosen in (("x", x), ("y", y)):
            st.selectbox(f"{axis} axis", list(labels), format_func=labels.__getitem__, **bound(axis, chosen))
        st.selectbox(
            "Colour",
            colourings,
            format_func=_colouring,
            **bound("colour", colouring),
        )

    linked_scatter(selection, x, y, colouring)
    if (x, y) == ("predictive_entropy", "mutual_information"):
        st.caption(
            "**Top right**: model (epistemic) uncertainty; the passes are confident of different classes, and more "
            "training examples of this kind may help. **Bottom right**: data (aleatoric) uncertainty; every single "
            "pass is uncertain. **Bottom left**: confident; a wrong prediction here is the worst kind. No point can "
            "lie above the diagonal."
        )


def linked_scatter(
    selection: Selection,
    x: str,
    y: str,
    colouring: str,
    *,
    name: str = "scatter",
    line: bool = False,
    looks: bool = True,
) -> None:
    """The chart of two numbers, with the lasso that selects.

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
    labels = {each: number.label for each, number in numbers_of(run).items()}
    others = filters.without("lasso")
    ranked_by = state.score if colouring == "score" else ""
    lasso_chart(
        name,
        run,
        Lasso(x, y, ()),
        filters.lasso,
        (others, x, y, colouring, ranked_by, table_key(run)),
        lambda lasso, window: _figure(run, others, x, y, colouring, ranked_by, lasso, line, window),
        f"Scatter chart of {passing(run, others).sum():,} examples: {labels[x]} against {labels[y]}, "
        f"coloured by {_colouring(colouring)}. The table view lists the same numbers.",
        looks=looks,
    )


def _colouring(name: str) -> str:
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
    shown = passing(run, others)
    scores = table(run)[list(numbers_of(run))][shown]
    points, examples = (scores[x].to_numpy(), scores[y].to_numpy()), scores.index.to_numpy()
    more: dict[str, Any] = {
        "axes": (axis_title(run, x), axis_title(run, y)),
        **shown_lasso(lasso, x, y, scores),
        "window": window,
    }
    if ranked_by:
        score = scores_of(run)[ranked_by]
        values = scores[ranked_by].to_numpy()
        figure = coloured_map(*points, values, score.label, examples, uncertain_when=score.uncertain_when, **more)
    else:
        members, names, colours = _coloured(run, colouring)
        figure = scatter(*points, members[shown], names, colours, examples, **more)
    if line:
        both = np.concatenate(points)
        figure.add_shape(**diagonal(float(both.min()), float(both.max())))
    return figure


def _coloured(run: Run, colouring: str) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """The group of each example of a run, and the name and the colour of each group; of many groups the largest ten."""
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
