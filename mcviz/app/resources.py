"""What the pages share: the runs that are there, the open one, its table and rankings, and the model behind it.

Each is made once for all sessions. What is shared is read-only.
"""

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.analysis.comparison import OTHER_PREFIX, join_comparison
from mcviz.app.beside import ComparedRun
from mcviz.app.caching import cached_for_run, names_key, numbers_key, table_key
from mcviz.app.needs import missing
from mcviz.choices import Masks
from mcviz.errors import McvizError
from mcviz.extras import import_named_modules
from mcviz.measures import Score, most_uncertain_first, significant
from mcviz.runs import Run, open_run, run_names
from mcviz.runs.folder import cache_folder, require_folder
from mcviz.runs.shipped import shipped_runs
from mcviz.text import one_line

if TYPE_CHECKING:
    import keras

    from mcviz.sampling import Sampler

NOTICEABLE = 0.5  # seconds


@dataclass(frozen=True)
class Quantity(Score):
    """A number in the unit of a run's targets."""

    def format(self, value: float, target_unit: str = "") -> str:  # noqa: ARG002 (the unit is known)
        """A value of it as text with its unit, such as "3.21 mg/dl" or "452,300"."""
        return quantity(value, self.unit)


def run_paths() -> dict[str, Path]:
    """The folder of each run by its name: those of `cache_folder`, or else the shipped runs; of these one stands first.

    No run is opened.

    Raises:
        RunNotFoundError: the folder was named, and does not exist.
        StorageError: the folder cannot be listed.
    """
    folder, shipped = cache_folder(), shipped_runs()
    if os.environ.get("MCVIZ_CACHE"):
        require_folder(folder)
    names = sorted(run_names(folder), key=lambda name: name != next(iter(shipped), ""))
    return {name: folder / name for name in names} or shipped


def opened_run(path: Path) -> Run:
    """Open the run of a folder; again only where it was written anew.

    Raises:
        McvizError: it cannot be opened.
    """
    return _open(str(path), _changed(path))


def quantity(value: float, unit: str) -> str:
    """A number of any size in a unit that others wrote, which may be "", as one line such as "452,300 mg/dl"."""
    return f"{significant(value)} {one_line(unit)}".rstrip()


def class_names(run: Run) -> tuple[str, ...]:
    """The names of a run's classes, each as one line."""
    return tuple(map(one_line, run.class_names))


def target_names(run: Run) -> tuple[str, ...]:
    """The names of a run's targets, each as one line."""
    return tuple(map(one_line, run.targets))


def join_runs(run: Run, other: Run) -> ComparedRun:
    """A run beside another over the same examples, which costs nothing the second time."""
    return ComparedRun(run, other, *_joined(run, other))


@cached_for_run(table_key, max_entries=8)
def table(run: Run) -> pd.DataFrame:
    """All scores of a run and the user's own columns, as `Run.table` gives them; shared, so not to be written to."""
    return run.table()


@cached_for_run(table_key, max_entries=8)
def scores_of(run: Run) -> dict[str, Score]:
    """The scores that a run's examples can be ranked by, in its units."""
    registry = run.task.scores
    return {name: _in_unit(score, run.manifest.unit) for name, score in registry.items() if name in table(run)}


@cached_for_run(table_key, max_entries=8)
def numbers_of(run: Run) -> dict[str, Score]:
    """The scores and, of a regression, true and predicted values: all that examples can be filtered and drawn by."""
    found: dict[str, Score] = dict(scores_of(run))
    for target in run.targets:
        end = "" if len(run.targets) == 1 else f"_{target}"
        of = "" if len(run.targets) == 1 else f" of {one_line(target)}"
        for name, label in ((f"label{end}", f"True value{of}"), (f"prediction{end}", f"Prediction{of}")):
            if not table(run)[name].isna().all():
                found[name] = Quantity(name, label, run.manifest.unit, "high", "", np.asarray)
    return found | (_numbers_beside(run, found) if isinstance(run, ComparedRun) else {})


@cached_for_run(numbers_key, max_entries=64)
def ranking(run: Run, score: str) -> np.ndarray:
    """(N,) int64: the example of each rank by a score, most uncertain first."""
    return _shared(most_uncertain_first(score, table(run)[score].to_numpy(), run.task.scores))


@cached_for_run(numbers_key, max_entries=64)
def sorted_scores(run: Run, score: str) -> np.ndarray:
    """(N,) one of `scores_of` a run, of its own examples, lowest first."""
    return _shared(np.sort(table(run)[score].to_numpy()))


