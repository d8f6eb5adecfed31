"""Slices of the examples that a model is worse on than chance explains, and those that a newer one is worse on."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mcviz.analysis.base import find_groups, require_known_labels
from mcviz.analysis.comparison import Comparison
from mcviz.analysis.predictors import CLASS_COLUMNS
from mcviz.analysis.terms import load_terms
from mcviz.measures.calibration import SMALLEST_PROBABILITY
from mcviz.measures.quality import INTERVAL
from mcviz.measures.slices import (
    FoundSlice,
    Scan,
    Statistic,
    Sums,
    calibration_z,
    change_z,
    error_z,
    excess_z,
    fewest_mistakes,
    make_partitions,
    mistakes_z,
    paired_z,
    scan_slices,
)
from mcviz.runs import Run, labelled_examples, labelled_numbers, some_examples
from mcviz.runs.tables import Progress
from mcviz.tasks import Loss
from mcviz.text import fixed, one_line, percent

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.runs.columns import ColumnKind

Array = np.ndarray

LEVEL = 0.05  # the chance that any slice is named where there is nothing to find
MOST_PAIRED = 40  # columns, up to which any two make slices
SIZES_SAID = 20, 100, 1000  # examples


@dataclass(frozen=True)
class Condition:
    """A value of a column.

    Attributes:
        column: its name; `label` and `prediction` are the run's own.
        name: of the value, as one line.
        value: the number of a class; the text of a value; or the lowest and the highest number of a range.
    """

    column: str
    name: str
    value: int | str | tuple[float, float]

    def __str__(self) -> str:
        return f"{one_line(self.column)} {self.name}"


@dataclass(frozen=True)
class Slice:
    """A slice that is worse than chance explains.

    Attributes:
        measure: the name of the task's loss, whose mean it is, such as "mistakes"; or "overconfidence", the mean of
            confidence − correct; or "coverage", the share of labels that 90% intervals hold. Between two runs, by how
            much the mean of the loss rose.
        conditions: one or two, which all its examples fulfil.
        examples: (n,) int64 their numbers.
        value: of the measure; a fraction, or in the unit of the targets.
        of_rest: the same of all other examples.
        z: how far it differs, as `mcviz.measures.slices` measures it.
        in_words: a sentence.
    """

    measure: str
    conditions: tuple[Condition, ...]
    examples: Array
    value: float
    of_rest: float
    z: float
    in_words: str

    def as_dict(self) -> dict[str, Any]:
        """Return the slice for JSON."""
        where = {
            condition.column: {"low": condition.value[0], "high": condition.value[1]}
            if isinstance(condition.value, tuple)
            else condition.name
            for condition in self.conditions
        }
        content = {"measure": self.measure, "where": where, "examples": len(self.examples), "value": self.value}
        return content | {"of_rest": self.of_rest, "z": self.z}


@dataclass(frozen=True)
class Slices:
    """The slices of a run that are worse than chance explains.

    Attributes:
        slices: the worst first; those of mistakes before those of calibration.
        counts: how many slices were looked at, by measure.
        thresholds: of z, by measure.
        notes: what was not looked at, and how small a slice could have been found, a sentence each.
        none_in_words: that there is none, as the beginning of a sentence.
    """

    slices: tuple[Slice, ...]
    counts: Mapping[str, int]
    thresholds: Mapping[str, float]
    notes: tuple[str, ...]
    none_in_words: str = "No slice is worse than chance explains"

    @property
    def in_words(self) -> str:
        """The worst slice, or that there is none, in a sentence."""
        return self.sentences[0]

    @property
    def worst(self) -> list[Slice]:
        """The worst slice by each measure that has one."""
        return list({worse.measure: worse for worse in reversed(self.slices)}.values())[::-1]

    @property
    def sentences(self) -> list[str]:
        """The worst slice, and where it is worst by its mistakes the worst by calibration; or that there is none."""
        if self.slices:
            first, *others = (worse.in_words for worse in self.worst)
            return [f"The worst slice is {first}", *(f"The worst slice by calibration is {other}" for other in others)]
        count = max(self.counts.values())
        if count == 0:
            return ["There is no slice to look at: none has 20 examples or more, and half of all or less."]
        return [f"{self.none_in_words}, of {count:,} that were looked at."]

    def of_column(self, column: str) -> tuple[Slice, ...]:
        """Return the slices whose only condition is on a column."""
        return tuple(worse for worse in self.slices if [one.column for one in worse.conditions] == [column])

    def as_dict(self) -> dict[str, Any]:
        """Return the slices for JSON."""
        return {
            "in_words": self.in_words,
            "slices": [worse.as_dict() for worse in self.slices],
            "looked_at": dict(self.counts),
            "thresholds": dict(self.thresholds),
            "notes": self.notes,
        }


def slices(run: Run, *, group: str | None = None, progress: Progress | None = None) -> Slices:
    """Find the slices of a run that its model is worse on than chance explains.

    A slice has 20 examples or more, and at most half of all. It has one value, or range, of one or two columns: the
    label, the prediction, and the user's columns except texts. In a multilabel task, it has a class among its labels or
    predictions. Label and prediction make no pair. A slice's mistakes and calibration are compared with those of the
    rest; in other tasks the mean loss, and in a regression also the share of labels outside of intervals. Without
    anything to find, a slice is named with a chance of 5%.

    Args:
        run: with labels.
        group: one of the user's own columns. Its values are groups of examples that belong together: permutations keep
            them whole, and its own slices are not looked at.
        progress: called with (done, total) permutations; an exception from it stops the search.

    Raises:
        InvalidInputError: the run has no labels, one example, or no such column.
    """
    examples, run = labelled_numbers(run), labelled_examples(run)
    labels, scores, columns, groups = (
        require_known_labels(run),
        run.scores(),
        _load_columns(run),
        find_groups(run, group),
    )
    columns.pop(group or "", None)
    loss = run.task.loss_of_table(scores)
    is_known = ~np.isnan(loss)
    loss = loss[is_known]
    if not run.task.has_one_class:
        measures, terms = _loss_measures(run, loss)
        same = [{name for name, column in columns.items() if column.of == of} for of in CLASS_COLUMNS]
        columns, groups = _select(columns, groups, is_known)
        result = _search(columns, same, terms, measures, groups=groups, progress=progress)
        return _number_in_run(result, examples[is_known])
    mistakes, confidence = loss, run.task.confidence(run.mean_probs).astype(np.float64)
    columns, notes = _leave_out(columns, mistakes)
    known = dict(zip(CLASS_COLUMNS, (labels, scores["prediction"].to_numpy()), strict=True))
    same = [
        {name for name, column in columns.items() if column.of == of or column.determines(values)}
        for of, values in known.items()
    ]
    excess = confidence - ~mistakes
    measures = {
        "mistakes": _Measure(Scan(mistakes_z, LEVEL / 2), mistakes, _describe_mistakes),
        "overconfidence": _Measure(
            Scan(calibration_z, LEVEL / 2, same[0], alone=excess_z), excess, _describe_confidence
        ),
    }
    terms = np.stack([mistakes, np.clip(1 - confidence, SMALLEST_PROBABILITY, 1)])
    result = _search(columns, same, terms, measures, notes=notes, groups=groups, progress=progress)
    result = replace(result, notes=(*result.notes, *_describe_power(mistakes, result.thresholds["mistakes"])))
    return _number_in_run(result, examples)


def compare_slices(comparison: Comparison, *, progress: Progress | None = None) -> Slices | None:
    """Find slices on which the second of two runs is worse, beyond the rest.

    Newly wrong − newly right predictions, or changes of absolute errors, are compared with those of the rest. If it is
    worse everywhere alike, none is named. Slices are those of `slices` without the prediction.

    Args:
        comparison: of two runs.
        progress: as for `slices`.

    Returns:
        The slices; None where the runs share no example, or labels are missing.
    """
    if comparison.terms is None or not comparison.paired:
        return None
    columns: dict[str, _Column] = {}
    notes: list[str] = []
    pairs = comparison.measured
    for name, column in _load_columns(some_examples(comparison.one, pairs.one)).items():
        if column.of != "prediction" and name != comparison.group:
            members = column.members
            if column.of == "label" and comparison.one.task.has_one_class and pairs.labels is not None:
                members = np.asarray(pairs.labels)
            elif column.of == "label" and (sets := comparison.label_sets) is not None:
                members = sets
            columns[name] = replace(column, members=members)
    describe: Callable[[Array, Array], str]
    loss = comparison.one.task.loss
    before, after = map(comparison.one.task.loss_of_terms, comparison.terms)
    is_known = ~np.isnan(before)
    before, after = before[is_known], after[is_known]
    columns, groups = _select(columns, comparison.groups, is_known)
    if loss.is_mistake:
        describe = _describe_changes
        for mistakes in (before, after):
            columns, more = _leave_out(columns, mistakes)
            notes += more
    else:
        describe = _describe_larger_loss(loss, comparison.one.manifest.unit)
    worse = after.astype(np.float64) - before
    measures = {loss.name: _Measure(Scan(change_z, LEVEL, alone=paired_z), worse, describe)}
    terms = np.stack([worse, np.square(worse)])
    searched = _search(columns, (), terms, measures, notes=notes, groups=groups, progress=progress)
    none = "No slice got worse than the rest, beyond chance"
    if comparison.verdicts[comparison.measures[0].measure.name] == "worse":
        none = "Everywhere alike: no slice got worse than the rest, beyond chance"
    return replace(_number_in_run(searched, pairs.one[is_known]), none_in_words=none)


@dataclass(frozen=True)
class _Column:
    """The groups of a column.

    Attributes:
        members: (N,) int64, the group of each example, below 0 for none; or (N, G) bool, whether it is in each group.
        conditions: of each group.
        of: whether these are labels or predictions of the run.
    """

    members: Array
    conditions: tuple[Condition, ...]
    of: Literal["label", "prediction", ""] = ""

    def within(self, group: int) -> Array:
        """(N,) bool, the examples of a group."""
        within: Array = self.members[:, group] if self.members.ndim == 2 else self.members == group
        return within

    def determines(self, values: Array) -> bool:
        """Whether (N,) values follow from the groups, and are not all the same."""
        different, numbers = np.unique(values, return_inverse=True)
        pairs = self.members * len(different) + numbers
        return len(different) > 1 and len(np.unique(pairs)) == len(np.unique(self.members))


@dataclass(frozen=True)
class _Measure:
    """A comparison: function, (N,) values, and a sentence."""

    scan: Scan
    values: Array
    describe: Callable[[Array, Array], str]


def _loss_measures(run: Run, loss: Array) -> tuple[dict[str, _Measure], Array]:
    """Return what is compared of a task but classes, and (M, N) terms: losses, and shares outside of intervals."""
    has_intervals = ("ensemble", "held") in run.task.pass_terms
    level = LEVEL / 2 if has_intervals else LEVEL
    measures = {run.task.loss.name: _Measure(Scan(_loss_z(loss), level), loss, _describe_loss(run))}
    if not has_intervals:
        return measures, loss[None]
    outside = 1 - load_terms(run)["ensemble"]["held"]
    statistic = _loss_z(outside)

    def outside_z(inside: Sums, whole: Sums) -> Array:
        return statistic((inside[0], inside[2]), (whole[0], whole[2]))

    measures["coverage"] = _Measure(Scan(outside_z, level), 1 - outside, _describe_coverage)
    return measures, np.stack([loss, outside])


def _loss_z(loss: Array) -> Statistic:
    """Return the statistic that compares (N,) losses of a slice with those of the rest."""
    if np.isin(loss, (0, 1)).all():
        return mistakes_z
    statistic = error_z(float(loss.var() / loss.mean() ** 2) or 1.0)
    return lambda inside, whole: statistic(inside[:2], whole[:2])


def _load_columns(run: Run) -> dict[str, _Column]:
    """Group the examples by label and prediction, and by each of the user's own columns but texts."""
    from mcviz.runs.columns import column_kinds, select_grouping  # here, because pandas takes time to import

    table, kinds = run.table(), column_kinds(run)
    names = tuple(map(one_line, run.class_names))
    sets = run.task.class_sets(run.manifest, run.array)
    columns: dict[str, _Column] = {
        of: _Column(sets[of], _class_conditions(of, names), of) for of in CLASS_COLUMNS if of in sets
    }
    for name in run.task.table_columns(run.targets):
        part: Any = next((of for of in CLASS_COLUMNS if name.startswith(of)), "")
        if part and table[name].notna().all():
            columns[name] = (
                _Column(table[name].to_numpy(np.int64), _class_conditions(name, names), part)
                if run.task.has_one_class
                else replace(_group_values(table[name], "number"), of=part)
            )
    return columns | {name: _group_values(table[name], kinds[name]) for name in select_grouping(kinds)}


