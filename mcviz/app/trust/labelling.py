"""What to label next: a list of examples, by a method of active learning, to take away."""

from functools import partial

import streamlit as st

from mcviz.analysis.labelling import acquire
from mcviz.choices import METHODS, Method
from mcviz.runs import Run
from mcviz.text import one_line

USUAL = 100  # examples
LABELS: dict[Method, str] = {
    "bald": "BALD",
    "power-bald": "PowerBALD",
    "batch-bald": "BatchBALD",
    "entropy": "entropy",
    "random": "at random",
}


def what_to_label_next(run: Run) -> None:
    """The method, how many, and the button; the list is of the whole run, made when it is asked for."""
    methods = [method for method in METHODS if method != "batch-bald" or run.manifest.masks != "per_example"]
    st.markdown("**To label next**")
    method = st.selectbox("Method", methods, format_func=LABELS.__getitem__, key="acquire-method")
    batch = st.number_input("How many examples", 1, len(run), min(USUAL, len(run)), key="acquire-batch")
    if method == "batch-bald":
        st.caption("BatchBALD compares the passes of all examples, which takes some seconds.")
    st.download_button(
        "List as CSV",
        partial(_csv, run, method, int(batch)),
        file_name=f"{one_line(run.name)}-to-label-{batch}.csv",
        mime="text/csv",
        key="acquire",
        on_click="ignore",
        width="stretch",
        help="Of the whole run, whatever the filters; `mcviz acquire` writes the same.",
    )


def _csv(run: Run, method: Method, batch: int) -> bytes:
    return acquire(run, method, batch).to_csv(index=False).encode()
