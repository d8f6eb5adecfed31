"""The thresholds of a run's classes and the tolerances of its targets: set by hand, or chosen by half of the labels."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from msgspec.structs import replace

from mcviz import validate
from mcviz.analysis.base import (
    choosing_sentence,
    count_labels,
    describe_run,
    find_groups,
    require_any_labels,
    require_known_labels,
)
from mcviz.decisions import Decisions, Threshold, Tolerance, pack_choosing
from mcviz.errors import InvalidInputError
from mcviz.measures.intervals import Interval, share_interval, split_in_halves
from mcviz.measures.multilabel import THRESHOLD, UNKNOWN, measure_class
from mcviz.measures.quality import f1, precision
from mcviz.measures.quality import recall as recall_of_class
from mcviz.measures.thresholds import FEWEST_POSITIVE, Curve, Target
from mcviz.runs import Run, labelled_examples
from mcviz.text import list_names, one_line

if TYPE_CHECKING:
    import pandas as pd


Array = np.ndarray
COSTLY = 0.05  # of F1: what 0.5 may cost a class before it is said
NAMED = 5  # classes in a sentence
CONFIDENCE = 0.95  # of the intervals
LIKELIEST = "Predicted is the likelier class."


@dataclass(frozen=True)
class ClassThreshold:
    """The threshold of a class, with its figures by the labels that did not choose it.

    Attributes:
        threshold: above which the class is predicted.
        chosen_by: how labels chose it, such as "f1"; empty where it was set or is 0.5.
        examples: labels of the class that judge it.
        recall: with its interval, as the others.
        precision: likewise.
        f1: likewise.
        f1_at_half: the F1 at 0.5, by the same labels.
        refused: why no threshold was chosen now, or "".
    """

    threshold: float
    chosen_by: str
    examples: int
    recall: Interval
    precision: Interval
    f1: Interval
    f1_at_half: float
    refused: str = ""


@dataclass(frozen=True, repr=False)
class Thresholds:
    """What a user has decided about a run.

    Attributes:
        run: the run.
        classes: the threshold and the figures of each class, by its name; figures are there with labels.
        tolerances: of each target, by its name.
        within_tolerance: the share of the examples that is right by them, with its interval; None without any.
    """

    run: Run
    classes: Mapping[str, ClassThreshold] = field(default_factory=dict)
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    within_tolerance: Interval | None = None

    @property
    def judging(self) -> int:
        """How many examples judge classes: those with a label but the ones that chose."""
        return count_labels(self.run)[1] if self.classes else 0

    @property
    def in_words(self) -> str:
        """Describe decisions and the labels that judge them."""
        return " ".join(self.sentences)

    @property
    def sentences(self) -> list[str]:
        """What is decided, which labels judge it, and what was refused, a sentence each."""
        if self.tolerances:
            return self._describe_tolerances()
        sentences = self._describe_classes()
        if chosen := choosing_sentence(self.run):
            sentences.append(chosen)
        sentences += [f"{one_line(name)}: {one.refused}" for name, one in self.classes.items() if one.refused]
        return sentences if self.classes else ["No tolerance is set, so errors are no mistakes."]

    def _describe_classes(self) -> list[str]:
        given = {name: each.value for name, each in self.run.decisions.thresholds.items() if each.value != THRESHOLD}
        listed = [f"{one_line(name)} above {value:.4g}" for name, value in given.items()]
        if self.run.task.has_one_class:
            return [f"Predicted is {listed[0]}, and otherwise the other class." if given else LIKELIEST]
        sentences = [f"Predicted are {list_names(listed)}."] if given else []
        if len(given) < len(self.classes):
            others = "Every class" if not given else "Every other class"
            sentences.append(f"{others} is predicted above {THRESHOLD:g}.")
        return sentences

    def _describe_tolerances(self) -> list[str]:
        unit = f" {self.run.manifest.unit}" if self.run.manifest.unit else ""
        several = len(self.tolerances) > 1
        limits = [f"{value} of the label" if value.is_share else f"{value}{unit}" for value in self.tolerances.values()]
        named = [f"{one_line(name)} {limit}" for name, limit in zip(self.tolerances, limits, strict=True)]
        sentences = [f"A prediction is wrong if its error is above {list_names(named) if several else limits[0]}."]
        if self.within_tolerance is not None:
            share = self.within_tolerance.format(lambda value: f"{100 * value:.2f}", "%")
            sentences.append(f"{share} of {self.run.manifest.labelled:,} examples are right.")
        return sentences

    @property
    def table(self) -> "pd.DataFrame":
        """A row a class: the threshold, and the figures by the labels that did not choose it, indexed by `class`."""
        import pandas as pd  # here, because it takes time to import

        rows = []
        for one in self.classes.values():
            row: dict[str, Any] = {"threshold": one.threshold, "chosen_by": one.chosen_by, "examples": one.examples}
            for name in ("recall", "precision", "f1"):
                interval = getattr(one, name)
                row |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
            rows.append(row | {"f1_at_half": one.f1_at_half})
        return pd.DataFrame(rows, pd.Index(self.classes, name="class"))

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            **describe_run(self.run, self.sentences),
            "classes": {name: asdict(one) for name, one in self.classes.items()},
            "tolerances": {name: str(value) for name, value in self.tolerances.items()},
            "within_tolerance": self.within_tolerance,
            "judging": self.judging,
        }

    def __repr__(self) -> str:
        return self.in_words


def thresholds(
    run: Run,
    *,
    values: Mapping[str, float] | None = None,
    best: Target | None = None,
    recall: float | None = None,
    classes: Sequence[str] | None = None,
    tolerance: float | str | Mapping[str, float | str] | None = None,
    clear: bool = False,
    group: str | None = None,
) -> Thresholds:
    """Decide from which probability a class is predicted, or from which error a prediction of a number is wrong.

    The decisions are kept in a file beside the run, and everything that counts mistakes follows them. Thresholds that
    labels choose are chosen by one half of them, and from then on figures use only the other half. Without anything to
    decide, what was decided is returned.

    Args:
        run: of two classes, of several labels an example, or of a regression.
        values: thresholds by the names of classes; 0.5 takes one away. Of two classes one has a threshold, and below it
            the other is predicted, also by the model with dropout off and by each pass.
        best: chooses those with the highest F1 or accuracy of each class.
        recall: chooses the highest with this recall of each class, above 0 to 1.
        classes: the names of those whose thresholds are chosen; all without it, of two the one with a threshold, or
            else the second.
        tolerance: of a regression, the largest error that is right: a number in the target's unit, or a share of the
            label such as "5%"; of several targets one each, by their names.
        clear: whether to take away what was decided before.
        group: one of the user's own columns, whose values are groups of examples that stay in one half.

    Raises:
        InvalidInputError: no such class, target or column, a value that cannot be, no labels, or too few.
        NotPermittedError: nothing may be written here.
        CorruptRunError: what was decided earlier cannot be read; the message names the file.
    """
    decisions = Decisions() if clear else run.decisions
    refused: dict[str, str] = {}
    if tolerance is not None:
        decisions = replace(decisions, tolerances=_parse_tolerances(run, tolerance))
    if values:
        decisions = _set_values(run, decisions, values)
    if best is not None or recall is not None:
        decisions, refused = _choose(run, decisions, best, recall, classes, group)
    if clear or decisions != run.decisions:
        run.decide(decisions)
    return _describe(run, refused)


def choosing_curve(run: Run, number: int, group: str | None = None) -> Curve:
    """Count the labels that choose the threshold of a class, above each threshold.

    Args:
        run: of two classes, or of several labels an example, with labels.
        number: of the class.
        group: as for `thresholds`.

    Raises:
        InvalidInputError: no labels, or no such column.
    """
    require_known_labels(run)
    return _curve(run, number, _choosing_half(run, run.decisions, group))


def keep_threshold(run: Run, name: str, value: float, group: str | None = None) -> None:
    """Keep a threshold that somebody chose by the labels of `choosing_curve`, which judge nothing from then on.

    It is put midway between two probabilities.

    Raises:
        InvalidInputError: there is no such class, or a value that cannot be.
        NotPermittedError: nothing may be written here.
    """
    chosen = _set_values(run, run.decisions, {name: value})
    if name in chosen.thresholds:
        limits = choosing_curve(run, run.class_names.index(name), group).thresholds
        threshold = Threshold(float(limits[np.abs(limits - value).argmin()]), "hand")
        half = pack_choosing(_choosing_half(run, run.decisions, group))
        chosen = replace(_with_threshold(run, chosen, name, threshold), chosen_on=half)
    run.decide(chosen)


def costs_of_half(run: Run, group: str | None) -> str:
    """Say of which classes 0.5 costs more than 5 points of F1, by thresholds that one half of the labels chose.

    Args:
        run: with labels, of any task.
        group: as for `thresholds`.

    Returns:
        A sentence; "" where it costs no class so much, labels are too few, or classes have no thresholds.
    """
    names = run.task.classes_with_thresholds(run.manifest)
    if not names or (run.task.has_one_class and run.decisions.thresholds):
        return ""
    run = labelled_examples(run)
    chosen = np.zeros(len(run), bool)
    chosen[split_in_halves(len(run), find_groups(run, group), 0)[0]] = True
    costs: dict[str, float] = {}
    for number, name in enumerate(names):
        if name in run.decisions.thresholds:
            continue
        curve, other = (_curve(run, number, half, run.judging_labels) for half in (chosen, ~chosen))
        if min(curve.count(0).positives, other.count(0).positives) >= FEWEST_POSITIVE:
            costs[one_line(name)] = float(other.count(curve.find_best("f1")).f1 - other.count(THRESHOLD).f1)
    costly = sorted((name for name, cost in costs.items() if cost > COSTLY), key=lambda name: -costs[name])
    if not costly:
        return ""
    points = list_names([f"{name} {100 * costs[name]:.0f} points" for name in costly[:NAMED]])
    more = f", and {len(costly) - NAMED:,} more classes" if len(costly) > NAMED else ""
    return (
        f"A threshold of {THRESHOLD:g} costs the F1 of {points}{more}: others, chosen by half of the labels, do better."
    )


def _curve(run: Run, number: int, within: Array, labels: Array | None = None) -> Curve:
    """The counts of a class in some examples, (N,) bool, by the run's labels or by some of these."""
    labels = run.labels if labels is None else labels
    assert labels is not None
    is_known = within & ((labels if labels.ndim == 1 else labels[:, number]) != UNKNOWN)
    has_class = labels == number if labels.ndim == 1 else labels[:, number] == 1
    return Curve(run.mean_predictions[is_known, number], has_class[is_known])


