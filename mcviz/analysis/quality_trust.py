"""Trust by the measures of a task: quality of predictors, classes and groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz import validate
from mcviz.analysis.base import (
    Figures,
    RunTrust,
    describe_run,
    find_groups,
    ranking_scores,
    require_any_labels,
    require_known_labels,
)
from mcviz.analysis.predictors import group_members
from mcviz.analysis.referral import name_best_score
from mcviz.analysis.slices import Slices, slices
from mcviz.analysis.terms import load_terms, terms_of_means
from mcviz.analysis.thresholds import costs_of_half
from mcviz.choices import PREDICTOR_NAMES
from mcviz.measures.calibration import PREDICTOR_WORDS, TOO_FEW
from mcviz.measures.intervals import Interval
from mcviz.measures.measure import Measure
from mcviz.measures.multilabel import ClassFigures
from mcviz.measures.quality import MeasureComparison, Verdict, compute_measures, difference_intervals
from mcviz.measures.registry import Terms, select_terms
from mcviz.runs import Run, labelled_examples
from mcviz.runs.tables import Progress
from mcviz.text import one_line

if TYPE_CHECKING:
    import pandas as pd


Array = np.ndarray
DETERMINISTIC = "deterministic"  # a way to predict


@dataclass(frozen=True)
class GroupFigures:
    """The measures of the ensemble over a group of examples.

    Attributes:
        examples: how many it has of which a label is known.
        figures: with their intervals, by measure.
    """

    examples: int
    figures: Mapping[str, Interval]


@dataclass(frozen=True, repr=False)
class QualityTrust(RunTrust):
    """The quality of the predictions of a run, by each way to predict.

    Attributes:
        differences: of the ensemble from each of the others, paired by example: the ensemble's less the other's.
        by_class: the figures of each class, by its name; empty where classes are not measured each by itself.
        by: the column by whose values examples are grouped, or None.
        by_group: the measures of each group, by its name; empty without `by`.
        slices: that are worse than chance explains; None where nobody looked for them.
    """

    differences: Figures
    by_class: Mapping[str, ClassFigures] = field(default_factory=dict)
    by: str | None = None
    by_group: Mapping[str, GroupFigures] = field(default_factory=dict)
    slices: Slices | None = None

    @property
    def text_rows(self) -> list[Sequence[str]]:
        """As for `RunTrust`."""
        measures = self.run.task.quality.measures
        rows = [
            [PREDICTOR_NAMES[way], *(self.format(figures, measure) for measure in measures)]
            for way, figures in self.figures.items()
        ]
        return [["predictor", *(measure.label for measure in measures)], *rows]

    @property
    def classes(self) -> "pd.DataFrame":
        """The figures of the classes, a row each, indexed by `class`."""
        import pandas as pd  # here, because it takes time to import

        rows = [figures.as_row() for figures in self.by_class.values()]
        return pd.DataFrame(rows, pd.Index(map(one_line, self.by_class), name="class"))

    def format(self, figures: Mapping[str, Interval], measure: Measure, sign: str = "") -> str:
        """Format a predictor's figure with its unit, or ""."""
        if measure.name not in figures:
            return ""
        return measure.format_interval(figures[measure.name], self.run.manifest.unit, sign=sign)

    def as_dict(self) -> dict[str, Any]:
        """Return all that is found for JSON."""
        content = {
            **describe_run(self.run, self.sentences),
            "confidence": self.confidence,
            "figures": self.figures,
            "ensemble_less": self.differences,
            "score": self.score,
            "group": self.group,
            "by": self.by,
            "groups": self.by_group,
        }
        if self.by_class:
            content["classes"] = self.by_class
        if self.slices is not None:
            content["slices"] = self.slices.as_dict()
        return content


