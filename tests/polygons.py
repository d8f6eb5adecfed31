"""Which points a polygon surrounds, by a slow loop that is independent of the filters' own."""

from collections.abc import Iterable, Sequence

import numpy as np


def surrounded_by_a_loop(corners: Sequence[tuple[float, float]], points: Iterable[Sequence[float]]) -> np.ndarray:
    """(N,) bool: from which of N points a ray to the right leaves the polygon through an odd number of edges."""
    edges = list(zip(corners, (*corners[1:], corners[0]), strict=True))
    return np.array([_leaves(edges, x, y) for x, y in points], dtype=bool)


def _leaves(edges: list[tuple[tuple[float, float], tuple[float, float]]], x: float, y: float) -> bool:
    crossed = 0
    for (x0, y0), (x1, y1) in edges:
        if min(y0, y1) <= y < max(y0, y1):
            crossed += x0 + (x1 - x0) * ((y - y0) / (y1 - y0)) > x
    return crossed % 2 == 1
