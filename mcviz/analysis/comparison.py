"""Compare two runs: which is better, and which predictions changed. No TensorFlow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz import validate
from mcviz.analysis.base import find_groups, interval_columns, ranking_scores
from mcviz.analysis.pairing import (
    LabelChoice,
    Pairs,
    class_order,
    match_by_name,
    name_apart,
    pair_examples,
    row_blocks,
)
from mcviz.analysis.predictors import group_members
from mcviz.data.in_place import LazyRows
from mcviz.errors import InvalidInputError
from mcviz.measures.intervals import Interval, share_interval
from mcviz.measures.quality import (
    VERDICTS,
    MeasureComparison,
    Quality,
    Verdict,
    compare_measures,
    compute_measures,
    difference_intervals,
    judge_together,
    shared_top,
)
from mcviz.measures.registry import Terms, join_terms, select_terms
from mcviz.measures.regression import unbounded_intervals
from mcviz.measures.slices import FEWEST_IN_GROUP
from mcviz.runs import Manifest, Run, labelled_examples, labelled_numbers
from mcviz.runs.tables import Progress
from mcviz.tasks import Changes, Task
from mcviz.tasks.base import join_changes
from mcviz.text import describe_in_html, one_line

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray

CHANGE_COLUMN = "change"  # the column that says how an example changed
NOTHING_CHANGED = "Nothing changed"
UNSHARED = "not in the other run"  # how an example changed that only the first run has
INTERVALS = "one", "other", "difference"  # of a measure
OTHER_PREFIX = "other_"  # before the name of a column of the second run
TOP_UNCERTAIN = 100  # examples, by which rankings are compared
AGAIN = {  # what else to do, where two runs of segmentation do not predict the same
    "height and width": ", or make one of them again from images of the other's size",
    "background": ", or make one of them again with the other's --background",
    "value of ignored pixels": ", or make one of them again with the other's --ignore",
}


@dataclass(frozen=True)
class Comparison:
    """The comparison of two runs.

    Attributes:
        one: the run that the other is compared with.
        other: the other run.
        pairs: the examples that both have, on which all else is about, and the labels that both are measured by.
        score: the score that ranks examples.
        confidence: of the intervals.
        measures: of each run, and the other's less the first's, each by itself; empty where labels are missing. Of runs
            that share no example, each is measured on its own, and there is no difference.
        changes: how the predictions of the n shared examples changed; None where there are none.
        shared_top: the share of the 100 most uncertain examples that both name; None where they share no more.
        notes: limits of the comparison, a sentence each.
        terms: of each run, from which its measures are computed; None where labels are missing.
        verdicts: on the first measure and the one that decides, by their names, which hold together; empty where labels
            are missing.
        group: the column whose values are groups of examples that belong together; None where each is its own.
        is_unchanged: whether both runs have the same examples with the same labels and the same stored predictions.
    """

    one: Run
    other: Run
    pairs: Pairs
    score: str
    confidence: float
    measures: tuple[MeasureComparison, ...]
    changes: Changes | None
    shared_top: float | None
    notes: tuple[str, ...]
    terms: tuple[Terms, Terms] | None = field(repr=False)
    verdicts: Mapping[str, Verdict]
    group: str | None = None
    is_unchanged: bool = False

    @property
    def groups(self) -> Array | None:
        """(n,) int64 groups of the `measured` pairs; None if each is its own."""
        groups = find_groups(self.one, self.group)
        return None if groups is None else groups[self.measured.one]

    @property
    def measured(self) -> Pairs:
        """The pairs that measures use: all, or those with a known label."""
        return select_labelled(self.one, self.pairs)

    @property
    def label_sets(self) -> Array | None:
        """(n, C) bool, classes of the labels of the `measured` pairs, or None."""
        labels, of = self.measured.labels, self.pairs.labels_of
        if labels is None or of is None:
            return None
        if self.one.task.has_one_class:
            return np.asarray(labels)[:, None] == np.arange(len(self.one.class_names))
        sets = of.task.class_sets(of.manifest, of.array)
        examples = self.pairs.one if of is self.one else self.pairs.other
        return sets["label"][examples][:, class_order(self.one, of)] if sets else None

    @property
    def paired(self) -> bool:
        """Whether there are examples that both runs have."""
        return len(self.pairs) > 0

    @property
    def examples_in_words(self) -> str:
        """How many examples are compared, in sentences."""
        count = len(self.pairs)
        by = f", paired by their {' and '.join(self.pairs.by)}" if self.pairs.by else ""
        if not count:
            return (
                "No example is known to be in both runs, by its id or its content, so each run is measured on its own."
            )
        measured = len(self.measured)
        labelled = f" All figures that take labels are of the {measured:,} that have one." if measured < count else ""
        if count == len(self.one) == len(self.other):
            return f"Both runs have the same {count:,} examples{by}.{labelled}"
        return (
            f"{count:,} examples are in both runs{by}, and only these are compared. The first run has "
            f"{len(self.one):,} examples, the second {len(self.other):,}.{labelled}"
        )

    @property
    def in_words(self) -> str:
        """Whether the other run is better, in sentences."""
        if self.is_unchanged:
            same = f"all {len(self.pairs):,} examples have the same labels and predictions in both runs"
            return f"{NOTHING_CHANGED}: {same}."
        if not self.measures:
            return "It is not known which run is better, since labels are missing."
        if not self.paired:
            return "It is not known which run is better, since they share no example."
        if "few" in self.verdicts.values() and not set(self.verdicts.values()) - {"few", "same"}:
            return f"It is not known which run is better: {len(self.measured)} examples tell too little."
        known = [
            measure for measure in self.measures if self.verdicts.get(measure.measure.name, "unknown") != "unknown"
        ]
        return " ".join(map(self._measure_sentence, known))

    def changed(self, kind: str) -> Array:
        """(n,) int64 examples of a change in the first run, the largest first.

        Raises:
            ValueError: there is no such kind, or the runs share no example.
        """
        if self.changes is None:
            raise ValueError(f"{self.one.path} and {self.other.path} share no example.")
        return self.pairs.one[self.changes.of(kind)]

    def _measure_sentence(self, measured: MeasureComparison) -> str:
        name, difference, verdict = measured.measure.label, measured.difference, self.verdicts[measured.measure.name]
        if difference.value == 0:
            same = f"The {name} is the same on these {len(self.measured):,} examples"
            if verdict == "same":
                return f"{same}."
            most = max(-difference.low, difference.high)
            return f"{same}; on others it may differ by up to {self._format(measured, most)}."
        by = self._format(measured, abs(difference.value))
        if verdict in ("noise", "few"):
            return f"The {name} differs by {by}, {'which is within noise' if verdict == 'noise' else VERDICTS['few']}."
        return f"{name_apart(self.one, self.other)[1]} has the {verdict} {name}, by {by}: more than noise."

    def _format(self, measured: MeasureComparison, value: float) -> str:
        return measured.measure.format(value, self.one.manifest.unit, sign="-")

    @property
    def table(self) -> "pd.DataFrame":
        """Measures of both runs, one row each, indexed by `measure`.

        Columns are `one`, `other` and `difference` (other − one), each followed by its interval, such as `one_low` and
        `one_high`, float64 or missing; then `verdict` on the other run. Shares are fractions.
        """
        import pandas as pd  # here, because it takes time to import

        rows = [
            interval_columns({of: getattr(measured, of) for of in INTERVALS}) | {"verdict": measured.verdict}
            for measured in self.measures
        ]
        columns = [*interval_columns(dict.fromkeys(INTERVALS, Interval(np.nan))), "verdict"]
        return pd.DataFrame(
            rows, pd.Index([measured.measure.name for measured in self.measures], name="measure"), columns
        )

    @property
    def text_rows(self) -> list[tuple[str, ...]]:
        """One row a measure: name, both runs, difference, verdict."""
        unit = self.one.manifest.unit
        return [
            (measured.measure.label, *measured.format(unit), VERDICTS[measured.verdict]) for measured in self.measures
        ]

    def _repr_html_(self) -> str:
        names = name_apart(self.one, self.other)
        rows = [("measure", *names, "difference", ""), *self.text_rows]
        sentences = (self.examples_in_words, *self.notes, self.in_words)
        return describe_in_html(f"{names[1]} compared with {names[0]}", sentences, rows)

    def as_dict(self) -> dict[str, Any]:
        """Return numbers and ids of changed examples for JSON."""
        changes = None
        if self.changes is not None:
            ids, moved = self.one.scores()["id"], self.changes.moved
            changes = {
                kind: {"count": count, "ids": ids.iloc[self.changed(kind)].tolist() if kind in moved else None}
                for kind, count in self.changes.counts.items()
            }
        labels_of = self.pairs.labels_of
        return {
            "runs": [
                {"path": run.path, "digest": run.digest, "examples": len(run), "passes": run.passes}
                for run in (self.one, self.other)
            ],
            "examples_in_words": self.examples_in_words,
            "shared_examples": len(self.pairs),
            "paired_by": self.pairs.by,
            "labels": labels_of and {"of": labels_of.path, "differ": self.pairs.labels_differ},
            "score": self.score,
            "confidence": self.confidence,
            "group": self.group,
            "in_words": self.in_words,
            "unchanged": self.is_unchanged,
            "verdicts": self.verdicts,
            "measures": {measured.measure.name: measure_dict(measured) for measured in self.measures},
            "changes": changes,
            "shared_of_most_uncertain": self.shared_top,
            "notes": self.notes,
        }


def measure_dict(measured: MeasureComparison) -> dict[str, Any]:
    """Return the comparison of a measure for JSON."""
    return {
        "unit": measured.measure.unit,
        "one": measured.one,
        "other": measured.other,
        "other_less_one": measured.difference,
        "other_is": measured.verdict,
    }


def check_comparable(one: Manifest, other: Manifest) -> None:
    """Check that both runs predict the same kind of thing.

    Raises:
        InvalidInputError: they do not; the message says what each predicts, and what to do.
    """
    if one.task != other.task:
        raise InvalidInputError(
            f"One run is of {one.task} and the other of {other.task}, so nothing can be compared. Choose another run."
        )
    facts = _describe_predicted(one, other), _describe_predicted(other, one)
    for name, fact in facts[0].items():
        if fact != facts[1][name]:
            again = AGAIN.get(name, "")
            raise InvalidInputError(
                f"Two runs are compared that predict the same. Received: the {name} {fact} and {facts[1][name]}. "
                f"Choose another run{again}."
            )


def _describe_predicted(manifest: Manifest, other: Manifest) -> dict[str, str]:
    facts = {
        "number of classes": str(manifest.classes),
        "targets": ", ".join(manifest.targets),
        "unit": manifest.unit or "none",
    }
    if maps := manifest.label_maps:
        names = manifest.class_names if match_by_name(manifest, other) else range(manifest.classes)
        facts |= {
            "height and width": f"{maps.height} × {maps.width}",
            "background": "no class" if maps.background is None else f"class {one_line(str(names[maps.background]))}",
            "value of ignored pixels": "none" if maps.ignore is None else str(maps.ignore),
        }
    return facts


def scores_to_compare(one: Run, other: Run) -> list[str]:
    """Name the scores of uncertainty that both runs have."""
    return [name for name in ranking_scores(one) if name in other.score_names]


def compare(
    one: Run,
    other: Run,
    *,
    score: str | None = None,
    group: str | None = None,
    labels: LabelChoice = "new",
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two runs on their common examples, by the same labels.

    Args:
        one: a run.
        other: a run of the same task, classes or targets.
        score: the score that ranks examples, one of `scores_to_compare`; the first of them without it.
        group: one of the user's own columns, of the first run, or of both where the examples are not the same. Its
            values are groups of examples that belong together, which are drawn and exchanged as a whole.
        labels: where labels differ, those of the run that was begun later ("new") or earlier ("old").
        confidence: above 0 and below 1, of the intervals.
        progress: called with (done, total) examples that are read; an exception from it stops the reading.

    Raises:
        InvalidInputError: they predict other things, or there is no such score, column or choice of labels.
    """
    check_comparable(one.manifest, other.manifest)
    validate.confidence(confidence)
    offered = scores_to_compare(one, other)
    score = offered[0] if score is None else validate.choice("score", score, offered)
    pairs = pair_examples(one, other, labels)
    notes = list(pairs.notes)
    if not match_by_name(one.manifest, other.manifest):
        notes.append("The classes have other names in the two runs. They are compared by their numbers.")
    examples: tuple[Array, Array] = labelled_numbers(one), labelled_numbers(other)
    of_each = [labelled_examples(run) for run in (one, other)]
    measured_by, numbered_as = tuple(map(_find_judging_labels, of_each)), other
    groups = [find_groups(of_each[0], group), None if len(pairs) else find_groups(of_each[1], group)]
    if len(pairs):
        measured, members = select_labelled(one, pairs), find_groups(one, group)
        examples, measured_by, numbered_as = (measured.one, measured.other), (measured.labels, measured.labels), one
        groups = [None if members is None else members[measured.one]] * 2
    terms, of_other = None, other.task.beside(one.task, class_order(numbered_as, other))
    if measured_by[0] is None or measured_by[1] is None:
        notes.append("Labels are missing, so the predictions cannot be compared with them.")
    else:
        reports = [_offset_progress(progress, place, len(one), len(other)) for place in range(2)]
        terms = (
            _compute_terms(one, one, examples[0], measured_by[0], score, reports[0], one.task),
            _compute_terms(other, numbered_as, examples[1], measured_by[1], score, reports[1], of_other),
        )
    measures = _compare_terms(one.task.quality, terms, len(pairs) > 0, groups, confidence) if terms else []
    verdicts: dict[str, Verdict] = {}
    is_unchanged = terms is not None and _is_unchanged(one, other, pairs, terms)
    if is_unchanged:
        measures = [replace(each, difference=Interval(each.difference.value)) for each in measures]
    if terms and len(pairs):
        quality = one.task.quality
        both = [each for each in measures if each.measure.name in (quality.measures[0].name, quality.decides)]
        verdicts = {each.measure.name: each.verdict for each in both}
        if not is_unchanged:
            verdicts = judge_together(quality, *terms, both, groups=groups[0], confidence=confidence)
    changes = _compute_changes(one, other, pairs) if len(pairs) else None
    top = None
    if len(pairs) > TOP_UNCERTAIN:
        top = shared_top(_uncertainty(one, pairs.one, score), _uncertainty(other, pairs.other, score), TOP_UNCERTAIN)
    parts = tuple(measures), changes, top, tuple(notes), terms, verdicts
    return Comparison(one, other, pairs, score, confidence, *parts, group, is_unchanged)


