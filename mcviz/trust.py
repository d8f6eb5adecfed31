"""How far a run's probabilities can be trusted, and what a person should do: the measures of trust over a run.

Nothing here needs TensorFlow. The passes of a run are read shard by shard, but for BatchBALD, which takes all at once.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from msgspec.structs import replace

from mcviz import validate
from mcviz.choices import METHODS, Method
from mcviz.errors import InvalidInputError
from mcviz.measures import SCORES, Predictions, Score, percent
from mcviz.measures.acquisition import batch_bald, highest, power_bald, random
from mcviz.measures.bootstrap import Interval
from mcviz.measures.calibration import (
    Calibration,
    Terms,
    equal_width_edges,
    joined,
    reliability,
    temperature_scaled,
    terms,
)
from mcviz.measures.calibration_words import calibration_sentences
from mcviz.measures.convergence import halves_by_size, shared_top, sizes_up_to, terms_by_size
from mcviz.measures.groups import GroupTest, group_tests
from mcviz.measures.prediction_sets import SetFigures, cross_fitted_sets, set_figures
from mcviz.measures.referral import (
    Costs,
    Guarantee,
    Referral,
    Shift,
    cheapest,
    guaranteed,
    guaranteed_accuracy,
    guaranteed_budget,
    referral_at,
    referral_for_accuracy,
    referral_for_budget,
    referral_for_misses,
    referred_at,
    shift,
)
from mcviz.measures.selective import Ranking
from mcviz.measures.units import percent_at_least
from mcviz.runs import Manifest, Run
from mcviz.runs.contents import Progress
from mcviz.text import one_line

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.runs.columns import Groups

Array = np.ndarray

RANKING_SCORES = tuple(name for name, score in SCORES.items() if not score.needs_labels)
LEAST_EXAMPLES = 2  # of which one half calibrates the other
MOST_GROUPS = 1000
OF_CLASSES = "label", "prediction"  # columns of every labelled run
MOST_NAMED = 3  # groups that a sentence names
SETTLED = 0.0005, 0.001, 0.001  # of accuracy, of NLL in nats, and of ECE
RARE = 0.01  # a p-value below which scores are said to be distributed otherwise
OF_REGRESSIONS = (
    "Of a regression, the dashboard shows how wrong it is, on Overview; and whether its scores find the errors and its "
    "intervals hold the labels, on Uncertain examples under Errors and Intervals. `mcviz compare` compares two."
)
SET_COVERAGE = 0.9  # of prediction sets
MOST_THREADS = 4  # each holds the passes of a shard
Found = TypeVar("Found")


def ways_of(run: Run, progress: Progress | None = None) -> dict[str, Terms]:
    """The ways to predict that a run has, for `measures.calibration.calibration`.

    Args:
        run: a classification with labels.
        progress: called with (done, total) shards; what it raises stops the reading.

    Returns:
        `ensemble`, `deterministic` where the run has it, and `single_pass`; then both of the
        first with cross-fitted temperature scaling, `ensemble_scaled` and `deterministic_scaled`.

    Raises:
        InvalidInputError: the run has no labels, one example, or is of a regression.
    """
    labels = _labels(run)
    alone = {"ensemble": run.mean_probs}
    if run.deterministic_probs is not None:
        alone["deterministic"] = run.deterministic_probs
    found = {name: terms(probs[None], labels) for name, probs in alone.items()}
    single = _of_shards(run, lambda probs, examples: terms(probs, labels[examples]), progress)
    found["single_pass"] = joined(single)
    scaled = {f"{name}_scaled": temperature_scaled(probs, labels) for name, probs in alone.items()}
    return found | {name: terms(probs[None], labels) for name, probs in scaled.items()}


@dataclass(frozen=True)
class Convergence:
    """What more passes are worth.

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
        """From how many passes on accuracy, NLL and ECE stay within `SETTLED` of those of all passes."""
        figures = zip((self.accuracy, self.nll, self.ece), SETTLED, strict=True)
        moving = np.flatnonzero(np.any([np.abs(values - values[-1]) > step for values, step in figures], axis=0))
        return int(self.sizes[moving[-1] + 1] if len(moving) else self.sizes[0])


