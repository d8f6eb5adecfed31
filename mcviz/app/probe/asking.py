"""The model is asked about images that are not of the run."""

import hashlib
from dataclasses import dataclass

import numpy as np
import streamlit as st

from mcviz.app.resources import live_passes
from mcviz.data import as_model_input
from mcviz.runs import Run

PASSES = 500
KEPT = 16  # answers in a session, so that going back to an input costs nothing


@dataclass(frozen=True)
class Asked:
    """An input for the model.

    Attributes:
        image: (height, width, channels) float32 in 0..1.
        name: what it is, such as "Uniform noise of seed 3".
        truth: one sentence on what would be right.
        label: its class, where it is known.
    """

    image: np.ndarray
    name: str
    truth: str = ""
    label: int | None = None


def ask(run: Run, images: np.ndarray) -> np.ndarray:
    """What the run's model says of images in 500 passes.

    Args:
        run: whose model is asked.
        images: (N, height, width, channels) float32 in 0..1.

    Returns:
        (500, N, C) float32 probabilities.
    """
    answers: dict[tuple[str, str], np.ndarray] = st.session_state.setdefault("answers-kept", {})
    key = run.digest, hashlib.sha256(images.tobytes()).hexdigest()
    if key not in answers:
        while len(answers) >= KEPT:
            answers.pop(next(iter(answers)))
        answers[key] = live_passes(run, images, PASSES, seed=0)
    return answers[key]


def own_images(run: Run, indices: np.ndarray) -> np.ndarray:
    """(n, height, width, channels) float32 in 0..1: images of the run."""
    images = as_model_input(np.stack([run.images[index] for index in indices]))
    low, high = (0, 1) if run.images.dtype == np.uint8 else run.value_range
    return images if (low, high) == (0, 1) else (images - low) / np.float32(high - low)