def compare_groups(comparison: Comparison, column: str) -> dict[str, tuple[int, MeasureComparison]]:
    """Compare two runs on each group by a mean over examples; intervals hold for all groups (Bonferroni).

    Args:
        comparison: the comparison.
        column: by which examples are grouped, as `group_members` takes it; `label` is of the labels that both runs are
            measured by.

    Returns:
        How many examples a group has, and the comparison, by the name of the group; of those of at least 20 examples.

    Raises:
        InvalidInputError: the runs are over other examples, labels are missing, or there is no such column.
    """
    if comparison.terms is None or not comparison.paired:
        raise InvalidInputError(
            "Groups are compared where both runs are over the same examples, with labels. Received: "
            f"{comparison.one.path} and {comparison.other.path}. Leave the column out."
        )
    dependent = comparison.groups
    if column == "label" and (sets := comparison.label_sets) is not None:
        members = dict(zip(map(one_line, comparison.one.class_names), sets.T, strict=True))
    else:
        found = group_members(comparison.one, column)
        members = {name: within[comparison.measured.one] for name, within in found.items()}
    is_known = ~np.isnan(comparison.one.task.loss_of_terms(comparison.terms[0]))
    chosen_by_name = {name: is_known & within for name, within in members.items()}
    large = {name: chosen for name, chosen in chosen_by_name.items() if chosen.sum() >= FEWEST_IN_GROUP}
    together = 1 - (1 - comparison.confidence) / max(1, len(large))
    quality, compared = comparison.one.task.quality, {}
    for name, chosen in large.items():
        terms, other_terms = (select_terms(of_run, chosen) for of_run in comparison.terms)
        within = None if dependent is None else dependent[chosen]
        (measure, before), (_, after) = map(comparison.one.task.mean_measure, (terms, other_terms))
        if np.isfinite(comparison.one.task.loss.largest):  # so that it is a mean of numbers from 0 to 1
            one, other = (share_interval(values, within, comparison.confidence) for values in (before, after))
        else:
            one, other = (
                unbounded_intervals(
                    {measure: values}, groups=within, confidence=comparison.confidence, resamples=1000, seed=0
                )[measure]
                for values in (before, after)
            )
        difference = difference_intervals(
            quality, terms, other_terms, [measure], groups=within, confidence=together, resamples=1000, seed=0
        )[measure]
        named = quality.compared[measure]
        compared[name] = int(chosen.sum()), MeasureComparison(named, one, other, difference)
    return compared


