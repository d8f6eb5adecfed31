"""Trust in a run's probabilities: calibration, groups, and the value of more passes.

The passes of a run are read shard by shard.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mcviz import validate
from mcviz.analysis.base import ranking_scores, require_labels
from mcviz.errors import InvalidInputError
from mcviz.measures import SCORES, Predictions, percent
from mcviz.measures.bootstrap import Interval
from mcviz.measures.calibration import (
    Calibration,
    CalibrationTerms,
    calibration_terms,
    equal_width_edges,
    join_calibration_terms,
    reliability,
)
from mcviz.measures.calibration_words import calibration_sentences
from mcviz.measures.convergence import halves_by_size, shared_top, sizes_up_to, terms_by_size
from mcviz.measures.groups import GroupTest, group_tests
from mcviz.measures.temperature import cross_fit_temperature
from mcviz.runs import Run
from mcviz.runs.contents import Progress
from mcviz.text import one_line

if TYPE_CHECKING:
    from mcviz.runs.columns import Groups

Array = np.ndarray


MOST_GROUPS_OF_COLUMN = 1000
CLASS_COLUMNS = "label", "prediction"  # columns of every labelled run
MOST_NAMED_GROUPS = 3  # groups that a sentence names
TOLERANCES = 0.0005, 0.001, 0.001  # of accuracy, of NLL in nats, and of ECE
MOST_THREADS = 4  # each holds the passes of a shard
Result = TypeVar("Result")


def predictors(run: Run, progress: Progress | None = None) -> dict[str, CalibrationTerms]:
    """Compute the terms of the predictors that a run has, for `measures.calibration.calibration`.

    Args:
        run: a classification with labels.
        progress: called with (done, total) shards; an exception from it stops the reading.

    Returns:
        Those of `main_predictors`, then those of `other_predictors`.

    Raises:
        InvalidInputError: the run has no labels, one example, or is of a regression.
    """
    return main_predictors(run) | other_predictors(run, progress)


def main_predictors(run: Run) -> dict[str, CalibrationTerms]:
    """Compute the terms of the predictors that take no pass to be read: those of the verdict.

    Args:
        run: as for `predictors`.

    Returns:
        `ensemble`, and `deterministic` where the run has it.

    Raises:
        InvalidInputError: as for `predictors`.
    """
    labels = require_labels(run)
    return {name: calibration_terms(probs[None], labels) for name, probs in _main_probs(run).items()}


def other_predictors(run: Run, progress: Progress | None = None) -> dict[str, CalibrationTerms]:
    """Compute the terms of the single pass, and of the main predictors with cross-fitted temperature scaling.

    Args:
        run: as for `predictors`.
        progress: as for `predictors`.

    Returns:
        `single_pass`, `ensemble_scaled`, and `deterministic_scaled` where the run has deterministic probabilities.

    Raises:
        InvalidInputError: as for `predictors`.
    """
    labels = require_labels(run)
    single = _map_shards(run, lambda probs, examples: calibration_terms(probs, labels[examples]), progress)
    scaled = {f"{name}_scaled": cross_fit_temperature(probs, labels) for name, probs in _main_probs(run).items()}
    return {
        "single_pass": join_calibration_terms(single),
        **{name: calibration_terms(probs[None], labels) for name, probs in scaled.items()},
    }


def _main_probs(run: Run) -> dict[str, Array]:
    """Return (N, C) probabilities of the main predictors."""
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


def compute_convergence(run: Run, score: str = "max_probability", progress: Progress | None = None) -> Convergence:
    """Compute how good the mean of the first passes is, and how far its ranking still moves.

    Args:
        run: a classification with labels.
        score: one of `ranking_scores` of it that was not added, by which examples are ranked.
        progress: called with (done, total) shards; an exception from it stops the reading.

    Raises:
        InvalidInputError: no labels, a regression, or there is no such score.
    """
    offered = [name for name in ranking_scores(run) if name in SCORES]
    labels, ranked_by = require_labels(run), SCORES[validate.choice("score", score, offered)]
    sizes = sizes_up_to(run.passes)

    def compute_block(probs: Array, examples: slice) -> tuple[list[CalibrationTerms], Array | None]:
        halves = None
        if run.passes > 1:
            halves = halves_by_size(probs, lambda passes: ranked_by.compute(Predictions(passes)), sizes[1:])
        return terms_by_size(probs, labels[examples], sizes), halves

    found = _map_shards(run, compute_block, progress)
    ensembles = [join_calibration_terms(terms) for terms in zip(*(block for block, _ in found), strict=True)]
    halves = [each for _, each in found if each is not None]
    pairs: Iterable[Array] = ranked_by.uncertainty(np.concatenate(halves, axis=2)) if halves else []
    return Convergence(
        np.array(sizes),
        np.array([each.correct.mean() for each in ensembles]),
        np.array([each.nll.mean() for each in ensembles]),
        np.array([reliability(each, equal_width_edges()).ece for each in ensembles]),
        np.array([np.nan, *(shared_top(one, other) for one, other in pairs)]),
    )


def group_by_all_columns(run: Run) -> dict[str, "Groups"]:
    """Group a run's examples by `label`, by `prediction`, and by each of the user's own columns but texts.

    Raises:
        InvalidInputError: the run has no labels, one example, or is of a regression.
    """
    from mcviz.runs.columns import column_groups, column_kinds, select_grouping  # here, because pandas takes time

    kinds, columns = column_kinds(run), run.columns
    found = {name: _group_by_class(run, name) for name in CLASS_COLUMNS}
    if columns is not None:
        found |= {name: column_groups(columns[name], kinds[name]) for name in select_grouping(kinds)}
    return found


def group_by_column(run: Run, column: str) -> "Groups":
    """Group a run's examples by a column.

    Args:
        run: a classification.
        column: `label`, `prediction`, or one of the user's own; many numbers are cut into ranges that hold as many.

    Raises:
        InvalidInputError: there is no such column, or more than 1,000 groups.
    """
    from mcviz.runs.columns import column_groups, column_kinds  # here, because pandas takes time to import

    if column in CLASS_COLUMNS:
        return _group_by_class(run, column)
    kinds, columns = column_kinds(run), run.columns
    offered = [name for name in kinds if name != "id"]
    if columns is None or column not in offered:
        there = ", ".join([*CLASS_COLUMNS, *offered])
        raise InvalidInputError(f"Examples are grouped by one of the columns {there}. Received: {column}.")
    found = column_groups(columns[column], kinds[column])
    if len(found.names) > MOST_GROUPS_OF_COLUMN:
        raise InvalidInputError(
            f"Examples are grouped into at most {MOST_GROUPS_OF_COLUMN:,} groups. Received: {column}, with "
            f"{len(found.names):,} values."
        )
    return found


def _group_by_class(run: Run, column: str) -> "Groups":
    """Group examples by `label` or `prediction`."""
    from mcviz.runs.columns import Groups  # here, because pandas takes time to import

    numbers = require_labels(run) if column == "label" else run.scores()["prediction"].to_numpy()
    return Groups(tuple(map(one_line, run.class_names)), numbers.astype(np.int64))


def run_group_tests(
    ensemble: CalibrationTerms, columns: "Mapping[str, Groups]", confidence: float = 0.95
) -> list[GroupTest]:
    """Test which groups are less accurate than the rest, or not calibrated, beyond chance: see `measures.groups`.

    Args:
        ensemble: of `predictors`.
        columns: groups as `group_by_column` returns them, by the name of the column.
        confidence: 0 to 1, of all groups of all columns together.
    """
    return group_tests(ensemble, {name: each.members for name, each in columns.items()}, ("label",), confidence)


def verdict_sentences(
    run: Run,
    found: Calibration,
    tests: Sequence[GroupTest],
    columns: "Mapping[str, Groups]",
    format_name: Callable[[str], str] = str,
) -> list[str]:
    """Say whether a run is calibrated, for each group too, and what its ensemble gains.

    Args:
        run: a classification with labels.
        found: of its predictors.
        tests: as `run_group_tests` returns them.
        columns: as for `run_group_tests`.
        format_name: formats the name of a column or a group.

    Returns:
        The verdict, then further sentences.
    """
    verdict, *gains = calibration_sentences(found)
    most = float(np.bincount(require_labels(run)).max() / len(run))
    guessing = f"Always answering the most frequent label would be right in {percent(most, 2)} of the examples."
    whole = found.figures["ensemble"].overconfidence
    return [f"{verdict} {guessing}", *gains, *_group_sentences(tests, whole, columns, format_name)]


def _group_sentences(
    tests: Sequence[GroupTest], whole: Interval, columns: "Mapping[str, Groups]", format_name: Callable[[str], str]
) -> list[str]:
    """Name the groups beyond chance, or say that there is none; nothing where no group was large enough.

    A group that is only off as all examples are, by the over-confidence of the `whole`, is not named.
    """
    kinds: dict[str, Callable[[GroupTest], bool]] = {
        "Less accurate than the rest": lambda test: test.measure == "accuracy",
        "Over-confident": lambda test: test.measure == "confidence" and test.value > 0 and not whole.low > 0,
        "Under-confident": lambda test: test.measure == "confidence" and test.value < 0 and not whole.high < 0,
    }
    sentences = []
    for kind, is_kind in kinds.items():
        found = [test for test in tests if test.is_beyond_chance and is_kind(test)]
        if found:
            names = [
                f"{format_name(each.column)} {format_name(columns[each.column].names[each.group])}" for each in found
            ]
            more = f" and {len(names) - MOST_NAMED_GROUPS:,} more" if len(names) > MOST_NAMED_GROUPS else ""
            sentences.append(f"{kind}, beyond chance: {', '.join(names[:MOST_NAMED_GROUPS])}{more}.")
    groups = {(test.column, test.group) for test in tests}
    if groups and not sentences:
        by = " or ".join(format_name(column) for column in columns if any(test.column == column for test in tests))
        sentences.append(
            f"Tested one by one, no group by {by} fares worse beyond chance, of {len(groups):,} that are large enough."
        )
    return sentences


def _map_shards(run: Run, work: Callable[[Array, slice], Result], progress: Progress | None) -> list[Result]:
    """Apply `work` to each shard's passes, several shards at once; the results are in their order.

    Args:
        run: a classification.
        work: takes (T, n, C) and which examples these are.
        progress: called here with (done, total) shards; an exception from it ends the work after the current shards.
    """
    shards = [slice(*run.manifest.shard_range(shard)) for shard in range(run.manifest.shards)]
    pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1))  # numpy lets go of the interpreter's lock
    try:
        found = []
        for each in pool.map(lambda examples: work(run.probs_block(examples.start, examples.stop), examples), shards):
            found.append(each)
            if progress:
                progress(len(found), len(shards))
        return found
    finally:
        pool.shutdown(cancel_futures=True)
