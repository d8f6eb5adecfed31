"""Similarity of the examples of a run, shared by all sessions."""

import numpy as np

from mcviz.analysis.base import load_components
from mcviz.app.caching import cached_for_run, numbers_key
from mcviz.app.resources import progress_bar
from mcviz.runs import Run


@cached_for_run(numbers_key, max_entries=4, show_spinner="Comparing the examples …")
def components(run: Run) -> np.ndarray:
    """Return (N, K) float32 by which a run's examples are alike."""
    with progress_bar("examples compared") as progress:
        return load_components(run, progress)