def _require_thresholds(run: Run) -> None:
    if not run.task.classes_with_thresholds(run.manifest):
        received = f"{run.path}, of {run.manifest.task}"
        received += f" with {run.manifest.classes:,} classes" if run.task.has_one_class else ""
        raise InvalidInputError(f"Thresholds are of two classes, or of several labels. Received: {received}.")


def _with_threshold(run: Run, decisions: Decisions, name: str, threshold: Threshold) -> Decisions:
    """Give a class a threshold; of two classes the other has none."""
    others = {} if run.task.has_one_class else decisions.thresholds
    return replace(decisions, thresholds={**others, name: threshold})


def _require_class(run: Run, name: str) -> None:
    if name not in run.class_names:
        there = list_names(list(map(one_line, run.class_names)))
        raise InvalidInputError(f"The classes are {there}. Received: {one_line(name)}.")


def _set_values(run: Run, decisions: Decisions, values: Mapping[str, float]) -> Decisions:
    """Replace thresholds by those that a person gives."""
    _require_thresholds(run)
    if run.task.has_one_class and len(values) > 1:
        raise validate.invalid("values", "of one of two classes", list_names(list(map(one_line, values))))
    for name, value in values.items():
        _require_class(run, name)
        if not 0 < (number := validate.number(f"the threshold of {one_line(name)}", value, least=0)) < 1:
            raise validate.invalid(f"the threshold of {one_line(name)}", "above 0 and below 1", value)
        decisions = _with_threshold(run, decisions, name, Threshold(number))
        if number == THRESHOLD:
            left = {other: each for other, each in decisions.thresholds.items() if other != name}
            decisions = replace(decisions, thresholds=left)
    return _keep_choosing(decisions)


