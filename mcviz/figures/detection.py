"""How well detectors tell images apart: the shades of the table, one cell's ROC curve and its two distributions."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mcviz.figures.style import DETERMINISTIC, ENSEMBLE, NEUTRAL, styled

FAR, NEAR = 0.1, 0.0001  # distances from perfection with a shade of their own; all beyond look alike
LIGHT, DARK = (243, 246, 249), (0, 114, 178)


def shades(shares: np.ndarray, *, perfect: float = 1, far: float = FAR) -> np.ndarray:
    """The colours of a table's cells, the better the darker, evenly spread over the orders of what is left of errors.

    Args:
        shares: (D, S) fractions; NaN has no colour.
        perfect: the best that there is, 0 or 1.
        far: the distance from it that is as light as any larger one.

    Returns:
        (D, S) style sheets' words for the background and, so that it stands out in light and dark themes, the text.
    """
    errors = np.clip(np.abs(perfect - shares), NEAR, far)
    depth = np.log(far / errors) / np.log(far / NEAR)
    words = np.full(shares.shape, "", dtype=object)
    for cell in zip(*np.nonzero(np.isfinite(shares)), strict=True):
        red, green, blue = (
            round(light + depth[cell] * (dark - light)) for light, dark in zip(LIGHT, DARK, strict=True)
        )
        text = "#FFFFFF" if depth[cell] > 0.93 else "#000000"
        words[cell] = f"background-color: #{red:02X}{green:02X}{blue:02X}; color: {text}"
    return words


def roc_curve(
    false_stops: np.ndarray,
    found: np.ndarray,
    name: str,
    compared: np.ndarray,
    compared_with: str,
    inside: str = "test images",
) -> go.Figure:
    """One cell's ROC curve beside another detector's.

    Args:
        false_stops: (P,) shares of the images inside that are stopped, ascending.
        found: (P,) shares of the images outside that are found.
        name: of the detector.
        compared: (P,) the same of another detector.
        compared_with: its name.
        inside: what the images are that are not to be stopped.

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
        title=f"{inside} stopped by mistake",
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
    for name, counts, colour in zip(names, (inside, outside), (ENSEMBLE, DETERMINISTIC), strict=True):
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
