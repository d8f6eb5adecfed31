"""The accuracy of a run without labels, estimated by a labelled run of the same model; and what speaks against it."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mcviz import validate
from mcviz.analysis.base import ranking_scores, require_labels
from mcviz.analysis.referral import SHIFT_P_VALUE, check_same_model, score_uncertainty
from mcviz.measures import percent
from mcviz.measures.selective import Shift, compare_scores
from mcviz.measures.shift import FEWEST_LABELS, EstimatedAccuracy, adjust_p_values, compare_categories
from mcviz.measures.shift import estimate_accuracy as estimate
from mcviz.runs import Run

Test = Literal["Kolmogorov–Smirnov", "chi-square"]

SHIFTED = 0.05  # a corrected p-value below it: the column or score is distributed otherwise
ASSUMPTION = (
    "It assumes that the model is as well calibrated on these examples as on those with labels, which only labels can "
    "show."
)


@dataclass(frozen=True)
class ColumnShift:
    """Whether a column or a score is distributed alike in two runs.

    Attributes:
        name: of the column or score.
        test: of numbers, or of categories.
        statistic: the largest distance of two distributions of numbers, 0 to 1; or chi-square.
        p_value: of this test alone.
        corrected: the p-value, corrected for the number of tests (Holm 1979).
    """

    name: str
    test: Test
    statistic: float
    p_value: float
    corrected: float

    @property
    def is_shifted(self) -> bool:
        """Whether it is distributed otherwise, by the corrected p-value."""
        return self.corrected < SHIFTED


@dataclass(frozen=True)
class RunEstimate:
    """The accuracy of a run, estimated by a labelled run of the same model.

    Attributes:
        run: whose accuracy is estimated.
        calibrated_on: the labelled run.
        confidence: of the interval, 0 to 1.
        estimated: the accuracy.
        shift: between the max probabilities of both.
        columns: each column and score that both have, the smallest p-value first.
        warnings: what speaks against the estimate, in sentences.
    """

    run: Run
    calibrated_on: Run
    confidence: float
    estimated: EstimatedAccuracy
    shift: Shift
    columns: tuple[ColumnShift, ...]
    warnings: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """The estimate, what it assumes, and that nothing speaks against it where that is so."""
        accuracy, on = self.estimated.accuracy, self.calibrated_on
        low, high = percent(accuracy.low, 2), percent(accuracy.high, 2)
        sentences = [
            f"The accuracy is estimated at {percent(accuracy.value, 2)} ({100 * self.confidence:.6g}% interval {low} "
            f"to {high}), by the {len(on):,} labels of {on.name}.",
            ASSUMPTION,
        ]
        if not self.shift_sentences:
            sentences.append(f"No shift is found in confidence, nor in the {len(self.columns):,} columns and scores.")
        return sentences

    @property
    def shift_sentences(self) -> list[str]:
        """What is distributed otherwise than in the labelled run."""
        sentences, shifted = [], [column.name for column in self.columns if column.is_shifted]
        if self.shift.p_value < SHIFT_P_VALUE:
            sentences.append(
                f"Confidence is distributed otherwise than in {self.calibrated_on.name} (Kolmogorov–Smirnov "
                f"{self.shift.statistic:.3f}, p = {self.shift.p_value:.2g}). That speaks against the estimate: on "
                "other examples than it knows, a model is mostly less accurate than its confidence says."
            )
        if shifted:
            sentences.append(
                f"{len(shifted):,} of {len(self.columns):,} columns and scores are distributed otherwise than in "
                f"{self.calibrated_on.name}, first of all {shifted[0]}. The estimate is for examples that are alike."
            )
        return sentences

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate for JSON."""
        return {
            "calibrated_on": self.calibrated_on.path,
            "confidence": self.confidence,
            **vars(self.estimated),
            "shift": self.shift,
            "columns": [{**vars(column), "is_shifted": column.is_shifted} for column in self.columns],
            "warnings": [*self.warnings, *self.shift_sentences],
        }


def estimate_accuracy(run: Run, calibrated_on: Run, confidence: float = 0.95) -> RunEstimate:
    """Estimate the accuracy of a run without labels.

    Args:
        run: a classification; labels that it has are not looked at.
        calibrated_on: a run of the same model with labels.
        confidence: above 0 and below 1, of the interval.

    Raises:
        InvalidInputError: `calibrated_on` has no labels or fewer than 10, a regression, two models, or another
            confidence.
    """
    labels = require_labels(calibrated_on)
    if len(labels) < FEWEST_LABELS:
        advice = "Fewer do not tell how well the model is calibrated. Add labels to that run."
        raise validate.invalid("calibrated_on", f"a run with {FEWEST_LABELS} labels or more", len(labels), advice)
    validate.confidence(confidence)
    warnings = check_same_model(run, calibrated_on)
    return RunEstimate(
        run,
        calibrated_on,
        confidence,
        estimate(calibrated_on.mean_probs, labels, run.mean_probs, confidence),
        compare_scores(*(score_uncertainty(of_run, "max_probability") for of_run in (calibrated_on, run))),
        find_shifts(calibrated_on, run),
        tuple(warnings),
    )


def find_shifts(old: Run, new: Run) -> tuple[ColumnShift, ...]:
    """Test of each column and score of two runs whether it is distributed alike.

    Args:
        old: a classification.
        new: another, of as many classes.

    Returns:
        Those that both have of the predicted class, the scores that take no labels, and the user's own columns of
        numbers and of categories; the smallest p-value first.
    """
    from mcviz.runs.columns import as_texts, column_kinds  # here, because pandas takes time to import

    tables, kinds, others = (old.table(), new.table()), column_kinds(old), column_kinds(new)
    own = [name for name in kinds if name != "id" and "text" not in (kinds[name], others.get(name, "text"))]
    tested: dict[str, tuple[Test, Shift]] = {}
    for name in ("prediction", *(score for score in ranking_scores(old) if score in ranking_scores(new)), *own):
        pair = [table[name] for table in tables]
        is_category = name == "prediction" or "category" in (kinds.get(name), others.get(name))
        if is_category or not all(values.dtype.kind in "iuf" for values in pair):
            tested[name] = "chi-square", compare_categories(*(as_texts(values).to_numpy(str) for values in pair))
        else:  # a missing value is lower than all others
            numbers = (values.astype(float).fillna(-np.inf).to_numpy() for values in pair)
            tested[name] = "Kolmogorov–Smirnov", compare_scores(*numbers)
    corrected = adjust_p_values({name: shift.p_value for name, (_, shift) in tested.items()})
    return tuple(
        ColumnShift(name, tested[name][0], tested[name][1].statistic, tested[name][1].p_value, p_value)
        for name, p_value in corrected.items()
    )