def _select(
    columns: Mapping[str, _Column], groups: Array | None, chosen: Array
) -> tuple[dict[str, _Column], Array | None]:
    selected = {name: replace(column, members=column.members[chosen]) for name, column in columns.items()}
    return selected, None if groups is None else groups[chosen]


def _number_in_run(result: Slices, numbers: Array) -> Slices:
    """Map (n,) examples of slices from a selection to the run."""
    return replace(result, slices=tuple(replace(worse, examples=numbers[worse.examples]) for worse in result.slices))


def _class_conditions(column: str, names: Sequence[str]) -> tuple[Condition, ...]:
    return tuple(Condition(column, name, number) for number, name in enumerate(names))


def _group_values(values: "pd.Series", kind: "ColumnKind") -> _Column:
    from mcviz.runs.columns import UNKNOWN, as_texts, column_groups

    groups, column = column_groups(values, kind), str(values.name)
    if kind != "number":
        texts, (_, first) = as_texts(values), np.unique(groups.members, return_index=True)
        given = zip(groups.names, texts.iloc[first], strict=True)
        return _Column(groups.members, tuple(Condition(column, name, text) for name, text in given))
    numbers, members, conditions = values.astype(float).to_numpy(), groups.members.copy(), []
    for group, name in enumerate(groups.names):
        within = numbers[members == group]
        if name == UNKNOWN:
            members[members == group] = -1
            within = np.zeros(1)
        low, high = float(within.min()), float(within.max())
        conditions.append(Condition(column, f"{low:g}" if low == high else f"{low:g} to {high:g}", (low, high)))
    return _Column(members, tuple(conditions))


