"""The outcome of reviewing: corrected labels, and the model's accuracy by them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mcviz.reviews.decisions import ReviewSummary, named_classes, settled_examples
from mcviz.runs import Run

UNKNOWN_LABEL = -1


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
        wrong[example] = all(each.label_is_right is False for each in decisions)
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
    found, by_example = compute_outcome(run, known), known.by_example()
    names = np.array(run.class_names, object)
    rows = pd.DataFrame({"id": run.scores()["id"].to_numpy(str)})
    rows["old"] = "" if run.labels is None else names[run.labels]
    rows["new"] = names[found.labels]
    decided = [by_example.get(example, []) for example in range(len(run))]
    rows["who"] = [", ".join(each.reviewer for each in decisions) for decisions in decided]
    rows["when"] = [max((each.time.isoformat() for each in decisions), default="") for decisions in decided]
    notes = [[known.notes.get((each.example, each.reviewer), "") for each in decisions] for decisions in decided]
    rows["note"] = ["; ".join(filter(None, each)) for each in notes]
    return rows[found.mask].reset_index(drop=True)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
