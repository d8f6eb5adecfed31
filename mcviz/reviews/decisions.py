"""The current state of a run's reviews, and what it comes to: corrected labels, and the accuracy by them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

import numpy as np
import pandas as pd

from mcviz.reviews.store import DecisionKind, Entry, ReviewRow
from mcviz.runs import Run

NO_CLASS_FITS = "no class fits"
LABEL_IS_WRONG = "the given label is wrong"

UNKNOWN_LABEL = -1


@dataclass(frozen=True)
class Decision:
    """The latest decision of a reviewer about an example.

    Attributes:
        example: its number.
        reviewer: their name.
        kind: the kind of decision.
        class_index: the class that was given, one of `answer_names`, or None.
        time: in UTC.
        label_is_right: whether the given label is right by this decision; None without a label, and for a skip.
    """

    example: int
    reviewer: str
    kind: DecisionKind
    class_index: int | None
    time: datetime
    label_is_right: bool | None = None

    def in_words(self, class_names: Sequence[str]) -> str:
        """Describe the decision, with the name of the class."""
        if self.class_index is not None:
            return class_names[self.class_index]
        return {"none": NO_CLASS_FITS, "wrong_label": LABEL_IS_WRONG, "skip": "skipped"}[self.kind]


@dataclass(frozen=True)
class Agreement:
    """The agreement of two reviewers about the examples that both decided about.

    Attributes:
        reviewers: the two.
        examples: number of examples that both decided about.
        same: number of them that they decided in the same way.
        kappa: Cohen's kappa; None where both gave one and the same answer throughout.
    """

    reviewers: tuple[str, str]
    examples: int
    same: int
    kappa: float | None


@dataclass(frozen=True)
class ReviewSummary:
    """The reviews of a run's examples.

    Attributes:
        decisions: the latest one of each example and reviewer, in the order in which they were made.
        notes: the latest note of each example and reviewer.
        foreign: number of decisions that do not apply to this run: with a class that it does not have, or about a label
            that its example does not have. They belong to another run over the same examples.
    """

    decisions: tuple[Decision, ...] = ()
    notes: dict[tuple[int, str], str] = field(default_factory=dict)
    foreign: int = 0

    def decisions_by(self, reviewer: str) -> dict[int, Decision]:
        """Return the decisions of one reviewer, by example."""
        return {decision.example: decision for decision in self.decisions if decision.reviewer == reviewer}

    def by_example(self) -> dict[int, list[Decision]]:
        """Return the decisions about each example, without skips."""
        by_example: dict[int, list[Decision]] = {}
        for decision in self.decisions:
            if decision.kind != "skip":
                by_example.setdefault(decision.example, []).append(decision)
        return by_example

    def disagreements(self) -> dict[int, list[Decision]]:
        """Return the decisions about each disputed example.

        These are two questions: whether the given label is right, and which class is. Who says that the label is wrong
        and names no class answers the first alone.
        """
        return {
            example: decisions
            for example, decisions in self.by_example().items()
            if len({decision.label_is_right for decision in decisions}) > 1 or len(named_classes(decisions)) > 1
        }

    def agreements(self) -> list[Agreement]:
        """Compute the agreement of each two reviewers who decided about the same examples."""
        from sklearn.metrics import cohen_kappa_score  # here, because scikit-learn takes most of a second to import

        by_reviewer: dict[str, dict[int, str]] = {}
        for decision in self.decisions:
            if decision.kind != "skip":
                by_reviewer.setdefault(decision.reviewer, {})[decision.example] = _answer(decision)
        agreements = []
        for one, other in combinations(sorted(by_reviewer), 2):
            both = sorted(by_reviewer[one].keys() & by_reviewer[other].keys())
            answers = [[by_reviewer[name][example] for example in both] for name in (one, other)]
            if both:
                same = sum(a == b for a, b in zip(*answers, strict=True))
                kappa = float(cohen_kappa_score(*answers)) if len(set(answers[0] + answers[1])) > 1 else None
                agreements.append(Agreement((one, other), len(both), same, kappa))
        return agreements


def summarise_reviews(run: Run, rows: Iterable[ReviewRow]) -> ReviewSummary:
    """Summarise the history of reviews of a run's examples.

    Args:
        run: the run.
        rows: the history, the oldest line first.
    """
    rows = list(rows)
    undone = {(row.reviewer, row.undone) for row in rows if row.kind == "undo"}
    latest: dict[tuple[int, str], ReviewRow] = {}
    notes = {}
    for row in rows:
        key = (row.example, row.reviewer)
        if row.kind == "undo" or (row.reviewer, row.number) in undone:
            continue
        if row.kind == "note":
            notes[key] = row.note or ""  # empty: it was taken away
        else:
            latest.pop(key, None)  # so that the order is that of the latest
            latest[key] = row
    indices = {name: index for index, name in enumerate(answer_names(run))}
    labels = label_names(run)
    decisions = [_decision(row, indices, labels) for row in latest.values()]
    return ReviewSummary(
        tuple(decision for decision in decisions if decision), notes, sum(decision is None for decision in decisions)
    )


def select_new_entries(entries: Sequence[Entry], known: ReviewSummary, class_names: Sequence[str]) -> list[Entry]:
    """Select the entries that are not among their reviewers' decisions yet."""
    existing: set[tuple[int, str, str, str | None]] = {
        (
            decision.example,
            decision.reviewer,
            decision.kind,
            None if decision.class_index is None else class_names[decision.class_index],
        )
        for decision in known.decisions
    }
    existing |= {(example, reviewer, "note", note) for (example, reviewer), note in known.notes.items()}
    return [
        entry
        for entry in entries
        if (entry.example, entry.reviewer, entry.kind, entry.note if entry.kind == "note" else entry.class_name)
        not in existing
    ]


