"""Comparison of two runs: is the second one better, and for which examples does it predict something else?

Nothing here needs TensorFlow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz import validate
from mcviz.analysis.trust import group_by_column
from mcviz.errors import InvalidInputError
from mcviz.measures.bootstrap import Interval, mean_intervals, paired_difference, proportion
from mcviz.measures.calibration import Bins, CalibrationTerms, reliability_near_one
from mcviz.measures.convergence import shared_top
from mcviz.measures.quality import (
    MeasureComparison,
    Verdict,
    compare_measures,
    join_terms,
    judge_together,
    select_terms,
)
from mcviz.measures.regression import Terms
from mcviz.measures.slices import FEWEST_IN_GROUP
from mcviz.runs import Manifest, Run
from mcviz.runs.contents import Progress
from mcviz.tasks import Changes
from mcviz.text import one_line

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray

CHANGE_COLUMN = "change"  # the column that says how an example changed
OTHER_PREFIX = "other_"  # before the name of a column of the second run
TOP_UNCERTAIN = 100  # examples, by which rankings are compared


@dataclass(frozen=True)
class Comparison:
    """The comparison of two runs.

    Attributes:
        one: the run that the other is compared with.
        other: the other run.
        paired: whether both are over the same examples.
        score: the score that ranks examples.
        confidence: of the intervals.
        measures: of each run, and the other's less the first's, each by itself; empty where labels are missing.
        changes: the examples whose predictions changed; None where the examples are not the same.
        shared_top: the share of the 100 most uncertain examples that both name; None where the examples are not the
            same or no more than that.
        notes: limits of the comparison, a sentence each.
        terms: of each run, from which its measures are computed; None where labels are missing.
        verdicts: on the first measure and the one that decides, by their names, which hold together; empty where labels
            are missing.
    """

    one: Run
    other: Run
    paired: bool
    score: str
    confidence: float
    measures: tuple[MeasureComparison, ...]
    changes: Changes | None
    shared_top: float | None
    notes: tuple[str, ...]
    terms: tuple[Terms, Terms] | None = field(default=None, repr=False)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def in_words(self) -> str:
        """Whether the other run is better, in sentences."""
        if not self.measures:
            return "It is not known which run is better, since labels are missing."
        if "unknown" in self.verdicts.values() and not set(self.verdicts.values()) - {"unknown", "same"}:
            return (
                f"It is not known which run is better: {min(len(self.one), len(self.other))} examples tell too little."
            )
        told = [each for each in self.measures if self.verdicts.get(each.measure.name, "unknown") != "unknown"]
        return " ".join(map(self._measure_sentence, told))

    def _measure_sentence(self, each: MeasureComparison) -> str:
        name, difference, verdict = each.measure.label, each.difference, self.verdicts[each.measure.name]
        if difference.value == 0:
            same = f"The {name} is the same on these {len(self.one):,} examples"
            if verdict == "same":
                return f"{same}."
            most = max(-difference.low, difference.high)
            return f"{same}; on others it may differ by up to {self._format(each, most)}."
        by = self._format(each, abs(difference.value))
        if verdict == "noise":
            return f"The {name} differs by {by}, which is within noise."
        return f"{one_line(self.other.name)} has the {verdict} {name}, by {by}: more than noise."

    def _format(self, each: MeasureComparison, value: float) -> str:
        return each.measure.format(value, self.one.manifest.unit, sign="-")

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison for JSON: numbers, and the ids of the examples that changed."""
        changes = None
        if self.changes is not None:
            ids, moved = self.one.scores()["id"], self.changes.moved
            changes = {
                kind: {"count": count, "ids": ids.iloc[self.changes.of(kind)].tolist() if kind in moved else None}
                for kind, count in self.changes.counts.items()
            }
        return {
            "runs": [
                {"path": run.path, "digest": run.digest, "examples": len(run), "passes": run.passes}
                for run in (self.one, self.other)
            ],
            "same_examples": self.paired,
            "score": self.score,
            "confidence": self.confidence,
            "in_words": self.in_words,
            "verdicts": self.verdicts,
            "measures": {each.measure.name: measure_dict(each) for each in self.measures},
            "changes": changes,
            "shared_of_most_uncertain": self.shared_top,
            "notes": self.notes,
        }


def measure_dict(found: MeasureComparison) -> dict[str, Any]:
    """Return the comparison of a measure for JSON."""
    return {
        "unit": found.measure.unit,
        "one": found.one,
        "other": found.other,
        "other_less_one": found.difference,
        "other_is": found.verdict,
    }


def same_examples(one: Manifest, other: Manifest) -> bool:
    """Whether two runs are over the same examples in the same order, as far as they know.

    Examples that are known by nothing but their number are the same where their labels are.
    """
    a, b = one.examples, other.examples
    if (a.kind, a.count, a.sha256) != (b.kind, b.count, b.sha256):
        return False
    have_content = one.images is not None or bool(a.content)
    have_ids = a.columns_sha256 is not None and b.columns_sha256 is not None
    return have_content or have_ids or (one.labels_sha256 is not None and one.labels_sha256 == other.labels_sha256)


