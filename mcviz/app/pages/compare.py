"""Two runs compared: which is better, which examples changed, and one example in both."""

import streamlit as st

from mcviz.analysis.comparison import scores_to_compare
from mcviz.app.comparison import load_other, render_changes, render_doubt, render_example_in_both, render_verdict
from mcviz.app.navigation import COMPARE, begin
from mcviz.app.resources import ComparedRun, run_scores
from mcviz.app.state import choose_name

run, state = begin(COMPARE, "What differs between two runs?")
other = load_other(run, state)
score = choose_name(state.score, scores_to_compare(run, other), next(iter(run_scores(run))))
render_verdict(run, other, state, score)
if isinstance(run, ComparedRun):
    st.header("Which examples changed?", anchor=False)
    render_changes(run, state, score)
    st.header("One example in both", anchor=False)
    render_example_in_both(run, state, score)
    st.header("Do they doubt the same examples?", anchor=False)
    render_doubt(run, state, score)
