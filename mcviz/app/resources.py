"""Resources of all pages: runs, columns, rankings, parts and model. Each is made once for all sessions, read-only."""

import gc
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import update_wrapper, wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.analysis.comparison import OTHER_PREFIX, Comparison, compare, join_comparison
from mcviz.analysis.pairing import LabelChoice, Pairs, pair_examples
from mcviz.analysis.predictors import MOST_GROUPS_OF_COLUMN
from mcviz.app.filters import Filters, Lasso
from mcviz.app.wording import capitalised
from mcviz.app.work import progress_bar
from mcviz.choices import Masks
from mcviz.errors import McvizError
from mcviz.extras import named_modules
from mcviz.kinds.row_distortions import ColumnStats, column_stats
from mcviz.measures import Score, most_uncertain_first
from mcviz.runs import Run, open_run, run_names
from mcviz.runs.columns import (
    UNKNOWN,
    ColumnKind,
    Groups,
    column_groups,
    column_kinds,
    has_few_values,
    select_grouping,
)
from mcviz.runs.folder import cache_folder, require_folder
from mcviz.runs.manifest_file import explain_closed_model
from mcviz.runs.storage import shipped_runs
from mcviz.text import format_with_unit, one_line, true_minus

if TYPE_CHECKING:
    from mcviz.sampling import Sampler


P = ParamSpec("P")
R = TypeVar("R")
RunKey = Callable[[Run], str]

LONGEST = 200  # characters of a value that is shown
MOST_LIVE_BYTES = 1 << 24  # of the passes over one input: a slider is predicted at 32 positions at once

RunPart = Literal["labels", "examples", "images", "model"]
Need = (
    RunPart
    | Literal["examples or features", "groups", "targets", "losses", "bounded loss", "mistakes"]
    | Literal["classes", "class filters", "class sets", "groups or classes", "unlabelled examples"]
)
MISSING: dict[RunPart, tuple[str, str]] = {
    "labels": (
        ":material/label_off:",
        "This run has no labels. {ways}To measure how right its predictions are, sample it again with labels.",
    ),
    "examples": (
        ":material/hide_image:",
        "This run was kept without its {examples}. Sample it again with the {examples} kept to see them here.",
    ),
    "images": (
        ":material/hide_image:",
        "This run was kept without its images. Sample it again with the images kept to see them here.",
    ),
    "model": (
        ":material/no_sim:",
        "This run was kept without its model, so nothing new can be predicted. Sample it again with the model kept.",
    ),
}
WITHOUT_LABELS = "Trust estimates the accuracy by a labelled run of the same model; on Label, people label examples. "
NOT_IMPORTED: dict[RunPart, str] = {
    "labels": "These passes were imported without labels. {ways}To measure how right they are, import them "
    "again with labels.",
    "examples": "These passes were imported without {examples}. Import them again with {examples} to see them here.",
    "images": "These passes were imported without images. Import them again with images to see them here.",
    "model": "These passes were imported, so there is no model to ask. Sample a model of Keras or PyTorch itself with "
    "`mcviz sample` to probe it.",
}


class ComparedRun(Run):
    """A run with the compared run's results in its table.

    The change of predictions is a column to filter, group and colour by; the other run's scores are numbers.

    Attributes:
        other: the other run.
        pairs: the examples that both have, and the labels that both are measured by.
        change: the name of the column that says how each example changed.
        numbers: a row an example, the other run's numbers, missing where that lacks the example.
    """

    __slots__ = ("_columns", "change", "numbers", "other", "pairs")

    def __init__(
        self, run: Run, other: Run, pairs: Pairs, change: str, columns: pd.DataFrame, numbers: pd.DataFrame
    ) -> None:
        """Put a run beside another.

        Args:
            run: that is shown.
            other: the other.
            pairs: the examples that both have.
            change: the name of the column that says how each example changed.
            columns: the ids, the user's own columns, and how each example changed.
            numbers: a row an example, the other run's numbers.
        """
        self.__dict__ = run.__dict__  # what one of them reads, the other has
        self.other, self.pairs = other, pairs
        self.change, self._columns, self.numbers = change, columns, numbers

    @property
    def columns(self) -> pd.DataFrame:
        """The ids and the user's own columns, and how the prediction changed."""
        return self._columns

    def table(self) -> pd.DataFrame:
        """Return the run's table, with how the prediction changed and the other run's numbers behind it."""
        return super().table().join(self.numbers)