def check_comparable(one: Manifest, other: Manifest) -> None:
    """Check that two runs predict the same kind of thing.

    Raises:
        InvalidInputError: they do not; the message says what each predicts.
    """
    if one.task != other.task:
        raise InvalidInputError(
            f"One run is of {one.task} and the other of {other.task}, so nothing can be compared. Choose another run."
        )
    for name, a, b in (
        ("number of classes", str(one.classes), str(other.classes)),
        ("targets", ", ".join(one.targets), ", ".join(other.targets)),
        ("unit", one.unit or "none", other.unit or "none"),
    ):
        if a != b:
            raise InvalidInputError(
                f"Two runs are compared that predict the same. Received: the {name} {a} and {b}. Choose another run."
            )


def scores_to_compare(one: Run, other: Run) -> list[str]:
    """Name the scores of uncertainty that both runs have."""
    scores = one.score_registry
    return [name for name in one.score_names if name in other.score_names and not scores[name].needs_labels]


def class_order(one: Run, other: Run) -> Array:
    """(C,) int64: for each class of one run its number in the other, by name, or else by number."""
    if set(one.class_names) == set(other.class_names):
        return np.array([other.class_names.index(name) for name in one.class_names], np.int64)
    return np.arange(len(one.class_names))


def compare(
    one: Run,
    other: Run,
    *,
    score: str | None = None,
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two runs: example by example where these are the same, otherwise by their measures alone.

    Args:
        one: a run.
        other: a run of the same task, classes or targets.
        score: the score that ranks examples, one of `scores_to_compare`; the first of them without it.
        confidence: above 0 and below 1, of the intervals.
        progress: called with (done, total) examples that are read; an exception from it stops the reading.

    Raises:
        InvalidInputError: they predict other things, or there is no such score.
    """
    check_comparable(one.manifest, other.manifest)
    if not 0 < validate.fraction("confidence", confidence) < 1:
        raise validate.invalid("confidence", "above 0 and below 1", confidence)
    offered = scores_to_compare(one, other)
    score = offered[0] if score is None else validate.choice("score", score, offered)
    paired = same_examples(one.manifest, other.manifest)
    labels, notes = _align_labels(one, other, paired)
    uncertainty = [run.score_registry[score].uncertainty(run.scores()[score].to_numpy()) for run in (one, other)]
    measures: list[MeasureComparison] = []
    terms, verdicts = None, {}
    if labels[0] is not None and labels[1] is not None:
        reports = [_offset_progress(progress, place, len(one), len(other)) for place in range(2)]
        terms = (
            _compute_terms(one, labels[0], reports[0]) | {"uncertainty": uncertainty[0]},
            _compute_terms(other, labels[1], reports[1]) | {"uncertainty": uncertainty[1]},
        )
        quality = one.task.quality
        measures = compare_measures(quality, *terms, paired=paired, confidence=confidence)
        both = quality.measures[0].name, quality.decides
        verdicts = judge_together(quality, *terms, both, paired=paired, confidence=confidence)
    changes = _compute_changes(one, other, labels) if paired else None
    many = paired and len(one) > TOP_UNCERTAIN
    top = shared_top(uncertainty[0], uncertainty[1], TOP_UNCERTAIN) if many else None
    return Comparison(
        one, other, paired, score, confidence, tuple(measures), changes, top, tuple(notes), terms, verdicts
    )


def compare_groups(found: Comparison, column: str) -> dict[str, tuple[int, MeasureComparison]]:
    """Compare two runs on each group of examples: by the accuracy, or by the mean absolute error of a regression.

    The intervals of the differences hold for all groups together (Bonferroni).

    Args:
        found: the comparison.
        column: by which examples are grouped, as `group_by_column` takes it.

    Returns:
        How many examples a group has, and the comparison, by the name of the group; of those of at least 20 examples.

    Raises:
        InvalidInputError: the runs are over other examples, labels are missing, or there is no such column.
    """
    if found.terms is None or not found.paired:
        raise InvalidInputError(
            "Groups are compared where both runs are over the same examples, with labels. Received: "
            f"{found.one.path} and {found.other.path}. Leave the column out."
        )
    groups = group_by_column(found.one, column)
    sizes = np.bincount(groups.members, minlength=len(groups.names))
    large = np.flatnonzero(sizes >= FEWEST_IN_GROUP).tolist()
    together = 1 - (1 - found.confidence) / max(1, len(large))
    quality, compared = found.one.task.quality, {}
    for group in large:
        terms = [select_terms(each, groups.members == group) for each in found.terms]
        if found.one.class_names:
            measure, (before, after) = "accuracy", [each["correct"] for each in terms]
            one, other = (proportion(int(each.sum()), len(each), found.confidence) for each in (before, after))
            gained, lost = (int(np.count_nonzero(each)) for each in (after & ~before, before & ~after))
            difference = paired_difference(gained, lost, len(before), together)
        else:
            measure, errors = "mae", np.stack([each["absolute_error"] for each in terms], axis=1)
            one, other = mean_intervals(errors, confidence=found.confidence)
            (difference,) = mean_intervals(np.diff(errors, axis=1), confidence=together)
        named = quality.measures[quality.place[measure]]
        compared[groups.names[group]] = int(sizes[group]), MeasureComparison(named, one, other, difference)
    return compared


def bin_by_confidence(terms: Mapping[str, Terms]) -> dict[str, tuple[Bins, list[Interval]]]:
    """Sort the predictions of runs into the bins of a reliability diagram, as `reliability_near_one` does.

    Args:
        terms: by the name of each run, of a classification, as `Comparison.terms` has them.
    """
    return reliability_near_one(
        {
            name: CalibrationTerms(each["correct"][:, None], each["confidence"][:, None], each["nll"], each["brier"])
            for name, each in terms.items()
        }
    )


def join_comparison(one: Run, other: Run) -> "pd.DataFrame":
    """Join the results of another run over the same examples, as columns for the table of the first.

    Returns:
        One row an example, indexed by `example`: `change`, how the prediction changed; then, with `other_` before their
        names, the predictions and scores of the other run. What has a name of the user's own columns is left out, and
        `change` has underscores behind it.
    """
    changes = _compute_changes(one, other, _align_labels(one, other, paired=True)[0])
    table = other.scores()
    known = [name for name in table if str(name).startswith("prediction") or name in other.score_names]
    taken = set(one.table())
    found = table[known].add_prefix(OTHER_PREFIX)
    found = found[[name for name in found if name not in taken]]
    change = CHANGE_COLUMN
    while change in taken:
        change += "_"
    found.insert(0, change, np.array(changes.kinds, object)[changes.kind])
    return found


def change_table(found: Comparison) -> "pd.DataFrame":
    """Return the rows of `Run.table` of the first run with `join_comparison`; those that got worse the most come first.

    Raises:
        InvalidInputError: the runs are over other examples.
    """
    if found.changes is None:
        raise InvalidInputError("Examples are listed where both runs are over the same ones. Leave the file out.")
    table = found.one.table().join(join_comparison(found.one, found.other))
    return table.iloc[np.argsort(-found.changes.worse, kind="stable")]


def _compute_changes(one: Run, other: Run, labels: Sequence[Array | None]) -> Changes:
    """Compute the changes of the predictions, with the classes of the other run in the order of the first."""
    means, labels = [run.mean_predictions for run in (one, other)], list(labels)
    if one.class_names:
        order = class_order(one, other)
        means[1] = means[1][:, order]
        labels[1] = None if labels[1] is None else np.argsort(order)[labels[1]]
    else:
        means = [mean[:, : len(one.targets)] for mean in means]
    return one.task.compare_predictions(*means, *labels)


def _compute_terms(run: Run, labels: Array, progress: Progress | None) -> dict[str, Array]:
    """Compute the terms of the measures: of all means at once, or one shard of passes after the other."""
    task, blocks = run.task, []
    if not task.measures_need_passes:
        if progress:
            progress(len(run), len(run))
        return task.quality.terms(task.predictions(run.mean_predictions[None], labels))
    for shard in range(run.manifest.shards):
        start, stop = run.manifest.shard_range(shard)
        passes = run.predictions_block(start, stop)
        blocks.append(task.quality.terms(task.predictions(passes, labels[start:stop], targets=len(run.targets))))
        if progress:
            progress(stop, len(run))
    return join_terms(blocks)


def _align_labels(one: Run, other: Run, paired: bool) -> tuple[Sequence[Array | None], list[str]]:
    """Return the labels by which each run is measured, and notes on them."""
    order, labels, notes = class_order(one, other), [one.labels, other.labels], []
    by_name = set(one.class_names) == set(other.class_names)
    if not paired:
        differ = one.manifest.examples.sha256 != other.manifest.examples.sha256
        known = (
            "The runs are over different examples." if differ else "It is not known whether the examples are the same."
        )
        notes.append(
            f"{known} Each run is measured on its own, so a difference may come from the examples as well as from the "
            "model."
        )
    if not by_name:
        notes.append("The classes have other names in the two runs. They are compared by their numbers.")
    if paired and labels[0] is None and labels[1] is not None:
        labels[0] = np.argsort(order)[labels[1]] if one.class_names else labels[1]
        notes.append("Only the second run has labels. Both are measured by these.")
    elif paired and labels[1] is None and labels[0] is not None:
        labels[1] = order[labels[0]] if one.class_names else labels[0]
        notes.append("Only the first run has labels. Both are measured by these.")
    elif paired and labels[0] is not None and labels[1] is not None:
        same = order[labels[0]] == labels[1] if one.class_names else (labels[0] == labels[1]).all(axis=1)
        if not same.all():
            notes.append(f"{(~same).sum():,} labels are not the same. Each run is measured by its own.")
    elif any(each is None for each in labels):
        notes.append("Labels are missing, so it is not known how good the predictions are.")
    return labels, notes


def _offset_progress(progress: Progress | None, place: int, *counts: int) -> Progress | None:
    if progress is None:
        return None
    before, total = sum(counts[:place]), sum(counts)
    return lambda done, _: progress(before + done, total)
