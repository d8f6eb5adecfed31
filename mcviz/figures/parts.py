"""What several figures are made of: a histogram of passes, a level, a band, a diagonal, a mark, a title with a unit."""

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import NEUTRAL, SINGLE_PASS, SPREAD, as_label

NUMBER = ",.4~r"  # d3's format of what `significant` shows


def with_unit(name: str, unit: str) -> str:
    """The title of an axis, such as "RMSE, mg/dl"; the unit, which others wrote, is shown as it was typed."""
    return f"{name}, {as_label(unit)}" if unit else name


def histogram(values: np.ndarray, number: str) -> tuple[go.Bar, np.ndarray]:
    """How the passes are distributed.

    Args:
        values: (T,) one a pass.
        number: d3's format of them.

    Returns:
        10 to 40 bars, and the edges between which they stand.
    """
    counts, edges = np.histogram(values.astype(np.float64), bins=min(40, max(10, len(values) // 12)))
    bars = go.Bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges) * 0.92,
        marker_color=SINGLE_PASS,
        name="single passes",
        hovertemplate=f"%{{y}} passes near %{{x:{number}}}<extra></extra>",
    )
    return bars, edges


def level(name: str, value: float, top: float, colour: str, dash: str) -> go.Scatter:
    """A vertical line through a histogram whose highest bar is below `top`."""
    return go.Scatter(
        x=[value, value],
        y=[0, top],
        mode="lines",
        line={"color": colour, "width": 3, "dash": dash},
        name=name,
        hovertemplate=f"{name}<extra></extra>",
    )


def padded(values: np.ndarray) -> list[float]:
    """The range of an axis that shows all values; without room beside them a line at its end would be cut in half."""
    margin = 0.03 * np.ptp(values)
    return [float(values.min() - margin), float(values.max() + margin)]


def band(x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> go.Scatter:
    """What lies between two lines, in a faint colour."""
    return go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        mode="lines",  # of few points plotly would mark each
        fill="toself",
        fillcolor=colour,
        opacity=0.18,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )


def diagonal(low: float, high: float) -> dict[str, object]:
    """The line on which two axes agree."""
    line = {"color": NEUTRAL, "width": 2, "dash": "dot"}
    return {"type": "line", "x0": low, "y0": low, "x1": high, "y1": high, "line": line}


def mark(x: float) -> dict[str, object]:
    """A vertical line over the whole height, where something stands now."""
    line = {"color": SPREAD, "width": 2, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}
