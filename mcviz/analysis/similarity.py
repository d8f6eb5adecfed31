"""Similarity of the examples of a run, computed once and kept beside it."""

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.runs.contents import Progress

SIMILARITY = Derived("similarity", 1, {"components": "float32"})


def similarity_basis(run: Run) -> str:
    """Return what examples are compared by: features of the run, or else the examples themselves."""
    return run.kind.similarity_basis if run.manifest.features is None else "features"


def load_components(run: Run, progress: Progress | None = None) -> np.ndarray:
    """Return (N, K) float32 by which examples are alike, the strongest first; from beside the run if they are there.

    Args:
        run: with its examples, or with features.
        progress: called with (done, total) examples; an exception from it stops the computation.

    Raises:
        InvalidInputError: it has neither.
    """
    if run.manifest.features is None and not run.manifest.has_examples:
        raise InvalidInputError(
            f"Examples are compared by themselves or by features. Received: {run.path}, which has neither. Sample it "
            "again with the examples kept."
        )
    stored = load_derived(run.path, run.digest, SIMILARITY)
    if stored is None or stored["components"].ndim != 2 or len(stored["components"]) != len(run):
        stored = {"components": _compute_components(run, progress)}
        save_derived(run.path, run.digest, SIMILARITY, stored)
    found = stored["components"]
    found.setflags(write=False)
    return found


def components_plane(components: np.ndarray) -> np.ndarray:
    """Return (N, 2): the first two of (N, K) components, 0 where there are fewer."""
    plane = components[:, :2]
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))


def _compute_components(run: Run, progress: Progress | None) -> np.ndarray:
    if run.features is None:
        return run.kind.compute_components(run.images if run.has_images else run.content, progress)
    from mcviz.measures.similarity import (
        principal_components,  # here, because scikit-learn takes most of a second to import
    )

    return principal_components(run.features, progress=progress)
