"""Similarity of the examples of a run, computed once a run and kept beside it."""

import numpy as np

from mcviz.app.caching import cached_for_run, numbers_key
from mcviz.app.kinds import kind_renderer
from mcviz.app.resources import progress_bar
from mcviz.measures.similarity import principal_components
from mcviz.runs import Derived, Run, load_derived, save_derived

SIMILARITY = Derived("similarity", 1, {"components": "float32"})


def similarity_basis(run: Run) -> str:
    """Return what examples are compared by: features of the run, or else the examples themselves."""
    return kind_renderer(run).similarity_basis if run.manifest.features is None else "features"


@cached_for_run(numbers_key, max_entries=4, show_spinner="Comparing the examples …")
def components(run: Run) -> np.ndarray:
    """Return (N, K) float32 by which a run's examples are alike, from beside the run if they are there."""
    stored = load_derived(run.path, run.digest, SIMILARITY)
    if stored is None or stored["components"].ndim != 2 or len(stored["components"]) != len(run):
        with progress_bar("examples compared") as progress:
            if run.features is None:
                found = kind_renderer(run).components(run, progress)
            else:
                found = principal_components(run.features, progress=progress)
        stored = {"components": found}
        save_derived(run.path, run.digest, SIMILARITY, stored)
    found = stored["components"]
    found.setflags(write=False)
    return found
