"""How far a run's probabilities can be trusted, and which examples a person should look at."""

import streamlit as st

from mcviz.app.navigation import TRUST, UNCERTAIN, begin, require_classes
from mcviz.app.trust.calibration import render_calibration, render_convergence
from mcviz.app.trust.degradation import render_degradation
from mcviz.app.trust.referral import render_costs, render_prediction_sets, render_referral
from mcviz.app.trust.slices import render_worst_slice

run, state = begin(TRUST, "Can these numbers be trusted?")
require_classes(
    run,
    "This page is about probabilities of classes. How far the intervals of a regression can be trusted is shown on "
    "Uncertain examples, in the view Intervals.",
    UNCERTAIN,
)
if len(run) < 2:
    st.info("One example is too few to tell how far a run can be trusted.", icon=":material/inbox:")
    st.stop()
st.header("Is the number honest?", anchor=False)
render_calibration(run, state)
st.header("Who looks at what?", anchor=False)
render_referral(run, state)
left, right = st.columns(2, gap="large")
with left:
    st.subheader("What is cheapest?", anchor=False)
    render_costs(run, state)
with right:
    st.subheader("How many classes are possible?", anchor=False)
    render_prediction_sets(run, state)
st.header("Are there enough passes?", anchor=False)
render_convergence(run, state)
st.header("Where does it fail?", anchor=False)
render_degradation(run, state)
st.header("Where is it worst?", anchor=False)
render_worst_slice(run, state)