def convergence_of(run: Run, score: str = "max_probability", progress: Progress | None = None) -> Convergence:
    """How good the mean of the first passes is, and how far its ranking still moves.

    Args:
        run: a classification with labels.
        score: one of `ranking_scores_of` it, by which examples are ranked.
        progress: called with (done, total) shards; what it raises stops the reading.

    Raises:
        InvalidInputError: no labels, a regression, or there is no such score.
    """
    labels, ranked_by = _labels(run), SCORES[validate.one_of("score", score, ranking_scores_of(run))]
    sizes = sizes_up_to(run.passes)

    def of_block(probs: Array, examples: slice) -> tuple[list[Terms], Array | None]:
        halves = None
        if run.passes > 1:
            halves = halves_by_size(probs, lambda passes: ranked_by.compute(Predictions(passes)), sizes[1:])
        return terms_by_size(probs, labels[examples], sizes), halves

    found = _of_shards(run, of_block, progress)
    ensembles = [joined(of_size) for of_size in zip(*(block for block, _ in found), strict=True)]
    halves = [each for _, each in found if each is not None]
    pairs: Iterable[Array] = ranked_by.uncertainty(np.concatenate(halves, axis=2)) if halves else []
    return Convergence(
        np.array(sizes),
        np.array([each.correct.mean() for each in ensembles]),
        np.array([each.nll.mean() for each in ensembles]),
        np.array([reliability(each, equal_width_edges()).ece for each in ensembles]),
        np.array([np.nan, *(shared_top(one, other) for one, other in pairs)]),
    )


def all_groups_of(run: Run) -> dict[str, "Groups"]:
    """The groups of a run's examples by `label`, by `prediction`, and by each of the user's own columns but texts.

    Raises:
        InvalidInputError: the run has no labels, one example, or is of a regression.
    """
    from mcviz.runs.columns import column_groups, column_kinds, that_make_groups  # here, because pandas takes time

    kinds, columns = column_kinds(run), run.columns
    found = {name: _groups_of_classes(run, name) for name in OF_CLASSES}
    if columns is not None:
        found |= {name: column_groups(columns[name], kinds[name]) for name in that_make_groups(kinds)}
    return found


def groups_of(run: Run, column: str) -> "Groups":
    """The groups of a run's examples by a column.

    Args:
        run: a classification.
        column: `label`, `prediction`, or one of the user's own; many numbers are cut into ranges that hold as many.

    Raises:
        InvalidInputError: there is no such column, or more than 1,000 groups.
    """
    from mcviz.runs.columns import column_groups, column_kinds  # here, because pandas takes time to import

    if column in OF_CLASSES:
        return _groups_of_classes(run, column)
    kinds, columns = column_kinds(run), run.columns
    offered = [name for name in kinds if name != "id"]
    if columns is None or column not in offered:
        there = ", ".join([*OF_CLASSES, *offered])
        raise InvalidInputError(f"Examples are grouped by one of the columns {there}. Received: {column}.")
    found = column_groups(columns[column], kinds[column])
    if len(found.names) > MOST_GROUPS:
        raise InvalidInputError(
            f"Examples are grouped into at most {MOST_GROUPS:,} groups. Received: {column}, with "
            f"{len(found.names):,} values."
        )
    return found


def _groups_of_classes(run: Run, column: str) -> "Groups":
    """The groups by `label` or `prediction`."""
    from mcviz.runs.columns import Groups  # here, because pandas takes time to import

    numbers = _labels(run) if column == "label" else run.scores()["prediction"].to_numpy()
    return Groups(tuple(map(one_line, run.class_names)), numbers.astype(np.int64))


def group_tests_of(ensemble: Terms, columns: "Mapping[str, Groups]", confidence: float = 0.95) -> list[GroupTest]:
    """Which groups fare worse than the rest, or are not calibrated, beyond chance: see `measures.groups`.

    Args:
        ensemble: of the ways of `ways_of`.
        columns: as `groups_of` gives them, by the name of the column.
        confidence: 0 to 1, of all groups of all columns together.
    """
    return group_tests(ensemble, {name: each.members for name, each in columns.items()}, ("label",), confidence)


