"""Trust in a run's numbers: calibration in all and by group, the value of more passes, the errors of a regression.

The passes of a run are read shard by shard.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mcviz import validate
from mcviz.analysis.base import (
    Figures,
    RunTrust,
    describe_run,
    find_groups,
    ranking_scores,
    require_known_labels,
    require_labels,
)
from mcviz.choices import PREDICTOR_NAMES
from mcviz.errors import InvalidInputError
from mcviz.measures import SCORES, Predictions, percent
from mcviz.measures.calibration import (
    PREDICTOR_WORDS,
    Calibration,
    calibration_sentences,
    calibration_terms,
    cross_fit_temperature,
    equal_width_edges,
    reliability,
)
from mcviz.measures.conformal import coverage_sentence
from mcviz.measures.intervals import Interval, count_groups, largest_design_effect
from mcviz.measures.quality import (
    INTERVAL,
    Measure,
    compute_measures,
    halves_by_size,
    shared_top,
    sizes_up_to,
    terms_by_size,
)
from mcviz.measures.registry import Terms, join_terms
from mcviz.measures.regression import MEASURED_BY, TERMS, regression_differences, regression_terms
from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.runs.tables import Progress
from mcviz.tasks.regression import Regression
from mcviz.text import one_line

if TYPE_CHECKING:
    from mcviz.runs.columns import Groups


Array = np.ndarray
MOST_GROUPS_OF_COLUMN = 1000
CLASS_COLUMNS = "label", "prediction"  # columns of every labelled run
TOLERANCES = 0.0005, 0.001, 0.001  # of accuracy, of NLL in nats, and of ECE
MOST_THREADS = 4  # each holds the passes of a shard
FEWEST_FOR_GAIN = 20  # examples or groups, from which on a gain of the ensemble is judged
REGRESSION_TERMS = Derived("regression-terms", 2, {"terms": "float64"})
TERM_ROWS = (  # of the array that is kept: the predictor and the name of the term
    *(("ensemble", name) for name in MEASURED_BY.values()),
    *((predictor, name) for predictor in ("deterministic", "single_pass") for name in TERMS),
)
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
    labels = require_labels(run)
    return {name: calibration_terms(probs, labels) for name, probs in main_probs(run).items()}


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
    labels, groups = require_labels(run), find_groups(run, group)
    single = _map_shards(run, lambda probs, examples: calibration_terms(probs, labels[examples]), progress)
    scaled = {
        f"{name}_scaled": cross_fit_temperature(probs, labels, groups=groups) for name, probs in main_probs(run).items()
    }
    return {
        "single_pass": join_terms(single),
        **{name: calibration_terms(probs, labels) for name, probs in scaled.items()},
    }


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
        score: one of `ranking_scores` of it that was not added, by which examples are ranked.
        progress: called with (done, total) shards; an exception from it stops the reading.

    Raises:
        InvalidInputError: no labels, a regression, or there is no such score.
    """
    offered = [name for name in ranking_scores(run) if name in SCORES]
    labels, ranked_by = require_labels(run), SCORES[validate.choice("score", score, offered)]
    sizes = sizes_up_to(run.passes)

    def compute_block(probs: Array, examples: slice) -> tuple[Sequence[Terms], Array | None]:
        halves = None
        if run.passes > 1:
            halves = halves_by_size(probs, lambda passes: ranked_by.compute(Predictions(passes)), sizes[1:])
        return terms_by_size(probs, labels[examples], sizes), halves

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
    groups = column_groups(columns[column], kinds[column])
    if len(groups.names) > MOST_GROUPS_OF_COLUMN:
        raise InvalidInputError(
            f"Examples are grouped into at most {MOST_GROUPS_OF_COLUMN:,} groups. Received: {column}, with "
            f"{len(groups.names):,} values."
        )
    return groups


def _group_by_class(run: Run, column: str) -> "Groups":
    """Group examples by `label` or `prediction`."""
    from mcviz.runs.columns import Groups  # here, because pandas takes time to import

    numbers = require_labels(run) if column == "label" else run.scores()["prediction"].to_numpy()
    return Groups(tuple(map(one_line, run.class_names)), numbers.astype(np.int64))


def verdict_sentences(run: Run, result: Calibration) -> list[str]:
    """Say whether a run is calibrated, and what its ensemble gains.

    Args:
        run: a classification with labels.
        result: of its predictors.

    Returns:
        The verdict; the mean confidence and accuracy; what guessing would come to; then a sentence for each other
        predictor.
    """
    verdict, confidence, *gains = calibration_sentences(result)
    most = float(np.bincount(require_labels(run)).max() / len(run))
    guessing = f"Always answering the most frequent label would be right in {percent(most, 2)} of the examples."
    return [verdict, confidence, guessing, *gains]


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
        results = []
        for result in pool.map(lambda examples: work(run.probs_block(examples.start, examples.stop), examples), shards):
            results.append(result)
            if progress:
                progress(len(results), len(shards))
        return results
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, repr=False)
class QualityTrust(RunTrust):
    """The quality of the predictions of a run, by each way to predict.

    Attributes:
        differences: of the ensemble from each of the others, paired by example: the ensemble's less the other's.
    """

    differences: Figures

    @property
    def text_rows(self) -> list[Sequence[str]]:
        """As for `RunTrust`."""
        measures = self.run.task.quality.measures
        rows = [
            [PREDICTOR_NAMES[way], *(self.format(figures, measure) for measure in measures)]
            for way, figures in self.figures.items()
        ]
        return [["predictor", *(measure.label for measure in measures)], *rows]

    def format(self, figures: Mapping[str, Interval], measure: Measure, sign: str = "") -> str:
        """Format the figure of a measure among those of a predictor, with its unit; "" where there is none."""
        if measure.name not in figures:
            return ""
        return measure.format_interval(figures[measure.name], self.run.manifest.unit, sign=sign)

    def as_dict(self) -> dict[str, Any]:
        """Return all that is found for JSON."""
        return {
            **describe_run(self.run, self.sentences),
            "confidence": self.confidence,
            "figures": self.figures,
            "ensemble_less": self.differences,
            "score": self.score,
            "group": self.group,
        }


