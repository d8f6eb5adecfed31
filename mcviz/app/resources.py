"""Resources of all pages: the runs, the open one, its table and rankings, and the model behind it.

Each is made once for all sessions. What is shared is read-only.
"""

import gc
import os
import re
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
from mcviz.analysis.pairing import LabelChoice, Pairs, pair_examples
from mcviz.app.caching import cached_for_run, names_key, numbers_key, scores_key, table_key
from mcviz.app.columns import details
from mcviz.app.compared_run import ComparedRun
from mcviz.app.needs import missing
from mcviz.choices import Masks
from mcviz.errors import McvizError
from mcviz.measures import Score, most_uncertain_first
from mcviz.measures.registry import format_with_unit
from mcviz.runs import Run, open_run, run_names
from mcviz.runs.folder import cache_folder, require_folder
from mcviz.runs.storage import shipped_runs
from mcviz.text import one_line

if TYPE_CHECKING:
    from mcviz.sampling import Sampler

NOTICEABLE = 0.5  # seconds


@dataclass(frozen=True)
class TargetScore(Score):
    """A number in the unit of a run's targets."""

    def format(self, value: float, target_unit: str = "") -> str:  # noqa: ARG002 (the unit is known)
        """Write a value of it with its unit, such as "3.21 mg/dl" or "452,300"."""
        return format_with_unit(value, self.unit)


def run_paths() -> dict[str, Path]:
    """Return the folder of each run by its name: those of `cache_folder`, or else the shipped runs.

    A shipped run stands first. No run is opened.

    Raises:
        RunNotFoundError: the folder was named, and does not exist.
        StorageError: the folder cannot be listed.
    """
    folder, shipped = cache_folder(), shipped_runs()
    if os.environ.get("MCVIZ_CACHE"):
        require_folder(folder)
    names = sorted(run_names(folder), key=lambda name: name != next(iter(shipped), ""))
    return {name: folder / name for name in names} or shipped


def open_cached_run(path: Path) -> Run:
    """Open the run of a folder; again only where it was written anew.

    Raises:
        McvizError: it cannot be opened.
    """
    return _open(str(path), _changed(path))


def class_names(run: Run) -> tuple[str, ...]:
    """Return the names of a run's classes, each as one line."""
    return tuple(map(one_line, run.class_names))


def target_names(run: Run) -> tuple[str, ...]:
    """Return the names of a run's targets, each as one line."""
    return tuple(map(one_line, run.targets))


def join_runs(run: Run, other: Run, labels: LabelChoice = "new") -> Run:
    """Join another run to a run, if they share examples; it costs nothing the second time."""
    joined = _join_columns(run, other, labels)
    return ComparedRun(run, other, *joined) if joined else run


@cached_for_run(table_key, max_entries=8)
def table(run: Run) -> pd.DataFrame:
    """Return `Run.table`: all scores and the user's own columns; shared, so not to be written to."""
    return run.table()


@cached_for_run(table_key, max_entries=8)
def run_scores(run: Run) -> dict[str, Score]:
    """Return the scores that a run's examples can be ranked by, in its units; first that of `Run.first_score`."""
    registry = {run.first_score: run.score_registry[run.first_score], **run.score_registry}
    return {name: _in_unit(score, run.manifest.unit) for name, score in registry.items() if name in table(run)}


@cached_for_run(table_key, max_entries=8)
def columns_as_scores(run: Run) -> dict[str, str]:
    """Return the name that each numeric column of the user's own would have as a score; of those that are none yet."""
    found: dict[str, str] = {}
    for column in details(run):
        values = table(run)[column]
        if values.dtype.kind in "iuf" and np.isfinite(values).all():
            name = f"column_{re.sub('[^a-z0-9]+', '_', column.lower()).strip('_')}"[:36]
            found[column] = name if name not in found.values() else f"{name}_{len(found)}"
    return {column: name for column, name in found.items() if name not in run.added_scores}


@cached_for_run(table_key, max_entries=8)
def run_numbers(run: Run) -> dict[str, Score]:
    """Return scores and, of a regression, true and predicted values: all that is filtered and drawn by."""
    found: dict[str, Score] = dict(run_scores(run))
    for target in run.targets:
        end = "" if len(run.targets) == 1 else f"_{target}"
        of = "" if len(run.targets) == 1 else f" of {one_line(target)}"
        for name, label in ((f"label{end}", f"True value{of}"), (f"prediction{end}", f"Prediction{of}")):
            if not table(run)[name].isna().all():
                found[name] = TargetScore(name, label, run.manifest.unit, "high", "", np.asarray)
    return found | (_other_numbers(run, found) if isinstance(run, ComparedRun) else {})


