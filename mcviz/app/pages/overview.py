"""How good the model is, alone and as an ensemble, and what it is unsure about."""

import numpy as np
import streamlit as st

from mcviz.app.parts import UNCERTAIN, chart, ranking, title
from mcviz.app.resources import current_run
from mcviz.app.views.gallery import tiles
from mcviz.app.wording import percent
from mcviz.figures import accuracy_against_ensemble, accuracy_by_ensemble_size
from mcviz.runs import Run

SHOWN = 8
SETTLED = 0.0005  # of accuracy


def accuracies(single: np.ndarray, ensemble: np.ndarray, ordinary: float) -> None:
    """The three accuracies as numbers."""
    columns = st.columns(3)
    columns[0].metric("Ordinary model", f"{ordinary:.2%}", border=True)
    columns[0].caption("Dropout off: the model as it is normally used. One answer, no doubt shown.")
    columns[1].metric("One MC pass, on average", f"{single.mean():.2%}", border=True)
    columns[1].caption(f"Dropout left on: from {single.min():.2%} to {single.max():.2%} in {len(single):,} passes.")
    columns[2].metric("MC ensemble", f"{ensemble[-1]:.2%}", border=True)
    columns[2].caption(f"The mean of all {len(single):,} passes. How far they disagree is the doubt.")


def accuracy_charts(single: np.ndarray, ensemble: np.ndarray, ordinary: float, masks: str) -> None:
    """The single passes against their ensemble, and the ensemble against its size."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Accuracy versus ensemble", anchor=False)
        beaten = (single < ensemble[-1]).mean()
        spoken = (
            f"The ensemble is right for {ensemble[-1]:.2%} of the images and beats "
            f"{'every single pass' if beaten == 1 else f'{percent(beaten)} of the single passes'}; the ordinary model "
            f"is right for {ordinary:.2%}."
        )
        st.caption(spoken)
        chart(accuracy_against_ensemble(single, ensemble[-1], ordinary), "accuracies", spoken)
        if masks == "per_example":
            st.caption(
                "In this run each image drew masks of its own, so a pass is not one network: the accuracies of the "
                "passes scatter less than those of true ensemble members would."
            )
    with right:
        st.subheader("How many passes it takes", anchor=False)
        spoken = (
            f"Accuracy of the mean of the first 1, 2, … {len(ensemble)} passes. From {settled_at(ensemble)} passes on "
            "it stays within 0.05 percentage points of the end."
        )
        st.caption(spoken)
        chart(accuracy_by_ensemble_size(ensemble, ordinary), "ensemble-size", spoken)


def settled_at(ensemble: np.ndarray) -> int:
    """The number of passes from which on the ensemble's accuracy stays within 0.0005 of its last value."""
    away = np.flatnonzero(np.abs(ensemble - ensemble[-1]) > SETTLED)
    return int(away[-1]) + 2 if len(away) else 1


def most_uncertain(run: Run) -> None:
    """The images that the ensemble is least sure of."""
    st.subheader("What it is least sure about", anchor=False)
    st.caption("The images with the lowest max probability. ✗ marks a wrong answer. Click an image to look inside.")
    tiles(run, ranking(run.digest, "max_probability", run)[:SHOWN], 1, "max_probability", key="most-uncertain")
    st.page_link(UNCERTAIN.script, label="All images, ranked", icon=":material/arrow_forward:")


run = current_run()
title("What is this model unsure about?", run)
single, ensemble, ordinary = run.pass_accuracy, run.ensemble_accuracy, run.deterministic_accuracy
if single is None or ensemble is None or ordinary is None:
    st.info(
        "The images of this run have no labels, so nothing can be said about accuracy.", icon=":material/label_off:"
    )
    most_uncertain(run)
else:
    accuracies(single, ensemble, ordinary)
    most_uncertain(run)
    accuracy_charts(single, ensemble, ordinary, run.manifest.masks)