class RegressionTrust(QualityTrust):
    """The errors of a regression, and the coverage of its intervals.

    Of the `ensemble`, `figures` have all of `measures.quality.REGRESSION`; of `deterministic`, where the run has it,
    and `single_pass` RMSE, MAE, NLL where there is a variance, and CRPS. `sentences` are the verdict on the intervals,
    then what the ensemble gains.
    """


def measure_regression(
    run: Run,
    confidence: float = 0.95,
    *,
    group: str | None = None,
    score: str | None = None,
    progress: Progress | None = None,
) -> RegressionTrust:
    """Measure how wrong a regression is, and how many labels its intervals hold.

    Args:
        run: a regression with labels.
        confidence: above 0 and below 1, of the intervals.
        group: one of the user's own columns, whose values are groups of examples that belong together.
        score: that ranks its examples; the first that it has without it.
        progress: called with (done, total) shards; an exception from it stops the reading.

    Raises:
        InvalidInputError: the run has no labels, one example, or no such column or score.
    """
    score = run.first_score if score is None else validate.choice("score", score, ranking_scores(run))
    groups = find_groups(run, group)
    figures, differences = compute_figures(run, load_terms(run, progress), confidence, groups)
    effect = largest_design_effect(groups)
    sentences = [coverage_sentence(figures["ensemble"]["coverage"], INTERVAL, len(run), confidence, effect)]
    if count_groups(len(run), groups) < FEWEST_FOR_GAIN:
        few = f"fewer than {FEWEST_FOR_GAIN} {'examples' if groups is None else 'groups of examples'}"
        sentences.append(f"With {few}, a gain of the ensemble cannot be told from chance.")
    else:
        sentences += [gain_sentence(run, gains, PREDICTOR_WORDS[name]) for name, gains in differences.items()]
    return RegressionTrust(run, score, group, confidence, figures, sentences, differences)


def load_terms(run: Run, progress: Progress | None = None) -> dict[str, Terms]:
    """Compute the terms of each predictor of a regression, shard by shard; from beside the run if they are there.

    Args:
        run: as for `measure_regression`.
        progress: as for `measure_regression`.

    Returns:
        By predictor: of the `ensemble` those of all its measures, of the others those of `regression_terms`.

    Raises:
        InvalidInputError: as for `measure_regression`.
    """
    labels = require_known_labels(run)
    stored = load_derived(run.path, run.digest, REGRESSION_TERMS)
    if stored is None or stored["terms"].shape != (len(TERM_ROWS), len(run)):
        stored = {"terms": _compute_terms(run, labels, progress)}
        save_derived(run.path, run.digest, REGRESSION_TERMS, stored)
    terms: dict[str, dict[str, Array]] = {}
    for (predictor, name), values in zip(TERM_ROWS, stored["terms"], strict=True):
        if predictor == "ensemble" or not np.isnan(values).any():
            terms.setdefault(predictor, {})[name] = values
    return dict(terms)


def _compute_terms(run: Run, labels: Array, progress: Progress | None) -> Array:
    """Compute (R, N) float64 with the rows of `TERM_ROWS`, NaN where nothing is known."""
    fixed, blocks = run.deterministic_predictions, []
    for shard in range(run.manifest.shards):
        start, stop = run.manifest.shard_range(shard)
        deterministic = None if fixed is None else fixed[start:stop]
        passes = run.predictions_block(start, stop)
        predictions = Regression().predictions(passes, labels[start:stop], deterministic, targets=len(run.targets))
        terms = regression_terms(predictions) | {"ensemble": run.task.quality.terms(predictions)}
        unknown = np.full(len(passes[0]), np.nan)
        blocks.append([terms.get(predictor, {}).get(name, unknown) for predictor, name in TERM_ROWS])
        if progress:
            progress(shard + 1, run.manifest.shards)
    return np.concatenate(blocks, axis=1, dtype=np.float64)


def compute_figures(
    run: Run, terms: Mapping[str, Terms], confidence: float, groups: np.ndarray | None = None
) -> tuple[Figures, Figures]:
    """Compute `figures` and `differences` of a `RegressionTrust` from the terms of all examples, or of some."""
    options: dict[str, Any] = {"groups": groups, "confidence": confidence}
    ways = [name for name in ("ensemble", "deterministic", "single_pass") if name in terms]
    figures = {name: compute_measures(run.task.quality, terms[name], **options) for name in ways}
    differences = {name: regression_differences(terms[name], terms["ensemble"], **options) for name in ways[1:]}
    return figures, differences


def gain_sentence(run: Run, differences: Mapping[str, Interval], other: str) -> str:
    """Say whether the first measure of the ensemble differs from that of another way to predict by more than noise."""
    measure, unit = run.task.quality.measures[0], run.manifest.unit
    difference = differences[measure.name]
    if difference.low > 0 or difference.high < 0:
        by = measure.format_interval(difference.magnitude, unit, sign="-")
        word = "better" if (difference.value > 0) == (measure.better == "high") else "worse"
        return f"Its {measure.label} is {word} than that of {other} by {by}: more than noise."
    by = measure.format_interval(difference, unit, sign="+")
    if np.isnan(difference.low):
        return f"Its {measure.label} differs from that of {other} by {by}: too few examples differ to tell more."
    return f"Its {measure.label} differs from that of {other} by {by}, which is within noise."