def verdict_in_words(
    run: Run,
    found: Calibration,
    tests: Sequence[GroupTest],
    columns: "Mapping[str, Groups]",
    written: Callable[[str], str] = str,
) -> list[str]:
    """Whether a run's probabilities can be taken at their word, for each group too, and what its ensemble gains.

    Args:
        run: a classification with labels.
        found: of its ways to predict.
        tests: as `group_tests_of` gives them.
        columns: as for `group_tests_of`.
        written: how the name of a column or a group is written.

    Returns:
        The verdict, then further sentences.
    """
    verdict, *gains = calibration_sentences(found)
    most = float(np.bincount(_labels(run)).max() / len(run))
    guessing = f"Always answering the most frequent label would be right in {percent(most, 2)} of the examples."
    whole = found.figures["ensemble"].overconfidence
    return [f"{verdict} {guessing}", *gains, *_groups_in_words(tests, whole, columns, written)]


def _groups_in_words(
    tests: Sequence[GroupTest], whole: Interval, columns: "Mapping[str, Groups]", written: Callable[[str], str]
) -> list[str]:
    """Which groups are beyond chance, or that there is none; nothing where no group was large enough to be looked at.

    That a group is off as all examples are, by the over-confidence of the `whole`, is not said again.
    """
    kinds: dict[str, Callable[[GroupTest], bool]] = {
        "Less accurate than the rest": lambda test: test.measure == "accuracy",
        "Over-confident": lambda test: test.measure == "confidence" and test.value > 0 and not whole.low > 0,
        "Under-confident": lambda test: test.measure == "confidence" and test.value < 0 and not whole.high < 0,
    }
    said = []
    for kind, is_kind in kinds.items():
        found = [test for test in tests if test.is_beyond_chance and is_kind(test)]
        if found:
            names = [f"{written(each.column)} {written(columns[each.column].names[each.group])}" for each in found]
            more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
            said.append(f"{kind}, beyond chance: {', '.join(names[:MOST_NAMED])}{more}.")
    groups = {(test.column, test.group) for test in tests}
    if groups and not said:
        by = " or ".join(written(column) for column in columns if any(test.column == column for test in tests))
        said.append(f"No group by {by} fares worse beyond chance, of {len(groups):,} that are large enough.")
    return said


def ranking_scores_of(run: Run) -> list[str]:
    """Those of `RANKING_SCORES` that a run has; one that was made before a score, or without what it takes, has not."""
    return [name for name in RANKING_SCORES if name in run.score_names]


def ranking_of(run: Run, score: str) -> Ranking:
    """The order of a labelled run by a score.

    Args:
        run: a classification.
        score: one of `ranking_scores_of` it.

    Raises:
        InvalidInputError: the run has no labels, or there is no such score.
    """
    _labels(run)
    return Ranking(uncertainty_of(run, score), run.scores()["correct"].to_numpy(bool))


def rankings_of(run: Run) -> dict[str, Ranking]:
    """The orders of a labelled run by every score, and by the deterministic model's own max probability.

    Returns:
        Each by the name of its score; `deterministic` is that of the deterministic model, with its own mistakes.

    Raises:
        InvalidInputError: the run has no labels.
    """
    labels, probs = _labels(run), run.deterministic_probs
    found = {name: ranking_of(run, name) for name in ranking_scores_of(run)}
    if probs is not None:
        found["deterministic"] = Ranking(-probs.max(axis=1), probs.argmax(axis=1) == labels)
    return found


def cheapest_of(run: Run, mistake: float, look: float, score: str = "max_probability") -> Costs:
    """The cheapest threshold of a labelled run.

    Args:
        run: a classification.
        mistake: what a mistake costs that nobody sees, 0 or more.
        look: what it costs to look at an example, in the same unit.
        score: one of `ranking_scores_of` it.

    Raises:
        InvalidInputError: the run has no labels, there is no such score, or a cost below 0.
    """
    mistake = validate.number("mistake", mistake, least=0)
    return cheapest(ranking_of(run, score), mistake, validate.number("look", look, least=0))


