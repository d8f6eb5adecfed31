"""Labelling: labels that are probably wrong, and examples to label next."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcviz import validate
from mcviz.analysis.base import example_rows, require_label_score
from mcviz.choices import METHODS, Method
from mcviz.errors import InvalidInputError
from mcviz.measures.intervals import Interval, proportion
from mcviz.measures.labels import (
    CONFIDENT_ODDS,
    batch_bald,
    count_confident_mistakes,
    estimate_label_errors,
    power_bald,
    random,
    select_highest,
)
from mcviz.measures.multilabel import UNKNOWN, class_label_quality
from mcviz.runs import Run, labelled_examples

if TYPE_CHECKING:
    import pandas as pd


Array = np.ndarray

SCORES_OF_METHOD: Mapping[Method, tuple[str, ...]] = {  # of which it chooses by the one that a run has
    "bald": ("mutual_information", "mean_mutual_information"),
    "power-bald": ("mutual_information", "mean_mutual_information"),
    "entropy": ("predictive_entropy", "mean_entropy"),
}
USUAL_ISSUES = 100  # labels that are listed where it is not known how many are wrong
OUT_OF_FOLD = (
    "Was the model trained on these labels? Then it has learnt the wrong ones too, and list and count miss most of "
    "them: predict each example by a model that was trained without it, as docs/how-to/recipes.md does out of fold."
)


def label_issues(run: Run, first: int | None = None) -> "pd.DataFrame":
    """List the labels that are most likely wrong.

    Args:
        run: of a task that has a score of labels, with labels.
        first: how many; as many as are estimated to be wrong without it, or 100 where there is no estimate.

    Returns:
        Rows of `Run.table` with the names of the classes, those first whose labels fit the least, of numbers by the
        CRPS; an example without a known label is left out. Of several labels an example, a row for each pair
        of an example and a class, with the name of the `class`, whether it is `given`, 1 or 0, and its `probability`.

    Raises:
        InvalidInputError: no labels, or a segmentation.
    """
    require_label_score(run)
    first = count_listed(count_label_errors(run)) if first is None else validate.whole_number("first", first, 1)
    if run.task.decides == "classes":
        return _list_pairs(run, first)
    scores, score = run.scores(), run.score_registry[run.task.label_score]
    known = np.flatnonzero(~np.isnan(run.task.loss_of_table(scores).astype(np.float64)))
    doubt = scores[score.name].to_numpy()[known] * (-1 if score.uncertain_when == "low" else 1)
    return example_rows(run, known[select_highest(doubt, first)])


def _list_pairs(run: Run, first: int) -> "pd.DataFrame":
    labels, probs = np.asarray(run.labels), run.mean_probs
    examples, classes = np.nonzero(labels != UNKNOWN)
    order = select_highest(-class_label_quality(probs, labels)[examples, classes], first)
    examples, classes = examples[order], classes[order]
    rows = example_rows(run, examples)
    columns = {
        "class": np.array(run.class_names, object)[classes],
        "given": labels[examples, classes].astype(np.int64),
        "probability": probs[examples, classes],
    }
    rows = rows.rename(columns={name: f"user_{name}" for name in columns})
    for place, (name, values) in enumerate(columns.items(), 2):
        rows.insert(place, name, values)
    return rows


def count_listed(errors: "LabelErrors") -> int:
    """Return how many labels to list: the estimate, or 100 without one."""
    return USUAL_ISSUES if math.isnan(errors.value) else max(1, round(errors.value))


@dataclass(frozen=True)
class LabelErrors(Interval):
    """The number of wrong labels with its interval; NaN where the ensemble's mistakes do not support one.

    Attributes:
        labels: that are known; of several labels an example one for each class.
        mistakes: predictions that are not the label; None where they are not right or wrong.
        confident: mistakes in which the prediction is at least twice as probable as the label.
    """

    labels: int = 0
    mistakes: int | None = 0
    confident: int = 0


def count_label_errors(run: Run, confidence: float = 0.95, seed: int = 0) -> LabelErrors:
    """Estimate how many labels of a run are wrong, by confident learning.

    The model must not be trained on these labels, and label errors depend on the true class alone. There is no estimate
    if its upper end is above that of the ensemble's confident mistakes (Clopper & Pearson 1934). No end is above all of
    its mistakes.

    Args:
        run: with labels; of a regression there is no number, since no label is known to differ by too much.
        confidence: 0 to 1, of the interval, as `measures.labels.estimate_label_errors` has it.
        seed: of the draws that the interval is from.

    Returns:
        The number, and the ends of its interval.

    Raises:
        InvalidInputError: no labels, one example, a segmentation, or another confidence.
    """
    validate.confidence(confidence)
    require_label_score(run)
    run = labelled_examples(run.undecided)
    if run.task.decides == "values":
        return LabelErrors(math.nan, math.nan, math.nan, len(run), None)
    probs, labels = run.mean_probs, np.asarray(run.labels)
    known, (mistakes, confident) = int((labels >= 0).sum()), count_confident_mistakes(probs, labels)
    estimated = estimate_label_errors(probs, labels, confidence=confidence, seed=seed)
    if estimated.high > known * proportion(confident, known, confidence).high:
        return LabelErrors(math.nan, math.nan, math.nan, known, mistakes, confident)
    value, low, high = (min(end, mistakes) for end in (estimated.value, estimated.low, estimated.high))
    return LabelErrors(value, low, high, known, mistakes, confident)


def label_errors_sentence(errors: LabelErrors, confidence: float = 0.95) -> str:
    """Say how many labels are estimated to be wrong, or why there is no estimate."""
    if errors.mistakes is None:
        return (
            f"How many of {errors.labels:,} labels are wrong is not estimated: a number far from its prediction may be "
            "wrong or unusual."
        )
    if math.isnan(errors.value):
        return (
            f"How many of {errors.labels:,} labels are wrong is not estimated: the estimate would be above the "
            f"{errors.confident:,} of {errors.mistakes:,} mistakes in which the ensemble finds its prediction at least "
            f"{CONFIDENT_ODDS} times as probable as the label. The others may be mistakes of its own."
        )
    low, high = math.floor(errors.low), math.ceil(errors.high)
    return (
        f"About {round(errors.value):,} of {errors.labels:,} labels are estimated to be wrong "
        f"({100 * confidence:.6g}% interval {low:,} to {high:,})."
    )


def methods_of_acquisition(run: Run) -> Sequence[Method]:
    """Name the methods to choose examples of a run.

    Scores of several labels are summed over classes, of segmentations averaged over pixels. BatchBALD needs one class
    an example.
    """
    by_score = [method for method in METHODS if method not in SCORES_OF_METHOD or _score_of_method(run, method)]
    return [method for method in by_score if method != "batch-bald" or run.task.has_one_class]


def _score_of_method(run: Run, method: Method) -> str | None:
    return next((name for name in SCORES_OF_METHOD[method] if name in run.score_names), None)


def acquire(run: Run, method: Method, batch: int, seed: int = 0) -> "pd.DataFrame":
    """Choose the examples to label next.

    Args:
        run: of the examples that could be labelled.
        method: one of `methods_of_acquisition`; `batch-bald` reads all passes into memory.
        batch: how many.
        seed: of `random`, `power-bald` and `batch-bald`.

    Returns:
        Rows of `Run.table` with the names of the classes, the first to be labelled first.

    Raises:
        InvalidInputError: a method or batch that cannot be, or BatchBALD of masks per example.
    """
    validate.choice("method", method, METHODS)
    if method not in (offered := methods_of_acquisition(run)):
        raise InvalidInputError(
            f"{method} does not go with the scores of {run.path}, of {run.manifest.task}. What to label next is chosen "
            f"there by {' or '.join(offered)}."
        )
    validate.whole_number("batch", batch, 1, len(run))
    if method == "batch-bald" and run.manifest.masks == "per_example":
        raise InvalidInputError(
            f"BatchBALD compares what a pass says of several examples, which needs masks per_pass. Received: "
            f"{run.path}, with per_example. Sample it with --masks per_pass, or use power-bald."
        )

    def score() -> Array:
        return run.scores()[_score_of_method(run, method)].to_numpy(np.float64)

    choose: Mapping[Method, Callable[[], Array]] = {
        "bald": lambda: select_highest(score(), batch),
        "power-bald": lambda: power_bald(score(), batch, seed),
        "batch-bald": lambda: batch_bald(run.probs_block(0, None), batch, seed),
        "entropy": lambda: select_highest(score(), batch),
        "random": lambda: random(len(run), batch, seed),
    }
    return example_rows(run, choose[method]())