def join_comparison(one: Run, other: Run, pairs: Pairs) -> "pd.DataFrame":
    """Join another run's results as columns for the first's table.

    Args:
        one: the first run.
        other: the other.
        pairs: the examples that both have, as `pair_examples` finds them.

    Returns:
        One row an example of the first run, indexed by `example`: `change`, how the prediction changed; then, with
        `other_` before their names, the predictions, losses and scores of the other run, missing where that lacks the
        example. What has a name of the user's own columns is left out, and `change` has underscores behind it. Losses
        and scores of labels are left out where the labels of the runs differ.
    """
    changes, scores = _compute_changes(one, other, pairs), other.score_registry
    table = other.scores()
    offered = {other.task.loss_column, *scores}
    if pairs.labels_differ:
        offered = {name for name, score in scores.items() if not score.needs_labels}
    known = [name for name in table if str(name).startswith("prediction") or name in offered]
    taken = set(one.table())
    columns = table[known].add_prefix(OTHER_PREFIX).iloc[pairs.other]
    columns = columns[[name for name in columns if name not in taken]].set_axis(pairs.one)
    change = CHANGE_COLUMN
    while change in taken:
        change += "_"
    columns.insert(0, change, np.array(changes.kinds, object)[changes.kind])
    return columns.reindex(one.scores().index).fillna({change: UNSHARED})


