"""How good the model is, alone and as an ensemble, and what it is uncertain about."""

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.components.gallery import tiles
from mcviz.app.navigation import OVERVIEW, UNCERTAIN, begin, link_to
from mcviz.app.needs import met
from mcviz.app.resources import ranking
from mcviz.app.state import PageState
from mcviz.figures import accuracy_against_ensemble, accuracy_by_ensemble_size
from mcviz.measures import percent
from mcviz.runs import Run

SHOWN = 8
SETTLED = 0.0005  # of accuracy


def accuracies(single: np.ndarray, ensemble: np.ndarray, deterministic: float) -> None:
    """The three accuracies as numbers."""
    columns = st.columns(3)
    columns[0].metric("Deterministic", f"{deterministic:.2%}", border=True)
    columns[0].caption("Dropout off: the model as it is normally used. One prediction, no uncertainty.")
    columns[1].metric("One MC pass, on average", f"{single.mean():.2%}", border=True)
    columns[1].caption(f"Dropout left on: from {single.min():.2%} to {single.max():.2%} in {len(single):,} passes.")
    columns[2].metric("MC ensemble", f"{ensemble[-1]:.2%}", border=True)
    columns[2].caption(f"The mean of all {len(single):,} passes. How far they disagree is the uncertainty.")


def accuracy_charts(single: np.ndarray, ensemble: np.ndarray, deterministic: float, masks: str | None) -> None:
    """The single passes against their ensemble, and the ensemble against its size."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Accuracy versus ensemble", anchor=False)
        beaten = (single < ensemble[-1]).mean()
        spoken = (
            f"The ensemble is correct for {ensemble[-1]:.2%} of the examples and beats "
            f"{'every single pass' if beaten == 1 else f'{percent(beaten)} of the single passes'}; dropout off, the "
            f"model is correct for {deterministic:.2%}."
        )
        st.caption(spoken)
        chart(accuracy_against_ensemble(single, ensemble[-1], deterministic), "accuracies", spoken)
        if masks == "per_example":
            st.caption(
                "In this run each example drew masks of its own, so a pass is not one network: the accuracies of the "
                "passes scatter less than those of true ensemble members would."
            )
    with right:
        st.subheader("How many passes it takes", anchor=False)
        spoken = (
            f"Accuracy of the mean of the first 1, 2, … {len(ensemble)} passes. From {settled_at(ensemble)} passes on "
            "it stays within 0.05 percentage points of the end."
        )
        st.caption(spoken)
        chart(accuracy_by_ensemble_size(ensemble, deterministic), "ensemble-size", spoken)


def settled_at(ensemble: np.ndarray) -> int:
    """The number of passes from which on the ensemble's accuracy stays within 0.0005 of its last value."""
    away = np.flatnonzero(np.abs(ensemble - ensemble[-1]) > SETTLED)
    return int(away[-1]) + 2 if len(away) else 1


def most_uncertain(run: Run, state: PageState) -> None:
    """The examples that the ensemble is most uncertain of."""
    st.subheader("What it is most uncertain about", anchor=False)
    st.caption("The examples with the lowest max probability. ✗ marks a wrong prediction. Click one to look inside.")
    tiles(run, state, ranking(run, "max_probability")[:SHOWN], 1, "max_probability", key="most-uncertain")
    link_to(UNCERTAIN, "All examples, ranked", ":material/arrow_forward:")


run, state = begin(OVERVIEW, "What is this model uncertain about?")
single, ensemble, deterministic = run.pass_accuracy, run.ensemble_accuracy, run.deterministic_accuracy
if not met(run, {"labels"}) or single is None or ensemble is None or deterministic is None:
    most_uncertain(run, state)
else:
    accuracies(single, ensemble, deterministic)
    most_uncertain(run, state)
    accuracy_charts(single, ensemble, deterministic, run.manifest.masks)
