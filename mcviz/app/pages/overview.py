"""How good the model is, alone and as an ensemble, and what it is unsure about."""

import streamlit as st

from mcviz.app.gallery import gallery
from mcviz.app.opened import current_run
from mcviz.app.parts import EXAMPLE_PAGE, UNCERTAIN_PAGE, chart, title
from mcviz.app.wording import percent
from mcviz.figures import accuracy_against_ensemble, accuracy_by_ensemble_size
from mcviz.measures import most_uncertain_first
from mcviz.runs import Run

SHOWN = 8


def accuracies(run: Run) -> None:
    """The three accuracies as numbers."""
    single = run.pass_accuracy
    ordinary, one_pass, ensemble = st.columns(3)
    ordinary.metric("Ordinary model", f"{run.plain_accuracy:.2%}", border=True)
    ordinary.caption("Dropout off: the model as it is normally used. One answer, no doubt shown.")
    one_pass.metric("One MC pass, on average", f"{single.mean():.2%}", border=True)
    one_pass.caption(f"Dropout left on: from {single.min():.2%} to {single.max():.2%} in {len(single):,} passes.")
    ensemble.metric("MC ensemble", f"{run.ensemble_accuracy[-1]:.2%}", border=True)
    ensemble.caption(f"The mean of all {len(single):,} passes. How far they disagree is the doubt.")


def accuracy_charts(run: Run) -> None:
    """The single passes against their ensemble, and the ensemble against its size."""
    single, ensemble = run.pass_accuracy, run.ensemble_accuracy
    beaten = (single < ensemble[-1]).mean()
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Accuracy versus ensemble", anchor=False)
        spoken = (
            f"The ensemble is right for {ensemble[-1]:.2%} of the images and beats {percent(beaten)} of the single "
            f"passes; the ordinary model is right for {run.plain_accuracy:.2%}."
        )
        st.caption(spoken)
        chart(accuracy_against_ensemble(single, ensemble[-1], run.plain_accuracy), "accuracies", spoken)
        if run.manifest.masks == "per_example":
            st.caption(
                "In this run each image drew masks of its own, so a pass is not one network: the accuracies of the "
                "passes scatter less than those of true ensemble members would."
            )
    with right:
        st.subheader("How many passes it takes", anchor=False)
        within = int((abs(ensemble - ensemble[-1]) <= 0.0005)[::-1].argmin())
        enough = len(ensemble) - within + 1 if within else 1
        spoken = (
            f"Accuracy of the mean of the first 1, 2, … {len(ensemble)} passes. From pass {enough} on it stays within "
            "0.05 percentage points of the end."
        )
        st.caption(spoken)
        chart(accuracy_by_ensemble_size(ensemble, run.plain_accuracy), "ensemble-size", spoken)


def most_uncertain(run: Run) -> None:
    """The images that the ensemble is least sure of."""
    st.subheader("What it is least sure about", anchor=False)
    st.caption("The images with the lowest max probability. ✗ marks a wrong answer. Click an image to look inside.")
    order = most_uncertain_first("max_probability", run.scores()["max_probability"].to_numpy())[:SHOWN]
    opened = gallery(run, order, 1, "max_probability", key="most-uncertain")
    if opened is not None:
        st.switch_page(EXAMPLE_PAGE, query_params={"image": opened})
    st.page_link(UNCERTAIN_PAGE, label="All images, ranked", icon=":material/arrow_forward:")


run = current_run()
title("What is this model unsure about?", run)
if run.labels is not None:
    accuracies(run)
else:
    st.info(
        "The images of this run have no labels, so nothing can be said about accuracy.", icon=":material/label_off:"
    )
most_uncertain(run)
if run.labels is not None:
    accuracy_charts(run)