def _keep_choosing(decisions: Decisions) -> Decisions:
    is_chosen = any(threshold.chosen_by for threshold in decisions.thresholds.values())
    return decisions if is_chosen else replace(decisions, chosen_on="")


def _choose(
    run: Run,
    decisions: Decisions,
    best: Target | None,
    recall: float | None,
    classes: Sequence[str] | None,
    group: str | None,
) -> tuple[Decisions, dict[str, str]]:
    """Choose thresholds on one half; classes with too few labels keep theirs.

    Returns:
        The decisions, and why nothing was chosen, by the name of the class.
    """
    _require_thresholds(run)
    require_known_labels(run)
    if best is not None and recall is not None:
        raise InvalidInputError("Thresholds are chosen by one target: best or recall. Received: both.")
    if best is not None:
        validate.choice("best", best, get_args(Target))
    elif not 0 < validate.fraction("recall", recall) <= 1:
        raise validate.invalid("recall", "above 0 and at most 1", recall)
    choosing = _choosing_half(run, decisions, group)
    names = _name_chosen(run, decisions, classes)
    refused, target = {}, best or f"recall {recall:g}"
    for name in names:
        _require_class(run, name)
        curve = _curve(run, run.class_names.index(name), choosing)
        if (positives := curve.count(0.0).positives) < FEWEST_POSITIVE:
            refused[name] = (
                f"{positives:,} of the labels that would choose have it, and {FEWEST_POSITIVE} are needed; its "
                "threshold stays as it is."
            )
            continue
        value = curve.find_best(best) if best is not None else curve.find_for_recall(float(recall or 0))
        decisions = _with_threshold(run, decisions, name, Threshold(value, target))
    if len(refused) == len(names):
        name, reason = next(iter(refused.items()))
        raise InvalidInputError(f"No class has enough labels to choose a threshold. Of {one_line(name)} {reason}")
    return replace(decisions, chosen_on=pack_choosing(choosing)), refused


