"""The choice of the score that examples are ranked by."""

import streamlit as st

from mcviz.app.components.widgets import bind
from mcviz.app.resources import run_scores
from mcviz.app.state import PageState
from mcviz.runs import Run


def score_chooser(label: str, run: Run, state: PageState) -> None:
    """Render a choice among the scores of a run, which all pages share."""
    scores = run_scores(run)
    st.selectbox(
        label,
        list(scores),
        format_func=lambda name: scores[name].label,
        width=290,
        help="\n\n".join(f"**{score.label}**: {score.meaning}" for score in scores.values()),
        **bind("score", state.score),
    )
