"""Which examples of a run look alike, computed once a run and kept beside it."""

import numpy as np
import streamlit as st

from mcviz.measures.similarity import principal_components
from mcviz.runs import Derived, Run, load_derived, save_derived

SIMILARITY = Derived("similarity", 1, {"components": "float32"})


@st.cache_resource(max_entries=4, show_spinner="Comparing the images …")
def components(digest: str, _run: Run) -> np.ndarray:  # noqa: ARG001 (the digest is the cache's key)
    """(N, K) float32: the principal components of a run's images, from beside the run where they are kept there."""
    kept = load_derived(_run, SIMILARITY)
    if kept is None or kept["components"].ndim != 2 or len(kept["components"]) != len(_run):
        kept = {"components": principal_components(_run.images)}
        save_derived(_run, SIMILARITY, kept)
    found = kept["components"]
    found.setflags(write=False)
    return found
