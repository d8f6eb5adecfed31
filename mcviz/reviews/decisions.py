"""The reviews of a run, the corrected labels, and the accuracy by them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from mcviz.reviews.answers import UNKNOWN_LABEL, Decision, answers_of, label_answers_of, mean_or_none
from mcviz.reviews.store import Entry, ReviewRow
from mcviz.runs import Run
from mcviz.tasks.multilabel import join_names


@dataclass(frozen=True)
class Agreement:
    """The agreement of two reviewers about examples that both decided.

    Attributes:
        reviewers: the two.
        examples: number of examples that both decided about.
        same: number of them that they decided in the same way.
        kappa: Cohen's kappa; None if all their answers are the same.
    """

    reviewers: tuple[str, str]
    examples: int
    same: int
    kappa: float | None


@dataclass(frozen=True)
class ReviewSummary:
    """The reviews of a run's examples.

    Attributes:
        decisions: the latest one of each example and reviewer, in chronological order.
        notes: the latest note of each example and reviewer.
        foreign: number of decisions with a class or label that this run does not have. They belong to another run over
            the same examples.
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
        """Return the decisions about each example with a contradiction."""
        return {
            example: decisions
            for example, decisions in self.by_example().items()
            if any(one.contradicts(other) for one, other in combinations(decisions, 2))
        }

    def agreements(self) -> list[Agreement]:
        """Compute the agreement of each pair of reviewers with common examples."""
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
            notes[key] = row.note or ""  # empty: it was removed
        else:
            latest.pop(key, None)  # keeps the order of the latest
            latest[key] = row
    decisions = list(map(answers_of(run).read, latest.values()))
    return ReviewSummary(
        tuple(decision for decision in decisions if decision), notes, sum(decision is None for decision in decisions)
    )


def select_new_entries(entries: Sequence[Entry], known: ReviewSummary, class_names: Sequence[str]) -> list[Entry]:
    """Select the entries that repeat no known decision or note."""
    existing: set[tuple[int, str, str, str | None]] = {
        (decision.example, decision.reviewer, decision.kind, decision.class_text(class_names))
        for decision in known.decisions
    }
    existing |= {(example, reviewer, "note", note) for (example, reviewer), note in known.notes.items()}
    return [
        entry
        for entry in entries
        if (entry.example, entry.reviewer, entry.kind, entry.note if entry.kind == "note" else entry.class_name)
        not in existing
    ]


def _answer(decision: Decision) -> str:
    if decision.classes is not None:
        return f"classes {decision.classes}"
    if decision.values is not None:
        return f"values {decision.class_text(())}"
    return decision.kind if decision.class_index is None else f"class {decision.class_index}"


def settled_examples(run: Run, known: ReviewSummary) -> np.ndarray:
    """Return (N,) bool: whether each example is decided and undisputed."""
    is_decided = np.zeros(len(run), bool)
    is_decided[list(known.by_example().keys() - known.disagreements().keys())] = True
    return is_decided


@dataclass(frozen=True)
class Outcome:
    """The outcome of reviewing a run's examples.

    Settled examples are decided and undisputed. Those whose labels chose thresholds do not judge the model.

    Attributes:
        labels: (N,) int64: the class that an example is settled with; -1 if no class fits, or if all say that the given
            label is wrong and none or several classes are named; or else the given label, -1 without one. In a
            multilabel task (N, C) int8: whether it has each class, as settled or else as given; -1 if unknown. For
            numbers (N, D) float32, NaN if unknown.
        mask: (N,) bool: whether `labels` has a class, or in a multilabel task whether any label is known.
        settled: (N,) bool.
        label_errors: (N,) bool: everybody says that the given label is wrong, whichever class they name.
        disagreements: number of disputed examples.
        agreement_with_model: the share of the settled examples with a class that is the prediction; in a multilabel
            task the share of their labels; None without any.
        agreement_with_labels: the share of right labels among those that reviewers agree about; None without any.
        accuracy_before: by the given labels, in a multilabel task over all of them; for numbers the mean absolute
            error; None without labels.
        accuracy_after: by `labels`, of the examples that have one; None without any.
        classes: a row for each class, indexed by its number: its accuracy `before` and `after`, NaN if no example has
            it, or in a multilabel task if no label is known, and the number of its wrong labels, `label_errors`.
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
        run: of a task that lets people decide about labels.
        known: the reviews of its examples.
    """
    answers, done, wrong = label_answers_of(run), settled_examples(run, known), np.zeros(len(run), bool)
    labels = answers.given.copy()
    for example, decisions in known.by_example().items():
        wrong[example] = all(decision.label_is_right is False for decision in decisions)
        if done[example] or wrong[example]:
            labels[example] = answers.merge(example, decisions)
    before, after, judges = answers.fit(answers.given), answers.fit(labels), ~run.choosing
    return Outcome(
        labels=labels,
        mask=~np.isnan(after),
        settled=done,
        label_errors=wrong,
        disagreements=len(known.disagreements()),
        agreement_with_model=mean_or_none(after[done & judges]),
        agreement_with_labels=mean_or_none(~wrong[(done | wrong) & ~np.isnan(before)]),
        accuracy_before=mean_or_none(before[judges]),
        accuracy_after=mean_or_none(after[judges]),
        classes=pd.DataFrame(
            {
                "before": answers.fit_by_class(run.hide_choosing(answers.given)),
                "after": answers.fit_by_class(run.hide_choosing(labels)),
                "label_errors": answers.errors_by_class(labels, wrong),
            }
        ).astype({"before": float, "after": float}),
    )


def corrected_labels(run: Run, known: ReviewSummary) -> pd.DataFrame:
    """Tabulate the corrected labels.

    Args:
        run: of a task that lets people decide about labels.
        known: the reviews of its examples.

    Returns:
        A row for each example that has a class or number: `id`, `old`, the given label, "" or NaN without one; `new`,
        the one that reviewers settled it with, or else the given label; `who` decided about it, `when` last, in UTC,
        and their `note`. In a multilabel task a row for each example with a known label: `old` and `new` are names such
        as "cat;dog", and `unknown` those of undecided classes.
    """
    outcome, by_example, answers = compute_outcome(run, known), known.by_example(), label_answers_of(run)
    rows = pd.DataFrame({"id": run.scores()["id"].to_numpy(str)})
    rows["old"], rows["new"] = answers.names(answers.given), answers.names(outcome.labels)
    if answers.several:
        rows["unknown"] = join_names(outcome.labels == UNKNOWN_LABEL, run.class_names)
    decided = [by_example.get(example, []) for example in range(len(run))]
    rows["who"] = [", ".join(decision.reviewer for decision in decisions) for decisions in decided]
    rows["when"] = [max((decision.time.isoformat() for decision in decisions), default="") for decisions in decided]
    notes = [
        [known.notes.get((decision.example, decision.reviewer), "") for decision in decisions] for decisions in decided
    ]
    rows["note"] = ["; ".join(filter(None, texts)) for texts in notes]
    return rows[outcome.mask].reset_index(drop=True)
