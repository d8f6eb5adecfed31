"""Where the examples of a run lie on a plane on which similar ones are near each other."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from mcviz.analysis.base import components_plane
from mcviz.app.needs import has
from mcviz.app.similar import components
from mcviz.measures.similarity import FEWEST_MAPPED, tsne
from mcviz.runs import Derived, Run, load_derived, save_derived

LAYOUTS = {"pca": "PCA", "tsne": "t-SNE"}
TSNE = Derived("t-sne", 1, {"positions": "float32"})


def available_layouts(run: Run) -> list[str]:
    """Return the names of the layouts that a run can have."""
    if not has(run, "examples or features"):
        return []
    return [name for name in LAYOUTS if name != "tsne" or len(run) >= FEWEST_MAPPED]


def computed_layouts(run: Run) -> list[str]:
    """Return the names of those that need not be asked for first."""
    return [name for name in available_layouts(run) if name != "tsne" or _load_tsne(run) is not None]


def positions(run: Run, layout: str) -> np.ndarray | None:
    """Return (N, 2) float32: where each example lies, NaN where it does not; None if not computed yet."""
    return _load_tsne(run) if layout == "tsne" else components_plane(components(run))


def compute_tsne(run: Run, progress: Callable[[int, int], object]) -> None:
    """Compute the t-SNE layout of a run, which takes minutes, and keep it; what `progress` raises ends it."""
    found = _tsne_layouts()[run.digest] = tsne(components(run), progress)
    save_derived(run.path, run.digest, TSNE, {"positions": found})


def _load_tsne(run: Run) -> np.ndarray | None:
    layouts = _tsne_layouts()
    if run.digest not in layouts:
        stored = load_derived(run.path, run.digest, TSNE)
        if stored and stored["positions"].shape == (len(run), 2):
            layouts[run.digest] = stored["positions"]
    return layouts.get(run.digest)


@st.cache_resource(show_spinner=False)
def _tsne_layouts() -> dict[str, np.ndarray]:
    """Return those of runs by digest, shared by all sessions."""
    return {}
