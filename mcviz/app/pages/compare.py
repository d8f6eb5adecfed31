"""Two runs compared: which is better, which examples changed, and one example in both."""

import streamlit as st

from mcviz.analysis.comparison import scores_to_compare
from mcviz.app.comparison import (
    choose_other,
    load_other,
    render_changes,
    render_doubt,
    render_example_in_both,
    render_verdict,
)
from mcviz.app.navigation import COMPARE, begin
from mcviz.app.resources import ComparedRun, run_scores
from mcviz.app.state import PageState, choose_name
from mcviz.app.wording import as_markdown, counted
from mcviz.runs import Run


def describe_pair(run: Run, _state: PageState) -> str:
    """Say which runs are compared, and on how many examples."""
    if not isinstance(run, ComparedRun):
        return f"**{as_markdown(run.name)}** against another run: which is better, and on which examples?"
    both = counted(len(run.pairs), "example")
    return f"**{as_markdown(run.name)}** against **{as_markdown(run.other.name)}**, on {both} that both have."


run, state = begin(COMPARE, describe_pair)
choose_other(run, state)
other = load_other(run, state)
score = choose_name(state.score, scores_to_compare(run, other), next(iter(run_scores(run))))
render_verdict(run, other, state, score)
if isinstance(run, ComparedRun):
    st.header("Which examples changed?", anchor=False)
    render_changes(run, state, score)
    st.header("One example in both", anchor=False)
    render_example_in_both(run, state, score)
    st.header("Are they uncertain about the same examples?", anchor=False)
    render_doubt(run, state, score)