def uncertainty_of(run: Run, score: str) -> Array:
    """(N,) float32, a score of a run with its sign turned where low is uncertain.

    Args:
        run: a classification.
        score: one of `ranking_scores_of` it.

    Raises:
        InvalidInputError: there is no such score, or the run is of a regression.
    """
    _check_task(run)
    validate.one_of("score", score, ranking_scores_of(run))
    return SCORES[score].uncertainty(run.scores()[score].to_numpy())


@dataclass(frozen=True)
class RunReferral:
    """Which examples of a run go to a person.

    Attributes:
        run: whose examples they are.
        score: by which they are uncertain.
        target: what was asked for, in words.
        on_labels: the fewest for the target on the run's own labels; None for a threshold of another run.
        guarantee: the threshold that was chosen on one half of labelled examples and tested on the other; None where
            the examples are too few, or the mistakes too many.
        shift: of a threshold of another run: whether the scores are distributed as those of that run.
        warnings: what may break the guarantee, a sentence each.
    """

    run: Run
    score: Score
    target: str
    on_labels: Referral | None
    guarantee: Guarantee | None
    shift: Shift | None = None
    warnings: tuple[str, ...] = ()

    @property
    def threshold(self) -> float | None:
        """The value of the score from which on examples are referred, in its unit; None where none is."""
        return self._in_unit(self._rule)

    @property
    def guaranteed_threshold(self) -> float | None:
        """The same with the guarantee; None where there is none, or nobody is referred by it."""
        return None if self.guarantee is None else self._in_unit(self.guarantee.threshold)

    @property
    def examples(self) -> Array:
        """(R,) int64, the examples that go to a person, the most uncertain first."""
        return referred_at(uncertainty_of(self.run, self.score.name), self._rule)

    @property
    def guaranteed_examples(self) -> Array | None:
        """(R,) int64, those that go to a person for the guarantee; None where there is none."""
        if self.guarantee is None:
            return None
        return referred_at(uncertainty_of(self.run, self.score.name), self.guarantee.threshold)

    @property
    def table(self) -> "pd.DataFrame":
        """The rows of `Run.table` of `examples`, in their order."""
        return listed(self.run, self.examples)

    @property
    def accuracy_of_rest(self) -> float | None:
        """The accuracy of the other examples; None where there are none, or no labels."""
        found = self._found(self._rule)
        return None if found is None else found.accuracy_of_rest

    def as_dict(self) -> dict[str, Any]:
        """The referral for JSON: numbers, and the ids of the examples that are referred."""
        found: dict[str, Any] = {"run": self.run.path, "score": self.score.name, "target": self.target}
        found |= self._figures(self._rule)
        found["guaranteed"] = self._guaranteed()
        if self.shift is not None:
            found["shift"] = self.shift
        return found | {"warnings": self.warnings}

    @property
    def _rule(self) -> float:
        if self.on_labels is not None:
            return self.on_labels.threshold
        assert self.guarantee is not None  # without labels there is no other threshold
        return self.guarantee.threshold

    def _found(self, rule: float) -> Referral | None:
        return None if self.run.labels is None else referral_at(ranking_of(self.run, self.score.name), rule)

    def _figures(self, rule: float) -> dict[str, Any]:
        uncertainty, found = uncertainty_of(self.run, self.score.name), self._found(rule)
        examples = referred_at(uncertainty, rule)
        return {
            "referred": len(examples),
            "examples": len(self.run),
            "threshold": self._in_unit(rule),
            "referred_when": "at or below" if self.score.uncertain_when == "low" else "at or above",
            "accuracy_of_rest": None if found is None else found.accuracy_of_rest,
            "caught": None if found is None else found.caught,
            "missed": None if found is None else found.missed,
            "ids": self.run.scores()["id"].iloc[examples].tolist(),
        }

    def _guaranteed(self) -> dict[str, Any] | None:
        given = self.guarantee
        if given is None:
            return None
        on_others = given.on_others
        return {
            "confidence": given.confidence,
            "accuracy_at_least": given.accuracy,
            "score": self.score.name,
            **self._figures(given.threshold),
            "tested_on": {
                "examples": len(given.others),
                "referred": len(on_others.referred),
                "accuracy_of_rest": on_others.accuracy_of_rest,
                "caught": on_others.caught,
                "missed": on_others.missed,
            },
        }

    def threshold_in_words(self, rule: float, digits: int = 6) -> str:
        """Which values of the score go to a person, such as "up to 0.906313"."""
        value = self._in_unit(rule)
        if value is None:
            return "none"
        return f"{'up to' if self.score.uncertain_when == 'low' else 'from'} {value:.{digits}g}"

    def _in_unit(self, rule: float) -> float | None:
        return float(self.score.uncertainty(np.array(rule))) if np.isfinite(rule) else None


