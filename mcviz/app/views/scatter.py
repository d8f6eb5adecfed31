"""Any score against any other, with a lasso."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app import address
from mcviz.app.selection import Outline, Selection
from mcviz.app.views.looked_at import LookedAt
from mcviz.figures import RIGHT, WRONG, class_colour, scatter
from mcviz.measures import SCORES
from mcviz.runs import Run

CORNERS = 40  # of an outline in the address
BY_ANSWER, BY_TRUE, BY_SAID = "right or wrong", "true class", "predicted class"


def scatter_view(looked: LookedAt) -> None:
    """The chart, what its corners mean, and the lasso that makes a selection."""
    run, selection = looked.run, looked.selection
    x = address.one_of("x", list(SCORES), "predictive_entropy")
    y = address.one_of("y", list(SCORES), "mutual_information")
    colourings = [BY_ANSWER, BY_TRUE, BY_SAID] if run.labels is not None else [BY_SAID]
    colouring = address.one_of("colour", colourings, colourings[0])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for axis, chosen in (("x", x), ("y", y)):
            st.selectbox(f"{axis} axis", list(SCORES), format_func=_label, width=190, **address.bound(axis, chosen))
        st.selectbox("Colour", colourings, width=150, **address.bound("colour", colouring))

    # All that the other filters leave is drawn, so that an outline can be seen among its surroundings.
    shown = np.flatnonzero(replace(selection, outline=None).mask(run.scores()))
    outline = selection.outline if selection.outline and (selection.outline.x, selection.outline.y) == (x, y) else None
    figure = _figure(run, shown, x, y, colouring, outline)
    st.plotly_chart(
        figure,
        key="scatter",
        on_select=lambda: _outlined(selection, x, y),
        selection_mode=("lasso", "box"),
        config={"displaylogo": False, "modeBarButtonsToRemove": ["toImage"], "scrollZoom": False},
        alt=f"Scatter chart of {len(shown):,} images: {_label(x)} against {_label(y)}, coloured by {colouring}. "
        "The table view lists the same numbers.",
    )
    st.caption("Draw around points with the lasso, or choose the box at the top right: what is inside is selected.")
    if (x, y) == ("predictive_entropy", "mutual_information"):
        st.caption(
            "**Right and high up**: doubt in the model; the passes are sure of different classes, and more training "
            "images of this kind would help. **Right and low**: doubt in the data; every pass is torn, as a person may "
            "be. **Left and low**: sure; a wrong answer there is the worst kind. Nothing can lie above the diagonal."
        )


def _label(name: str) -> str:
    return SCORES[name].label


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs={Outline: repr, Run: lambda run: run.digest})
def _figure(run: Run, shown: np.ndarray, x: str, y: str, colouring: str, outline: Outline | None) -> Any:
    scores = run.scores().iloc[shown]
    if colouring == BY_ANSWER:
        groups, names, colours = (~scores["correct"].astype(bool)).to_numpy(int), ["right", "wrong"], [RIGHT, WRONG]
    else:
        column = "true_class" if colouring == BY_TRUE else "predicted_class"
        groups, names = scores[column].to_numpy(int), list(run.class_names)
        colours = [class_colour(c) for c in range(len(names))]
    values = scores[x].to_numpy(), scores[y].to_numpy()
    return scatter(
        *values, groups, names, colours, axes=(_label(x), _label(y)), outline=outline.corners if outline else ()
    )


def _outlined(selection: Selection, x: str, y: str) -> None:
    """Make what was just drawn the outline.

    A chart that is drawn anew reports that nothing is selected, so that changes nothing: the chip takes it off.
    """
    drawn = st.session_state["scatter"]["selection"]
    corners: Sequence[tuple[float, float]] = ()
    if drawn["lasso"]:
        corners = list(zip(drawn["lasso"][-1]["x"], drawn["lasso"][-1]["y"], strict=True))
    elif drawn["box"]:
        (x0, x1), (y0, y1) = drawn["box"][-1]["x"], drawn["box"][-1]["y"]
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    kept = corners[:: -(-len(corners) // CORNERS) or 1]
    if len(kept) >= 3:
        outline = Outline(x, y, tuple((float(a), float(b)) for a, b in kept))
        address.select(replace(selection, outline=outline))
