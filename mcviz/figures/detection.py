"""How well detectors tell images apart: the table as a heat map, one cell's ROC curve and its two distributions."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import ENSEMBLE, NEUTRAL, ORDINARY, styled

SEQUENTIAL = [[0.0, "#F3F6F9"], [0.5, "#9FC3DE"], [1.0, ENSEMBLE]]
LOWEST = 0.9  # of an AUROC that has a shade of its own; all below look alike


def detection_table(auroc: np.ndarray, detectors: Sequence[str], columns: Sequence[str]) -> go.Figure:
    """The AUROC of every detector for every set, the better the darker.

    Args:
        auroc: (D, S) fractions; NaN leaves a cell empty.
        detectors: D names, from the top.
        columns: S names.

    Returns:
        A heat map with the figures written in its cells; shades are spread over the share of errors that is left.
    """
    errors = np.clip(1 - auroc, 1e-4, 1 - LOWEST)
    shade = (np.log(1 - LOWEST) - np.log(errors)) / (np.log(1 - LOWEST) - np.log(1e-4))
    figure = go.Figure(
        go.Heatmap(
            z=shade,
            x=list(columns),
            y=list(detectors),
            zmin=0,
            zmax=1,
            colorscale=SEQUENTIAL,
            showscale=False,
            text=np.where(np.isnan(auroc), "", np.char.mod("%.3f", np.nan_to_num(auroc))),
            texttemplate="%{text}",
            customdata=auroc,
            hovertemplate="%{y}<br>%{x}: AUROC %{customdata:.4f}<extra></extra>",
            xgap=2,
            ygap=2,
        )
    )
    figure.update_xaxes(side="top", tickangle=-40, type="category")
    figure.update_yaxes(autorange="reversed", type="category")
    return styled(figure, 130 + 24 * len(detectors))


def roc_curve(
    false_stops: np.ndarray, found: np.ndarray, name: str, compared: np.ndarray, compared_with: str
) -> go.Figure:
    """One cell's ROC curve beside another detector's.

    Args:
        false_stops: (P,) shares of the images inside that are stopped, ascending.
        found: (P,) shares of the images outside that are found.
        name: of the detector.
        compared: (P,) the same of another detector.
        compared_with: its name.

    Returns:
        Two lines; the axis of false stops is linear to the eye in its square root, so that its lower end is seen.
    """
    figure = go.Figure()
    for label, values, colour, dash in (
        (compared_with, compared, NEUTRAL, "dash"),
        (name, found, ENSEMBLE, "solid"),
    ):
        figure.add_scatter(
            x=np.sqrt(false_stops),
            y=values,
            customdata=false_stops,
            mode="lines",
            line={"color": colour, "width": 2.5, "dash": dash},
            name=label,
            hovertemplate="%{customdata:.1%} stopped by mistake, %{y:.1%} found<extra></extra>",
        )
    ticks = np.array([0, 0.01, 0.05, 0.2, 0.5, 1])
    figure.update_xaxes(
        title="test images stopped by mistake",
        tickvals=np.sqrt(ticks),
        ticktext=[f"{t:.0%}" for t in ticks],
        range=[0, 1],
    )
    figure.update_yaxes(title="found", tickformat=".0%", range=[0, 1.02])
    return styled(figure, 340)


def surprise_distributions(
    edges: np.ndarray, inside: np.ndarray, outside: np.ndarray, names: Sequence[str]
) -> go.Figure:
    """How a detector's surprise is distributed over the images inside and outside.

    Args:
        edges: (B + 1,) of the bins, ascending.
        inside: (B,) counts.
        outside: (B,) counts.
        names: of the two.

    Returns:
        Two outlined step charts of shares, one over the other.
    """
    figure = go.Figure()
    centres = (edges[:-1] + edges[1:]) / 2
    for name, counts, colour in zip(names, (inside, outside), (ENSEMBLE, ORDINARY), strict=True):
        figure.add_scatter(
            x=centres,
            y=counts / max(counts.sum(), 1),
            mode="lines",
            line={"color": colour, "width": 2, "shape": "hvh"},
            fill="tozeroy",
            name=name,
            hovertemplate="%{y:.1%} near %{x:.3g}<extra></extra>",
        )
    figure.update_xaxes(title="surprise")
    figure.update_yaxes(title="share of images", tickformat=".0%", rangemode="tozero")
    return styled(figure, 340)
