"""The accuracy or coverage of predictions without labels, estimated by labels of the same model; and their limits."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from mcviz import validate
from mcviz.analysis.base import ranking_scores, require_any_labels, require_labels, require_one_class
from mcviz.analysis.referral import RANDOM_SAMPLE, SHIFT_P_VALUE, check_same_model, score_uncertainty
from mcviz.analysis.terms import load_terms
from mcviz.measures.intervals import Interval
from mcviz.measures.quality import INTERVAL, compute_measures
from mcviz.measures.selective import Shift, compare_scores
from mcviz.measures.shift import FEWEST_LABELS, EstimatedAccuracy, adjust_p_values, compare_categories
from mcviz.measures.shift import estimate_accuracy as estimate
from mcviz.runs import Run, labelled_examples, unlabelled_examples
from mcviz.text import percent

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
class Estimate(ABC):
    """An estimate from a labelled run for examples without labels.

    Attributes:
        run: whose predictions it is about; of a run of which some examples have a label, the others.
        calibrated_on: the labelled run, or the examples of the same run that have a label.
        confidence: of the interval, 0 to 1.
        shift: between the scores of both that say how uncertain a prediction is.
        columns: each column and score that both have, the smallest p-value first.
        warnings: what speaks against the estimate, in sentences.
        doubt: what says how uncertain a prediction is, such as "confidence".
        mostly: what a model mostly is on examples that it does not know.
    """

    run: Run
    calibrated_on: Run
    confidence: float
    shift: Shift
    columns: tuple[ColumnShift, ...]
    warnings: tuple[str, ...]
    doubt: ClassVar[str]
    mostly: ClassVar[str]

    @property
    @abstractmethod
    def sentences(self) -> list[str]:
        """The estimate, its assumptions, and evidence against it."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Return the estimate for JSON."""

    @property
    def is_within_run(self) -> bool:
        """Whether the labels are those of other examples of the same run."""
        return self.run.digest == self.calibrated_on.digest and self.run.manifest.labels_sha256 is None

    @property
    def shift_sentences(self) -> list[str]:
        """Differences from the labelled run's distributions."""
        sentences, shifted = [], [column.name for column in self.columns if column.is_shifted]
        if self.shift.p_value < SHIFT_P_VALUE:
            sentences.append(
                f"{self.doubt.capitalize()} is distributed otherwise than in {self._labelled} (Kolmogorov–Smirnov "
                f"{self.shift.statistic:.3f}, p = {self.shift.p_value:.2g}). That speaks against the estimate: on "
                f"other examples than it knows, a model is mostly {self.mostly}."
            )
        if shifted:
            sentences.append(
                f"{len(shifted):,} of {len(self.columns):,} columns and scores are distributed otherwise than in "
                f"{self._labelled}, first of all {shifted[0]}. The estimate is for examples that are alike."
            )
        return sentences

    def _list_sentences(self, estimated: str, assumption: str) -> list[str]:
        sentences = [estimated, assumption, *([RANDOM_SAMPLE] if self.is_within_run else [])]
        if not self.shift_sentences:
            columns = f"{len(self.columns):,} columns and scores"
            sentences.append(f"No shift is found in {self.doubt}, nor in the {columns}.")
        return sentences

    def _describe(self, estimated: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "calibrated_on": self.calibrated_on.path,
            "confidence": self.confidence,
            **estimated,
            "shift": self.shift,
            "columns": [{**vars(column), "is_shifted": column.is_shifted} for column in self.columns],
            "warnings": [*self.warnings, *self.shift_sentences],
        }

    @property
    def _labelled(self) -> str:
        return "the examples with a label" if self.is_within_run else self.calibrated_on.name

    @property
    def _labels(self) -> str:
        count = f"the {len(self.calibrated_on):,} labels"
        return f"{count} of the others" if self.is_within_run else f"{count} of {self.calibrated_on.name}"

    @property
    def _of(self) -> str:
        return f" of the {len(self.run):,} examples without a label" if self.is_within_run else ""


@dataclass(frozen=True)
class RunEstimate(Estimate):
    """The accuracy of a run, estimated by labels of the same model.

    Attributes:
        estimated: the accuracy.
    """

    estimated: EstimatedAccuracy
    doubt = "confidence"
    mostly = "less accurate than its confidence says"

    @property
    def sentences(self) -> list[str]:
        """As of `Estimate`."""
        accuracy = self.estimated.accuracy
        low, high = percent(accuracy.low, 2), percent(accuracy.high, 2)
        return self._list_sentences(
            f"The accuracy{self._of} is estimated at {percent(accuracy.value, 2)} ({100 * self.confidence:.6g}% "
            f"interval {low} to {high}), by {self._labels}.",
            ASSUMPTION,
        )

    def as_dict(self) -> dict[str, Any]:
        """As of `Estimate`."""
        return self._describe(vars(self.estimated))


