"""`mcviz trust` of a regression: how wrong is it, and do its intervals hold the labels?"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mcviz.choices import PREDICTOR_NAMES
from mcviz.cli.gate import Findings, Rows, describe_run
from mcviz.cli.stopping import loading
from mcviz.errors import InvalidInputError

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from mcviz.analysis.regression import Figures, RegressionTrust
    from mcviz.measures.bootstrap import Interval
    from mcviz.measures.quality import Measure
    from mcviz.runs import Run


def find_errors(
    run: "Run",
    confidence: float,
    *,
    by: str | None,
    group: str | None,
    score: str | None,
    mistake_cost: float | None,
    look_cost: float | None,
) -> "tuple[Figures, Findings]":
    """Measure the errors of a regression, for `mcviz trust`.

    Args:
        run: a regression with labels.
        confidence: of the intervals.
        by: None, since it is of classes alone, as are the costs.
        group: the column whose values are groups of examples that belong together.
        score: that ranks the examples of a summary.
        mistake_cost: None.
        look_cost: None.

    Raises:
        InvalidInputError: no labels, no such score, or an option that is of classes alone.
    """
    with loading():
        from mcviz import validate
        from mcviz.analysis.base import group_sentence
        from mcviz.analysis.regression import measure_regression
        from mcviz.measures.regression import FEWEST_FOR_RMSE

    given = {"--by": by, "--mistake-cost": mistake_cost, "--look-cost": look_cost}
    if wrong := [name for name, value in given.items() if value is not None]:
        what = f"{run.path}, of {run.manifest.task}"
        raise InvalidInputError(f"{wrong[0]} is for runs of classification. Received: {what}. Leave it out.")
    offered = [name for name in run.score_names if not run.score_registry[name].needs_labels]
    score = run.first_score if score is None else validate.choice("score", score, offered)
    found = measure_regression(run, confidence, group=group)
    measures, unit = run.task.quality.measures, run.manifest.unit
    rows: Rows = [["predictor", *(each.label for each in measures)]]
    rows += [
        [PREDICTOR_NAMES[way], *(_format(each, figures, unit) for each in measures)]
        for way, figures in found.figures.items()
    ]
    as_dict = {"confidence": confidence, "figures": found.figures, "ensemble_less": found.differences, "score": score}
    as_dict["group"] = group
    few = ["", f"Fewer than {FEWEST_FOR_RMSE} examples are too few for the interval of an RMSE."]
    return found.figures, Findings(
        run,
        score,
        found.sentences,
        lines=[
            *(line for measure in measures for line in _measure_lines(measure, found, unit)),
            *([] if len(run) >= FEWEST_FOR_RMSE else few),
            "",
            group_sentence(run, group),
        ],
        as_dict=describe_run(run, found.sentences) | as_dict,
        tables={"How good is each way to predict?": rows},
        draw_charts=lambda: _draw_coverage(run),
    )


def _measure_lines(measure: "Measure", found: "RegressionTrust", unit: str) -> list[str]:
    lines = ["", f"{measure.label:<36}{f'{100 * found.confidence:.6g}% interval':<40}ensemble − this"]
    for way, figures in found.figures.items():
        if measure.name in figures:
            less = _format(measure, found.differences.get(way, {}), unit, sign="+")
            lines.append(f"  {PREDICTOR_NAMES[way]:<34}{_format(measure, figures, unit):<40}{less}")
    return lines


def _format(measure: "Measure", figures: "Mapping[str, Interval]", unit: str, sign: str = "") -> str:
    return measure.format_interval(figures[measure.name], unit, sign=sign) if measure.name in figures else ""


def _draw_coverage(run: "Run") -> "dict[str, go.Figure]":
    from mcviz.plot import intervals

    return {
        f"Do intervals of {target} hold what they promise?": intervals(run, place)
        for place, target in enumerate(run.targets)
    }
