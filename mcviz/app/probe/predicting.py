"""An input for the probe, and what the run's model predicts of it."""

import hashlib
from dataclasses import dataclass

import numpy as np
import streamlit as st

from mcviz.app.resources import live_passes
from mcviz.data.drawing import centred
from mcviz.runs import Run

MOST_CACHED = 16  # predictions in a session, so that going back to an input costs nothing
LARGEST_CENTRED = 64  # pixels, of an image that may be a sign on an empty ground
LOOKED_AT = 64  # examples
CENTRED_WITHIN = 0.1  # of full brightness, by which centring again changes such images: MNIST 0.06, Fashion-MNIST 0.18
MOST_CACHED_BYTES = 2**26  # of these; the latest is kept in any case


@dataclass(frozen=True)
class ProbeInput:
    """An input for the model.

    Attributes:
        image: (height, width, channels) float32 in 0..1.
        name: what it is, such as "Uniform noise of seed 3".
        note: one sentence on what a correct prediction would be.
        label: its class, where it is known.
    """

    image: np.ndarray
    name: str
    note: str = ""
    label: int | None = None


def predict(run: Run, images: np.ndarray) -> np.ndarray:
    """Predict images with the run's model, in as many passes as the run has.

    Args:
        run: whose model predicts.
        images: (N, height, width, channels) float32 in 0..1.

    Returns:
        (T, N, C) float32 probabilities.
    """
    cached: dict[tuple[str, str], np.ndarray] = st.session_state.setdefault("cached-predictions", {})
    key = run.digest, hashlib.sha256(images.tobytes()).hexdigest()
    if key not in cached:
        probs = live_passes(run, images)
        while cached and (len(cached) == MOST_CACHED or _bytes(cached) + probs.nbytes > MOST_CACHED_BYTES):
            cached.pop(next(iter(cached)))
        cached[key] = probs
    return cached[key]


def example_images(run: Run, examples: np.ndarray) -> np.ndarray:
    """(n, height, width, channels) float32 in 0..1: the images of examples of the run."""
    return run.value_scale.to_unit(run.images[examples])


def centring_toggle(run: Run, key: str) -> bool:
    """Whether to centre and scale the input; offered for small square grey images, and on where the run's are so."""
    height, width, channels = run.image_shape
    if channels != 1 or height != width or height > LARGEST_CENTRED:
        return False
    return st.toggle(
        "Centre and scale what is drawn",
        value=_are_centred(run.digest, run),
        key=key,
        help="What is bright is scaled to 20/28 of the picture, on black, with its centre of mass in the middle.",
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def _are_centred(digest: str, _run: Run) -> bool:  # noqa: ARG001 (the digest is the cache's key)
    """Whether a run's images are themselves scaled and centred like that, as far as the first of them tell."""
    if not _run.has_images:
        return False
    pictures = _run.pictures[:LOOKED_AT][..., 0].astype(np.float32) / 255
    as_centred = np.stack([centred(each, *each.shape) for each in pictures])
    return float(np.abs(pictures - as_centred).mean()) <= CENTRED_WITHIN


def _bytes(cached: dict[tuple[str, str], np.ndarray]) -> int:
    return sum(probs.nbytes for probs in cached.values())
