"""Trust in a regression: how wrong it is, and whether its intervals hold as many labels as they promise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcviz import validate
from mcviz.analysis.base import Figures, RunTrust, describe_run, find_groups, require_known_labels
from mcviz.choices import PREDICTOR_NAMES
from mcviz.measures.bootstrap import Interval
from mcviz.measures.groups import largest_design_effect
from mcviz.measures.prediction_intervals import coverage_sentence
from mcviz.measures.quality import INTERVAL, Measure, compute_measures, join_terms
from mcviz.measures.regression import RegressionMeasures, Terms, regression_terms, table_from_terms
from mcviz.runs import Run
from mcviz.tasks.regression import Regression

PREDICTOR_WORDS = {"deterministic": "the deterministic model", "single_pass": "a single pass"}


@dataclass(frozen=True, repr=False)
class RegressionTrust(RunTrust):
    """The errors of a regression, and the coverage of its intervals.

    Of the `ensemble`, `figures` have all of `measures.quality.REGRESSION`; of `deterministic`, where the run has it,
    and `single_pass` RMSE, MAE, NLL where there is a variance, and CRPS. `sentences` are the verdict on the intervals,
    then what the ensemble gains.

    Attributes:
        differences: of the ensemble from each of the others, paired by example: the ensemble's less the other's.
    """

    differences: Figures

    @property
    def text_rows(self) -> list[Sequence[str]]:
        """As for `RunTrust`."""
        measures = self.run.task.quality.measures
        rows = [
            [PREDICTOR_NAMES[way], *(self.format(figures, each) for each in measures)]
            for way, figures in self.figures.items()
        ]
        return [["predictor", *(each.label for each in measures)], *rows]

    def format(self, figures: Mapping[str, Interval], measure: Measure, sign: str = "") -> str:
        """Format the figure of a measure among those of a predictor, with its unit; "" where there is none."""
        if measure.name not in figures:
            return ""
        return measure.format_interval(figures[measure.name], self.run.manifest.unit, sign=sign)

    def as_dict(self) -> dict[str, Any]:
        """Return all that is found for JSON."""
        return {
            **describe_run(self.run, self.sentences),
            "confidence": self.confidence,
            "figures": self.figures,
            "ensemble_less": self.differences,
            "score": self.score,
            "group": self.group,
        }


def measure_regression(
    run: Run, confidence: float = 0.95, *, group: str | None = None, score: str | None = None
) -> RegressionTrust:
    """Measure how wrong a regression is, and how many labels its intervals hold.

    Args:
        run: a regression with labels.
        confidence: above 0 and below 1, of the intervals.
        group: one of the user's own columns, whose values are groups of examples that belong together.
        score: that ranks its examples; the first that it has without it.

    Raises:
        InvalidInputError: the run has no labels, one example, or no such column or score.
    """
    offered = [name for name in run.score_names if not run.score_registry[name].needs_labels]
    score = run.first_score if score is None else validate.choice("score", score, offered)
    groups = find_groups(run, group)
    figures, differences = compute_figures(run, load_terms(run), confidence, groups)
    effect = largest_design_effect(groups)
    sentences = [coverage_sentence(figures["ensemble"]["coverage"], INTERVAL, len(run), confidence, effect)]
    sentences += [_gain_sentence(run, each["rmse"], PREDICTOR_WORDS[name]) for name, each in differences.items()]
    return RegressionTrust(run, score, group, confidence, figures, sentences, differences)


def load_terms(run: Run) -> dict[str, Terms]:
    """Compute the terms of each predictor of a regression, shard by shard.

    Args:
        run: as for `measure_regression`.

    Returns:
        By predictor: of the `ensemble` those of all its measures, of the others those of `regression_terms`.

    Raises:
        InvalidInputError: as for `measure_regression`.
    """
    labels, fixed = require_known_labels(run), run.deterministic_predictions
    blocks: dict[str, list[Terms]] = {}
    for shard in range(run.manifest.shards):
        start, stop = run.manifest.shard_range(shard)
        deterministic = None if fixed is None else fixed[start:stop]
        passes = run.predictions_block(start, stop)
        predictions = Regression().predictions(passes, labels[start:stop], deterministic, targets=len(run.targets))
        terms = regression_terms(predictions) | {"ensemble": run.task.quality.terms(predictions)}
        for predictor, each in terms.items():
            blocks.setdefault(predictor, []).append(each)
    return {predictor: join_terms(each) for predictor, each in blocks.items()}


def compute_figures(
    run: Run, terms: Mapping[str, Terms], confidence: float, groups: np.ndarray | None = None
) -> tuple[Figures, Figures]:
    """Compute `figures` and `differences` of a `RegressionTrust` from the terms of all examples, or of some."""
    table, quality = table_from_terms(terms, groups=groups, confidence=confidence), run.task.quality
    measures = compute_measures(quality, terms["ensemble"], groups=groups, confidence=confidence)
    figures, differences = {"ensemble": dict(zip(quality.place, measures, strict=True))}, {}
    for predictor, found, difference in (
        ("deterministic", table.deterministic, table.over_deterministic),
        ("single_pass", table.single_pass, table.over_single_pass),
    ):
        if found is not None and difference is not None:
            figures[predictor], differences[predictor] = _known(found), _known(difference)
    return figures, differences


def _known(found: RegressionMeasures) -> dict[str, Interval]:
    return {name: interval for name, interval in vars(found).items() if interval is not None}


def _gain_sentence(run: Run, difference: Interval, other: str) -> str:
    """Say whether the RMSE of the ensemble differs from another one by more than noise."""
    measure, unit = run.task.quality.measures[0], run.manifest.unit
    if difference.low > 0 or difference.high < 0:
        by = measure.format_interval(difference.magnitude, unit)
        word = "better" if difference.value < 0 else "worse"
        return f"Its {measure.label} is {word} than that of {other} by {by}: more than noise."
    by = measure.format_interval(difference, unit, sign="+")
    return f"Its {measure.label} differs from that of {other} by {by}, which is within noise."
