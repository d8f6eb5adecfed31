"""Any score against any other, with a lasso."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.columns import grouping_columns, groups
from mcviz.app.components.widgets import bound
from mcviz.app.filters import Filters, Lasso
from mcviz.app.needs import Need, offered
from mcviz.app.resources import class_names, table
from mcviz.app.selection import Selection
from mcviz.app.state import go, one_of
from mcviz.app.views.linked import linked_chart
from mcviz.figures import CORRECT, WRONG, class_colour, scatter
from mcviz.figures.style import CLASSES, NAMED_CLASSES, NEUTRAL
from mcviz.measures import SCORES
from mcviz.runs import Run
from mcviz.text import one_line

CORNERS = 40  # of a lasso in the address


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
    "correct": Colouring("correct or wrong", needs={"labels"}),
    "label": Colouring("label", needs={"labels"}),
    "prediction": Colouring("prediction"),
}


def scatter_view(selection: Selection) -> None:
    """The chart, what its corners mean, and the lasso that selects."""
    run, state, filters = selection.run, selection.state, selection.filters
    x, y, colourings = state.x, state.y, [*offered(COLOURINGS, run), *grouping_columns(run)]
    colouring = one_of(state.colour, colourings)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for axis, chosen in (("x", x), ("y", y)):
            st.selectbox(f"{axis} axis", list(SCORES), format_func=_label, width=230, **bound(axis, chosen))
        st.selectbox(
            "Colour",
            colourings,
            format_func=_colouring,
            width=190,
            **bound("colour", colouring),
        )

    # All that the other filters leave is drawn, so that a lasso can be seen among its surroundings.
    others = filters.without("lasso")
    drawn = (others, x, y, colouring, run.digest)
    key, shows_it = linked_chart("scatter", drawn, lambda key: _drawn(key, x, y), filters.lasso)
    figure = _figure(run, others, x, y, colouring, None if shows_it else filters.lasso, state.example)
    with st.container(key="scatter"):
        st.plotly_chart(
            figure,
            key=key,
            on_select=lambda: _lassoed(key, filters, x, y),
            selection_mode=("lasso", "box"),
            config={"displaylogo": False, "modeBarButtonsToRemove": ["toImage"], "scrollZoom": False},
            alt=f"Scatter chart of {others.mask(table(run)).sum():,} examples: {_label(x)} against {_label(y)}, "
            f"coloured by {_colouring(colouring)}. The table view lists the same numbers.",
        )
    st.caption("Draw around points with the lasso, or choose the box at the top right: the points inside are selected.")
    if (x, y) == ("predictive_entropy", "mutual_information"):
        st.caption(
            "**Top right**: model (epistemic) uncertainty; the passes are confident of different classes, and more "
            "training examples of this kind would help. **Bottom right**: data (aleatoric) uncertainty; every single "
            "pass is uncertain. **Bottom left**: confident; a wrong prediction here is the worst kind. No point can "
            "lie above the diagonal."
        )


def _label(name: str) -> str:
    return SCORES[name].label


def _colouring(name: str) -> str:
    return COLOURINGS[name].label if name in COLOURINGS else one_line(name)


def _identity(run: Run) -> tuple[str, tuple[str, ...]]:
    """What a chart of a run depends on: its numbers, and the names of its classes."""
    return run.digest, run.class_names


@st.cache_resource(  # shared: a copy would be read from the same numbers, and still be another chart to the browser
    max_entries=8, show_spinner=False, hash_funcs={Lasso: repr, Filters: repr, Run: _identity}
)
def _figure(run: Run, others: Filters, x: str, y: str, colouring: str, lasso: Lasso | None, primary: int | None) -> Any:
    shown = others.mask(table(run))
    scores = table(run)[shown]
    members, names, colours = _coloured(run, colouring)
    return scatter(
        scores[x].to_numpy(),
        scores[y].to_numpy(),
        members[shown],
        names,
        colours,
        scores.index.to_numpy(),
        axes=(_label(x), _label(y)),
        outline=lasso.corners if lasso and (lasso.x, lasso.y) == (x, y) else (),
        selected=lasso.contains(scores) if lasso else None,
        primary=primary,
    )


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


def _lassoed(key: str, filters: Filters, x: str, y: str) -> None:
    """Filter by the lasso that was just drawn.

    A chart that is drawn anew reports that nothing is selected, so that changes nothing: the chip takes it off.
    """
    lasso = _drawn(key, x, y)
    if lasso:
        go(filters=replace(filters, lasso=lasso))


def _drawn(key: str, x: str, y: str) -> Lasso | None:
    """The lasso that the browser shows in a chart, with as many digits and corners as the address carries."""
    event = st.session_state.get(key)
    corners: Sequence[tuple[float, float]] = ()
    if event and event["selection"]["lasso"]:
        drawn = event["selection"]["lasso"][-1]
        corners = list(zip(drawn["x"], drawn["y"], strict=True))
    elif event and event["selection"]["box"]:
        (x0, x1), (y0, y1) = (event["selection"]["box"][-1][axis] for axis in "xy")
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    kept = corners[:: -(-len(corners) // CORNERS) or 1]
    if len(kept) < 3:
        return None
    written = Filters(lasso=Lasso(x, y, tuple((float(a), float(b)) for a, b in kept))).to_query()
    return Filters.from_query(written, 0, 0).lasso