def change_table(comparison: Comparison) -> "pd.DataFrame":
    """Return rows of the first run with `join_comparison`, the worst changes first.

    Raises:
        InvalidInputError: the runs share no example.
    """
    if comparison.changes is None:
        raise InvalidInputError("Examples are listed where both runs have them. Leave the file out.")
    table = comparison.one.table().join(join_comparison(comparison.one, comparison.other, comparison.pairs))
    first = comparison.pairs.one[np.argsort(-comparison.changes.worse, kind="stable")]
    return table.iloc[np.concatenate([first, np.setdiff1d(np.arange(len(table)), first)])]


def select_labelled(one: Run, pairs: Pairs) -> Pairs:
    """Select pairs with labels, numbered as in the first run; all without labels."""
    if not isinstance(pairs.labels, np.ndarray):
        return pairs
    known = one.task.find_labelled(pairs.labels)
    return pairs if known.all() else pairs.select(known)


def _compute_changes(one: Run, other: Run, pairs: Pairs) -> Changes:
    task, order, parts = one.task, class_order(one, other), []
    before, after = one.lazy_mean_predictions, other.lazy_mean_predictions
    of_other = other.task.beside(task, order)
    for block in row_blocks(before, len(pairs)):
        there = task.reorder_predictions(after[pairs.other[block]], order)
        labels = None if pairs.labels is None else pairs.labels[block]
        parts.append(task.compare_predictions(one.manifest, before[pairs.one[block]], there, labels, of_other))
    return join_changes(parts)


