"""A regression in files to take away."""

import pandas as pd
import plotly.graph_objects as go

from mcviz.app.resources import quantity, scores_of
from mcviz.app.selection import Selection
from mcviz.app.tasks.regression.intervals import calibration
from mcviz.app.wording import ways_to_predict
from mcviz.figures import coverage_of_intervals, rmse_against_ensemble, rmse_by_ensemble_size, score_distributions
from mcviz.measures.regression import rmse_of_one_pass
from mcviz.runs import Run


def named(selection: Selection) -> pd.DataFrame:
    """All columns of the selected examples."""
    return selection.table.rename_axis("example").reset_index()


def errors(run: Run) -> dict[str, str]:
    """The RMSEs that are known, by what they are called."""
    if run.pass_rmse is None or run.ensemble_rmse is None:
        return {}
    values = run.deterministic_rmse, rmse_of_one_pass(run.pass_rmse), run.ensemble_rmse[-1]
    deterministic, *others = ways_to_predict(run.manifest)
    off = "" if run.manifest.origin.kind == "imported" else " (dropout off)"
    rows = zip((deterministic + off, *others), values, strict=True)
    return {name: f"RMSE {quantity(value, run.manifest.unit)}" for name, value in rows if value is not None}


def summaries(selection: Selection) -> list[go.Figure]:
    """Aggregates of the run and of the selection; none holds a number of a single example."""
    run, unit = selection.run, selection.run.manifest.unit
    distribution = score_distributions(
        selection.table[selection.score].to_numpy(), None, scores_of(run)[selection.score].label
    )
    if run.pass_rmse is None or run.ensemble_rmse is None:
        return [distribution]
    return [
        rmse_against_ensemble(run.pass_rmse, run.ensemble_rmse[-1], run.deterministic_rmse, unit),
        rmse_by_ensemble_size(run.ensemble_rmse, run.deterministic_rmse, unit),
        distribution,
        coverage_of_intervals(calibration(run)[selection.state.target]),
    ]