def numbers_key(run: Run) -> str:
    """Return the cache key of numbers, targets, examples, model and decisions."""
    return run.numbers_version


def scores_key(run: Run) -> str:
    """Return the cache key of scores, also added ones."""
    return run.scores_version


def table_key(run: Run) -> str:
    """Return the cache key of a table, with a compared run."""
    if not isinstance(run, ComparedRun):
        return scores_key(run)
    labels_of = run.pairs.labels_of
    beside = scores_key(run.other), *_names(run.other), labels_of and labels_of.digest
    return repr((scores_key(run), run.class_names, *beside))


def names_key(run: Run) -> str:
    """Return the cache key of names, too."""
    return repr((table_key(run), *_names(run)))


def cached_for_run(
    key: RunKey,
    *,
    max_entries: int,
    show_spinner: bool | str = False,
    validate: Callable[[Any], bool] | None = None,
) -> Callable[[Callable[P, R]], "CachedForRun[P, R]"]:
    """Cache a function of runs, and of other arguments, which count by their values.

    Arguments whose names begin with an underscore do not count: they have to follow from the others.

    Args:
        key: of a run: `numbers_key`, `scores_key`, `table_key` or `names_key`. Runs of one key share what is computed.
        max_entries: results that are kept.
        show_spinner: words that are shown meanwhile, if any.
        validate: tells whether a result still holds.
    """
    options = {"max_entries": max_entries, "show_spinner": show_spinner, "validate": validate}
    return lambda function: CachedForRun(function, key, options)


class CachedForRun(Generic[P, R]):
    """A function whose results are kept under the keys of the runs that it is given; see `cached_for_run`."""

    def __init__(self, function: Callable[P, R], key: RunKey, options: dict[str, Any]) -> None:
        by_name: Callable[..., R] = function

        @st.cache_resource(**options, hash_funcs=HASHED)
        @wraps(function)
        def computed(**arguments: Any) -> R:
            return by_name(**{name: _run_of(value) for name, value in arguments.items()})

        self._computed, self._key, self._parameters = computed, key, tuple(signature(function).parameters)
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the result for these arguments.

        They go by name: Streamlit takes longer to find out the name of one than for all else.
        """
        named = dict(zip(self._parameters, args, strict=False)) | kwargs
        return self._computed(**{name: self._keyed(value) for name, value in named.items()})

    def _keyed(self, value: object) -> object:
        return _Keyed(value, self._key(value)) if isinstance(value, Run) else value

    def clear(self) -> None:
        """Forget all results."""
        self._computed.clear()


@dataclass(frozen=True)
class _Keyed:
    """A run and its key: to Streamlit, a run that stands alone and the same beside another never have one key."""

    run: Run
    key: str


HASHED: dict[str | type, Callable[[Any], str]] = {_Keyed: lambda of: of.key, Filters: repr, Lasso: repr}


def _run_of(value: Any) -> Any:
    return value.run if isinstance(value, _Keyed) else value


def _names(run: Run) -> tuple[str, str, tuple[str, ...]]:
    return run.digest, run.name, run.class_names


@cached_for_run(table_key, max_entries=8)
def own_columns(run: Run) -> dict[str, ColumnKind]:
    """Return kinds of the user's columns by name: useful ids first, example columns last."""
    return {} if run.columns is None else column_kinds(run)


def details(run: Run) -> list[str]:
    """Return those of `own_columns` that are not the example itself."""
    content = set(run.manifest.examples.content)
    return [name for name in own_columns(run) if name not in content]


def searched_columns(run: Run) -> dict[str, str]:
    """Return the columns that “Find” searches, each with a word for its values: ids, then texts."""
    searched = run.kind.content.searched
    called = {"id": "id", **(dict.fromkeys(run.manifest.examples.content, searched) if searched else {})}
    return {name: name_in_table for name, name_in_table in called.items() if name in own_columns(run)}


def grouping_columns(run: Run) -> list[str]:
    """Return the columns that make groups: those of few different values, and of numbers."""
    return select_grouping(own_columns(run))


@cached_for_run(table_key, max_entries=8)
def all_grouping_columns(run: Run) -> list[str]:
    """Return the columns that make groups, also those of up to 1,000 different values, such as names of places."""
    columns = run.columns
    if columns is None:
        return []
    more = {name for name in details(run) if has_few_values(columns[name], MOST_GROUPS_OF_COLUMN)}
    return [name for name in own_columns(run) if name in {*grouping_columns(run), *more}]


