"""Polygons: which points lie inside, and their corners as a text of an address."""

import numpy as np

from mcviz.app.address_text import parse_finite

CORNER_DIGITS = 8  # of the place of a corner: as many as tell points of a plane apart that is zoomed in on
Corners = tuple[tuple[float, float], ...]  # of a closed polygon, three at least


def surrounded(corners: Corners, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Find the points inside a closed polygon, by the even-odd rule.

    Args:
        corners: of the polygon.
        x: (N,) floating point.
        y: (N,) floating point.

    Returns:
        (N,) bool.
    """
    (left, bottom), (right, top) = np.min(corners, axis=0), np.max(corners, axis=0)
    near = np.flatnonzero((x >= left) & (x <= right) & (y >= bottom) & (y <= top))
    found, inside = np.zeros(len(x), dtype=bool), np.zeros(len(near), dtype=bool)
    x, y = x[near].astype(np.float64), y[near].astype(np.float64)
    previous = corners[-1]
    for corner in corners:
        (x0, y0), (x1, y1) = previous, corner
        crosses = (y0 > y) != (y1 > y)
        # The side of the edge on which a point lies, without a division that nearly level edges would overflow.
        side = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)
        inside ^= crosses & ((side > 0) == (y1 > y0))
        previous = corner
    found[near] = inside
    return found


def format_corners(corners: Corners) -> str:
    """Write corners as a text of an address."""
    return ",".join(f"{value:.{CORNER_DIGITS}g}" for corner in corners for value in corner)


def parse_corners(text: str) -> Corners:
    """Read the corners that `format_corners` wrote; none, where the text lists no three."""
    values = parse_finite(text.split(","))
    return () if len(values) < 6 or len(values) % 2 else tuple(zip(values[::2], values[1::2], strict=True))


def round_corners(corners: Corners) -> Corners:
    """Round corners to the digits that an address carries; none, where they are no polygon."""
    return parse_corners(format_corners(corners))