def named_classes(decisions: Iterable[Decision]) -> set[int | None]:
    """Return the classes named by decisions without skips; None stands for "no class fits"."""
    return {decision.class_index for decision in decisions if decision.kind != "wrong_label"}


def answer_names(run: Run) -> tuple[str, ...]:
    """Return what a person can answer: the classes, or whether a prediction is right that is not one class."""
    return run.class_names if run.task.has_one_class else run.task.verdicts


def label_names(run: Run) -> list[str] | None:
    """Return the name of each example's given label, or None without labels of one class."""
    if not run.task.has_one_class or run.labels is None:
        return None
    return [run.class_names[label] for label in run.labels]


def _decision(row: ReviewRow, indices: dict[str, int], labels: list[str] | None) -> Decision | None:
    """The decision of a line of the history, or None where it does not apply to this run."""
    assert row.kind != "note"
    assert row.kind != "undo"
    if row.kind == "class" and row.class_name not in indices:
        return None
    if row.kind == "wrong_label" and (labels is None or row.label != labels[row.example]):
        return None
    index = indices[row.class_name] if row.kind == "class" and row.class_name is not None else None
    is_right = None if labels is None or row.kind == "skip" else row.class_name == labels[row.example]
    return Decision(row.example, row.reviewer, row.kind, index, row.time, is_right)


def _answer(decision: Decision) -> str:
    return decision.kind if decision.class_index is None else f"class {decision.class_index}"


def settled_examples(run: Run, known: ReviewSummary) -> np.ndarray:
    """(N,) bool: whether each example is decided and undisputed."""
    is_decided = np.zeros(len(run), bool)
    is_decided[list(known.by_example().keys() - known.disagreements().keys())] = True
    return is_decided


