"""Any score against any other, with a lasso."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

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
    others = replace(selection, outline=None)
    key, shows_it = _chart(selection, x, y, colouring, run.digest)
    outline = selection.outline if selection.outline and (selection.outline.x, selection.outline.y) == (x, y) else None
    figure = _figure(run, others, x, y, colouring, None if shows_it else outline)
    with st.container(key="scatter"):
        st.plotly_chart(
            figure,
            key=key,
            on_select=lambda: _outlined(key, selection, x, y),
            selection_mode=("lasso", "box"),
            config={"displaylogo": False, "modeBarButtonsToRemove": ["toImage"], "scrollZoom": False},
            alt=f"Scatter chart of {others.mask(run.scores()).sum():,} images: {_label(x)} against {_label(y)}, "
            f"coloured by {colouring}. The table view lists the same numbers.",
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


def _chart(selection: Selection, x: str, y: str, *others: str) -> tuple[str, bool]:
    """The key of the chart, and whether the browser shows the outline by itself, because it was drawn there.

    Such a chart is left alone: drawing ten thousand points anew takes longer than all else that a lasso does. It has to
    be a new one where other points are drawn, or where the browser shows an outline that is no more.
    """
    points = (replace(selection, outline=None), x, y, *others)
    before, number = st.session_state.get("scatter-chart", (points, 0))
    shown = _drawn(f"scatter-{number}", x, y)
    if points != before or (shown and shown != selection.outline):
        number, shown = number + 1, None
    st.session_state["scatter-chart"] = points, number
    return f"scatter-{number}", shown is not None


@st.cache_resource(  # shared: a copy would be read from the same numbers, and still be another chart to the browser
    max_entries=8, show_spinner=False, hash_funcs={Outline: repr, Selection: repr, Run: lambda run: run.digest}
)
def _figure(run: Run, others: Selection, x: str, y: str, colouring: str, outline: Outline | None) -> Any:
    scores = run.scores()[others.mask(run.scores())]
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


def _outlined(key: str, selection: Selection, x: str, y: str) -> None:
    """Make what was just drawn the outline.

    A chart that is drawn anew reports that nothing is selected, so that changes nothing: the chip takes it off.
    """
    outline = _drawn(key, x, y)
    if outline:
        address.select(replace(selection, outline=outline))


def _drawn(key: str, x: str, y: str) -> Outline | None:
    """The outline that the browser shows in a chart, with as many digits and corners as the address carries."""
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
    written = Selection(outline=Outline(x, y, tuple((float(a), float(b)) for a, b in kept))).to_query()
    return Selection.from_query(written, 0, 0).outline