def refer(
    run: Run,
    *,
    accuracy: float | None = None,
    budget: int | None = None,
    miss: float | None = None,
    score: str = "max_probability",
    confidence: float = 0.95,
    calibrated_on: Run | None = None,
    seed: int = 0,
) -> RunReferral:
    """Which examples a person should look at.

    Args:
        run: a classification; with labels, unless `calibrated_on` has them.
        accuracy: the least accuracy of the rest, a fraction. Give this, `budget` or `miss`.
        budget: the most examples that a person looks at.
        miss: the most mistakes among the rest, as a share of all mistakes.
        score: one of `ranking_scores_of` it.
        confidence: of the guarantee, above 0.5.
        calibrated_on: a run with labels of the same model, whose threshold is applied to `run`.
        seed: of the halves of the labelled examples: one chooses the threshold, the other tests it. That of a budget is
            chosen without labels, and tested on all.

    Raises:
        InvalidInputError: no labels, a regression, another number of targets than one, a value that cannot be, or runs
            of which one's threshold means nothing for the other.
    """
    labelled = calibrated_on or run
    choose, guarantees, target = _target(len(run), accuracy, budget, miss)
    if not 0.5 < validate.fraction("confidence", confidence) < 1:
        raise validate.invalid("confidence", "above 0.5 and below 1", confidence)
    uncertainty, ranking = uncertainty_of(run, score), ranking_of(labelled, score)
    guarantee = guarantees(ranking, confidence, seed)
    if calibrated_on is None:
        return RunReferral(run, SCORES[score], target, choose(ranking), guarantee)
    warnings = _differences(run, calibrated_on)
    if guarantee is None:
        raise InvalidInputError(
            f"The {len(calibrated_on):,} labels of {calibrated_on.path} guarantee no threshold for this target. "
            "Ask for less, or for a lower confidence."
        )
    found = shift(ranking.uncertainty, uncertainty)
    if found.p_value < RARE:
        warnings.append(
            f"The {SCORES[score].in_sentence} is distributed otherwise than in {calibrated_on.path} "
            f"(Kolmogorov–Smirnov {found.statistic:.3f}, p = {found.p_value:.2g}), and the guarantee is for examples "
            "that are alike."
        )
    return RunReferral(run, SCORES[score], target, None, guarantee, found, tuple(warnings))


def prediction_sets_of(run: Run, coverage: float = SET_COVERAGE) -> SetFigures:
    """How large sets of classes have to be to hold the label that often.

    Args:
        run: a classification with labels.
        coverage: of each class, 0 to 1.

    Raises:
        InvalidInputError: the run has no labels, one example, or is of a regression.
    """
    labels = _labels(run)
    return set_figures(cross_fitted_sets(run.mean_probs, labels, coverage), labels)


def referral_in_words(found: RunReferral) -> list[str]:
    """What a referral comes to, a sentence each for the labels and for the guarantee."""
    lines = []
    if found.on_labels is not None:
        lines.append(f"For {found.target} {_looked_at(found, found.on_labels.threshold)}.")
    given = found.guarantee
    if given is None:
        return [*lines, "Nothing is guaranteed for new examples: there are too few labels, or too many mistakes."]
    least = percent_at_least(given.accuracy, 2)
    promise = f"With {100 * given.confidence:.6g}% confidence at least {least} of the rest are right"
    if found.on_labels is not None and len(given.others) == len(found.run):
        return [*lines, f"{promise}: the threshold of a budget takes no labels, so all of them test it."]
    return [*lines, f"{promise} where {_looked_at(found, given.threshold)}."]


