"""How far a run can be trusted whose measures are of predictive means, and of several labels each class by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcviz import validate
from mcviz.analysis.base import find_groups, ranking_scores, require_known_labels
from mcviz.analysis.slices import Slices, slices
from mcviz.analysis.trust import QualityTrust, gain_sentence
from mcviz.measures.calibration import PREDICTOR_WORDS
from mcviz.measures.multilabel import ClassFigures, class_figures
from mcviz.measures.quality import compute_measures
from mcviz.measures.registry import Terms
from mcviz.runs import Run
from mcviz.runs.tables import Progress
from mcviz.text import list_names, one_line

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class LabelTrust(QualityTrust):
    """How far a run of several labels an example can be trusted.

    Attributes:
        by_class: the figures of each class, by its name.
        slices: that are worse than chance explains.
    """

    by_class: Mapping[str, ClassFigures]
    slices: Slices

    @property
    def classes(self) -> "pd.DataFrame":
        """The figures of the classes, a row each, indexed by `class`."""
        import pandas as pd  # here, because it takes time to import

        rows = [figures.as_row() for figures in self.by_class.values()]
        return pd.DataFrame(rows, pd.Index(map(one_line, self.by_class), name="class"))

    def as_dict(self) -> dict[str, Any]:
        """As for `RunTrust`, with the classes and the slices."""
        return super().as_dict() | {"classes": self.by_class, "slices": self.slices.as_dict()}


def measure_labels(
    run: Run,
    confidence: float = 0.95,
    *,
    group: str | None = None,
    score: str | None = None,
    progress: Progress | None = None,
) -> LabelTrust:
    """Measure how good the predictions of a run are, and of several labels an example also those of each class.

    Args:
        run: with labels, of a task whose measures take no single passes.
        confidence: above 0 and below 1, of the intervals.
        group: one of the user's own columns, whose values are groups of examples that belong together.
        score: that ranks examples; the first that the run has without it.
        progress: called with (done, total) permutations of the search for slices; an exception from it stops the work.

    Raises:
        InvalidInputError: the run has no labels, one example, or no such column or score.
    """
    ways, groups, task = terms_by_predictor(run), find_groups(run, group), run.task
    score = run.first_score if score is None else validate.choice("score", score, ranking_scores(run))
    options: dict[str, Any] = {"groups": groups, "confidence": confidence}
    figures = {way: compute_measures(task.quality, terms, **options) for way, terms in ways.items()}
    names = [measure.name for measure in task.quality.measures]
    differences = {
        way: task.quality.differences(terms, ways["ensemble"], names, resamples=1000, seed=0, **options)
        for way, terms in ways.items()
        if way != "ensemble"
    }
    by_class = {}
    if task.outputs == "sigmoids":
        by_class = dict(zip(run.class_names, class_figures(ways["ensemble"], **options), strict=True))
    worse = slices(run, group=group, progress=progress)
    sentences = [
        *([_calibration_sentence(by_class)] if by_class else []),
        *(gain_sentence(run, gains, PREDICTOR_WORDS[way]) for way, gains in differences.items()),
        *worse.sentences,
    ]
    return LabelTrust(run, score, group, confidence, figures, sentences, differences, by_class, worse)


def terms_by_predictor(run: Run) -> dict[str, Terms]:
    """Compute the terms of the measures of the ensemble and, where the run has it, of the deterministic model.

    Raises:
        InvalidInputError: the run has no labels, or one example.
    """
    labels, quality = require_known_labels(run), run.task.quality
    predicted = {"ensemble": run.mean_predictions, "deterministic": run.deterministic_predictions}
    return {
        way: quality.terms(run.task.predictions(mean[None], labels))
        for way, mean in predicted.items()
        if mean is not None
    }


def _calibration_sentence(by_class: Mapping[str, ClassFigures]) -> str:
    """Say which classes are given probabilities that are too high or too low on average."""
    found = {
        "too high": [one_line(name) for name, figures in by_class.items() if figures.excess.low > 0],
        "too low": [one_line(name) for name, figures in by_class.items() if figures.excess.high < 0],
    }
    named = [f"{word} for {list_names(names)}" for word, names in found.items() if names]
    if named:
        return f"Probabilities are {' and '.join(named)}, on average and beyond chance."
    return "No class is shown to be given probabilities that are too high or too low on average."
