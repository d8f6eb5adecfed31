"""`mcviz trust` of a regression: how wrong is it, and do its intervals hold the labels?"""

from typing import TYPE_CHECKING

from mcviz.choices import PREDICTOR_NAMES

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from mcviz.analysis.regression import RegressionTrust
    from mcviz.measures.quality import Measure


def regression_lines(found: "RegressionTrust") -> list[str]:
    """Return lines on each measure of each way to predict."""
    from mcviz.measures.regression import FEWEST_FOR_RMSE

    lines = [line for measure in found.run.task.quality.measures for line in _measure_lines(measure, found)]
    if len(found.run) < FEWEST_FOR_RMSE:
        lines += ["", f"Fewer than {FEWEST_FOR_RMSE} examples are too few for the interval of an RMSE."]
    return lines


def draw_coverage(found: "RegressionTrust") -> "dict[str, go.Figure]":
    """Draw how often intervals of each target hold the label."""
    from mcviz.plot import intervals

    return {
        f"Do intervals of {target} hold what they promise?": intervals(found.run, place)
        for place, target in enumerate(found.run.targets)
    }


def _measure_lines(measure: "Measure", found: "RegressionTrust") -> list[str]:
    lines = ["", f"{measure.label:<36}{f'{100 * found.confidence:.6g}% interval':<40}ensemble − this"]
    for way, figures in found.figures.items():
        if measure.name in figures:
            less = found.format(found.differences.get(way, {}), measure, sign="+")
            lines.append(f"  {PREDICTOR_NAMES[way]:<34}{found.format(figures, measure):<40}{less}")
    return lines
