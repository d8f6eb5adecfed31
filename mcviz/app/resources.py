"""The run that the pages are looking at, and the model behind it, each opened once for all sessions."""

import gc
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from mcviz.app import address
from mcviz.app.shipped import SHIPPED_RUN
from mcviz.errors import McvizError
from mcviz.runs import Run, list_runs, open_run

if TYPE_CHECKING:
    import keras

    from mcviz.model import Sampler

NOTICEABLE = 0.5  # seconds


def cache_folder() -> Path:
    """Where the runs are: the folder that `MCVIZ_CACHE` names; where that has none, the one of the shipped run."""
    named = os.environ.get("MCVIZ_CACHE")
    return Path(named) if named and any(Path(named).glob("*/manifest.json")) else SHIPPED_RUN.parent


def current_run() -> Run:
    """The run that the address names, or the first one; with a chooser where there are several.

    A page that calls this stops with a sentence on what to do where no run can be opened.
    """
    cache = cache_folder()
    names = [Path(listed.path).name for listed in list_runs(cache)]
    if not names:
        st.info(
            f"There is no run in `{cache}` yet. Make one with "
            "`python -m mcviz sample --model MODEL.keras --data FILE.npz --out cache/NAME`, then reload this page.",
            icon=":material/inbox:",
        )
        st.stop()
    name = address.run_name(names)
    if len(names) > 1:
        st.selectbox("Run", names, width=320, **address.bound("run", name, lambda new: address.restart(run=new)))
    try:
        return _open(str(cache / name), _changed(cache / name))
    except McvizError as error:
        st.error(f"**{name}** cannot be shown. {error}", icon=":material/error:")
        st.stop()


def live_passes(run: Run, images: np.ndarray, passes: int, seed: int) -> np.ndarray:
    """Sample the run's own model on new images, with a progress bar where that takes long enough to be noticed.

    Args:
        run: whose model is asked.
        images: (N, height, width, channels) float32 in 0..1.
        passes: how many, T.
        seed: of the dropout masks.

    Returns:
        (T, N, C) float32.
    """
    place, started = st.empty(), time.monotonic()

    def progress(done: int, total: int) -> None:
        if time.monotonic() > started + NOTICEABLE:
            place.progress(done / total, f"{done:,} of {total:,} predictions")

    try:
        prepared = sampler(run)
        started = time.monotonic()
        return prepared.sample(
            for_the_model(run, images), passes=passes, seed=seed, masks=run.manifest.masks, progress=progress
        )
    finally:
        place.empty()


def for_the_model(run: Run, images: np.ndarray) -> np.ndarray:
    """(N, …) as the run's model takes images, from (N, height, width, channels) float32 in 0..1.

    Raises:
        McvizError: the run was kept without its model, or the model cannot be loaded.
    """
    prepared = sampler(run)
    from mcviz.model.inputs import ImageAdapter

    return ImageAdapter.for_run(prepared, run).from_unit_range(images)


def sampler(run: Run) -> "Sampler":
    """The run's own model, prepared for passes; it says so while it is being loaded.

    Raises:
        McvizError: the run was kept without its model, or the model cannot be loaded.
    """
    return _sampler(run.digest, run)


def model(run: Run) -> "keras.Model":
    """The run's own model.

    Raises:
        McvizError: the run was kept without its model, or the model cannot be loaded.
    """
    return _model(run.digest, run)


@st.cache_resource(show_spinner="Opening the run …", max_entries=8)
def _open(path: str, changed: float) -> Run:  # noqa: ARG001 (a run that was written anew is opened anew)
    run = open_run(path)
    _keep_all()
    return run


def _changed(folder: Path) -> float:
    manifest = folder / "manifest.json"
    return manifest.stat().st_mtime if manifest.exists() else 0.0


@st.cache_resource(show_spinner="Loading the model; the first time takes some seconds …", max_entries=2)
def _model(digest: str, _run: Run) -> "keras.Model":  # noqa: ARG001 (the digest is the cache's key)
    from mcviz.model import load_model  # here, because TensorFlow takes seconds to import

    if _run.model_path is None:
        raise McvizError("This run was kept without its model, so nothing new can be sampled from it.")
    return load_model(_run.model_path)


@st.cache_resource(show_spinner="Preparing the model …", max_entries=2)
def _sampler(digest: str, _run: Run) -> "Sampler":  # noqa: ARG001 (the digest is the cache's key)
    network = model(_run)
    from mcviz.model import Sampler

    prepared = Sampler.for_run(network, _run)
    gc.collect()  # what loading left behind; where a run is opened, nothing is, and the first page would wait for it
    _keep_all()
    return prepared


def _keep_all() -> None:
    """Spare Python's collector all that is there by now, and stays.

    Streamlit calls the collector after each answer, and holds the answer up until it has looked at everything, which
    takes a tenth of a second, and more with TensorFlow.
    """
    gc.freeze()
