"""Very many examples on a plane: a grid over the visible part, whose cells have the mean colour of their examples."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageColor
from plotly.colors import sample_colorscale, unlabel_rgb

MOST_DRAWN_POINTS = 20_000  # visible ones, above which they are drawn as cells: a browser draws more of them slowly
CELLS_ALONG_AXIS = 160  # along each axis
FADED = 0.15  # opacity of unselected examples
FAINTEST = 0.3  # opacity of a cell of one example, where others hold many
SHADES = 256  # of a scale of colours
MARGIN = 0.03  # of the plane, around all examples


@dataclass(frozen=True)
class Window:
    """The visible part of a plane.

    Attributes:
        x: the lowest and the highest value along the x axis.
        y: the same along the y axis.
    """

    x: tuple[float, float]
    y: tuple[float, float]

    @classmethod
    def fit(cls, x: np.ndarray, y: np.ndarray) -> "Window":
        """Fit a window to (N,) points; those that are not finite are left out."""
        finite = np.isfinite(x) & np.isfinite(y)
        return cls(_pad_with_margin(x[finite]), _pad_with_margin(y[finite]))

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(N,) bool: whether each point is visible."""
        (left, right), (bottom, top) = self.x, self.y
        return (x >= left) & (x <= right) & (y >= bottom) & (y <= top)

    def intersect(self, other: "Window") -> "Window":
        """Return the part that both windows show; all of this one where there is none."""
        pairs = (self.x, other.x), (self.y, other.y)
        (left, right), (bottom, top) = ((max(a[0], b[0]), min(a[1], b[1])) for a, b in pairs)
        return Window((left, right), (bottom, top)) if left < right and bottom < top else self


class Cells:
    """The K cells of a grid over a window that hold at least one point each.

    Attributes:
        members: (n,) int64, the points that are visible.
        cell: (n,) int64, the cell of each of these, an index into what follows.
        counts: (K,) int64, how many points each holds.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, window: Window) -> None:
        """Sort points into cells.

        Args:
            x: (N,) floating point.
            y: (N,) floating point.
            window: the visible part.
        """
        self._window = window
        self.members = np.flatnonzero(window.contains(x, y))
        self._sides = [(high - low) / CELLS_ALONG_AXIS for low, high in (window.x, window.y)]
        along = [
            np.minimum((values[self.members].astype(np.float64) - low) / side, CELLS_ALONG_AXIS - 1).astype(np.int64)
            for values, (low, _), side in zip((x, y), (window.x, window.y), self._sides, strict=True)
        ]
        place = along[1] * CELLS_ALONG_AXIS + along[0]
        counts = np.bincount(place, minlength=CELLS_ALONG_AXIS**2)
        self._places = np.flatnonzero(counts)
        self.counts = counts[self._places]
        numbers = np.zeros(CELLS_ALONG_AXIS**2, dtype=np.int64)
        numbers[self._places] = np.arange(len(self._places))
        self.cell = numbers[place]

    def sums(self, weights: np.ndarray) -> np.ndarray:
        """(K,) float64: the sum over each cell of (n,) weights of its members."""
        return np.bincount(self.cell, weights, minlength=len(self.counts))

    def layout_image(self, colours: np.ndarray, selected: np.ndarray | None) -> dict[str, object]:
        """Draw the cells as an image behind a chart: the more examples a cell holds, the less transparent it is.

        Args:
            colours: (K, 3) uint8.
            selected: (N,) bool, a cell that holds none of these is faded; or None.
        """
        opacity = FAINTEST + (1 - FAINTEST) * np.log1p(self.counts) / np.log1p(self.counts.max())
        if selected is not None:
            opacity = np.where(self.sums(selected[self.members]) > 0, opacity, FADED)
        pixels = np.zeros((CELLS_ALONG_AXIS**2, 4), dtype=np.uint8)
        pixels[self._places] = np.column_stack([colours, np.round(255 * opacity)])
        file = io.BytesIO()
        Image.fromarray(pixels.reshape(CELLS_ALONG_AXIS, CELLS_ALONG_AXIS, 4)[::-1]).save(file, "PNG")
        (left, right), (bottom, top) = self._window.x, self._window.y
        return {
            "source": f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}",
            "xref": "x",
            "yref": "y",
            "x": left,
            "y": top,
            "sizex": right - left,
            "sizey": top - bottom,
            "sizing": "stretch",
            "layer": "below",
        }

    def hover_points(self, texts: Sequence[str], **marker: object) -> go.Scattergl:
        """Return invisible points in the middles of the cells, with a text on hover.

        Args:
            texts: K of them.
            marker: more attributes of the points' markers.
        """
        unseen = {"marker": {"opacity": 0}}
        x, y = (
            (low + (at + 0.5) * side).astype(np.float32)
            for at, (low, _), side in zip(
                (self._places % CELLS_ALONG_AXIS, self._places // CELLS_ALONG_AXIS),
                (self._window.x, self._window.y),
                self._sides,
                strict=True,
            )
        )
        return go.Scattergl(
            x=x,
            y=y,
            mode="markers",
            marker={"opacity": 0, **marker},
            text=[f"{count:,} examples<br>{text}" for count, text in zip(self.counts, texts, strict=True)],
            hovertemplate="%{text}<extra></extra>",
            selected=unseen,
            unselected=unseen,
            showlegend=False,
        )


def mean_colours(counts: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    """Compute the mean colour of the examples of each cell, (K, 3) uint8.

    Args:
        counts: (K, G) how many examples of each of G groups each cell holds.
        colours: G of them, such as "#0072B2".
    """
    palette = np.array([ImageColor.getrgb(colour)[:3] for colour in colours])
    return np.round(counts @ palette / counts.sum(axis=1, keepdims=True)).astype(np.uint8)


def scale_colours(values: np.ndarray, low: float, high: float, scale: str) -> np.ndarray:
    """Look up (K,) values on one of plotly's colour scales from `low` to `high`, (K, 3) uint8."""
    shades = np.array([unlabel_rgb(shade) for shade in sample_colorscale(scale, SHADES)])
    at = np.clip((values - low) / (high - low), 0, 1)
    return np.round(shades[np.round(at * (SHADES - 1)).astype(int)]).astype(np.uint8)


def _pad_with_margin(values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low) or 0.5
    return low - margin, high + margin
