"""The selection: filtered and ranked examples, and their map."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.analysis.base import LEAST_LABELLED
from mcviz.analysis.labelling import OUT_OF_FOLD, USUAL_ISSUES, count_label_errors, label_errors_sentence
from mcviz.analysis.layouts import components_plane, compute_tsne, load_components, load_tsne
from mcviz.app.filters import Filters, class_column
from mcviz.app.resources import cached_for_run, class_sets, has, numbers_key, ranking, table, table_key
from mcviz.app.state import CONFIDENT_FIRST, UNCERTAIN_FIRST, PageState, choose_name
from mcviz.app.work import progress_bar
from mcviz.measures.similarity import FEWEST_MAPPED
from mcviz.runs import Run, labelled_numbers

LAYOUTS = {"pca": "PCA", "tsne": "t-SNE"}


@dataclass(frozen=True)
class Selection:
    """A run and the examples selected in it.

    Attributes:
        run: the run.
        state: of the page, with the filters and the score that examples are ranked by.
        examples: (n,) int64 numbers of the selected examples, in the order of the ranking.
    """

    run: Run
    state: PageState
    examples: np.ndarray

    @property
    def filters(self) -> Filters:
        """The filters that the examples pass."""
        return self.state.filters

    @property
    def score(self) -> str:
        """The name of the score that examples are ranked by."""
        return self.state.score

    @property
    def table(self) -> pd.DataFrame:
        """All scores of the selected examples, in the order of the ranking."""
        return table(self.run).iloc[self.examples]

    def first(self, count: int) -> pd.DataFrame:
        """The first so many rows of its table."""
        return table(self.run).iloc[self.examples[:count]]


def select(run: Run, state: PageState) -> Selection:
    """Return the examples that pass a state's filters, in its order."""
    return Selection(run, state, _selected_examples(run, state.score, state.order, state.filters))


@cached_for_run(table_key, max_entries=8)
def _selected_examples(run: Run, score: str, order: str, filters: Filters) -> np.ndarray:
    examples = ranked_examples(run, score, order)
    examples = examples[filter_mask(run, filters)[examples]]
    examples.setflags(write=False)
    return examples


@cached_for_run(table_key, max_entries=8)
def mistakes(run: Run) -> np.ndarray | None:
    """Return (N,) bool of wrong predictions, or None."""
    if not has(run, "labels") or not has(run, "classes"):
        return None
    return ~table(run)["correct"].fillna(True).to_numpy(bool)


@cached_for_run(table_key, max_entries=32)
def filter_mask(run: Run, filters: Filters) -> np.ndarray:
    """Return (N,) bool: the examples of a run that pass every filter; shared, so not to be written to."""
    columns, area = table(run), filters.area
    for name in class_sets(run).keys() & {"label", "prediction", "wrong"}:
        chosen = {class_column(name, index): class_sets(run)[name][:, index] for index in getattr(filters, name)}
        columns = columns.assign(**chosen)
    if area and (plane := positions(run, area.layout)) is not None:
        columns = columns.assign(**{area.x: plane[:, 0], area.y: plane[:, 1]})
    mask = filters.mask(columns)
    mask.setflags(write=False)
    return mask


def label_error_ranking(run: Run) -> dict[str, str]:
    """Return the ranking by label fit of the state, if the task has one."""
    return {"score": run.task.label_score, "order": UNCERTAIN_FIRST}


@cached_for_run(table_key, max_entries=8)
def doubted_labels(run: Run) -> np.ndarray:
    """Return (N,) bool: whether a label is less probable to the ensemble than another answer.

    For numbers, these are the first labels of `mcviz label-issues`; with a tolerance, only those beyond it.
    """
    if run.task.decides != "values":
        run = run.undecided  # a label is no more doubtful for a threshold
    loss = np.nan_to_num(run.task.loss_of_table(run.scores()).astype(np.float64))
    if np.isfinite(run.task.loss.largest):
        return loss > 0
    farthest = ranking(run, run.task.label_score)
    return np.isin(np.arange(len(run)), farthest[loss[farthest] > 0][:USUAL_ISSUES])


@cached_for_run(numbers_key, max_entries=8, show_spinner="Counting probable label errors …")
def probable_label_errors(run: Run) -> str:
    """Say how many labels of a run are expected to be wrong; "" of one example."""
    return label_errors_sentence(count_label_errors(run)) if run.manifest.labelled >= LEAST_LABELLED else ""


def label_error_words(run: Run) -> str:
    """Describe the expected number of wrong labels and assumptions, or ""."""
    return f"{probable_label_errors(run)} {OUT_OF_FOLD}".lstrip() if run.manifest.labelled >= LEAST_LABELLED else ""


def find_rank(example: int, order: np.ndarray) -> int:
    """Return an example's rank from 0, or -1."""
    places = np.flatnonzero(order == example)
    return int(places[0]) if len(places) else -1


def ranked_examples(run: Run, score: str, order: str) -> np.ndarray:
    """Return (N,) int64: all examples of a run, by a score, in one of the orders."""
    ranked = ranking(run, score)
    return ranked[::-1] if order == CONFIDENT_FIRST else ranked


def labelled_ranking(run: Run, score: str) -> np.ndarray:
    """Return (n,) int64: the examples that measures count, most uncertain first."""
    order, labelled = ranking(run, score), labelled_numbers(run)
    return order if len(labelled) == len(run) else order[np.isin(order, labelled)]


def available_layouts(run: Run) -> list[str]:
    """Return the names of the layouts that a run can have."""
    if not has(run, "examples or features"):
        return []
    return [name for name in LAYOUTS if name != "tsne" or len(run) >= FEWEST_MAPPED]


def computed_layouts(run: Run) -> list[str]:
    """Return the names of those that need not be asked for first."""
    return [name for name in available_layouts(run) if name != "tsne" or _load_tsne(run) is not None]


def choose_layout(run: Run, state: PageState) -> str:
    """Return the layout of state or lasso, or else t-SNE if computed."""
    area = state.filters.area
    return choose_name(state.layout, available_layouts(run), area.layout if area else computed_layouts(run)[-1])


def positions(run: Run, layout: str) -> np.ndarray | None:
    """Return (N, 2) float32 positions, NaN without one; None before computing."""
    return _load_tsne(run) if layout == "tsne" else components_plane(components(run))


def add_tsne(run: Run, progress: Callable[[int, int], object]) -> None:
    """Compute and store a t-SNE layout in minutes; `progress` can raise to stop."""
    _tsne_layouts()[run.digest] = compute_tsne(run, components(run), progress)


def _load_tsne(run: Run) -> np.ndarray | None:
    layouts = _tsne_layouts()
    if run.digest not in layouts and (stored := load_tsne(run)) is not None:
        layouts[run.digest] = stored
    return layouts.get(run.digest)


@st.cache_resource(show_spinner=False)
def _tsne_layouts() -> dict[str, np.ndarray]:
    """Return t-SNE layouts by digest, shared by sessions."""
    return {}


@cached_for_run(numbers_key, max_entries=4, show_spinner="Comparing the examples …")
def components(run: Run) -> np.ndarray:
    """Return (N, K) float32 coordinates; similar examples are near each other."""
    with progress_bar("examples compared") as progress:
        return load_components(run, progress)