def referral_rows(found: RunReferral) -> list[tuple[str, ...]]:
    """The figures of a referral as text: the heads of a table, then a row for each of its two thresholds."""
    score, run, given = found.score, found.run, found.guarantee
    parts = {}
    if found.on_labels is not None:
        parts["these labels"] = found.on_labels, len(run)
    if given is not None and not (found.on_labels is not None and len(given.others) == len(run)):
        parts["the labels that tested the guarantee"] = given.on_others, len(given.others)
        if found.on_labels is None and run.labels is not None:
            parts["this run's labels"] = referral_at(ranking_of(run, score.name), given.threshold), len(run)
    rows = [
        (
            words,
            found.threshold_in_words(on.threshold),
            f"{len(on.referred):,} of {count:,}",
            f"{on.caught:,} of {on.caught + on.missed:,}",
            "there is none" if on.accuracy_of_rest is None else percent(on.accuracy_of_rest, 2),
        )
        for words, (on, count) in parts.items()
    ]
    return [("on", score.in_sentence, "to a person", "mistakes caught", "accuracy of the rest"), *rows] if rows else []


def _looked_at(found: RunReferral, rule: float) -> str:
    count = len(referred_at(uncertainty_of(found.run, found.score.name), rule))
    return f"a person looks at {f'{count:,}' if count else 'none'} of {len(found.run):,} examples"


def label_issues(run: Run, first: int = 100) -> "pd.DataFrame":
    """The examples whose labels are most likely wrong.

    Args:
        run: a classification with labels.
        first: how many.

    Returns:
        Rows of `Run.table` with the names of the classes, the lowest self-confidence first.

    Raises:
        InvalidInputError: no labels, or a regression.
    """
    _labels(run)
    return listed(run, highest(-run.scores()["self_confidence"].to_numpy(), validate.whole_number("first", first, 1)))


def acquire(run: Run, method: Method, batch: int, seed: int = 0) -> "pd.DataFrame":
    """Which examples to label next.

    Args:
        run: a classification of the examples that could be labelled.
        method: one of `METHODS`; `batch-bald` reads all passes into memory.
        batch: how many.
        seed: of `random`, `power-bald` and `batch-bald`.

    Returns:
        Rows of `Run.table` with the names of the classes, the first to be labelled first.

    Raises:
        InvalidInputError: a method or batch that cannot be, a regression, or BatchBALD of masks per example.
    """
    _check_task(run)
    validate.one_of("method", method, METHODS)
    validate.whole_number("batch", batch, 1, len(run))
    if method == "batch-bald" and run.manifest.masks == "per_example":
        raise InvalidInputError(
            f"BatchBALD compares what a pass says of several examples, which needs masks per_pass. Received: "
            f"{run.path}, with per_example. Sample it with --masks per_pass, or use power-bald."
        )
    scores = run.scores()
    information = scores["mutual_information"].to_numpy(np.float64)
    choose: Mapping[Method, Callable[[], Array]] = {
        "bald": lambda: highest(information, batch),
        "power-bald": lambda: power_bald(information, batch, seed),
        "batch-bald": lambda: batch_bald(run.probs_block(0, None), batch, seed),
        "entropy": lambda: highest(scores["predictive_entropy"].to_numpy(), batch),
        "random": lambda: random(len(run), batch, seed),
    }
    return listed(run, choose[method]())


def listed(run: Run, examples: Array) -> "pd.DataFrame":
    """Rows of `Run.table`, in the order of (R,) numbers of examples, with their number and the names of the classes."""
    table = run.table().iloc[examples].reset_index()
    names = dict(enumerate(run.class_names))
    for column in ("prediction", "label"):
        name = f"{column}_name"
        table = table.rename(columns={name: f"user_{name}"})
        table.insert(list(table).index(column) + 1, name, table[column].map(names))
    return table


