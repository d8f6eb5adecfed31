"""Predictions of the run's model for new inputs."""

import hashlib
import importlib
import json
import sys
import threading
from contextlib import suppress

import numpy as np

from mcviz.app.resources import predict_live
from mcviz.app.session import session_store
from mcviz.runs import Run

MOST_CACHED = 16  # predictions in a session, so that going back to an input costs nothing
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
    key = run.digest, digest_contents(contents)
    if key not in cached:
        predictions = predict_live(run, contents)
        while cached and (
            len(cached) == MOST_CACHED
            or sum(each.nbytes for each in cached.values()) + predictions.nbytes > MOST_CACHED_BYTES
        ):
            cached.pop(next(iter(cached)))
        cached[key] = predictions
    return cached[key]


def import_ahead(run: Run) -> None:
    """Import the framework of a run's model before there is an input, so that the first one is answered sooner."""
    module = f"mcviz.sampling.{run.manifest.model.backend}.network" if run.manifest.model else ""

    def work() -> None:
        with suppress(ImportError):  # the first prediction will tell what is missing
            importlib.import_module(module)

    if module and module not in sys.modules:
        threading.Thread(target=work).start()


def digest_contents(contents: np.ndarray) -> str:
    """Return the SHA-256 of contents; the bytes of an array of texts are only where they lie in memory."""
    is_text = contents.dtype == object
    return hashlib.sha256(json.dumps(contents.tolist()).encode() if is_text else contents.tobytes()).hexdigest()
