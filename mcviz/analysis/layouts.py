"""Similarity of examples, and layouts of the map: principal components and t-SNE."""

from collections.abc import Callable

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.measures.similarity import tsne
from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.runs.tables import Progress

SIMILARITY = Derived("similarity", 1, {"components": "float32"})
TSNE = Derived("t-sne", 1, {"positions": "float32"})


def similarity_basis(run: Run) -> str:
    """Return features to compare examples by, or the examples themselves."""
    return run.kind.similarity_basis if run.manifest.features is None else "features"


def load_components(run: Run, progress: Progress | None = None) -> np.ndarray:
    """Return (N, K) float32 components of similarity, the strongest first; stored if possible.

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
    components = stored["components"]
    components.setflags(write=False)
    return components


def components_plane(components: np.ndarray) -> np.ndarray:
    """Return (N, 2) first components, 0 if there are fewer."""
    plane = components[:, :2]
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))


def load_tsne(run: Run) -> np.ndarray | None:
    """Return the stored t-SNE layout, (N, 2) float32, NaN beyond it; or None."""
    stored = load_derived(run.path, run.digest, TSNE)
    return stored["positions"] if stored and stored["positions"].shape == (len(run), 2) else None


def compute_tsne(run: Run, components: np.ndarray, progress: Callable[[int, int], object] | None = None) -> np.ndarray:
    """Compute the t-SNE layout of a run in minutes, and store it.

    Args:
        run: of five examples or more.
        components: (N, K) as `load_components` returns them.
        progress: called with (done, total) iterations; an exception from it stops the computation.

    Returns:
        As `load_tsne`.
    """
    positions = tsne(components, progress)
    save_derived(run.path, run.digest, TSNE, {"positions": positions})
    return positions


def _compute_components(run: Run, progress: Progress | None) -> np.ndarray:
    if run.features is None:
        return run.kind.compute_components(run.images if run.has_images else run.content, progress)
    from mcviz.measures.similarity import (
        principal_components,  # here, because scikit-learn takes most of a second to import
    )

    return principal_components(run.features, progress=progress)
