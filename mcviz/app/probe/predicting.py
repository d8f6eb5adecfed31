"""What the run's model predicts of new inputs."""

import hashlib
import importlib
import json
import sys
import threading
from contextlib import suppress

import numpy as np
import streamlit as st

from mcviz.app.caching import cached_for_run, numbers_key
from mcviz.app.resources import predict_live
from mcviz.app.session import session_store
from mcviz.data.drawing import centred
from mcviz.data.upload import edge_brightness
from mcviz.runs import Run

MOST_CACHED = 16  # predictions in a session, so that going back to an input costs nothing
LARGEST_CENTRED = 64  # pixels, of an image that may be a sign on an empty ground
LOOKED_AT = 64  # examples, evenly spread
ALIKE = 0.9  # of them, that have to have a background of about the same brightness
ABOUT = 0.2  # of full brightness
CENTRED_WITHIN = 0.1  # of full brightness, by which centring again changes such images: MNIST 0.06, Fashion-MNIST 0.18
MOST_CACHED_BYTES = 2**26  # of these; the latest is kept in any case


def predict(run: Run, contents: np.ndarray) -> np.ndarray:
    """Predict new inputs with the run's model, in as many passes as the run has.

    Args:
        run: whose model predicts.
        contents: N inputs, each as `ProbeInput.content`.

    Returns:
        (T, N, K) float32 predictions.
    """
    cached: dict[tuple[str, str], np.ndarray] = session_store().setdefault("cached-predictions", {})
    key = run.digest, hashlib.sha256(as_bytes(contents)).hexdigest()
    if key not in cached:
        probs = predict_live(run, contents)
        while cached and (len(cached) == MOST_CACHED or _bytes(cached) + probs.nbytes > MOST_CACHED_BYTES):
            cached.pop(next(iter(cached)))
        cached[key] = probs
    return cached[key]


def load_ahead() -> None:
    """Import TensorFlow before there is an input, so that the first one is answered sooner."""

    def work() -> None:
        with suppress(ImportError):  # the first prediction will tell what is missing
            importlib.import_module("mcviz.sampling")

    if "mcviz.sampling" not in sys.modules:
        threading.Thread(target=work).start()


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
        value=_are_centred(run),
        key=key,
        help="What is bright is scaled to 20/28 of the picture, on black, with its centre of mass in the middle.",
    )


@cached_for_run(numbers_key, max_entries=8)
def background_of_run(run: Run) -> float | None:
    """The brightness that nearly all of a run's images have along their edges, 0 to 1; None where they differ."""
    if not run.has_images:
        return None
    found = np.array([edge_brightness(each) for each in _some_pictures(run)])
    usual = float(np.median(found))
    return usual if np.mean(np.abs(found - usual) <= ABOUT) >= ALIKE else None


@cached_for_run(numbers_key, max_entries=8)
def _are_centred(run: Run) -> bool:
    """Whether a run's images are themselves scaled and centred like that, as far as some of them tell."""
    if not run.has_images:
        return False
    pictures = _some_pictures(run)[..., 0].astype(np.float32) / 255
    as_centred = np.stack([centred(each, *each.shape) for each in pictures])
    return float(np.abs(pictures - as_centred).mean()) <= CENTRED_WITHIN


def _some_pictures(run: Run) -> np.ndarray:
    """(n, height, width, channels) uint8: images of a run that show how they are."""
    return run.pictures[np.arange(0, len(run), -(-len(run) // LOOKED_AT))]


def as_bytes(contents: np.ndarray) -> bytes:
    """What contents are, for a hash; an array of texts holds only where they are."""
    return json.dumps(contents.tolist()).encode() if contents.dtype == object else contents.tobytes()


def _bytes(cached: dict[tuple[str, str], np.ndarray]) -> int:
    return sum(probs.nbytes for probs in cached.values())
