"""How far out a vector lies, by in-distribution vectors alone.

OOD scores of vectors: high for far out.
"""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray

NEIGHBOURS = 10
VARIANCE = 0.9  # share that the components explain; fixed before anything was measured


def nearest_neighbours(known: Array, vectors: Array, count: int = NEIGHBOURS) -> Array:
    """The distance to the nearest `count` vectors, on average (Sun et al. 2022).

    Args:
        known: (M, D); where there are fewer than `count`, all of them are neighbours.
        vectors: (N, D).
        count: of neighbours.

    Returns:
        (N,) float64.
    """
    from sklearn.neighbors import NearestNeighbors  # here, because scikit-learn takes most of a second to import

    neighbours = NearestNeighbors(n_neighbors=min(count, len(known)), algorithm="brute").fit(known)
    return neighbours.kneighbors(vectors)[0].mean(axis=1, dtype=np.float64)


@dataclass(frozen=True)
class Span:
    """What the first principal components of in-distribution vectors can make.

    Attributes:
        centre: (D,) the mean of the vectors.
        components: (K, D) orthonormal, those that explain 90% of the variance.
    """

    centre: Array
    components: Array

    @classmethod
    def of(cls, known: Array) -> "Span":
        """Find it for (M, D) vectors that do not all agree."""
        from sklearn.decomposition import PCA

        fitted = PCA(VARIANCE, svd_solver="full").fit(known)
        return cls(fitted.mean_, fitted.components_)

    def distance(self, vectors: Array) -> Array:
        """(N,) the Euclidean distance of (N, D) vectors from it."""
        deviations = vectors - self.centre
        return np.linalg.norm(deviations - deviations @ self.components.T @ self.components, axis=1)