def _leave_out(columns: Mapping[str, _Column], mistakes: Array) -> tuple[dict[str, _Column], list[str]]:
    """Drop columns that follow from correctness, with a note."""
    left = [name for name, column in columns.items() if column.determines(mistakes)]
    notes = [f"{one_line(name)} is left out: each of its values is always right or always wrong." for name in left]
    return {name: column for name, column in columns.items() if name not in left}, notes


def _search(
    columns: Mapping[str, _Column],
    apart: Sequence[Collection[str]],
    terms: Array,
    measures: Mapping[str, _Measure],
    *,
    notes: Sequence[str] = (),
    groups: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Slices:
    pairs = [pair for pair in combinations(columns, 2) if not _are_apart(pair, apart)]
    if len(columns) > MOST_PAIRED:
        pairs = []
        notes = [*notes, f"Of more than {MOST_PAIRED} columns no pairs are looked at. Received: {len(columns):,}."]
    partitions = make_partitions({name: column.members for name, column in columns.items()}, pairs)
    scans = {name: measure.scan for name, measure in measures.items()}
    results = scan_slices(terms, partitions, scans, groups=groups, progress=progress)
    slices_ = [
        _describe_slice(name, scanned, columns, measures[name]) for name in measures for scanned in results[name].slices
    ]
    return Slices(
        tuple(slices_),
        {name: result.count for name, result in results.items()},
        {name: result.threshold for name, result in results.items()},
        tuple(notes),
    )


def _are_apart(pair: tuple[str, str], apart: Sequence[Collection[str]]) -> bool:
    one, other = pair
    return bool(apart) and any(first in apart[0] and second in apart[1] for first, second in (pair, (other, one)))


def _describe_slice(name: str, scanned: FoundSlice, columns: Mapping[str, _Column], measure: _Measure) -> Slice:
    within = np.logical_and.reduce([columns[column].within(group) for column, group in scanned.key])
    conditions = tuple(columns[column].conditions[group] for column, group in scanned.key)
    inside, rest = measure.values[within], measure.values[~within]
    words = f"{' and '.join(map(str, conditions))}: {measure.describe(inside, rest)}"
    return Slice(name, conditions, np.flatnonzero(within), float(inside.mean()), float(rest.mean()), scanned.z, words)


def _describe_mistakes(inside: Array, rest: Array) -> str:
    return f"{percent(inside.mean())} of {len(inside):,} examples are wrong, of the rest {percent(rest.mean())}."


def _describe_confidence(inside: Array, rest: Array) -> str:
    return (
        f"confidence − accuracy is {fixed(100 * inside.mean(), 1, '+')} points over {len(inside):,} examples, over the "
        f"rest {fixed(100 * rest.mean(), 1, '+')}."
    )


def _describe_changes(inside: Array, rest: Array) -> str:
    worse, better = (int(np.count_nonzero(differs)) for differs in (inside > 0, inside < 0))
    return (
        f"of {len(inside):,} examples {worse:,} were right and are wrong now, {better:,} the other way round; the "
        f"accuracy of the rest changed by {fixed(-100 * rest.mean(), 1, '+')} points."
    )


def _describe_coverage(inside: Array, rest: Array) -> str:
    return (
        f"{INTERVAL:.0%} intervals hold {percent(inside.mean())} of the labels of {len(inside):,} examples, of the "
        f"rest {percent(rest.mean())}."
    )


def _describe_loss(run: Run) -> Callable[[Array, Array], str]:
    loss, unit = run.task.loss, run.manifest.unit
    if loss.is_mistake:
        return _describe_mistakes
    return lambda inside, rest: (
        f"the {loss.mean} of {len(inside):,} examples is {loss.format(inside.mean(), unit)}, of the rest "
        f"{loss.format(rest.mean(), unit)}."
    )


def _describe_larger_loss(loss: Loss, unit: str) -> Callable[[Array, Array], str]:
    return lambda inside, rest: (
        f"the {loss.mean} of {len(inside):,} examples rose by {loss.format_change(inside.mean(), unit)}; that of the "
        f"rest changed by {loss.format_change(rest.mean(), unit)}."
    )


def _describe_power(mistakes: Array, threshold: float) -> list[str]:
    count, wrong = len(mistakes), int(mistakes.sum())
    fewest = {size: fewest_mistakes(size, count, wrong, threshold) for size in SIZES_SAID if 2 * size <= count}
    counts = [f"of {size:,} examples {least:,}" for size, least in fewest.items() if least is not None]
    return [f"To be named, so many have to be wrong: {', '.join(counts)}."] if counts else []
