"""Every single pass over one example."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import NEUTRAL, all_as_labels, class_colour, styled


def two_classes(probs: np.ndarray, first: int, second: int, class_names: Sequence[str]) -> go.Figure:
    """The probability of one class against that of another, one point a pass.

    Two clusters in opposite corners: the passes disagree. One cloud along the diagonal: each pass is uncertain.

    Args:
        probs: (T, C) probabilities of one example.
        first: class index along the x axis.
        second: class index along the y axis.
        class_names: C names.

    Returns:
        A scatter chart of T points, coloured by each pass's own prediction.
    """
    votes, names = probs.argmax(axis=-1), all_as_labels(class_names)
    figure = go.Figure()
    for predicted in (first, second, -1):
        members = ~np.isin(votes, (first, second)) if predicted < 0 else votes == predicted
        if members.any():
            figure.add_scatter(
                x=probs[members, first],
                y=probs[members, second],
                mode="markers",
                marker={"size": 7, "opacity": 0.6, "color": NEUTRAL if predicted < 0 else class_colour(predicted)},
                name=f"{members.sum()} passes predict {'another class' if predicted < 0 else names[predicted]}",
                hovertemplate=f"{names[first]} %{{x:.1%}}, {names[second]} %{{y:.1%}}<extra></extra>",
            )
    for axis, c in ((figure.update_xaxes, first), (figure.update_yaxes, second)):
        axis(title=f"probability of {names[c]}", range=[-0.02, 1.02], tickformat=".0%")
    return styled(figure, 420)


def estimate_by_passes(probs: np.ndarray, classes: Sequence[int], class_names: Sequence[str]) -> go.Figure:
    """How the predictive mean settles as passes are added, with two standard errors to either side.

    Args:
        probs: (T, C) probabilities of one example.
        classes: indices of the classes to be drawn.
        class_names: C names.

    Returns:
        One line and one band a class over 1 … T passes.
    """
    count, names = np.arange(1, len(probs) + 1), all_as_labels(class_names)
    figure = go.Figure()
    for c in classes:
        values = probs[:, c].astype(np.float64)
        mean = np.cumsum(values) / count
        variance = np.maximum(np.cumsum(values**2) / count - mean**2, 0)
        error = 2 * np.sqrt(variance / count)
        colour = class_colour(c)
        figure.add_scatter(
            x=np.concatenate([count, count[::-1]]),
            y=np.concatenate([np.minimum(mean + error, 1), np.maximum(mean - error, 0)[::-1]]),
            fill="toself",
            fillcolor=colour,
            opacity=0.18,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=count,
            y=mean,
            mode="lines",
            line={"color": colour, "width": 2.5},
            name=names[c],
            hovertemplate=f"{names[c]} after %{{x}} passes: %{{y:.1%}}<extra></extra>",
        )
    figure.update_xaxes(title="passes")
    figure.update_yaxes(title="predictive mean", tickformat=".0%", range=[0, 1.02])
    return styled(figure, 420)
