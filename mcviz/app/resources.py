"""What the pages share: the runs that are there, the open one, its table and rankings, and the model behind it.

Each is made once for all sessions, and kept under the run's own digest. What is shared is read-only.
"""

import gc
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.needs import missing
from mcviz.app.shipped import PACKAGE, SHIPPED_RUN
from mcviz.errors import McvizError, StorageError
from mcviz.extras import IMPORT_VARIABLE, import_modules
from mcviz.measures import most_uncertain_first
from mcviz.runs import Run, open_run
from mcviz.text import one_line

if TYPE_CHECKING:
    import keras

    from mcviz.model import Sampler

NOTICEABLE = 0.5  # seconds
SEED = 0  # of the masks that live passes draw


def cache_folder() -> Path:
    """The folder of the runs: `MCVIZ_CACHE`, or a checkout's own `cache`, or else `cache` in the current folder."""
    if named := os.environ.get("MCVIZ_CACHE"):
        return Path(named)
    checkout = PACKAGE.parent
    return checkout / "cache" if (checkout / "pyproject.toml").exists() else Path("cache")


def run_paths() -> dict[str, Path]:
    """The folder of each run by its name: those of `cache_folder`, or else the shipped runs; of these one stands first.

    No run is opened.

    Raises:
        StorageError: the folder cannot be listed.
    """
    found = _runs_in(cache_folder()) or _runs_in(SHIPPED_RUN.parent)
    first = {SHIPPED_RUN.name: found[SHIPPED_RUN.name]} if SHIPPED_RUN.name in found else {}
    return first | found


def opened_run(path: Path) -> Run:
    """Open the run of a folder; again only where it was written anew.

    Raises:
        McvizError: it cannot be opened.
    """
    return _open(str(path), _changed(path))


def class_names(run: Run) -> tuple[str, ...]:
    """The names of a run's classes, each as one line."""
    return tuple(map(one_line, run.class_names))


def table(run: Run) -> pd.DataFrame:
    """All scores of a run and the user's own columns, as `Run.table` gives them; shared, so not to be written to."""
    return _table(run.digest, run)


def label_of(run: Run, example: int) -> int | None:
    """The label of one example; None where the run has no labels."""
    label = table(run)["label"].iloc[example]
    return None if pd.isna(label) else int(label)


def ranking(run: Run, score: str) -> np.ndarray:
    """(N,) int64: the example of each rank by a score, most uncertain first."""
    return _ranking(run.digest, score, run)


def sorted_scores(run: Run, score: str) -> np.ndarray:
    """(N,) one of `SCORES` of a run's own examples, lowest first."""
    return _sorted_scores(run.digest, score, run)


def live_passes(run: Run, images: np.ndarray) -> np.ndarray:
    """Predict new images with the run's own model, in as many passes as the run has.

    A progress bar is shown where that takes long enough to be noticed.

    Args:
        run: whose model predicts.
        images: (N, height, width, channels) float32 in 0..1.

    Returns:
        (T, N, C) float32 probabilities.

    Raises:
        McvizError: the run was kept without its model, or the model cannot be loaded.
    """
    bar, started = st.empty(), time.monotonic()

    def progress(done: int, total: int) -> None:
        if time.monotonic() > started + NOTICEABLE:
            bar.progress(done / total, f"{done:,} of {total:,} predictions")

    try:
        prepared = sampler(run)
        started = time.monotonic()
        return prepared.sample(
            for_the_model(run, images), passes=run.passes, seed=SEED, masks=masks(run), progress=progress
        )
    finally:
        bar.empty()


def masks(run: Run) -> Literal["per_pass", "per_example"]:
    """How live passes draw their masks: as the run's own did, or one draw a pass where those were made elsewhere."""
    return run.manifest.masks or "per_pass"


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


def _runs_in(folder: Path) -> dict[str, Path]:
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"The runs of {folder} cannot be listed: {error}. Check its permissions.") from error
    return {name: folder / name for name in names if (folder / name / "manifest.json").exists()}


@st.cache_resource(show_spinner="Opening the run …", max_entries=8)
def _open(path: str, changed: float) -> Run:  # noqa: ARG001 (a run that was written anew is opened anew)
    run = open_run(path)
    _keep_all()
    return run


def _changed(folder: Path) -> float:
    manifest = folder / "manifest.json"
    return manifest.stat().st_mtime if manifest.exists() else 0.0


# In what follows, the digest is the cache's key.


@st.cache_resource(show_spinner=False, max_entries=8)
def _table(digest: str, _run: Run) -> pd.DataFrame:  # noqa: ARG001
    return _run.table()


@st.cache_resource(show_spinner=False, max_entries=64)
def _ranking(digest: str, score: str, _run: Run) -> np.ndarray:  # noqa: ARG001
    return _shared(most_uncertain_first(score, table(_run)[score].to_numpy()))


@st.cache_resource(show_spinner=False, max_entries=64)
def _sorted_scores(digest: str, score: str, _run: Run) -> np.ndarray:  # noqa: ARG001
    return _shared(np.sort(table(_run)[score].to_numpy()))


@st.cache_resource(show_spinner="Loading the model; the first time takes some seconds …", max_entries=2)
def _model(digest: str, _run: Run) -> "keras.Model":  # noqa: ARG001
    from mcviz.model import load_model  # here, because TensorFlow takes seconds to import

    if _run.model_path is None:
        raise McvizError(missing(_run, "model"))
    import_modules(os.environ.get(IMPORT_VARIABLE, "").split())
    return load_model(_run.model_path)


@st.cache_resource(show_spinner="Preparing the model …", max_entries=2)
def _sampler(digest: str, _run: Run) -> "Sampler":  # noqa: ARG001
    network = model(_run)
    from mcviz.model import Sampler

    prepared = Sampler.for_run(network, _run)
    gc.collect()  # what loading left behind; where a run is opened, nothing is, and the first page would wait for it
    _keep_all()
    return prepared


def _shared(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def _keep_all() -> None:
    """Spare Python's collector all that is there by now, and stays.

    Streamlit calls the collector after each rerun, and holds the page up until it has looked at everything, which
    takes a tenth of a second, and more with TensorFlow.
    """
    gc.freeze()
