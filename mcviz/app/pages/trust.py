"""How far a run's probabilities can be trusted, and which examples a person should look at."""

import streamlit as st

from mcviz.analysis.base import LEAST_LABELLED
from mcviz.app.navigation import EXPLORE, TRUST, begin, require_classes
from mcviz.app.resources import has
from mcviz.app.state import PageState
from mcviz.app.trust.calibration import (
    calibration_verdict,
    render_estimate,
    render_gain,
    render_group_choice,
    render_reliability,
    render_worst_slice,
)
from mcviz.app.trust.details import render_details
from mcviz.app.trust.referral import referral_summary, referred_gallery
from mcviz.app.wording import counted
from mcviz.runs import Run


def describe_trust(run: Run, state: PageState) -> str:
    """Say whether the ensemble is calibrated, where labels tell it."""
    if has(run, "classes") and has(run, "labels"):
        return calibration_verdict(run, state) if len(run) >= LEAST_LABELLED else "There is one example."
    if has(run, "classes"):
        return f"Without labels, the accuracy on {counted(len(run), 'example')} can only be estimated."
    return f"This run predicts numbers for {counted(len(run), 'example')}, and no probabilities."


run, state = begin(TRUST, describe_trust)
require_classes(
    run,
    "This page is about probabilities of classes. How far the intervals of a regression can be trusted is shown on "
    "Explore, in the view Intervals.",
    EXPLORE,
)
if not has(run, "labels"):
    render_estimate(run, state)
    st.stop()
if len(run) < LEAST_LABELLED:
    st.info("One example is too few to tell how far a run can be trusted.", icon=":material/inbox:")
    st.stop()
render_gain(run, state)
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
