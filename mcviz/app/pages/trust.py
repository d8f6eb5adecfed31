"""How far a run's probabilities can be trusted, and which examples a person should look at."""

import streamlit as st

from mcviz.app.navigation import TRUST, UNCERTAIN, begin, require_classes
from mcviz.app.resources import has
from mcviz.app.trust.calibration import (
    render_estimate,
    render_group_choice,
    render_reliability,
    render_verdict,
    render_worst_slice,
)
from mcviz.app.trust.details import render_details
from mcviz.app.trust.referral import referral_summary, referred_gallery

run, state = begin(TRUST, "Can these numbers be trusted?")
require_classes(
    run,
    "This page is about probabilities of classes. How far the intervals of a regression can be trusted is shown on "
    "Uncertain examples, in the view Intervals.",
    UNCERTAIN,
)
if not has(run, "labels"):
    render_estimate(run, state)
    st.stop()
if len(run) < 2:
    st.info("One example is too few to tell how far a run can be trusted.", icon=":material/inbox:")
    st.stop()
render_verdict(run, state)
render_group_choice(run, state)
left, right = st.columns(2, gap="large")
with left:
    render_reliability(run, state)
with right:
    st.header("Who looks at what?", anchor=False)
    referral_summary(run, state)
referred_gallery(run, state)
worst = st.container()
render_details(run, state)
with worst:
    render_worst_slice(run, state)
