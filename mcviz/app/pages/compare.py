"""Two runs compared: which is better, which examples changed, and one example in both."""

import streamlit as st

from mcviz.analysis.comparison import scores_to_compare
from mcviz.app.beside import ComparedRun
from mcviz.app.comparing import both, changed, doubted, example_in_both, which_is_better
from mcviz.app.navigation import COMPARE, begin
from mcviz.app.resources import scores_of
from mcviz.app.state import one_of

run, state = begin(COMPARE, "What differs between two runs?")
other = both(run, state)
score = one_of(state.score, scores_to_compare(run, other), next(iter(scores_of(run))))
which_is_better(run, other, score)
if isinstance(run, ComparedRun):
    st.header("Which examples changed?", anchor=False)
    changed(run, state, score)
    st.header("One example in both", anchor=False)
    example_in_both(run, state, score)
    st.header("Do they doubt the same examples?", anchor=False)
    doubted(run, state, score)
