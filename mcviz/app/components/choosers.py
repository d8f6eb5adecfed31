"""Choices that several pages share: of the score that examples are ranked by, and of the target that charts show."""

import streamlit as st

from mcviz.app.components.widgets import bind
from mcviz.app.resources import run_scores, target_names
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


def target_chooser(run: Run, state: PageState) -> None:
    """Render a choice among the targets of a run, which all pages share; nothing where there is only one."""
    names = target_names(run)
    if len(names) > 1:
        st.selectbox(
            "Target", range(len(names)), format_func=names.__getitem__, width=320, **bind("target", state.target)
        )