@cached_for_run(table_key, max_entries=64)
def groups(run: Run, name: str) -> Groups:
    """Return the groups of one of `all_grouping_columns`: a value each, or for many numbers a range each."""
    assert run.columns is not None
    return column_groups(run.columns[name], own_columns(run)[name])


def find_example(run: Run, wanted: str) -> int | None:
    """Return an example's number by id, or None."""
    if run.columns is None or "id" not in run.columns:
        return None
    places = np.flatnonzero(run.columns["id"] == wanted.strip())
    return int(places[0]) if len(places) else None


def format_facts(own: Iterable[str], row: Any) -> list[tuple[str, str]]:
    """Return an example's values of columns by their names, each as one line.

    Args:
        own: names of columns, as `own_columns` gives them.
        row: of the run's table, or what has the same keys.
    """
    return [(one_line(name), format_value(row[name])) for name in own]


def format_value(value: Any) -> str:
    """Write a value of a column as one line that is not too long."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return UNKNOWN
    text = true_minus(f"{value:.6g}") if isinstance(value, float) else one_line(str(value)).removesuffix(" 00:00:00")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


@cached_for_run(numbers_key, max_entries=4)
def row_values(run: Run) -> np.ndarray:
    """Return (N, D) float32: the rows of a run; shared, so not to be written to."""
    rows = run.content.to_numpy(np.float32)
    rows.setflags(write=False)
    return rows


def row_names(run: Run) -> list[str]:
    """Return the names of a run's columns, each as one line."""
    return [one_line(str(name)) for name in run.content]


@cached_for_run(numbers_key, max_entries=4)
def usual_values(run: Run) -> ColumnStats:
    """Return the usual values of each column of a run."""
    return column_stats(row_values(run))


@cached_for_run(numbers_key, max_entries=8)
def class_sets(run: Run) -> dict[str, np.ndarray]:
    """Return which classes each example has, as `Task.class_sets` gives them."""
    return run.task.class_sets(run.manifest, run.array)


class Needing(Protocol):
    """An element that needs parts of a run."""

    @property
    def needs(self) -> Collection[Need]:
        """The parts that the run must have."""


def has(run: Run, need: Need) -> bool:
    """Return whether a run has something."""
    return HOLDS[need](run)


HOLDS: dict[Need, Callable[[Run], bool]] = {
    "labels": lambda run: run.manifest.labels_sha256 is not None,
    "images": lambda run: run.has_images,
    "model": lambda run: run.model_path is not None and not _explain_closed(run),
    "examples": lambda run: run.manifest.has_examples,
    "examples or features": lambda run: run.manifest.has_examples or run.manifest.features is not None,
    "classes": lambda run: run.task.has_one_class,
    "class sets": lambda run: not run.task.has_one_class and bool(class_sets(run)),
    "class filters": lambda run: run.task.has_one_class or bool(class_sets(run)),
    "targets": lambda run: run.task.last_axis == "target",
    "losses": lambda run: bool(run.task.loss_column),
    "bounded loss": lambda run: bool(np.isfinite(run.task.loss.largest)),
    "mistakes": lambda run: run.task.loss.is_mistake,
    "groups": lambda run: bool(all_grouping_columns(run)),
    "groups or classes": lambda run: run.task.has_one_class or bool(run.targets and grouping_columns(run)),
    "unlabelled examples": lambda run: run.manifest.examples_with_labels is not None,
}


def missing(run: Run, part: RunPart) -> str:
    """Explain a missing part and how to get it, or a closed model."""
    if part == "model" and run.manifest.has_model and (closed := _explain_closed(run)):
        return closed
    sentence = NOT_IMPORTED[part] if run.manifest.origin.kind == "imported" else MISSING[part][1]
    if part == "labels":
        return sentence.format(ways=WITHOUT_LABELS if has(run, "classes") else "")
    if part == "examples":  # texts and rows are in every run of them
        return sentence.format(examples="examples" if run.manifest.images is None else "images")
    return sentence


def _explain_closed(run: Run) -> str:
    if run.task.of_pixels and (size := 4 * run.passes * run.manifest.width) > MOST_LIVE_BYTES:
        return (
            f"The passes over one input take {size / 2**20:,.0f} MiB of memory, and pages take {MOST_LIVE_BYTES >> 20} "
            "MiB at most. In Python `mcviz.sample` predicts new inputs."
        )
    return explain_closed_model(run.manifest, named_modules())


