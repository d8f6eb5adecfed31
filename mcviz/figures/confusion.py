"""The confusion matrix: which classes are predicted for which labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import (
    DARK_INK,
    NAMED_CLASSES,
    NEUTRAL,
    SELECTED,
    all_as_labels,
    shortened,
    styled,
    uncertainty_scale,
)

NARROWEST = 280  # pixels that all squares together have on a phone
SMALLEST = 3  # pixels, a square; with more than about a hundred classes squares cover each other


def confusion_matrix(
    labels: np.ndarray,
    predictions: np.ndarray,
    class_names: Sequence[str],
    values: np.ndarray | None = None,
    title: str = "examples",
    uncertain_when: Literal["low", "high"] = "high",
    selected: tuple[int, int] | None = None,
) -> go.Figure:
    """The confusion matrix, as squares that can be clicked.

    Args:
        labels: (N,) integer classes.
        predictions: (N,) integer classes.
        class_names: C names.
        values: (N,) a score to average in each square; without it, examples are counted.
        title: of what a square's colour means.
        uncertain_when: which values of the score mean uncertain; their squares are the brightest.
        selected: the label and the prediction of the square that is marked, if any.

    Returns:
        A scatter of square markers whose `customdata` are label × C + prediction. Squares on the diagonal, which
        hold nearly all examples, are outlined and left dark where examples are counted, so that mistakes stand out.
    """
    classes, names = len(class_names), all_as_labels(class_names)
    squares = _squares(labels, predictions, classes, values)
    rows, columns = np.divmod(squares.cells, classes)
    brightness = (squares.colours - squares.lowest) / (squares.highest - squares.lowest)
    bright = brightness < 0.45 if uncertain_when == "low" else brightness > 0.55
    mean = "" if values is None else ", mean %{text}"
    short = [shortened(name) for name in class_names]
    figure = go.Figure(
        go.Scatter(
            x=[names[c] for c in columns],
            y=[names[r] for r in rows],
            customdata=squares.cells,
            selectedpoints=np.flatnonzero(squares.cells == selected[0] * classes + selected[1]) if selected else None,
            hovertext=[f"{count:,}" for count in squares.counts],
            mode="markers+text" if classes <= NAMED_CLASSES else "markers",
            text=squares.texts,
            textfont={"size": 11, "color": [DARK_INK if each else "#FFFFFF" for each in bright]},
            marker={
                "symbol": "square",
                "size": max(SMALLEST, NARROWEST // classes),
                "color": squares.colours,
                "colorscale": uncertainty_scale(uncertain_when),
                "cmin": squares.lowest,
                "cmax": squares.highest,
                "opacity": 1,
                "colorbar": _colour_bar(title, max(map(len, short))),
                "line": {"width": np.where(rows == columns, 2 if classes <= NAMED_CLASSES else 1, 0), "color": NEUTRAL},
            },
            hovertemplate=f"label %{{y}}, prediction %{{x}}: %{{hovertext}} examples{mean}<extra></extra>",
            # Without a text colour for the selected ones, plotly fades the numbers of all others.
            selected={"marker": {"opacity": 1, "color": SELECTED}, "textfont": {"color": DARK_INK}},
            unselected={"marker": {"opacity": 1}},
        )
    )
    every = -(-classes // NAMED_CLASSES)  # as many names as there is room for
    axis = {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": names,
        "tickvals": list(range(0, classes, every)),
        "ticktext": all_as_labels(short[::every]),
    }
    figure.update_xaxes(title="prediction", range=[-0.6, classes - 0.4], **axis)
    figure.update_yaxes(title="label", range=[classes - 0.4, -0.6], **axis)
    figure.update_layout(clickmode="event+select")
    return styled(figure, 560)


@dataclass(frozen=True)
class _Squares:
    """The squares that hold an example: their numbers, counts, texts and colours."""

    cells: np.ndarray
    counts: np.ndarray
    texts: list[str]
    colours: np.ndarray
    lowest: float
    highest: float


def _squares(labels: np.ndarray, predictions: np.ndarray, classes: int, values: np.ndarray | None) -> _Squares:
    cells, places, counts = np.unique(labels * classes + predictions, return_inverse=True, return_counts=True)
    if values is None:
        colours = np.where(cells // classes == cells % classes, 0.0, counts)
        return _Squares(cells, counts, [str(count) for count in counts], colours, 0.0, max(float(colours.max()), 1))
    means = np.bincount(places, weights=values) / counts
    lowest = float(means.min())
    highest = max(float(means.max()), lowest + 1e-6)
    return _Squares(cells, counts, [f"{value:.2f}" for value in means], means, lowest, highest)


def _colour_bar(title: str, longest_name: int) -> dict[str, object]:
    return {
        "title": {"text": title},
        "thickness": 12,
        "orientation": "h",
        "y": -0.16 - 0.015 * max(0, longest_name - 2),  # below names that stand upright for want of room
        "yanchor": "top",
    }
