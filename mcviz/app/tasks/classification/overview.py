"""How often a classifier is correct: with dropout off, in one pass, and as an ensemble."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from mcviz.app.components.charts import headed_chart
from mcviz.app.wording import as_sentence, counted, ways_to_predict
from mcviz.figures import accuracy_against_ensemble, accuracy_by_ensemble_size
from mcviz.measures import percent
from mcviz.runs import Run

SETTLED = 0.0005  # of accuracy


def cards(run: Run) -> None:
    """The accuracies as numbers: of the deterministic model where it is known, of one pass, of the ensemble."""
    single, ensemble = accuracies(run)
    off, on = ("", "") if run.manifest.origin.kind == "imported" else ("Dropout off: ", "Dropout on: ")
    values = (
        (run.deterministic_accuracy, as_sentence(f"{off}one prediction, no uncertainty")),
        (single.mean(), as_sentence(f"{on}{single.min():.2%} to {single.max():.2%}")),
        (ensemble[-1], f"The mean of {counted(len(single), 'pass')}. How far they disagree is the uncertainty."),
    )
    named = zip(ways_to_predict(run.manifest), values, strict=True)
    shown = [(label, accuracy, meaning) for label, (accuracy, meaning) in named if accuracy is not None]
    for column, (label, accuracy, meaning) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(f"{label}: accuracy", f"{accuracy:.2%}", border=True)
        column.caption(meaning)


def charts(run: Run) -> None:
    """The single passes against their ensemble, and the ensemble against its size."""
    single, ensemble = accuracies(run)
    against_ensemble, by_size = _figures(run.digest, run)
    left, right = st.columns(2, gap="large")
    with left:
        beaten = (single < ensemble[-1]).mean()
        passes = "every single pass" if beaten == 1 else f"{percent(beaten)} of the single passes"
        headed_chart("Accuracy versus ensemble", against_ensemble, "accuracies", f"The ensemble beats {passes}.")
    with right:
        spoken = (
            f"Accuracy of the mean of the first 1, 2, … passes. From {counted(settled_at(ensemble), 'pass')} on it "
            "stays within 0.05 percentage points of the end."
        )
        headed_chart("How many passes it takes", by_size, "ensemble-size", spoken)


def accuracies(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """(T,) the accuracies of the single passes and of their means, of a run with labels."""
    single, ensemble = run.pass_accuracy, run.ensemble_accuracy
    assert single is not None
    assert ensemble is not None
    return single, ensemble


def settled_at(ensemble: np.ndarray) -> int:
    """The number of passes from which on the ensemble's accuracy stays within 0.0005 of its last value."""
    away = np.flatnonzero(np.abs(ensemble - ensemble[-1]) > SETTLED)
    return int(away[-1]) + 2 if len(away) else 1


@st.cache_resource(max_entries=8, show_spinner=False)
def _figures(digest: str, _run: Run) -> tuple[go.Figure, go.Figure]:  # noqa: ARG001 (the digest is the key)
    """The two charts of a run, drawn once for all sessions."""
    single, ensemble = accuracies(_run)
    return (
        accuracy_against_ensemble(single, ensemble[-1], _run.deterministic_accuracy),
        accuracy_by_ensemble_size(ensemble, _run.deterministic_accuracy),
    )
