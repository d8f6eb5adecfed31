"""How far a run can be trusted: all that `mcviz trust` prints, as one object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcviz import validate
from mcviz.analysis.base import (
    RunTrust,
    convergence_score,
    describe_run,
    find_groups,
    ranking_scores,
    require_labels,
)
from mcviz.analysis.predictors import (
    Convergence,
    compute_convergence,
    group_by_column,
    predictors,
    verdict_sentences,
)
from mcviz.analysis.quality_trust import QualityTrust, add_slices, measure_quality
from mcviz.analysis.referral import compare_scores_here, measure_prediction_sets
from mcviz.analysis.segmentation_trust import measure_segmentation
from mcviz.analysis.slices import Slices
from mcviz.analysis.slices import slices as find_slices
from mcviz.analysis.thresholds import costs_of_half
from mcviz.measures.calibration import (
    ECES,
    Calibration,
    calibration,
    calibration_by_group,
    calibration_table,
)
from mcviz.measures.conformal import SetFigures
from mcviz.measures.selective import SelectiveFigures
from mcviz.runs import Run, labelled_examples
from mcviz.runs.tables import Progress


@dataclass(frozen=True, repr=False)
class ClassificationTrust(RunTrust):
    """How far the probabilities of a classification can be trusted.

    Attributes:
        calibration: of the ensemble, a single pass and the deterministic model, also temperature-scaled.
        by: the column by whose values examples are grouped, or None.
        by_group: the calibration of each group, by its name; empty without `by`.
        slices: that are worse than chance explains.
        scores: how well each score finds mistakes, by its name; `deterministic` is the deterministic model's.
        convergence: how good the mean of the first passes is, ranked by `convergence_score`.
        prediction_sets: that are to hold the label for 90% of each class.
    """

    calibration: Calibration
    by: str | None
    by_group: Mapping[str, Calibration]
    slices: Slices
    scores: Mapping[str, SelectiveFigures]
    convergence: Convergence
    prediction_sets: SetFigures

    @property
    def convergence_score(self) -> str:
        """The score for `convergence`: `score`, or max probability if it needs more than passes."""
        return convergence_score(self.run, self.score)

    @property
    def text_rows(self) -> list[Sequence[str]]:
        """As for `RunTrust`; with the differences of the ensemble from the others."""
        rows = calibration_table(self.calibration)
        return [["", *rows["ensemble"]], *([name, *row.values()] for name, row in rows.items())]

    def as_dict(self) -> dict[str, Any]:
        """Return all that is found for JSON."""
        return {
            **describe_run(self.run, self.sentences),
            "group": self.group,
            **_calibration_dict(self.calibration),
            "scores": self.scores,
            "by": self.by,
            "groups": {
                name: _calibration_dict(calibration_of_group) for name, calibration_of_group in self.by_group.items()
            },
            "slices": self.slices.as_dict(),
            "score": self.score,
            "convergence": self.convergence.as_dict(),
            "prediction_sets": self.prediction_sets,
        }


def trust(
    run: Run,
    *,
    group: str | None = None,
    by: str | None = None,
    score: str | None = None,
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> ClassificationTrust | QualityTrust:
    """Measure how far to trust a run's predictions, and find its worst slice.

    Classes: calibration, scores that find mistakes, number of passes. Several labels: quality, also by class.
    Regression: errors and coverage. Segmentation: Dice, calibration of pixels, scores that find poor images.

    Args:
        run: with labels.
        group: one of the user's own columns, whose values are groups of examples that belong together.
        by: it is also measured by group: one of the user's own columns, of classes also `label` or `prediction`.
        score: that ranks examples; the first that the run has without it.
        confidence: above 0 and below 1, of the intervals.
        progress: called with (done, total) permutations of the search for slices; an exception from it stops the work.

    Raises:
        InvalidInputError: the run has no labels, one example, or no such column or score.
    """
    validate.confidence(confidence)
    if not run.task.has_one_class:
        measure = measure_segmentation if run.task.of_pixels else measure_quality
        return add_slices(measure(run, confidence, group=group, by=by, score=score), progress)
    require_labels(run)
    whole, run = run, labelled_examples(run)
    score = validate.choice("score", score or run.first_score, ranking_scores(run))
    groups, dependent = group_by_column(run, by) if by else None, find_groups(run, group)
    ways = predictors(run, group=group)
    result = calibration(ways, groups=dependent, confidence=confidence)
    slices = find_slices(run, group=group, progress=progress)
    by_group = {}
    if groups is not None:
        by_number = calibration_by_group(ways, groups.members, groups=dependent, confidence=confidence)
        by_group = {groups.names[number]: calibration_of_group for number, calibration_of_group in by_number.items()}
    return ClassificationTrust(
        whole,
        score,
        group,
        confidence,
        result.figures,
        [*verdict_sentences(run, result), *filter(None, [costs_of_half(run, group)]), *slices.sentences],
        result,
        by,
        by_group,
        slices,
        compare_scores_here(run, group, confidence),
        compute_convergence(run, convergence_score(run, score)),
        measure_prediction_sets(run, group=group),
    )


def _calibration_dict(result: Calibration) -> dict[str, Any]:
    return {
        "confidence": result.confidence,
        "figures": {
            way: {**figures, **{f"{ece}_by_chance": most for ece, most in result.eces_by_chance[way].items()}}
            for way, figures in result.figures.items()
        },
        "ensemble_less": {
            way: {**differences, **{f"{ece}_by_chance": None for ece in ECES}}
            for way, differences in result.differences.items()
        },
        "bins": result.bins,
        "equal_mass_bins": result.equal_mass_bins,
    }
