"""Single passes, their ensemble and the deterministic model compared: accuracies, RMSEs, mistakes found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import (
    DETERMINISTIC,
    ENSEMBLE,
    NEUTRAL,
    NUMBER,
    SHARES,
    apply_layout,
    axis_title,
    pad_range,
    pass_histogram,
    vertical_line,
)
from mcviz.measures import significant


@dataclass(frozen=True)
class PassMeasure:
    """The measure by which passes are compared.

    Attributes:
        title: its name on an axis, with its unit.
        format: formats a value as text.
        number: d3's format of its values.
        tick: d3's format of the numbers along an axis.
        ends: the least and the most of an axis.
    """

    title: str
    format: Callable[[float], str]
    number: str
    tick: str
    ends: Mapping[str, float] = field(default_factory=dict)


ACCURACY = PassMeasure("accuracy", "{:.2%}".format, ".2%", ".1%", SHARES)


def accuracy_against_ensemble(pass_accuracy: np.ndarray, ensemble: float, deterministic: float | None) -> go.Figure:
    """Draw the accuracies of the single passes, of their ensemble and of the deterministic model.

    Args:
        pass_accuracy: (T,) accuracy of each single pass, as a fraction.
        ensemble: accuracy of the mean of all passes, as a fraction.
        deterministic: accuracy of the model with dropout off, as a fraction, or None where that is not known.

    Returns:
        A histogram with a vertical line for each of the two.
    """
    return _draw_against_ensemble(pass_accuracy, ensemble, deterministic, ACCURACY)


def rmse_against_ensemble(
    pass_rmse: np.ndarray, ensemble: float, deterministic: float | None, unit: str = ""
) -> go.Figure:
    """Draw the RMSEs of the single passes, of their ensemble and of the deterministic model.

    Args:
        pass_rmse: (T,) RMSE of each single pass.
        ensemble: RMSE of the mean of all passes.
        deterministic: RMSE of the model with dropout off, or None where that is not known.
        unit: of the targets.

    Returns:
        A histogram with a vertical line for each of the two.
    """
    return _draw_against_ensemble(pass_rmse, ensemble, deterministic, _rmse_measure(unit))


def accuracy_by_ensemble_size(ensemble_accuracy: np.ndarray, deterministic: float | None) -> go.Figure:
    """Draw the accuracy of the ensemble by its number of passes.

    Args:
        ensemble_accuracy: (T,) accuracy of the mean of the first 1, 2, … T passes, as a fraction.
        deterministic: accuracy of the model with dropout off, as a fraction, or None where that is not known.

    Returns:
        A line over the number of passes, on a logarithmic axis, with the deterministic model as a level.
    """
    return _draw_by_ensemble_size(ensemble_accuracy, deterministic, ACCURACY)


def rmse_by_ensemble_size(ensemble_rmse: np.ndarray, deterministic: float | None, unit: str = "") -> go.Figure:
    """Draw the RMSE of the ensemble by its number of passes.

    Args:
        ensemble_rmse: (T,) RMSE of the mean of the first 1, 2, … T passes.
        deterministic: RMSE of the model with dropout off, or None where that is not known.
        unit: of the targets.

    Returns:
        A line over the number of passes, on a logarithmic axis, with the deterministic model as a level.
    """
    return _draw_by_ensemble_size(ensemble_rmse, deterministic, _rmse_measure(unit))


def _rmse_measure(unit: str) -> PassMeasure:
    return PassMeasure(axis_title("RMSE", unit), significant, NUMBER, "")


def _draw_against_ensemble(
    single: np.ndarray, ensemble: float, deterministic: float | None, measure: PassMeasure
) -> go.Figure:
    bars, edges = pass_histogram(single, measure.number)
    figure, top = go.Figure(bars), max(bars.y) * 1.08
    lines = [("ensemble", ensemble, ENSEMBLE, "solid")]
    if deterministic is not None:
        lines.append(("deterministic", deterministic, DETERMINISTIC, "dash"))
    for name, value, colour, dash in lines:
        figure.add_trace(vertical_line(f"{name} {measure.format(value)}", value, top, colour, dash))
    shown = np.append(edges, [value for _, value, _, _ in lines])
    ends = np.clip(pad_range(shown), measure.ends.get("clipmin"), measure.ends.get("clipmax"))
    figure.update_xaxes(title=measure.title, tickformat=measure.tick, range=ends.tolist())
    figure.update_yaxes(title="passes", range=[0, top])
    return apply_layout(figure, 360)


def _draw_by_ensemble_size(ensemble: np.ndarray, deterministic: float | None, measure: PassMeasure) -> go.Figure:
    sizes = np.arange(1, len(ensemble) + 1)
    figure = go.Figure(
        go.Scatter(
            x=sizes,
            y=ensemble,
            mode="lines",
            line={"color": ENSEMBLE, "width": 2.5},
            name="ensemble",
            hovertemplate=f"first %{{x}} passes: %{{y:{measure.number}}}<extra></extra>",
        )
    )
    if deterministic is not None:
        shown = measure.format(deterministic)
        figure.add_scatter(
            x=sizes[[0, -1]],
            y=[deterministic, deterministic],
            mode="lines",
            line={"color": DETERMINISTIC, "width": 3, "dash": "dash"},
            name=f"deterministic {shown}",
            hovertemplate=f"deterministic model {shown}<extra></extra>",
        )
    ticks = [n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if n <= len(sizes)]
    figure.update_xaxes(title="passes in the ensemble", type="log", tickvals=ticks, ticktext=[str(n) for n in ticks])
    figure.update_yaxes(title=measure.title, tickformat=measure.tick, autorangeoptions=measure.ends)
    return apply_layout(figure, 360)


def mistakes_by_reviewed(wrong: np.ndarray, share: float, mistakes: str = "mistakes") -> go.Figure:
    """Draw the share of the mistakes found by reviewing the most uncertain examples first.

    Args:
        wrong: (N,) bool, whether each example's prediction is wrong, the most uncertain example first.
        share: the fraction of the examples to mark.
        mistakes: the word for them.

    Returns:
        A line over the fraction reviewed, on a logarithmic axis, beside what a random order would find.
    """
    reviewed = np.arange(1, len(wrong) + 1) / len(wrong)
    found = np.cumsum(wrong) / max(wrong.sum(), 1)
    shown = np.unique(np.geomspace(1, len(wrong), min(400, len(wrong))).astype(int)) - 1
    figure = go.Figure(
        go.Scatter(
            x=reviewed[shown],
            y=found[shown],
            mode="lines",
            line={"color": ENSEMBLE, "width": 3},
            name="most uncertain first",
            hovertemplate="%{x:.1%} of the examples: %{y:.1%} of the " + mistakes + "<extra></extra>",
        )
    )
    figure.add_scatter(
        x=reviewed[shown],
        y=reviewed[shown],
        mode="lines",
        line={"color": NEUTRAL, "width": 2, "dash": "dot"},
        name="in random order",
        hoverinfo="skip",
    )
    marked = min(int(share * len(wrong)), len(wrong)) or 1
    figure.add_scatter(
        x=[share],
        y=[found[marked - 1]],
        mode="markers+text",
        text=[f"{found[marked - 1]:.0%} of the {mistakes}"],
        textposition="top left" if found[marked - 1] > share else "top right",
        marker={"color": DETERMINISTIC, "size": 12},
        showlegend=False,
        hoverinfo="skip",
    )
    ticks = [n for n in (0.0001, 0.001, 0.01, 0.05, 0.2, 1) if n >= 1 / len(wrong)]
    figure.update_xaxes(
        title="examples reviewed", type="log", tickvals=ticks, ticktext=[f"{100 * n:g}%" for n in ticks]
    )
    figure.update_yaxes(title=f"{mistakes} found", tickformat=".0%", range=[0, 1.08])
    return apply_layout(figure, 380)
