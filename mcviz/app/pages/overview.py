"""How accurate the model is, one pass and the ensemble, and what it is most uncertain about."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.components.gallery import tiles
from mcviz.app.navigation import OVERVIEW, UNCERTAIN, begin, link_to
from mcviz.app.needs import has, met
from mcviz.app.resources import ranking
from mcviz.app.state import PageState
from mcviz.app.wording import accuracy_labels, as_sentence, counted
from mcviz.figures import accuracy_against_ensemble, accuracy_by_ensemble_size
from mcviz.measures import percent
from mcviz.runs import Run

SHOWN = 8
SETTLED = 0.0005  # of accuracy


def accuracies(run: Run, single: np.ndarray, ensemble: np.ndarray, deterministic: float | None) -> None:
    """The accuracies as numbers: of the deterministic model where it is known, of one pass, of the ensemble."""
    off, on = ("", "") if run.manifest.origin.kind == "imported" else ("Dropout off: ", "Dropout on: ")
    values = (
        (deterministic, as_sentence(f"{off}one prediction, no uncertainty")),
        (single.mean(), as_sentence(f"{on}{single.min():.2%} to {single.max():.2%}")),
        (ensemble[-1], f"The mean of {counted(len(single), 'pass')}. How far they disagree is the uncertainty."),
    )
    named = zip(accuracy_labels(run.manifest), values, strict=True)
    shown = [(label, accuracy, meaning) for label, (accuracy, meaning) in named if accuracy is not None]
    for column, (label, accuracy, meaning) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(label, f"{accuracy:.2%}", border=True)
        column.caption(meaning)


@st.cache_resource(max_entries=8, show_spinner=False)
def accuracy_figures(digest: str, _run: Run) -> tuple[go.Figure, go.Figure]:  # noqa: ARG001 (the digest is the key)
    """The two charts of a run, drawn once for all sessions."""
    single, ensemble, deterministic = _run.pass_accuracy, _run.ensemble_accuracy, _run.deterministic_accuracy
    assert single is not None
    assert ensemble is not None
    return (
        accuracy_against_ensemble(single, ensemble[-1], deterministic),
        accuracy_by_ensemble_size(ensemble, deterministic),
    )


def accuracy_charts(run: Run, single: np.ndarray, ensemble: np.ndarray) -> None:
    """The single passes against their ensemble, and the ensemble against its size."""
    against_ensemble, by_size = accuracy_figures(run.digest, run)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Accuracy versus ensemble", anchor=False)
        beaten = (single < ensemble[-1]).mean()
        passes = "every single pass" if beaten == 1 else f"{percent(beaten)} of the single passes"
        spoken = f"The ensemble beats {passes}."
        st.caption(spoken)
        chart(against_ensemble, "accuracies", spoken)
    with right:
        st.subheader("How many passes it takes", anchor=False)
        spoken = (
            f"Accuracy of the mean of the first 1, 2, … passes. From {counted(settled_at(ensemble), 'pass')} on it "
            "stays within 0.05 percentage points of the end."
        )
        st.caption(spoken)
        chart(by_size, "ensemble-size", spoken)


def settled_at(ensemble: np.ndarray) -> int:
    """The number of passes from which on the ensemble's accuracy stays within 0.0005 of its last value."""
    away = np.flatnonzero(np.abs(ensemble - ensemble[-1]) > SETTLED)
    return int(away[-1]) + 2 if len(away) else 1


def most_uncertain(run: Run, state: PageState) -> None:
    """The examples that the ensemble is most uncertain of."""
    st.subheader("What it is most uncertain about", anchor=False)
    wrong = " ✗ marks a wrong prediction." if has(run, "labels") else ""
    st.caption(f"The examples with the lowest max probability.{wrong} Click one to open it.")
    tiles(run, state, ranking(run, "max_probability")[:SHOWN], 1, "max_probability", key="most-uncertain")
    link_to(UNCERTAIN, "All examples, ranked", ":material/arrow_forward:")


run, state = begin(OVERVIEW, "What is this model uncertain about?")
single, ensemble, deterministic = run.pass_accuracy, run.ensemble_accuracy, run.deterministic_accuracy
if not met(run, {"labels"}) or single is None or ensemble is None:
    most_uncertain(run, state)
else:
    accuracies(run, single, ensemble, deterministic)
    most_uncertain(run, state)
    accuracy_charts(run, single, ensemble)
