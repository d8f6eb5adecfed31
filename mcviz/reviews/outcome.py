"""What came of reviewing: corrected labels, and how good the model is by them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mcviz.reviews.decisions import Reviewed, classes_named, settled
from mcviz.runs import Run

UNKNOWN = -1


@dataclass(frozen=True)
class Outcome:
    """What came of reviewing a run's examples.

    An example is settled where somebody decided about it and nobody disputes that, see `Reviewed.disagreements`; skips
    do not count.

    Attributes:
        labels: (N,) int64: the class that an example is settled with; -1 where no class fits, or where all say that the
            given label is wrong and none or several of the classes are named; or else the given label, -1 without one.
        mask: (N,) bool: whether `labels` has a class.
        settled: (N,) bool.
        label_errors: (N,) bool: all who decided say that the given label is wrong, whichever class they name.
        disagreements: how many examples are disputed.
        agreement_with_model: the share of the settled examples with a class that is the prediction; None without any.
        agreement_with_labels: the share of right labels among those that reviewers agree about; None without any.
        accuracy_before: by the given labels; None without labels.
        accuracy_after: by `labels`, of the examples that have one; None without any.
        classes: a row a class, indexed by its number: its accuracy `before` and `after`, NaN where no example has it,
            and how many labels of it were found to be wrong, `label_errors`.
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


def outcome(run: Run, known: Reviewed) -> Outcome:
    """What came of reviewing.

    Args:
        run: of a classification.
        known: what reviewers said about its examples.
    """
    given = np.full(len(run), UNKNOWN) if run.labels is None else run.labels
    prediction = run.mean_probs.argmax(axis=1)
    answers, done, wrong = given.copy(), settled(run, known), np.zeros(len(run), bool)
    for example, decisions in known.by_example().items():
        wrong[example] = all(each.label_is_right is False for each in decisions)
        if done[example] or wrong[example]:
            classes = classes_named(decisions)
            index = classes.pop() if len(classes) == 1 else None
            answers[example] = UNKNOWN if index is None else index
    mask, labelled = answers != UNKNOWN, given != UNKNOWN
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


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
