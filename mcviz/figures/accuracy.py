"""How single passes, their ensemble and the deterministic model compare."""

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import DETERMINISTIC, ENSEMBLE, NEUTRAL, SINGLE_PASS, styled

PERCENT = ".2%"


def accuracy_against_ensemble(pass_accuracy: np.ndarray, ensemble: float, deterministic: float | None) -> go.Figure:
    """The accuracies of the single passes, of their ensemble and of the deterministic model.

    Args:
        pass_accuracy: (T,) accuracy of each single pass, as a fraction.
        ensemble: accuracy of the mean of all passes, as a fraction.
        deterministic: accuracy of the model with dropout off, as a fraction, or None where that is not known.

    Returns:
        A histogram with a vertical line for each of the two.
    """
    counts, edges = np.histogram(pass_accuracy, bins=min(40, max(10, len(pass_accuracy) // 12)))
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=np.diff(edges) * 0.92,
            marker_color=SINGLE_PASS,
            name="single passes",
            hovertemplate="%{y} passes near %{x:.2%}<extra></extra>",
        )
    )
    top = counts.max() * 1.08
    lines = [("ensemble", ensemble, ENSEMBLE, "solid")]
    if deterministic is not None:
        lines.append(("deterministic", deterministic, DETERMINISTIC, "dash"))
    for name, accuracy, colour, dash in lines:
        figure.add_scatter(
            x=[accuracy, accuracy],
            y=[0, top],
            mode="lines",
            line={"color": colour, "width": 3, "dash": dash},
            name=f"{name} {accuracy:{PERCENT}}",
            hovertemplate=f"{name} {accuracy:{PERCENT}}<extra></extra>",
        )
    shown = np.append(edges, [accuracy for _, accuracy, _, _ in lines])
    margin = 0.03 * max(np.ptp(shown), 0.001)  # or the line of an ensemble that beats all is cut in half
    figure.update_xaxes(title="accuracy", tickformat=".1%", range=[shown.min() - margin, shown.max() + margin])
    figure.update_yaxes(title="passes", range=[0, top])
    return styled(figure, 360)


def accuracy_by_ensemble_size(ensemble_accuracy: np.ndarray, deterministic: float | None) -> go.Figure:
    """How many passes it takes until the ensemble is as good as it gets.

    Args:
        ensemble_accuracy: (T,) accuracy of the mean of the first 1, 2, … T passes, as a fraction.
        deterministic: accuracy of the model with dropout off, as a fraction, or None where that is not known.

    Returns:
        A line over the number of passes, on a logarithmic axis, with the deterministic model as a level.
    """
    sizes = np.arange(1, len(ensemble_accuracy) + 1)
    figure = go.Figure(
        go.Scatter(
            x=sizes,
            y=ensemble_accuracy,
            mode="lines",
            line={"color": ENSEMBLE, "width": 2.5},
            name="ensemble",
            hovertemplate="first %{x} passes: %{y:.2%}<extra></extra>",
        )
    )
    if deterministic is not None:
        figure.add_scatter(
            x=sizes[[0, -1]],
            y=[deterministic, deterministic],
            mode="lines",
            line={"color": DETERMINISTIC, "width": 3, "dash": "dash"},
            name=f"deterministic {deterministic:{PERCENT}}",
            hovertemplate=f"deterministic model {deterministic:{PERCENT}}<extra></extra>",
        )
    ticks = [n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if n <= len(sizes)]
    figure.update_xaxes(title="passes in the ensemble", type="log", tickvals=ticks, ticktext=[str(n) for n in ticks])
    figure.update_yaxes(title="accuracy", tickformat=".1%")
    return styled(figure, 360)


def mistakes_found(wrong: np.ndarray, share: float) -> go.Figure:
    """How many of the mistakes a person finds who reviews the most uncertain examples first.

    Args:
        wrong: (N,) bool, whether each example's prediction is wrong, the most uncertain example first.
        share: the fraction of the examples to mark.

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
            hovertemplate="%{x:.1%} of the examples: %{y:.1%} of the mistakes<extra></extra>",
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
        text=[f"{found[marked - 1]:.0%} of the mistakes"],
        textposition="top left",
        marker={"color": DETERMINISTIC, "size": 12},
        showlegend=False,
        hoverinfo="skip",
    )
    ticks = [n for n in (0.0001, 0.001, 0.01, 0.05, 0.2, 1) if n >= 1 / len(wrong)]
    figure.update_xaxes(
        title="examples reviewed", type="log", tickvals=ticks, ticktext=[f"{100 * n:g}%" for n in ticks]
    )
    figure.update_yaxes(title="mistakes found", tickformat=".0%", range=[0, 1.08])
    return styled(figure, 380)
