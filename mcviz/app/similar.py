"""Which examples of a run look alike: principal components of their pixels."""

from collections.abc import Iterator

import numpy as np
import streamlit as st
from sklearn.decomposition import PCA

from mcviz.runs import Run

COMPONENTS = 50
BLOCK = 10_000  # images
FITTED_ON = 10_000  # images; the components of more than that are the same to the eye


@st.cache_resource(max_entries=4, show_spinner="Comparing the images …")
def components(digest: str, _run: Run) -> np.ndarray:  # noqa: ARG001 (the digest is the cache's key)
    """Each image in the plane of the principal components of all.

    Returns:
        (N, at most 50) float32, the strongest component first.
    """
    count = len(_run.images)
    fitted = np.random.default_rng(0).permutation(count) < FITTED_ON
    sample = np.concatenate([pixels[fitted[start : start + BLOCK]] for start, pixels in _blocks(_run)])
    kept = min(COMPONENTS, *sample.shape)
    pca = PCA(kept, svd_solver="randomized", random_state=0).fit(sample.astype(np.float32))
    found = np.empty((count, kept), dtype=np.float32)
    for start, pixels in _blocks(_run):
        found[start : start + len(pixels)] = pca.transform(pixels.astype(np.float32))
    found.setflags(write=False)
    return found


def _blocks(run: Run) -> Iterator[tuple[int, np.ndarray]]:
    """The run's images as rows of pixels, so many at a time that all together need not fit into the memory."""
    for start in range(0, len(run.images), BLOCK):
        images = np.asarray(run.images[start : start + BLOCK])
        yield start, images.reshape(len(images), -1)


def most_similar(run: Run, image: int, count: int) -> np.ndarray:
    """(at most count,) int64: the other images that look most like one, the most similar first."""
    count = min(count, len(run.images) - 1)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    places = components(run.digest, run)
    distance = ((places - places[image]) ** 2).sum(axis=1)
    distance[image] = np.inf
    nearest = np.argpartition(distance, count)[:count]
    return nearest[np.argsort(distance[nearest], kind="stable")]
