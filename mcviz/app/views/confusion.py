"""The ensemble's confusion matrix, each square of which is a selection."""

from dataclasses import replace

import streamlit as st

from mcviz.app import address
from mcviz.app.selection import Selection
from mcviz.app.views.linked import linked_chart
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
    others = replace(selection, true=(), said=())
    shown = looked.run.scores()[others.mask(looked.run.scores())]
    if shown.empty:
        st.info("No image passes the other filters.", icon=":material/filter_alt_off:")
        return
    score = SCORES[looked.score]
    averaged = colouring == UNCERTAINTY
    classes = len(looked.run.class_names)
    one_square = len(selection.true) == len(selection.said) == 1
    square = (selection.true[0], selection.said[0]) if one_square else None
    drawn = (others, colouring, looked.score if averaged else None, looked.run.digest)
    key, shows_it = linked_chart("confusion", drawn, lambda key: _square(key, classes), square)
    figure = confusion_matrix(
        shown["label"].to_numpy(int),
        shown["prediction"].to_numpy(int),
        looked.run.class_names,
        shown[looked.score].to_numpy() if averaged else None,
        f"mean {score.label.lower()}" if averaged else "images off the diagonal",
        score.uncertain_when if averaged else "high",
        None if shows_it else square,
    )
    wrong = ~shown["correct"].astype(bool)
    st.plotly_chart(
        figure,
        key=key,
        on_select=lambda: _clicked(selection, key, classes),
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"Confusion matrix of {len(shown):,} images, {wrong.sum():,} of them ({percent(wrong.mean())}) off the "
        "diagonal. The table view lists true and predicted class of each.",
    )
    st.caption("Click a square to select its images. The outlined diagonal holds the right answers.")


def _square(key: str, classes: int) -> tuple[int, int] | None:
    """The true and the predicted class of the square that the browser shows as selected, or None."""
    event = st.session_state.get(key)
    if not event or not event["selection"]["points"]:
        return None
    return divmod(int(event["selection"]["points"][0]["customdata"]), classes)


def _clicked(selection: Selection, key: str, classes: int) -> None:
    square = _square(key, classes)
    if square:  # none when the chart is drawn anew, which changes nothing
        true, said = square
        address.select(replace(selection, true=(true,), said=(said,)))