def _is_unchanged(one: Run, other: Run, pairs: Pairs, terms: tuple[Terms, Terms]) -> bool:
    if pairs.labels_differ or not len(pairs) == len(one) == len(other):
        return False
    same = [np.array_equal(values, terms[1][name], equal_nan=True) for name, values in terms[0].items()]
    before, after, order = one.lazy_mean_predictions, other.lazy_mean_predictions, class_order(one, other)
    return all(same) and all(
        np.array_equal(before[pairs.one[block]], one.task.reorder_predictions(after[pairs.other[block]], order))
        for block in row_blocks(before, len(pairs))
    )


def _compare_terms(
    quality: Quality, terms: tuple[Terms, Terms], paired: bool, groups: Sequence[Array | None], confidence: float
) -> list[MeasureComparison]:
    if paired:
        return compare_measures(quality, *terms, groups=groups[0], confidence=confidence)
    one, other = (
        compute_measures(quality, terms_of_run, groups=members, confidence=confidence)
        for terms_of_run, members in zip(terms, groups, strict=True)
    )
    unknown = Interval(np.nan, np.nan, np.nan)
    return [MeasureComparison(measure, one[name], other[name], unknown) for name, measure in quality.compared.items()]


def _find_judging_labels(run: Run) -> Array | LazyRows | None:
    return run.judging_labels if run.decisions.chosen_on else run.lazy_labels