def check_needs(run: Run, needs: Collection[RunPart]) -> bool:
    """Return whether a run meets needs; otherwise show advice."""
    lacking = [part for part in MISSING if part in needs and not has(run, part)]
    for part in lacking[:1]:
        st.info(missing(run, part), icon=MISSING[part][0])
    return not lacking


def available(registry: Mapping[str, Needing], run: Run) -> list[str]:
    """Return the names of all whose needs a run meets."""
    return [name for name, item in registry.items() if all(has(run, need) for need in item.needs)]


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
    """Open a folder's run, again after each write.

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


@cached_for_run(names_key, max_entries=4)
def compare_cached(run: Run, other: Run, score: str, labels: LabelChoice) -> Comparison:
    """Compare two runs."""
    bar = st.empty()

    def progress(done: int, total: int) -> None:
        bar.progress(done / total, "Reading the passes …" if done < total else "Resampling the examples …")

    try:
        return compare(run, other, score=score, labels=labels, progress=progress)
    finally:
        bar.empty()


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
    names: dict[str, str] = {}
    for column in details(run):
        values = table(run)[column]
        if values.dtype.kind in "iuf" and np.isfinite(values).all():
            name = f"column_{re.sub('[^a-z0-9]+', '_', column.lower()).strip('_')}"[:36]
            names[column] = name if name not in names.values() else f"{name}_{len(names)}"
    return {column: name for column, name in names.items() if name not in run.added_scores}


@cached_for_run(table_key, max_entries=8)
def run_numbers(run: Run) -> dict[str, Score]:
    """Return scores, true and predicted values of a regression, other losses: all that is filtered and drawn by."""
    numbers: dict[str, Score] = dict(run_scores(run))
    for target in run.targets:
        end = "" if len(run.targets) == 1 else f"_{target}"
        of = "" if len(run.targets) == 1 else f" of {one_line(target)}"
        for name, label in ((f"label{end}", f"True value{of}"), (f"prediction{end}", f"Prediction{of}")):
            if not table(run)[name].isna().all():
                numbers[name] = TargetScore(name, label, run.manifest.unit, "high", "", np.asarray)
    loss = run.task.loss_column
    if loss and loss not in numbers and has(run, "labels"):
        numbers[loss] = Score(loss, capitalised(run.task.loss.mean), "probability", "high", "", np.asarray)
    return numbers | (_other_numbers(run, numbers) if isinstance(run, ComparedRun) else {})


@cached_for_run(scores_key, max_entries=64)
def ranking(run: Run, score: str) -> np.ndarray:
    """Return (N,) int64: the example of each rank by a score, most uncertain first."""
    return _read_only(most_uncertain_first(score, table(run)[score].to_numpy(), run.score_registry))


@cached_for_run(scores_key, max_entries=64)
def sorted_scores(run: Run, score: str) -> np.ndarray:
    """Return (N,) a score of a run's own examples, lowest first."""
    return _read_only(np.sort(table(run)[score].to_numpy()))


def predict_live(run: Run, contents: np.ndarray) -> np.ndarray:
    """Predict new inputs with the run's model and number of passes, with progress.

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
    skip_loaded_objects()
    return prepared


def skip_loaded_objects() -> None:
    """Exclude all objects from later garbage collection, except present garbage.

    Once Keras is imported, Streamlit collects all garbage after every rerun. Objects of Keras and of a model are many,
    and stay loaded: to look at them each time would take longer than the rerun itself.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


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
    joined = join_comparison(run, other, pairs)
    change = str(joined.columns[0])
    if own is None:
        own = pd.DataFrame({"id": joined.index.astype(str)}, index=joined.index)
    return pairs, change, own.assign(**{change: joined[change]}), joined.drop(columns=change)


def _other_numbers(run: ComparedRun, own: Mapping[str, Score]) -> dict[str, Score]:
    """Map the other run's numbers to their counterparts."""
    there, of = map(str, run.numbers), one_line(run.other.name)
    named = {name: own[name.removeprefix(OTHER_PREFIX)] for name in there if name.removeprefix(OTHER_PREFIX) in own}
    return {name: replace(number, name=name, label=f"{number.label} in {of}") for name, number in named.items()}


def _in_unit(score: Score, unit: str) -> Score:
    if score.unit != "target":
        return score
    return TargetScore(**{field.name: getattr(score, field.name) for field in fields(Score)} | {"unit": unit})


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