def _of_shards(run: Run, work: Callable[[Array, slice], Found], progress: Progress | None) -> list[Found]:
    """What is made of each shard's passes and its examples, in their order; several shards at once.

    Args:
        run: a classification.
        work: takes (T, n, C) and which examples these are.
        progress: called here with (done, total) shards; what it raises ends it, once the shards at work are done.
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


def _target(
    examples: int, accuracy: float | None, budget: int | None, miss: float | None
) -> tuple[Callable[[Ranking], Referral], Callable[[Ranking, float, int], Guarantee | None], str]:
    """How a threshold is chosen, and guaranteed with a confidence and a seed; and the target in words."""
    given = [name for name, value in (("accuracy", accuracy), ("budget", budget), ("miss", miss)) if value is not None]
    if len(given) != 1:
        received = " and ".join(given) or "none of them"
        raise InvalidInputError(f"A referral is for one target: accuracy, budget or miss. Received: {received}.")
    if accuracy is not None:
        validate.fraction("accuracy", accuracy)
        return (
            partial(referral_for_accuracy, accuracy=accuracy),
            lambda ranking, confidence, seed: guaranteed_accuracy(ranking, accuracy, confidence=confidence, seed=seed),
            f"an accuracy of the rest of {100 * accuracy:.6g}%",
        )
    if miss is not None:
        validate.fraction("miss", miss)
        choose = partial(referral_for_misses, share=miss)
        return (
            choose,
            lambda ranking, confidence, seed: guaranteed(ranking, choose, confidence=confidence, seed=seed),
            f"at most {100 * miss:.6g}% of the mistakes missed",
        )
    assert budget is not None
    most = validate.whole_number("budget", budget, 0)

    def of(ranking: Ranking) -> int:
        return most * len(ranking) // examples

    return (
        lambda ranking: referral_for_budget(ranking, of(ranking)),
        lambda ranking, confidence, _: guaranteed_budget(ranking, of(ranking), confidence=confidence),
        f"a budget of {most:,} examples",
    )


def _differences(run: Run, old: Run) -> list[str]:
    """Warnings on what may differ between two runs of one model.

    Raises:
        InvalidInputError: they are of two models, or it takes their examples in two ways.
    """
    ours, theirs, paths = run.manifest, old.manifest, f"{run.path} and {old.path}"
    if ours.classes != theirs.classes:
        raise InvalidInputError(f"A threshold is for one model. Received: {paths}, with other numbers of classes.")
    if _model(ours) != _model(theirs):
        raise InvalidInputError(f"A threshold is for one model. Received: {paths}, of two. Sample both with the same.")
    if replace(ours.preprocessing, reason="") != replace(theirs.preprocessing, reason=""):
        raise InvalidInputError(
            f"A threshold is for examples that the model takes in one way. Received: {paths}, with two kinds of "
            "preprocessing. Sample both with the same."
        )
    warnings = []
    if ours.model is None:
        warnings.append(f"{paths} do not say which model made them. That it is the same cannot be checked.")
    for name in ("passes", "masks"):
        if getattr(ours, name) != getattr(theirs, name):
            warnings.append(f"{paths} differ in their {name}, which moves the scores.")
    return warnings


def _model(manifest: Manifest) -> object:
    model = manifest.model
    return None if model is None else (model.sha256, model.output, model.from_logits)


def _check_task(run: Run) -> None:
    if not run.class_names:
        raise InvalidInputError(
            f"This is for runs of classification. Received: {run.path}, of {run.manifest.task}. {OF_REGRESSIONS}"
        )


def _labels(run: Run) -> Array:
    """The labels of a classification of two examples or more.

    Raises:
        InvalidInputError: it has none, one example, or is of a regression.
    """
    _check_task(run)
    if run.labels is None:
        raise InvalidInputError(f"This takes labels, and {run.path} has none. Make the run of examples with labels.")
    if len(run) < LEAST_EXAMPLES:
        raise InvalidInputError(f"This takes {LEAST_EXAMPLES} examples or more. Received: {run.path}, with {len(run)}.")
    return run.labels
