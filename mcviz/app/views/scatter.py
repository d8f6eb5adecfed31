"""Any score against any other, with a lasso."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from mcviz.app import address
from mcviz.app.selection import Outline, Selection
from mcviz.app.views.linked import linked_chart, primary_image
from mcviz.app.views.looked_at import LookedAt
from mcviz.figures import CORRECT, WRONG, class_colour, scatter
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
    drawn = (others, x, y, colouring, run.digest)
    key, shows_it = linked_chart("scatter", drawn, lambda key: _drawn(key, x, y), selection.outline)
    outline = None if shows_it else selection.outline
    figure = _figure(run, others, x, y, colouring, outline, primary_image(run))
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


@st.cache_resource(  # shared: a copy would be read from the same numbers, and still be another chart to the browser
    max_entries=8, show_spinner=False, hash_funcs={Outline: repr, Selection: repr, Run: lambda run: run.digest}
)
def _figure(
    run: Run, others: Selection, x: str, y: str, colouring: str, outline: Outline | None, primary: int | None
) -> Any:
    scores = run.scores()[others.mask(run.scores())]
    if colouring == BY_ANSWER:
        groups, names, colours = (~scores["correct"].astype(bool)).to_numpy(int), ["right", "wrong"], [CORRECT, WRONG]
    else:
        column = "label" if colouring == BY_TRUE else "prediction"
        groups, names = scores[column].to_numpy(int), list(run.class_names)
        colours = [class_colour(c) for c in range(len(names))]
    return scatter(
        scores[x].to_numpy(),
        scores[y].to_numpy(),
        groups,
        names,
        colours,
        scores.index.to_numpy(),
        axes=(_label(x), _label(y)),
        outline=outline.corners if outline and (outline.x, outline.y) == (x, y) else (),
        selected=outline.contains(scores) if outline else None,
        primary=primary,
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
