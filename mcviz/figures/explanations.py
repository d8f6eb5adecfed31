"""Explanations of a prediction: maps over an image, and bars for the columns of a row."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.images import picture_url, to_pixels
from mcviz.figures.style import DETERMINISTIC, ENSEMBLE, NEUTRAL, SPREAD, apply_layout, escape_label, escape_labels

UNUSUAL = 2  # standard deviations, above which a value is dark
MOST_COLUMNS = 12
BAR_THICKNESS = 22  # pixels
AROUND_BARS = 56  # pixels, above and below the bars
TEXT_ROOM = 0.6  # of the bars' range, at their ends for the values that do not fit in
LONGEST_COLUMN_NAME = 24  # characters of a column's name beside its bar; on hover it is whole
MAP_SIDE = 340  # pixels, of the longer side of a map
SIGNED_COLOURS = [
    [0, "rgba(213, 94, 0, 0.9)"], [0.5, "rgba(160, 160, 160, 0.0)"], [1, "rgba(0, 114, 178, 0.9)"],
]  # fmt: skip
UNSIGNED_COLOURS = [[0, "rgba(138, 43, 226, 0.0)"], [1, "rgba(138, 43, 226, 0.9)"]]


def map_over_picture(image: np.ndarray, cells: np.ndarray, step: int, unit: str, *, signed: bool) -> go.Figure:
    """Draw a number for each cell of an image, in colours over the image in grey.

    Args:
        image: (height, width, channels) float32 in 0..1.
        cells: (rows, columns) floating point.
        step: the side of a cell in pixels of the image.
        unit: of the numbers.
        signed: whether they are above and below 0, with a colour for each; otherwise all are 0 or more.

    Returns:
        A heat map, with a scale beside it.
    """
    height, width = image.shape[:2]
    grey = to_pixels(image).mean(axis=-1, keepdims=True).round().astype(np.uint8)
    most = float(np.abs(cells).max()) or 1.0
    unit = escape_label(unit)
    number = "+.3~r" if signed else ".3~r"
    figure = go.Figure(
        go.Heatmap(
            z=cells,
            x0=(step - 1) / 2,
            dx=step,
            y0=(step - 1) / 2,
            dy=step,
            zmin=-most if signed else 0,
            zmax=most,
            colorscale=SIGNED_COLOURS if signed else UNSIGNED_COLOURS,
            colorbar={"title": {"text": unit, "side": "right"}, "thickness": 10, "tickformat": ".2~r"},
            hovertemplate=f"%{{z:{number}}} {unit}<extra></extra>",
        )
    )
    figure.add_layout_image(
        source=picture_url(grey, MAP_SIDE), xref="x", yref="y", x=-0.5, y=-0.5, sizex=width, sizey=height,
        sizing="stretch", layer="below",
    )  # fmt: skip
    figure.update_xaxes(visible=False, range=[-0.5, width - 0.5], fixedrange=True, constrain="domain")
    figure.update_yaxes(visible=False, range=[height - 0.5, -0.5], fixedrange=True, scaleanchor="x", constrain="domain")
    return apply_layout(figure, MAP_SIDE).update_layout(margin_t=8, plot_bgcolor="rgba(0,0,0,0)")


def effect_bars(names: Sequence[str], mean: np.ndarray, std: np.ndarray, unit: str) -> go.Figure:
    """Draw the contribution of each column of a row to a prediction, with one standard deviation to either side.

    Args:
        names: D names of columns.
        mean: (D,) over the passes.
        std: (D,) over the passes.
        unit: of both.

    Returns:
        Up to 12 lying bars, the longest on top.
    """
    shown = np.argsort(-np.abs(mean), kind="stable")[:MOST_COLUMNS][::-1]
    shown_names = [names[column] for column in shown]
    figure = go.Figure(
        go.Bar(
            x=mean[shown],
            y=np.arange(len(shown)),
            orientation="h",
            marker_color=np.where(mean[shown] >= 0, ENSEMBLE, DETERMINISTIC),
            error_x={"type": "data", "array": std[shown], "color": SPREAD, "thickness": 1.5, "width": 3},
            customdata=np.array([escape_labels(shown_names), [f"{each:.3g}" for each in std[shown]]], object).T,
            hovertemplate="%{customdata[0]}: %{x:+.3~r} ± %{customdata[1]} " + escape_label(unit) + "<extra></extra>",
        )
    )
    figure.update_xaxes(title=escape_label(unit))
    return _name_bars(figure, shown_names)


def unusual_values(names: Sequence[str], z: np.ndarray, texts: Sequence[str]) -> go.Figure:
    """Draw the most unusual values of a row.

    Args:
        names: D names of columns.
        z: (D,) how many standard deviations each value lies above the column's median; a column whose z is not
            finite is left out.
        texts: D values as text.

    Returns:
        Up to 12 lying bars, the most unusual on top, with the value beside each; those of over two standard deviations
        are dark.
    """
    finite = np.flatnonzero(np.isfinite(z))
    shown = finite[np.argsort(-np.abs(z[finite]), kind="stable")][:MOST_COLUMNS][::-1]
    shown_names = [names[column] for column in shown]
    figure = go.Figure(
        go.Bar(
            x=z[shown],
            y=np.arange(len(shown)),
            orientation="h",
            marker_color=np.where(np.abs(z[shown]) > UNUSUAL, SPREAD, NEUTRAL),
            text=escape_labels([texts[column] for column in shown]),
            textposition="auto",
            textangle=0,
            customdata=escape_labels(shown_names),
            hovertemplate="%{customdata}: %{text}, %{x:+.1f} standard deviations from the median<extra></extra>",
        )
    )
    low, high = min([0.0, *z[shown]]), max([0.0, *z[shown]])
    room = TEXT_ROOM * (high - low or 1)
    ends = [low - room if low < 0 else 0, high + room if high > 0 or low == 0 else 0]
    figure.update_xaxes(title="standard deviations", range=ends)
    return _name_bars(figure, shown_names)


def _name_bars(figure: go.Figure, names: Sequence[str]) -> go.Figure:
    """Name lying bars by their places, since two names may begin alike, with room for each."""
    short = [name if len(name) <= LONGEST_COLUMN_NAME else f"{name[: LONGEST_COLUMN_NAME - 1]}…" for name in names]
    figure.update_yaxes(tickvals=np.arange(len(names)), ticktext=escape_labels(short))
    return apply_layout(figure, AROUND_BARS + BAR_THICKNESS * len(names)).update_layout(margin_t=0)
