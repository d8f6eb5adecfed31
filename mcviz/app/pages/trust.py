"""Is the number honest, and what should a person do with it?"""

import streamlit as st

from mcviz.app.navigation import TRUST, UNCERTAIN, begin, require_classes
from mcviz.app.trust.failing import where_it_fails
from mcviz.app.trust.honesty import enough_passes, honesty
from mcviz.app.trust.referring import costs, prediction_sets, referring

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
honesty(run, state)
st.header("Who looks at what?", anchor=False)
referring(run, state)
left, right = st.columns(2, gap="large")
with left:
    st.subheader("What is cheapest?", anchor=False)
    costs(run, state)
with right:
    st.subheader("How many classes are possible?", anchor=False)
    prediction_sets(run, state)
st.header("Are there enough passes?", anchor=False)
enough_passes(run, state)
st.header("Where does it fail?", anchor=False)
where_it_fails(run, state)
