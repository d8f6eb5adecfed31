"""What a figure holds, and its colours as eyes see them."""

from typing import Any

import numpy as np
from plotly.graph_objects import Figure


def trace_named(figure: Figure, beginning: str) -> Any:
    """The one trace whose name begins so."""
    (trace,) = (trace for trace in figure.data if (trace.name or "").startswith(beginning))
    return trace


def rgb(colour: str) -> np.ndarray:
    """(3,) sRGB in 0..1, of `#rrggbb`, whose first sign may be left out."""
    return np.array([int(colour.removeprefix("#")[i : i + 2], 16) for i in (0, 2, 4)]) / 255


def linear(colour: np.ndarray) -> np.ndarray:
    """Linear light of (3,) sRGB."""
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def luminance(colour: np.ndarray) -> float:
    """Relative luminance of (3,) sRGB, as WCAG 2 defines it."""
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """The contrast of two colours, 1 to 21, as WCAG 2 defines it."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def colour_on_scale(axis: Any, value: float) -> np.ndarray:
    """(3,) sRGB: the colour that plotly gives to a value, by the scale and the ends of a marker or a colour axis."""
    positions, colours = zip(*axis.colorscale, strict=True)
    position = (value - axis.cmin) / (axis.cmax - axis.cmin)
    return np.array([np.interp(position, positions, parts) for parts in zip(*map(rgb, colours), strict=True)])
