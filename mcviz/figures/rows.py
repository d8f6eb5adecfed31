"""A row of a table: which of its values are unusual, and what would be predicted along one of its columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.classes import shown_classes
from mcviz.figures.parts import NUMBER, band, mark
from mcviz.figures.style import NEUTRAL, SPREAD, all_as_labels, as_label, class_colour, styled

UNUSUAL = 2  # standard deviations, above which a value is dark
MOST_COLUMNS = 12
HIGH, LOW = 360, 240  # pixels
BAR = 22  # pixels
AROUND_BARS = 56  # pixels, the height of what is above and below them
ROOM = 0.6  # of the bars' range, at their ends for the values that do not fit in
LONGEST_NAME = 24  # characters of a column's name beside its bar; on hover it is whole


@dataclass(frozen=True)
class Curve:
    """What is drawn along a column.

    Attributes:
        name: for the legend.
        values: (P,) floating point.
        colour: of the line and of its band.
        ends: (P,) each, the lower and the upper ends of a band around the line, where there is one.
    """

    name: str
    values: np.ndarray
    colour: str
    ends: tuple[np.ndarray, np.ndarray] | None = None


def class_curves(probs: np.ndarray, class_names: Sequence[str]) -> list[Curve]:
    """The predictive mean of each class, with one standard deviation over the passes to either side.

    Args:
        probs: (T, P, C) probabilities at P values of a column.
        class_names: C names.

    Returns:
        Of up to 20 classes one curve each; of more the ten that are most probable anywhere.
    """
    mean, std = probs.mean(axis=0, dtype=np.float64), probs.std(axis=0, dtype=np.float64)
    low, high = np.maximum(mean - std, 0), np.minimum(mean + std, 1)
    shown = shown_classes(mean.max(axis=0))
    return [Curve(class_names[c], mean[:, c], class_colour(c), (low[:, c], high[:, c])) for c in shown]


def curves_along(
    amounts: np.ndarray,
    curves: Sequence[Curve],
    *,
    current: float,
    title: str,
    value_title: str,
    number: str = NUMBER,
    tick_format: str = "",
    low: bool = False,
) -> go.Figure:
    """What would be predicted of an input at other positions of a slider, such as other values of a row's column.

    Args:
        amounts: (P,) positions, ascending.
        curves: scores, predictions or probabilities at each of them.
        current: where the slider stands.
        title: of the slider.
        value_title: of what is drawn.
        number: d3's format of the curves' values.
        tick_format: d3's format of the positions; empty for as they are.
        low: whether the chart is a low one, which stands below another.

    Returns:
        A line a curve, and a vertical line where the slider stands.
    """
    figure = go.Figure()
    for curve in curves:
        name = as_label(curve.name)
        if curve.ends is not None:
            figure.add_trace(band(amounts, *curve.ends, curve.colour))
        figure.add_scatter(
            x=amounts,
            y=curve.values,
            mode="lines",
            line={"color": curve.colour, "width": 2.5},
            name=name,
            showlegend=len(curves) > 1,
            hovertemplate=f"{name} %{{y:{number}}} at %{{x:{tick_format or NUMBER}}}<extra></extra>",
        )
    figure.add_shape(**mark(current))
    figure.update_xaxes(title=as_label(title), tickformat=tick_format)
    figure.update_yaxes(title=as_label(value_title), tickformat=number)
    return styled(figure, LOW if low else HIGH)


def unusual_values(names: Sequence[str], z: np.ndarray, texts: Sequence[str]) -> go.Figure:
    """The most unusual values of a row.

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
    places, shown_names = np.arange(len(shown)), [names[column] for column in shown]
    figure = go.Figure(
        go.Bar(
            x=z[shown],
            y=places,
            orientation="h",
            marker_color=np.where(np.abs(z[shown]) > UNUSUAL, SPREAD, NEUTRAL),
            text=all_as_labels([texts[column] for column in shown]),
            textposition="auto",
            textangle=0,
            customdata=all_as_labels(shown_names),
            hovertemplate="%{customdata}: %{text}, %{x:+.1f} standard deviations from the median<extra></extra>",
        )
    )
    low, high = min([0.0, *z[shown]]), max([0.0, *z[shown]])
    room = ROOM * (high - low or 1)
    ends = [low - room if low < 0 else 0, high + room if high > 0 or low == 0 else 0]
    figure.update_xaxes(title="standard deviations", range=ends)
    # By place, since two names may begin alike.
    short = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in shown_names]
    figure.update_yaxes(tickvals=places, ticktext=all_as_labels(short))
    return styled(figure, AROUND_BARS + BAR * len(shown)).update_layout(margin_t=0)
