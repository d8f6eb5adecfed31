"""The rows of a run's table: their values, the names of their columns, and what is usual in each column."""

import numpy as np
import streamlit as st

from mcviz.data import Usual, usual
from mcviz.runs import Run
from mcviz.text import one_line


def rows_of(run: Run) -> np.ndarray:
    """(N, D) float32: the rows of a run; shared, so not to be written to."""
    return _rows(run.digest, run)


def names_of(run: Run) -> list[str]:
    """The names of a run's columns, each as one line."""
    return [one_line(str(name)) for name in run.content]


def usual_values(run: Run) -> Usual:
    """What is usual in each column of a run."""
    return _usual(run.digest, run)


# The digest is the caches' key.


@st.cache_resource(max_entries=4, show_spinner=False)
def _rows(digest: str, _run: Run) -> np.ndarray:  # noqa: ARG001
    rows = _run.content.to_numpy(np.float32)
    rows.setflags(write=False)
    return rows


@st.cache_resource(max_entries=4, show_spinner=False)
def _usual(digest: str, _run: Run) -> Usual:  # noqa: ARG001
    return usual(rows_of(_run))
