"""The ensemble's confusion matrix, each square of which is a selection."""

from dataclasses import replace

import streamlit as st

from mcviz.app import address
from mcviz.app.selection import Selection
from mcviz.app.views.looked_at import LookedAt
from mcviz.app.wording import percent
from mcviz.figures import confusion_matrix
from mcviz.measures import SCORES

COUNTS, UNCERTAINTY = "images", "mean of the score"


def confusion_view(looked: LookedAt) -> None:
    """The matrix of all images that the other filters leave; a click selects a square."""
    selection = looked.selection
    colouring = address.one_of("squares", [COUNTS, UNCERTAINTY], COUNTS)
    st.segmented_control("Squares show", [COUNTS, UNCERTAINTY], required=True, **address.bound("squares", colouring))
    shown = looked.run.scores()[replace(selection, true=(), said=()).mask(looked.run.scores())]
    if shown.empty:
        st.info("No image passes the other filters.", icon=":material/filter_alt_off:")
        return
    score = SCORES[looked.score]
    averaged = colouring == UNCERTAINTY
    figure = confusion_matrix(
        shown["true_class"].to_numpy(int),
        shown["predicted_class"].to_numpy(int),
        looked.run.class_names,
        shown[looked.score].to_numpy() if averaged else None,
        f"mean {score.label.lower()}" if averaged else "images off the diagonal",
    )
    wrong = ~shown["correct"].astype(bool)
    st.plotly_chart(
        figure,
        key=f"confusion-{colouring}",
        on_select=lambda: _clicked(selection, f"confusion-{colouring}", len(looked.run.class_names)),
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"Confusion matrix of {len(shown):,} images, {wrong.sum():,} of them ({percent(wrong.mean())}) off the "
        "diagonal. The table view lists true and predicted class of each.",
    )
    st.caption("Click a square to select its images. The outlined diagonal holds the right answers.")


def _clicked(selection: Selection, key: str, classes: int) -> None:
    points = st.session_state[key]["selection"]["points"]  # none when the chart is drawn anew, which changes nothing
    if points:
        true, said = divmod(int(points[0]["customdata"]), classes)
        address.select(replace(selection, true=(true,), said=(said,)))
