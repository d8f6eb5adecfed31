"""Every single pass over one example."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.parts import NUMBER, band, with_unit
from mcviz.figures.style import ENSEMBLE, LABEL, NEUTRAL, all_as_labels, class_colour, styled
from mcviz.measures import significant


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
    figure, names = go.Figure(), all_as_labels(class_names)
    for c in classes:
        count, mean, error = _settling(probs[:, c])
        colour = class_colour(c)
        figure.add_trace(band(count, np.maximum(mean - error, 0), np.minimum(mean + error, 1), colour))
        figure.add_trace(_settling_line(count, mean, names[c], colour, ".1%"))
    figure.update_xaxes(title="passes")
    figure.update_yaxes(title="predictive mean", tickformat=".0%", range=[0, 1.02])
    return styled(figure, 420)


def output_by_passes(outputs: np.ndarray, label: float | None = None, unit: str = "") -> go.Figure:
    """How the predictive mean of a target settles as passes are added, with two standard errors to either side.

    Args:
        outputs: (T,) what each pass predicts of one example.
        label: the true value, where it is known.
        unit: of the target.

    Returns:
        A line and a band over 1 … T passes, and the label as a level.
    """
    count, mean, error = _settling(outputs)
    figure = go.Figure([band(count, mean - error, mean + error, ENSEMBLE)])
    figure.add_trace(_settling_line(count, mean, "predictive mean", ENSEMBLE, NUMBER))
    if label is not None:
        figure.add_scatter(
            x=count[[0, -1]],
            y=[label, label],
            mode="lines",
            line={"color": LABEL, "width": 2.5, "dash": "dash"},
            name=f"label {significant(label)}",
            hovertemplate=f"label {significant(label)}<extra></extra>",
        )
    figure.update_xaxes(title="passes")
    figure.update_yaxes(title=with_unit("predictive mean", unit))
    return styled(figure, 420)


def _settling(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T,) each: 1 … T, the mean of the first t values, and two standard errors of it."""
    count, first = np.arange(1, len(values) + 1), float(values[0])
    away = values.astype(np.float64) - first  # or the squares of large values would leave no digits for their variance
    mean = np.cumsum(away) / count
    variance = np.maximum(np.cumsum(away**2) / count - mean**2, 0)
    return count, first + mean, 2 * np.sqrt(variance / count)


def _settling_line(count: np.ndarray, mean: np.ndarray, name: str, colour: str, number: str) -> go.Scatter:
    return go.Scatter(
        x=count,
        y=mean,
        mode="lines",
        line={"color": colour, "width": 2.5},
        name=name,
        hovertemplate=f"{name} after %{{x}} passes: %{{y:{number}}}<extra></extra>",
    )