def live_passes(run: Run, contents: np.ndarray) -> np.ndarray:
    """Predict new inputs with the run's own model, in as many passes as the run has.

    A progress bar is shown where that takes long enough to be noticed.

    Args:
        run: whose model predicts.
        contents: N inputs: (N, height, width, channels) float32 in 0..1, texts, or (N, D) rows.

    Returns:
        (T, N, K) float32 predictions.

    Raises:
        McvizError: the run was kept without its model, or the model cannot be loaded.
    """
    prepared = sampler(run)
    with progress_shown("predictions") as progress:
        return prepared.sample(
            for_the_model(run, contents), passes=run.passes, seed=seed(run), masks=masks(run), progress=progress
        )


@contextmanager
def progress_shown(things: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that says how many of so many things are done, where that takes long enough to be noticed."""
    bar, started = st.empty(), time.monotonic()

    def progress(done: int, total: int) -> None:
        if time.monotonic() > started + NOTICEABLE:
            bar.progress(done / total, f"{done:,} of {total:,} {things}")

    try:
        yield progress
    finally:
        bar.empty()


def masks(run: Run) -> Masks:
    """How live passes draw their masks: as the run's own did, or one draw a pass where those were made elsewhere."""
    return run.manifest.masks or "per_pass"


def seed(run: Run) -> int:
    """Of the masks of live passes: the run's own, since only what passes through the same masks can be compared."""
    return run.manifest.seed or 0


def for_the_model(run: Run, contents: np.ndarray) -> np.ndarray:
    """New inputs, as `live_passes` has them, as the run's model takes them, (N, …).

    Raises:
        McvizError: the run was kept without its model, or the model cannot be loaded.
    """
    prepared = sampler(run)
    from mcviz.sampling.adapters import adapter_for_run

    return adapter_for_run(prepared, run).from_inputs(contents)


@cached_for_run(numbers_key, max_entries=2, show_spinner="Preparing the model …")
def sampler(run: Run) -> "Sampler":
    """The run's own model, prepared for passes; it says so while it is being loaded.

    Raises:
        McvizError: the run was kept without its model, or the model cannot be loaded.
    """
    network = model(run)
    from mcviz.sampling import Sampler

    prepared = Sampler.for_run(network, run)
    # Where Keras is there, Streamlit has all garbage collected after every rerun. What was loaded stays, and looking at
    # it takes half a second; of garbage none is kept.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return prepared


@cached_for_run(numbers_key, max_entries=2, show_spinner="Loading the model; the first time takes some seconds …")
def model(run: Run) -> "keras.Model":
    """The run's own model.

    Raises:
        McvizError: the run was kept without its model, or the model cannot be loaded.
    """
    from mcviz.sampling import load_model  # here, because TensorFlow takes seconds to import

    if run.model_path is None:
        raise McvizError(missing(run, "model"))
    import_named_modules()
    return load_model(run.model_path)


@st.cache_resource(show_spinner="Opening the run …", max_entries=8)
def _open(path: str, changed: float) -> Run:  # noqa: ARG001 (a run that was written anew is opened anew)
    return open_run(path)


def _changed(folder: Path) -> float:
    manifest = folder / "manifest.json"
    return manifest.stat().st_mtime if manifest.exists() else 0.0


@cached_for_run(names_key, max_entries=8, show_spinner="Comparing the runs …")
def _joined(run: Run, other: Run) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    found, own = join_comparison(run, other), run.columns
    change = str(found.columns[0])
    if own is None:
        own = pd.DataFrame({"id": found.index.astype(str)}, index=found.index)
    return change, own.assign(**{change: found[change]}), found.drop(columns=change)


def _numbers_beside(run: ComparedRun, own: Mapping[str, Score]) -> dict[str, Score]:
    """The numbers of the other run, each as its own counterpart is."""
    there, of = map(str, run.numbers), one_line(run.other.name)
    named = {name: own[name.removeprefix(OTHER_PREFIX)] for name in there if name.removeprefix(OTHER_PREFIX) in own}
    return {name: replace(each, name=name, label=f"{each.label} in {of}") for name, each in named.items()}


def _in_unit(score: Score, unit: str) -> Score:
    if score.unit != "target":
        return score
    return Quantity(**{each.name: getattr(score, each.name) for each in fields(Score)} | {"unit": unit})


def _shared(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
