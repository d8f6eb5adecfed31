"""What a prediction rests on: maps over a picture, and bars a column."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.images import as_pixels, picture_url
from mcviz.figures.rows import AROUND_BARS, BAR, LONGEST_NAME, MOST_COLUMNS
from mcviz.figures.style import DETERMINISTIC, ENSEMBLE, SPREAD, all_as_labels, as_label, styled

SIDE = 340  # pixels, of the longer side of a map
FOR_AND_AGAINST = [
    [0, "rgba(213, 94, 0, 0.9)"], [0.5, "rgba(160, 160, 160, 0.0)"], [1, "rgba(0, 114, 178, 0.9)"],
]  # fmt: skip
DIFFERING = [[0, "rgba(138, 43, 226, 0.0)"], [1, "rgba(138, 43, 226, 0.9)"]]


def map_over_picture(image: np.ndarray, cells: np.ndarray, step: int, unit: str, *, signed: bool) -> go.Figure:
    """A number for each cell of a picture, in colours over the picture in grey.

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
    grey = as_pixels(image).mean(axis=-1, keepdims=True).round().astype(np.uint8)
    most = float(np.abs(cells).max()) or 1.0
    unit = as_label(unit)
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
            colorscale=FOR_AND_AGAINST if signed else DIFFERING,
            colorbar={"title": {"text": unit, "side": "right"}, "thickness": 10, "tickformat": ".2~r"},
            hovertemplate=f"%{{z:{number}}} {unit}<extra></extra>",
        )
    )
    figure.add_layout_image(
        source=picture_url(grey, SIDE), xref="x", yref="y", x=-0.5, y=-0.5, sizex=width, sizey=height,
        sizing="stretch", layer="below",
    )  # fmt: skip
    figure.update_xaxes(visible=False, range=[-0.5, width - 0.5], fixedrange=True, constrain="domain")
    figure.update_yaxes(visible=False, range=[height - 0.5, -0.5], fixedrange=True, scaleanchor="x", constrain="domain")
    return styled(figure, SIDE).update_layout(margin_t=8, plot_bgcolor="rgba(0,0,0,0)")


def effect_bars(names: Sequence[str], mean: np.ndarray, std: np.ndarray, unit: str) -> go.Figure:
    """What each column of a row adds to a prediction, with one standard deviation to either side.

    Args:
        names: D names of columns.
        mean: (D,) over the passes.
        std: (D,) over the passes.
        unit: of both.

    Returns:
        Up to 12 lying bars, the longest on top.
    """
    shown = np.argsort(-np.abs(mean), kind="stable")[:MOST_COLUMNS][::-1]
    places, shown_names = np.arange(len(shown)), [names[column] for column in shown]
    figure = go.Figure(
        go.Bar(
            x=mean[shown],
            y=places,
            orientation="h",
            marker_color=np.where(mean[shown] >= 0, ENSEMBLE, DETERMINISTIC),
            error_x={"type": "data", "array": std[shown], "color": SPREAD, "thickness": 1.5, "width": 3},
            customdata=np.array([all_as_labels(shown_names), [f"{each:.3g}" for each in std[shown]]], object).T,
            hovertemplate="%{customdata[0]}: %{x:+.3~r} ± %{customdata[1]} " + as_label(unit) + "<extra></extra>",
        )
    )
    figure.update_xaxes(title=as_label(unit))
    short = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in shown_names]
    figure.update_yaxes(tickvals=places, ticktext=all_as_labels(short))
    return styled(figure, AROUND_BARS + BAR * len(shown)).update_layout(margin_t=0)
