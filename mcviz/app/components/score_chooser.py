"""The choice of the score that examples are ranked by."""

import streamlit as st

from mcviz.app.components.widgets import bound
from mcviz.app.state import PageState
from mcviz.measures import SCORES


def score_chooser(label: str, state: PageState) -> None:
    """A choice among `SCORES`, which all pages share."""
    st.selectbox(
        label, list(SCORES), format_func=lambda name: SCORES[name].label, width=250, **bound("score", state.score)
    )
