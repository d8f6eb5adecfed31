"""The predictors of a classification: the terms of their calibration, groups of examples, and the value of more passes.

The passes of a run are read shard by shard.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from mcviz import validate
from mcviz.analysis.base import convergence_score, find_groups, ranking_scores, require_labels, require_one_class
from mcviz.analysis.calibration_sentences import calibration_sentences
from mcviz.errors import InvalidInputError
from mcviz.measures.calibration import (
    Calibration,
    calibration_terms,
    cross_fit_temperature,
    equal_width_edges,
    reliability,
)
from mcviz.measures.quality import halves_by_size, shared_top, sizes_up_to, terms_by_size
from mcviz.measures.registry import Terms, join_terms
from mcviz.runs import Run, labelled_examples
from mcviz.runs.tables import Progress
from mcviz.text import one_line, percent

if TYPE_CHECKING:
    from mcviz.runs.columns import Groups


Array = np.ndarray
MOST_GROUPS_OF_COLUMN = 1000
CLASS_COLUMNS: tuple[Literal["label", "prediction"], ...] = ("label", "prediction")  # columns of every labelled run
TOLERANCES = 0.0005, 0.001, 0.001  # of accuracy, of NLL in nats, and of ECE
MOST_THREADS = 4  # each holds the passes of a shard
Result = TypeVar("Result")


def predictors(run: Run, progress: Progress | None = None, *, group: str | None = None) -> dict[str, Terms]:
    """Compute the terms of the predictors that a run has, for `measures.calibration.calibration`.

    Args:
        run: a classification with labels.
        progress: called with (done, total) shards; an exception from it stops the reading.
        group: one of the user's own columns, whose values are groups of examples that stay whole.

    Returns:
        Those of `main_predictors`, then those of `other_predictors`.

    Raises:
        InvalidInputError: the run has no labels, one example, is of a regression, or has no such column.
    """
    return main_predictors(run) | other_predictors(run, progress, group=group)


def main_predictors(run: Run) -> dict[str, Terms]:
    """Compute the terms of the predictors that take no pass to be read: those of the verdict.

    Args:
        run: as for `predictors`.

    Returns:
        `ensemble`, and `deterministic` where the run has it.

    Raises:
        InvalidInputError: as for `predictors`.
    """
    run = labelled_examples(run)
    labels = require_labels(run)
    return {name: _terms(run, probs, labels) for name, probs in main_probs(run).items()}


def other_predictors(run: Run, progress: Progress | None = None, *, group: str | None = None) -> dict[str, Terms]:
    """Compute the terms of the single pass, and of the main predictors with cross-fitted temperature scaling.

    Args:
        run: as for `predictors`.
        progress: as for `predictors`.
        group: as for `predictors`; the halves by which temperatures are found keep groups whole.

    Returns:
        `single_pass`, `ensemble_scaled`, and `deterministic_scaled` where the run has deterministic probabilities.

    Raises:
        InvalidInputError: as for `predictors`.
    """
    run = labelled_examples(run)
    labels, groups = require_labels(run), find_groups(run, group)
    single = _map_shards(run, lambda probs, examples: _terms(run, probs, labels[examples]), progress)
    scaled = {
        f"{name}_scaled": calibration_terms(
            cross_fit_temperature(probs, labels, groups=groups), labels, run.task.decide(probs)
        )
        for name, probs in main_probs(run).items()
    }
    return {"single_pass": join_terms(single), **scaled}


def _terms(run: Run, probs: Array, labels: Array) -> Terms:
    return calibration_terms(probs, labels, run.task.decide(probs))


def main_probs(run: Run) -> dict[str, Array]:
    """Return (N, C) probabilities of the main predictors, by their names."""
    deterministic = run.deterministic_probs
    return {"ensemble": run.mean_probs} | ({} if deterministic is None else {"deterministic": deterministic})


@dataclass(frozen=True)
class Convergence:
    """The value of more passes.

    Attributes:
        sizes: (S,) int64 numbers of passes, 1 to T, ascending.
        accuracy: (S,) float64 of the mean of the first passes, as a fraction.
        nll: (S,) float64 nats.
        ece: (S,) float64 0 to 1, in bins of one width.
        shared_top: (S,) float64 0 to 1, the share of the 100 most uncertain examples that both halves of these passes
            name; NaN of one pass, which has no halves.
    """

    sizes: Array
    accuracy: Array
    nll: Array
    ece: Array
    shared_top: Array

    @property
    def enough(self) -> int:
        """The number of passes from which on accuracy, NLL and ECE stay within `TOLERANCES` of their final values."""
        figures = zip((self.accuracy, self.nll, self.ece), TOLERANCES, strict=True)
        moving = np.flatnonzero(np.any([np.abs(values - values[-1]) > step for values, step in figures], axis=0))
        return int(self.sizes[moving[-1] + 1] if len(moving) else self.sizes[0])

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {**vars(self), "enough": self.enough}


def compute_convergence(run: Run, score: str = "max_probability", progress: Progress | None = None) -> Convergence:
    """Compute how good the mean of the first passes is, and how far its ranking still moves.

    Args:
        run: a classification with labels.
        score: one of its task that follows from the passes alone, by which examples are ranked.
        progress: called with (done, total) shards; an exception from it stops the reading.

    Raises:
        InvalidInputError: no labels, a regression, or there is no such score.
    """
    run, scores = labelled_examples(run), run.task.scores
    offered = [name for name in ranking_scores(run) if name == convergence_score(run, name)]
    labels, ranked_by = require_labels(run), scores[validate.choice("score", score, offered)]
    sizes = sizes_up_to(run.passes)

    def compute_block(probs: Array, examples: slice) -> tuple[Sequence[Terms], Array | None]:
        halves = None
        if run.passes > 1:
            halves = halves_by_size(probs, lambda passes: ranked_by.compute(run.task.predictions(passes)), sizes[1:])
        return terms_by_size(probs, labels[examples], sizes, run.task.decide), halves

    blocks = _map_shards(run, compute_block, progress)
    ensembles = [join_terms(terms) for terms in zip(*(block for block, _ in blocks), strict=True)]
    halves = [half for _, half in blocks if half is not None]
    pairs: Iterable[Array] = ranked_by.uncertainty(np.concatenate(halves, axis=2)) if halves else []
    return Convergence(
        np.array(sizes),
        np.array([terms["correct"].mean() for terms in ensembles]),
        np.array([terms["nll"].mean() for terms in ensembles]),
        np.array([reliability(terms, equal_width_edges()).ece for terms in ensembles]),
        np.array([np.nan, *(shared_top(one, other) for one, other in pairs)]),
    )


def group_by_column(run: Run, column: str) -> "Groups":
    """Group a run's examples by a column.

    Args:
        run: of any task.
        column: one of the user's own, or of a classification `label` or `prediction`; many numbers are cut into ranges
            that hold as many.

    Raises:
        InvalidInputError: there is no such column, or more than 1,000 groups.
    """
    from mcviz.runs.columns import column_groups, column_kinds  # here, because pandas takes time to import

    if column in CLASS_COLUMNS:
        return _group_by_class(run, column)
    kinds, columns = column_kinds(run), run.columns
    offered = [name for name in kinds if name != "id"]
    if columns is None or column not in offered:
        there = ", ".join([*(CLASS_COLUMNS if run.task.has_one_class else ()), *offered])
        what = f"one of the columns {there}" if there else "one of the user's own columns, and the run has none"
        raise InvalidInputError(f"Examples are grouped by {what}. Received: {column}.")
    groups = column_groups(columns[column], kinds[column])
    if len(groups.names) > MOST_GROUPS_OF_COLUMN:
        raise InvalidInputError(
            f"Examples are grouped into at most {MOST_GROUPS_OF_COLUMN:,} groups. Received: {column}, with "
            f"{len(groups.names):,} values."
        )
    return groups


def group_members(run: Run, column: str) -> dict[str, Array]:
    """Find the examples of each group of a column, (N,) bool by the name of the group.

    Args:
        run: of any task.
        column: as for `group_by_column`; of several labels an example, `label` and `prediction` are the examples with
            each class, so that one may be in several groups.

    Raises:
        InvalidInputError: as for `group_by_column`.
    """
    sets = run.task.class_sets(run.manifest, run.array)
    if column in CLASS_COLUMNS and column in sets:
        return dict(zip(map(one_line, run.class_names), sets[column].T, strict=True))
    groups = group_by_column(run, column)
    return {name: groups.members == number for number, name in enumerate(groups.names)}


def _group_by_class(run: Run, column: str) -> "Groups":
    from mcviz.runs.columns import Groups  # here, because pandas takes time to import

    require_one_class(run)
    numbers = require_labels(run) if column == "label" else run.scores()["prediction"].to_numpy()
    return Groups(tuple(map(one_line, run.class_names)), numbers.astype(np.int64))


def verdict_sentences(run: Run, result: Calibration) -> list[str]:
    """Describe calibration and the ensemble's gain.

    Args:
        run: a classification with labels.
        result: of its predictors.

    Returns:
        The verdict; the mean confidence and accuracy; what guessing would come to; then a sentence for each other
        predictor.
    """
    run = labelled_examples(run)
    verdict, confidence, *gains = calibration_sentences(result)
    most = float(np.bincount(require_labels(run)).max() / len(run))
    guessing = f"Always answering the most frequent label would be right in {percent(most, 2)} of the examples."
    return [verdict, confidence, guessing, *gains]


def _map_shards(run: Run, work: Callable[[Array, slice], Result], progress: Progress | None) -> list[Result]:
    shards = [slice(*run.manifest.shard_range(shard)) for shard in range(run.manifest.shards)]
    pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1))  # numpy lets go of the interpreter's lock
    try:
        results = []
        for result in pool.map(lambda examples: work(run.probs_block(examples.start, examples.stop), examples), shards):
            results.append(result)
            if progress:
                progress(len(results), len(shards))
        return results
    finally:
        pool.shutdown(cancel_futures=True)