def measure_quality(
    run: Run,
    confidence: float = 0.95,
    *,
    group: str | None = None,
    by: str | None = None,
    score: str | None = None,
    progress: Progress | None = None,
) -> QualityTrust:
    """Measure the quality of a run's predictions and their promises.

    Args:
        run: with labels, of any task.
        confidence: above 0 and below 1, of the intervals.
        group: one of the user's own columns, whose values are groups of examples that belong together.
        by: the ensemble is also measured by group: one of the user's own columns; or of several labels an example
            `label` or `prediction`, whose groups are the examples with each class.
        score: that ranks examples; the first that the run has without it.
        progress: called with (done, total) shards where passes are read; an exception from it stops the reading.

    Raises:
        InvalidInputError: the run has no labels, one example, or no such column or score.
    """
    require_known_labels(run)
    whole, run = run, labelled_examples(run)
    score = run.first_score if score is None else validate.choice("score", score, ranking_scores(run))
    task, groups = run.task, find_groups(run, group)
    members = {} if by is None else group_members(run, by)
    terms = load_terms(run, progress)
    options: dict[str, Any] = {"groups": groups, "confidence": confidence}
    figures = {way: compute_measures(task.quality, of_way, **options) for way, of_way in terms.items()}
    differences = {
        way: difference_intervals(
            task.quality, of_way, terms["ensemble"], figures[way], resamples=1000, seed=0, **options
        )
        for way, of_way in terms.items()
        if way != "ensemble"
    }
    by_class = task.class_figures(run.class_names, terms["ensemble"], groups, confidence)
    sentences = task.verdict(figures["ensemble"], by_class, len(run), groups, confidence)
    sentences += [_describe_gain(run, way, figures, gains)[1] for way, gains in differences.items()]
    best = name_best_score(run, group, confidence) if task.loss.is_mistake else ""
    sentences += filter(None, [costs_of_half(run, group), best])
    by_group = _measure_groups(run, terms["ensemble"], members, **options)
    return QualityTrust(whole, score, group, confidence, figures, sentences, differences, by_class, by, by_group)


def compare_with_deterministic(run: Run) -> tuple[Verdict, str]:
    """Return whether the ensemble is better than the deterministic model by the task's first measure, and a sentence.

    It takes the means of the passes alone, so no pass is read.

    Args:
        run: with labels of any task; "unknown" and "" for one without deterministic predictions.
    """
    run = labelled_examples(run)
    labels, quality = require_any_labels(run), run.task.quality
    known = run.deterministic_quality, run.quality_by_pass
    if known[0] is None or known[1] is None:
        return "unknown", ""
    terms, measured = terms_of_means(run, labels), quality.measures[0].name
    values = {DETERMINISTIC: known[0], "ensemble": float(known[1][1][-1])}
    if run.decisions.thresholds:
        values = {way: float(np.nanmean(1 - run.task.loss_of_terms(of_way))) for way, of_way in terms.items()}
    figures = {way: {measured: Interval(value)} for way, value in values.items()}
    gains = difference_intervals(
        quality, terms[DETERMINISTIC], terms["ensemble"], {measured}, confidence=0.95, resamples=1000, seed=0
    )
    return _describe_gain(run, DETERMINISTIC, figures, gains)


def add_slices(result: QualityTrust, progress: Progress | None = None) -> QualityTrust:
    """Look for the slices that are worse than chance explains, and say which is the worst.

    Args:
        result: of a run.
        progress: called with (done, total) permutations; an exception from it stops the search.
    """
    worse = slices(result.run, group=result.group, progress=progress)
    return replace(result, sentences=[*result.sentences, *worse.sentences], slices=worse)


def _measure_groups(
    run: Run, terms: Terms, members: Mapping[str, Array], groups: Array | None, confidence: float
) -> dict[str, GroupFigures]:
    is_known, measured = ~np.isnan(run.task.loss_of_terms(terms)), {}
    for name, within in members.items():
        chosen = within & is_known
        if chosen.any():
            dependent = None if groups is None else groups[chosen]
            some = select_terms(terms, chosen)
            figures = compute_measures(run.task.quality, some, groups=dependent, confidence=confidence)
            measured[name] = GroupFigures(int(chosen.sum()), figures)
    return measured


def _describe_gain(run: Run, way: str, figures: Figures, gains: Mapping[str, Interval]) -> tuple[Verdict, str]:
    """Return whether the ensemble wins by the first measure, and a sentence."""
    measure, other, unit = run.task.quality.measures[0], PREDICTOR_WORDS[way], run.manifest.unit
    one, two, difference = (found[measure.name] for found in (figures[way], figures["ensemble"], gains))
    verdict = MeasureComparison(measure, one, two, difference).verdict
    if verdict in ("better", "worse"):
        by = measure.format_interval(difference.magnitude, unit, sign="-")
        return verdict, f"Its {measure.label} is {verdict} than that of {other} by {by}: more than noise."
    by = measure.format_interval(difference, unit, sign="+")
    is_noise = "which is within noise" if verdict == "noise" else TOO_FEW
    return verdict, f"Its {measure.label} differs from that of {other} by {by}, {is_noise}."
