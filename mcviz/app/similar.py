"""Which images of a run look alike: principal components of their pixels."""

import numpy as np
import streamlit as st
from sklearn.decomposition import PCA

from mcviz.runs import Run

COMPONENTS = 50
FITTED_ON = 10_000  # images; the components of more than that are the same to the eye


@st.cache_resource(max_entries=4, show_spinner="Comparing the images …")
def components(digest: str, _run: Run) -> np.ndarray:  # noqa: ARG001 (the digest is the cache's key)
    """Each image in the plane of the principal components of all.

    Returns:
        (N, at most 50) float32, the strongest component first.
    """
    count = len(_run.images)
    pixels = np.asarray(_run.images[:]).reshape(count, -1).astype(np.float32)
    fitted = np.sort(np.random.default_rng(0).choice(count, min(count, FITTED_ON), replace=False))
    kept = min(COMPONENTS, len(fitted), pixels.shape[1])
    found = PCA(kept, svd_solver="randomized", random_state=0).fit(pixels[fitted]).transform(pixels)
    found.setflags(write=False)
    return found


def most_similar(run: Run, image: int, count: int) -> np.ndarray:
    """(count,) int64: the other images that look most like one, the most similar first."""
    places = components(run.digest, run)
    distance = ((places - places[image]) ** 2).sum(axis=1)
    distance[image] = np.inf
    nearest = np.argpartition(distance, min(count, len(distance) - 1))[:count]
    return nearest[np.argsort(distance[nearest], kind="stable")]