def _name_chosen(run: Run, decisions: Decisions, classes: Sequence[str] | None) -> Sequence[str]:
    if not run.task.has_one_class:
        return run.class_names if classes is None else classes
    names = [*decisions.thresholds] or [run.class_names[1]] if classes is None else classes
    if len(names) != 1:
        raise validate.invalid("classes", "one of two", list_names(list(map(one_line, names))))
    return names


def _choosing_half(run: Run, decisions: Decisions, group: str | None) -> Array:
    """Return (N,) bool of choosing examples, the same ones as before."""
    choosing, groups = decisions.find_choosing(len(run)), find_groups(run, group)
    if not choosing.any():
        choosing[split_in_halves(len(run), groups, 0)[0]] = True
    elif groups is not None and np.intersect1d(groups[choosing], groups[~choosing]).size:
        raise InvalidInputError(
            f"Earlier thresholds were chosen on a half that cuts groups of {group}. Clear them first (clear)."
        )
    return choosing


def _parse_tolerances(run: Run, given: float | str | Mapping[str, float | str]) -> dict[str, Tolerance]:
    targets = run.targets
    if not targets:
        raise InvalidInputError(f"A tolerance is of a regression. Received: {run.path}, of {run.manifest.task}.")
    if not isinstance(given, Mapping):
        given = {targets[0]: given} if len(targets) == 1 else {"": given}
    if set(given) != set(targets):
        received = ", ".join(filter(None, map(str, given))) or "one for all"
        raise validate.invalid("tolerance", f"one for each of {list_names(list(targets))}", received)
    labels = require_any_labels(run)
    tolerances = {name: _parse_tolerance(given[name]) for name in targets}
    for number, (name, tolerance) in enumerate(tolerances.items()):
        if tolerance.is_share and (zero := labels[:, number] == 0).any():
            advice = "Give a tolerance in the target's unit."
            received = f"{tolerance}, and {zero.sum():,} labels of {one_line(name)} that are 0"
            raise validate.invalid("tolerance", "a share of labels that are not 0", received, advice)
    return tolerances


def _parse_tolerance(given: float | str) -> Tolerance:
    text = str(given).strip()
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = np.nan
    if not 0 < value < np.inf:
        raise validate.invalid("tolerance", "a number above 0, or a share such as 5%", repr(text))
    return Tolerance(value, text.endswith("%"))


def _describe(run: Run, refused: Mapping[str, str]) -> Thresholds:
    decisions, labels = run.decisions, run.judging_labels
    if run.targets:
        judged, within = labelled_examples(run), None
        if decisions.tolerances and (labels := judged.judging_labels) is not None:
            decided = run.task.decided_terms(judged.manifest, judged.array, labels)
            within = share_interval(decided["ensemble"]["within"], None)
        return Thresholds(run, tolerances=decisions.tolerances, within_tolerance=within)
    _require_thresholds(run)
    judged, classes = labelled_examples(run), {}
    for number, name in enumerate(run.class_names):
        threshold, chosen_by = find_threshold(run, number)
        examples, at_half, figures = _measure_class(judged, number)
        reason = refused.get(name, "")
        classes[name] = ClassThreshold(threshold, chosen_by, examples, *figures, f1_at_half=at_half, refused=reason)
    return Thresholds(run, classes)


def find_threshold(run: Run, number: int) -> tuple[float, str]:
    """Return the threshold of a class, and how it was chosen; of two classes that of one follows from the other's."""
    for name, each in run.decisions.thresholds.items():
        if name == run.class_names[number]:
            return each.value, each.chosen_by
        if run.task.has_one_class:
            return 1 - each.value, each.chosen_by
    return THRESHOLD, ""


def _measure_class(run: Run, number: int) -> tuple[int, float, tuple[Interval, Interval, Interval]]:
    """Measure a class by its judging labels: count, F1 at 0.5, recall, precision, F1."""
    labels = run.judging_labels
    if labels is None:
        return 0, float("nan"), (Interval(np.nan), Interval(np.nan), Interval(np.nan))
    terms = run.task.class_terms(run.manifest, run.array, labels)["ensemble"]
    curve = _curve(run, number, np.ones(len(run), bool), labels)
    examples, at_half = curve.count(0.0).positives, float(curve.count(THRESHOLD).f1)
    if run.task.has_one_class:
        recalled, precise, both = (compute(terms, number, CONFIDENCE) for compute in (recall_of_class, precision, f1))
        return examples, at_half, (recalled, precise, both)
    figures = measure_class(terms, number, confidence=CONFIDENCE)
    return examples, at_half, (figures.recall, figures.precision, figures.f1)
