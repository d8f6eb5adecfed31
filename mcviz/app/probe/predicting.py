"""An input for the probe, and what the run's model predicts of it."""

import hashlib
from dataclasses import dataclass

import numpy as np
import streamlit as st

from mcviz.app.resources import live_passes
from mcviz.data import as_model_input
from mcviz.runs import Run

MOST_CACHED = 16  # predictions in a session, so that going back to an input costs nothing
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
    images = as_model_input(np.stack([run.images[example] for example in examples]))
    low, high = (0, 1) if run.images.dtype == np.uint8 else run.value_range
    return images if (low, high) == (0, 1) else (images - low) / np.float32(high - low)


def centring_toggle(run: Run, key: str) -> bool:
    """Whether to centre and scale the input; offered for images of one channel."""
    return run.image_shape[-1] == 1 and st.toggle(
        "Centre and scale as digits are usually prepared",
        value=True,
        key=key,
        help="The digit is scaled to 20 of 28 pixels, bright on black, with its centre of mass in the middle.",
    )


def _bytes(cached: dict[tuple[str, str], np.ndarray]) -> int:
    return sum(probs.nbytes for probs in cached.values())
