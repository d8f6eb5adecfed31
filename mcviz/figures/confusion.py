"""The confusion matrix: which classes are predicted for which labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import (
    DARK_INK,
    LABEL,
    NAMED_CLASSES,
    SELECTED,
    apply_layout,
    escape_labels,
    shorten_name,
    uncertainty_scale,
)

NARROWEST_MATRIX = 280  # pixels that all cells together have on a phone
SMALLEST_CELL = 3  # pixels, a cell; with more than about a hundred classes cells cover each other
EMPTY_CELLS = "rgba(128, 136, 148, 0.12)"  # of cells that hold nothing
EDGE = "rgba(128, 136, 148, 0.35)"
DIAGONAL = LABEL  # the colour of the diagonal, where prediction and label are the same


def confusion_matrix(
    labels: np.ndarray,
    predictions: np.ndarray,
    class_names: Sequence[str],
    values: np.ndarray | None = None,
    title: str = "examples",
    uncertain_when: Literal["low", "high"] = "high",
    selected: tuple[int, int] | None = None,
) -> go.Figure:
    """Draw the confusion matrix, as filled cells that can be clicked.

    Args:
        labels: (N,) integer classes.
        predictions: (N,) integer classes.
        class_names: C names.
        values: (N,) a score to average in each cell; without it, examples are counted.
        title: of the colour bar.
        uncertain_when: which values of the score mean uncertain; their cells are the brightest.
        selected: the label and the prediction of the cell that is marked, if any.

    Returns:
        Bars as high and as wide as a cell, whose `customdata` are label × C + prediction. The diagonal, which holds
        nearly all examples, has one colour of its own where examples are counted, and an outline where a score is
        averaged.
    """
    classes, names = len(class_names), escape_labels(class_names)
    cells = _cells(labels, predictions, classes, values, uncertain_when)
    figure = go.Figure()
    right = cells.numbers // classes == cells.numbers % classes
    for members, on_diagonal in ((~right, False), (right, True)):
        if members.any():
            figure.add_trace(_bars(cells, members, names, selected, averaged=values is not None, right=on_diagonal))
    short = [shorten_name(name) for name in class_names]
    figure.update_layout(
        coloraxis={
            "cmin": cells.lowest,
            "cmax": cells.highest,
            "colorscale": uncertainty_scale(uncertain_when),
            "colorbar": _colour_bar(title, max(map(len, short))),
        }
    )
    every = -(-classes // NAMED_CLASSES)  # as many names as there is room for
    axis = {"tickvals": list(range(0, classes, every)), "ticktext": escape_labels(short[::every]), "showgrid": False}
    figure.update_xaxes(title="prediction", range=[-0.5, classes - 0.5], zeroline=False, **axis)
    figure.update_yaxes(title="label", range=[classes - 0.5, -0.5], zeroline=False, **axis)
    figure.update_layout(clickmode="event+select", barmode="overlay", plot_bgcolor=EMPTY_CELLS)
    return apply_layout(figure, 560).update_layout(bargap=0, showlegend=False)


def _bars(
    cells: "_Cells",
    members: np.ndarray,
    names: Sequence[str],
    selected: tuple[int, int] | None,
    *,
    averaged: bool,
    right: bool,
) -> go.Bar:
    """Cells of one kind: those off the diagonal, or those on it."""
    classes, numbers, colours = len(names), cells.numbers[members], cells.colours[members]
    rows, columns = np.divmod(numbers, classes)
    brightness = (colours - cells.lowest) / (cells.highest - cells.lowest)
    plain = right and not averaged  # the diagonal has one colour of its own
    dark_ink = np.full(len(numbers), True) if plain else cells.is_bright(brightness)
    mean = ", mean %{text}" if averaged else ""
    few = classes <= NAMED_CLASSES
    fill: dict[str, Any] = {"color": DIAGONAL} if plain else {"color": colours, "coloraxis": "coloraxis"}
    return go.Bar(
        x=columns,
        y=np.ones(len(numbers)),
        base=rows - 0.5,
        width=1,
        customdata=numbers,
        selectedpoints=np.flatnonzero(numbers == selected[0] * classes + selected[1]) if selected else None,
        hovertext=[
            f"label {names[row]}, prediction {names[column]}: {count:,} examples"
            for row, column, count in zip(rows, columns, cells.counts[members], strict=True)
        ],
        text=[cells.texts[at] for at in np.flatnonzero(members)] if few or averaged else None,
        textposition="inside" if few else "none",
        insidetextanchor="middle",
        textangle=0,
        constraintext="none",
        textfont={"size": 11, "color": [DARK_INK if each else "#FFFFFF" for each in dark_ink]},
        marker={"line": _edge(classes, fill, outlined=right and averaged), **fill},
        hovertemplate=f"%{{hovertext}}{mean}<extra></extra>",
        # Without a text colour for the selected ones, plotly fades the numbers of all others.
        selected={"marker": {"opacity": 1, "color": SELECTED}, "textfont": {"color": DARK_INK}},
        unselected={"marker": {"opacity": 1}},
    )


def _edge(classes: int, fill: dict[str, Any], *, outlined: bool) -> dict[str, Any]:
    """The line around each cell; of very many classes it makes the cell large enough to be seen."""
    if outlined:
        return {"color": DIAGONAL, "width": 2 if classes <= NAMED_CLASSES else 1}
    if classes <= NAMED_CLASSES:
        return {"color": EDGE, "width": 1}
    return {**fill, "width": max(0, SMALLEST_CELL - NARROWEST_MATRIX / classes)}


@dataclass(frozen=True)
class _Cells:
    """The cells that hold an example: their numbers, counts, texts and colours."""

    numbers: np.ndarray
    counts: np.ndarray
    texts: list[str]
    colours: np.ndarray
    lowest: float
    highest: float
    low_is_bright: bool

    def is_bright(self, brightness: np.ndarray) -> np.ndarray:
        """Whether text on cells of this brightness, 0 to 1 along the scale, should be dark."""
        return brightness < 0.45 if self.low_is_bright else brightness > 0.55


def _cells(
    labels: np.ndarray, predictions: np.ndarray, classes: int, values: np.ndarray | None, uncertain_when: str
) -> _Cells:
    numbers, places, counts = _count_cells(labels * classes + predictions, classes**2)
    low = uncertain_when == "low"
    if values is None:
        mistakes = counts[numbers // classes != numbers % classes]
        most = max(float(mistakes.max(initial=0)), 1)
        return _Cells(numbers, counts, [f"{count:,}" for count in counts], counts.astype(float), 0.0, most, low)
    means = np.bincount(places, weights=values) / counts
    lowest = float(means.min())
    highest = max(float(means.max()), lowest + 1e-6)
    return _Cells(numbers, counts, [f"{value:.2f}" for value in means], means, lowest, highest, low)


def _count_cells(cells: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers of the cells that occur, the index of each example's cell among them, and their counts."""
    if most > len(cells):  # a table of all would be large, and sorting so few is quick
        return np.unique(cells, return_inverse=True, return_counts=True)
    counts = np.bincount(cells, minlength=most)
    numbers = np.flatnonzero(counts)
    places = np.zeros(most, dtype=np.int64)
    places[numbers] = np.arange(len(numbers))
    return numbers, places[cells], counts[numbers]


def _colour_bar(title: str, longest_name: int) -> dict[str, object]:
    return {
        "title": {"text": title},
        "thickness": 12,
        "orientation": "h",
        "y": -0.16 - 0.015 * max(0, longest_name - 2),  # below names that stand upright for want of room
        "yanchor": "top",
    }