@cached_for_run(scores_key, max_entries=64)
def ranking(run: Run, score: str) -> np.ndarray:
    """Return (N,) int64: the example of each rank by a score, most uncertain first."""
    return _read_only(most_uncertain_first(score, table(run)[score].to_numpy(), run.score_registry))


@cached_for_run(scores_key, max_entries=64)
def sorted_scores(run: Run, score: str) -> np.ndarray:
    """Return (N,) a score of a run's own examples, lowest first."""
    return _read_only(np.sort(table(run)[score].to_numpy()))


def predict_live(run: Run, contents: np.ndarray) -> np.ndarray:
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
    with progress_bar("predictions") as progress:
        return prepared.sample(
            model_inputs(run, contents), passes=run.passes, seed=seed(run), masks=masks(run), progress=progress
        )


@contextmanager
def progress_bar(things: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of how many things are done, where that takes long enough to be noticed."""
    bar, started = st.empty(), time.monotonic()

    def progress(done: int, total: int) -> None:
        if time.monotonic() > started + NOTICEABLE:
            bar.progress(done / total, f"{done:,} of {total:,} {things}")

    try:
        yield progress
    finally:
        bar.empty()


def masks(run: Run) -> Masks:
    """Return how live passes draw their masks: as the run's own did, or one draw a pass for imported passes."""
    return run.manifest.masks or "per_pass"


def seed(run: Run) -> int:
    """Return the seed of live passes: the run's own, since only passes of the same masks can be compared."""
    return run.manifest.seed or 0


def model_inputs(run: Run, contents: np.ndarray) -> np.ndarray:
    """Bring new inputs, as `predict_live` has them, into the form of the run's model, (N, …).

    Raises:
        McvizError: the run was kept without its model, or the model cannot be loaded.
    """
    prepared = sampler(run)
    from mcviz.sampling.adapters import adapter_for_run

    return adapter_for_run(prepared, run).from_inputs(contents)


@cached_for_run(numbers_key, max_entries=2, show_spinner="Loading the model; the first time takes some seconds …")
def sampler(run: Run) -> "Sampler":
    """Load the run's own model, prepared for passes; it says so meanwhile.

    Raises:
        McvizError: the run was kept without its model, or the model cannot be loaded.
    """
    from mcviz.sampling.loading import load_run_sampler

    if run.model_path is None:
        raise McvizError(missing(run, "model"))
    prepared = load_run_sampler(run)
    # Where Keras is there, Streamlit has all garbage collected after every rerun. What was loaded stays, and looking at
    # it takes half a second; of garbage none is kept.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return prepared


@st.cache_resource(show_spinner="Opening the run …", max_entries=8)
def _open(path: str, changed: float) -> Run:  # noqa: ARG001 (a run that was written anew is opened anew)
    return open_run(path)


def _changed(folder: Path) -> float:
    manifest = folder / "manifest.json"
    return manifest.stat().st_mtime if manifest.exists() else 0.0


@cached_for_run(names_key, max_entries=8, show_spinner="Comparing the runs …")
def _join_columns(run: Run, other: Run, labels: LabelChoice) -> tuple[Pairs, str, pd.DataFrame, pd.DataFrame] | None:
    pairs, own = pair_examples(run, other, labels), run.columns
    if not len(pairs):
        return None
    found = join_comparison(run, other, pairs)
    change = str(found.columns[0])
    if own is None:
        own = pd.DataFrame({"id": found.index.astype(str)}, index=found.index)
    return pairs, change, own.assign(**{change: found[change]}), found.drop(columns=change)


def _other_numbers(run: ComparedRun, own: Mapping[str, Score]) -> dict[str, Score]:
    """Return the numbers of the other run, each as its own counterpart is."""
    there, of = map(str, run.numbers), one_line(run.other.name)
    named = {name: own[name.removeprefix(OTHER_PREFIX)] for name in there if name.removeprefix(OTHER_PREFIX) in own}
    return {name: replace(each, name=name, label=f"{each.label} in {of}") for name, each in named.items()}


def _in_unit(score: Score, unit: str) -> Score:
    if score.unit != "target":
        return score
    return TargetScore(**{each.name: getattr(score, each.name) for each in fields(Score)} | {"unit": unit})


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
