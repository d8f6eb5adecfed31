"""Which examples of a run are alike, computed once a run and kept beside it."""

import numpy as np
import streamlit as st

from mcviz.measures.similarity import principal_components
from mcviz.runs import Derived, Run, load_derived, save_derived

SIMILARITY = Derived("similarity", 1, {"components": "float32"})


def compared(run: Run) -> str:
    """What examples are compared by: the features that the run was given, or else the pixels of its images."""
    return "pixels" if run.manifest.features is None else "features"


@st.cache_resource(max_entries=4, show_spinner="Comparing the examples …")
def components(digest: str, _run: Run) -> np.ndarray:  # noqa: ARG001 (the digest is the cache's key)
    """(N, K) float32: principal components of a run's features or images, from beside the run if they are there."""
    kept = load_derived(_run, SIMILARITY)
    if kept is None or kept["components"].ndim != 2 or len(kept["components"]) != len(_run):
        kept = {"components": principal_components(_run.images if _run.features is None else _run.features)}
        save_derived(_run, SIMILARITY, kept)
    found = kept["components"]
    found.setflags(write=False)
    return found