@dataclass(frozen=True)
class Outcome:
    """The outcome of reviewing a run's examples.

    An example is settled where it is decided and undisputed, see `ReviewSummary.disagreements`; skips do not count.

    Attributes:
        labels: (N,) int64: the class that an example is settled with; -1 where no class fits, or where all say that the
            given label is wrong and none or several of the classes are named; or else the given label, -1 without one.
        mask: (N,) bool: whether `labels` has a class.
        settled: (N,) bool.
        label_errors: (N,) bool: everybody says that the given label is wrong, whichever class they name.
        disagreements: number of disputed examples.
        agreement_with_model: the share of the settled examples with a class that is the prediction; None without any.
        agreement_with_labels: the share of right labels among those that reviewers agree about; None without any.
        accuracy_before: by the given labels; None without labels.
        accuracy_after: by `labels`, of the examples that have one; None without any.
        classes: a row a class, indexed by its number: its accuracy `before` and `after`, NaN where no example has it,
            and the number of its labels that were found to be wrong, `label_errors`.
    """

    labels: np.ndarray
    mask: np.ndarray
    settled: np.ndarray
    label_errors: np.ndarray
    disagreements: int
    agreement_with_model: float | None
    agreement_with_labels: float | None
    accuracy_before: float | None
    accuracy_after: float | None
    classes: pd.DataFrame


def compute_outcome(run: Run, known: ReviewSummary) -> Outcome:
    """Compute the outcome of reviewing.

    Args:
        run: a classification.
        known: the reviews of its examples.
    """
    given = np.full(len(run), UNKNOWN_LABEL) if run.labels is None else run.labels
    prediction = run.mean_probs.argmax(axis=1)
    answers, done, wrong = given.copy(), settled_examples(run, known), np.zeros(len(run), bool)
    for example, decisions in known.by_example().items():
        wrong[example] = all(decision.label_is_right is False for decision in decisions)
        if done[example] or wrong[example]:
            classes = named_classes(decisions)
            index = classes.pop() if len(classes) == 1 else None
            answers[example] = UNKNOWN_LABEL if index is None else index
    mask, labelled = answers != UNKNOWN_LABEL, given != UNKNOWN_LABEL
    correct_before, correct_after = prediction == given, prediction == answers
    return Outcome(
        labels=answers,
        mask=mask,
        settled=done,
        label_errors=wrong,
        disagreements=len(known.disagreements()),
        agreement_with_model=_mean(correct_after[done & mask]),
        agreement_with_labels=_mean(~wrong[(done | wrong) & labelled]),
        accuracy_before=_mean(correct_before[labelled]),
        accuracy_after=_mean(correct_after[mask]),
        classes=pd.DataFrame(
            {
                "before": [_mean(correct_before[given == c]) for c in range(len(run.class_names))],
                "after": [_mean(correct_after[answers == c]) for c in range(len(run.class_names))],
                "label_errors": [int(wrong[given == c].sum()) for c in range(len(run.class_names))],
            }
        ).astype({"before": float, "after": float}),
    )


def corrected_labels(run: Run, known: ReviewSummary) -> pd.DataFrame:
    """Tabulate the labels to use from here on.

    Args:
        run: a classification.
        known: the reviews of its examples.

    Returns:
        A row for each example that has a class: `id`, `old`, the name of the given label, "" without one; `new`, the
        class that reviewers settled it with, or else the given label; `who` decided about it, `when` last, in UTC, and
        what they noted, `note`.
    """
    outcome, by_example = compute_outcome(run, known), known.by_example()
    names = np.array(run.class_names, object)
    rows = pd.DataFrame({"id": run.scores()["id"].to_numpy(str)})
    rows["old"] = "" if run.labels is None else names[run.labels]
    rows["new"] = names[outcome.labels]
    decided = [by_example.get(example, []) for example in range(len(run))]
    rows["who"] = [", ".join(decision.reviewer for decision in decisions) for decisions in decided]
    rows["when"] = [max((decision.time.isoformat() for decision in decisions), default="") for decisions in decided]
    notes = [
        [known.notes.get((decision.example, decision.reviewer), "") for decision in decisions] for decisions in decided
    ]
    rows["note"] = ["; ".join(filter(None, texts)) for texts in notes]
    return rows[outcome.mask].reset_index(drop=True)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
