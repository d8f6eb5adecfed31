"""How well this run's model tells what it was not made for."""

import streamlit as st

from mcviz.app.navigation import OUT_OF_DISTRIBUTION, PROBE, begin, require_classes
from mcviz.app.ood.computing import another_set, first_comparison, kept_scores
from mcviz.app.ood.showing import behind, dots, sentences, table

run, state = begin(OUT_OF_DISTRIBUTION, "Does the model notice what it was not made for?")
require_classes(
    run,
    "This page is about probabilities of classes. How unusual an input is to a regression is shown on Probe, by "
    "the spread of its passes.",
    PROBE,
)
found = kept_scores(run)
if found is None:
    first_comparison(run)
    st.stop()
if found.sets:
    sentences(found)
    dots(run, found)
    st.header("Every detector", anchor=False)
    table(found)
    behind(run, found, state)
another_set(run, found)