@dataclass(frozen=True)
class RunCoverage(Estimate):
    """The coverage of the intervals of a regression, by labels of the same model.

    Attributes:
        coverage: the share of the labels that 90% intervals of the passes hold.
    """

    coverage: Interval
    doubt = "the uncertainty"
    mostly = "further off than its intervals say"

    @property
    def sentences(self) -> list[str]:
        """As of `Estimate`."""
        hold = self.coverage.format(lambda share: f"{100 * share:.1f}", "%")
        return self._list_sentences(
            f"The {percent(INTERVAL, 0)} intervals of the passes are estimated to hold {hold} of the true values"
            f"{self._of}, by {self._labels}.",
            "It assumes that the errors here are as large beside the intervals as those that labels show.",
        )

    def as_dict(self) -> dict[str, Any]:
        """As of `Estimate`."""
        return self._describe({"coverage": self.coverage})


def estimate_without_labels(run: Run, calibrated_on: Run, confidence: float = 0.95) -> RunEstimate | RunCoverage:
    """Estimate the accuracy of predictions without labels, or the coverage of their intervals.

    Args:
        run: a classification or a regression. Of one of which some examples have a label it is about the others.
        calibrated_on: a run of the same model with labels, which may be the same run.
        confidence: above 0 and below 1, of the interval.

    Raises:
        InvalidInputError: as `estimate_accuracy`, or another task.
    """
    estimate = estimate_coverage if run.task.last_axis == "target" else estimate_accuracy
    return estimate(run, calibrated_on, confidence)


def estimate_accuracy(run: Run, calibrated_on: Run, confidence: float = 0.95) -> RunEstimate:
    """Estimate the accuracy of a run without labels.

    Args:
        run: a classification; labels that it has are not looked at. Of a run of which some examples have a label, it is
            about the others if `calibrated_on` is the same run.
        calibrated_on: a run of the same model with labels.
        confidence: above 0 and below 1, of the interval.

    Raises:
        InvalidInputError: `calibrated_on` has no labels or fewer than 10, a regression, two models, or another
            confidence.
    """
    require_one_class(calibrated_on)
    run, calibrated_on, warnings = _prepare(run, calibrated_on, confidence)
    labels = require_labels(calibrated_on)
    return RunEstimate(
        run,
        calibrated_on,
        confidence,
        compare_scores(*(score_uncertainty(of_run, "max_probability") for of_run in (calibrated_on, run))),
        find_shifts(calibrated_on, run),
        tuple(warnings),
        estimate(calibrated_on.mean_probs, labels, run.mean_probs, confidence, run.task.decide),
    )


def estimate_coverage(run: Run, calibrated_on: Run, confidence: float = 0.95) -> RunCoverage:
    """Estimate how often the intervals of a regression hold true values that nobody knows.

    Args:
        run: a regression; labels that it has are not looked at. Of a run of which some examples have a label, it is
            about the others if `calibrated_on` is the same run.
        calibrated_on: as for `estimate_accuracy`.
        confidence: as for `estimate_accuracy`.

    Raises:
        InvalidInputError: as `estimate_accuracy`; or a classification.
    """
    if calibrated_on.task.last_axis != "target":
        advice = "`estimate_accuracy` is for classes."
        raise validate.invalid("calibrated_on", "a regression", f"a {calibrated_on.task.name}", advice)
    run, calibrated_on, warnings = _prepare(run, calibrated_on, confidence)
    figures = compute_measures(calibrated_on.task.quality, load_terms(calibrated_on)["ensemble"], confidence=confidence)
    score = run.first_score
    return RunCoverage(
        run,
        calibrated_on,
        confidence,
        compare_scores(*(score_uncertainty(of_run, score) for of_run in (calibrated_on, run))),
        find_shifts(calibrated_on, run),
        tuple(warnings),
        figures["coverage"],
    )


def _prepare(run: Run, calibrated_on: Run, confidence: float) -> tuple[Run, Run, list[str]]:
    """Return estimated examples, labelled ones, and warnings on differences."""
    require_any_labels(calibrated_on)
    count = calibrated_on.manifest.labelled
    if count < FEWEST_LABELS:
        advice = "Fewer do not tell how well the model is calibrated. Add labels to that run."
        raise validate.invalid("calibrated_on", f"a run with {FEWEST_LABELS} labels or more", count, advice)
    validate.confidence(confidence)
    warnings = check_same_model(run, calibrated_on)
    estimated = unlabelled_examples(run) if run.digest == calibrated_on.digest else run
    return estimated, labelled_examples(calibrated_on), warnings


def find_shifts(old: Run, new: Run) -> tuple[ColumnShift, ...]:
    """Test of each column and score of two runs whether it is distributed alike.

    Args:
        old: a run of classes or numbers.
        new: another, of as many classes or targets.

    Returns:
        Those that both have of the prediction, the scores that take no labels, and the user's own columns of
        numbers and of categories; the smallest p-value first.
    """
    from mcviz.runs.columns import as_texts, column_kinds  # here, because pandas takes time to import

    tables, kinds, others = (old.table(), new.table()), column_kinds(old), column_kinds(new)
    own = [name for name in kinds if name != "id" and "text" not in (kinds[name], others.get(name, "text"))]
    tested: dict[str, tuple[Test, Shift]] = {}
    predicted = [name for name in old.task.table_columns(old.targets) if name.startswith("prediction")]
    for name in (*predicted, *(score for score in ranking_scores(old) if score in ranking_scores(new)), *own):
        pair = [table[name] for table in tables]
        is_class = name == "prediction" and old.task.has_one_class
        is_category = is_class or "category" in (kinds.get(name), others.get(name))
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