def _compute_terms(
    run: Run,
    numbered_as: Run,
    examples: Array,
    labels: Array | LazyRows,
    score: str,
    progress: Progress | None,
    task: Task,
) -> dict[str, Array]:
    """Compute the terms of the measures of some examples, a shard of the run after the other.

    Args:
        run: whose predictions are measured.
        numbered_as: the run in whose order the classes of the labels are.
        examples: (n,) int64 their numbers.
        labels: of these examples, of any run.
        score: that ranks them.
        progress: called with (done, total) examples of the run.
        task: that decides.
    """
    means, class_numbers = run.lazy_mean_predictions, class_order(numbered_as, run)
    order, blocks = np.argsort(examples, kind="stable"), []
    for shard in range(run.manifest.shards):
        start, stop = run.manifest.shard_range(shard)
        within = order[slice(*np.searchsorted(examples[order], (start, stop)))]
        if len(within):
            if task.measures_need_passes:
                passes = run.predictions_block(start, stop)[:, examples[within] - start]
            else:
                passes = means[examples[within]][None]
            passes = task.reorder_predictions(passes, class_numbers)
            terms = task.terms_by_predictor(numbered_as.manifest, passes, labels[within])
            blocks.append(terms["ensemble"])
        if progress:
            progress(stop, len(run))
    return {**select_terms(join_terms(blocks), np.argsort(order)), "uncertainty": _uncertainty(run, examples, score)}


def _uncertainty(run: Run, examples: Array, score: str) -> Array:
    """Return (n,) scores, high for uncertain."""
    return run.score_registry[score].uncertainty(run.scores()[score].to_numpy()[examples])


def _offset_progress(progress: Progress | None, place: int, *counts: int) -> Progress | None:
    if progress is None:
        return None
    before, total = sum(counts[:place]), sum(counts)
    return lambda done, _: progress(before + done, total)
