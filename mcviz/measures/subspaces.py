"""How much of an example's activations its class explains: one linear subspace a class.

Each class's activations lie near a subspace of few dimensions, found by principal components (CLAFIC, Watanabe 1967;
Oja 1983, "Subspace Methods of Pattern Recognition"). What lies outside of it, the residual, is large
out of distribution (Ndiour et al. 2020; ViM, Wang et al. 2022). Here the residual is a share of the deviation from the
average example, and the passes' predictive mean weighs the classes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, solve_triangular

Array = np.ndarray

DIRECTIONS_OF_A_CLASS = 200
DIRECTIONS_IN_ALL = 2000
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class ClassSubspaces:
    """The subspaces of all classes.

    Attributes:
        centre: (D,) float32, the average of the activations, each scaled to length 1.
        directions: for each class (D, k) float32, orthonormal.
    """

    centre: Array
    directions: tuple[Array, ...]

    @classmethod
    def fit(cls, activations: Array, labels: Array, classes: int) -> "ClassSubspaces":
        """Find each class's subspace: up to 200 directions, at most half its examples and a quarter of the dimensions.

        Args:
            activations: (N, D) float32 of in-distribution examples.
            labels: (N,) integer classes; a class without two examples explains nothing.
            classes: C.
        """
        scaled = unit_length(activations)
        centre = scaled.mean(axis=0)
        most = min(DIRECTIONS_OF_A_CLASS, max(1, DIRECTIONS_IN_ALL // classes))
        return cls(centre, tuple(_principal(scaled[labels == c] - centre, most) for c in range(classes)))

    def unexplained(self, activations: Array) -> Array:
        """The share of each example's squared deviation from the average that lies outside of each class's subspace.

        Args:
            activations: (N, D) float32.

        Returns:
            (N, C) float64, 0 to 1.
        """
        result = np.empty((len(activations), len(self.directions)))
        for start in range(0, len(activations), ROWS_AT_ONCE):
            deviations = unit_length(activations[start : start + ROWS_AT_ONCE]) - self.centre
            total = np.maximum(np.square(deviations).sum(axis=1, dtype=np.float64), np.finfo(np.float32).tiny)
            for c, directions in enumerate(self.directions):
                explained = np.square(deviations @ directions).sum(axis=1, dtype=np.float64)
                result[start : start + len(deviations), c] = 1 - explained / total
        return np.clip(result, 0, 1)


def unexplained_share(subspaces: ClassSubspaces, mean_probs: Array, activations: Array) -> Array:
    """The unexplained share, averaged over the classes by their predictive mean. High: unlike the predicted class.

    Args:
        subspaces: fitted on in-distribution examples.
        mean_probs: (N, C) the predictive mean.
        activations: (N, D) float32.

    Returns:
        (N,) float64, 0 to 1.
    """
    return (mean_probs * subspaces.unexplained(activations)).sum(axis=1)


def unit_length(vectors: Array) -> Array:
    """(N, D) float32 vectors scaled to length 1; those that are 0 stay so."""
    vectors = vectors.astype(np.float32, copy=False)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(length, np.finfo(np.float32).tiny)


def _principal(deviations: Array, most: int) -> Array:
    """(D, k) orthonormal directions of the (n, D) rows, by the eigenvectors of their (n, n) products."""
    count = min(most, len(deviations) // 2, deviations.shape[1] // 4)
    if count == 0:
        return np.empty((deviations.shape[1], 0), np.float32)
    last = len(deviations) - 1
    squares, vectors = eigh(deviations @ deviations.T, subset_by_index=[last + 1 - count, last])
    large = squares > 1e-6 * max(squares.max(), 0)
    tilted = deviations.T @ (vectors[:, large] / np.sqrt(squares[large]))
    # Rounding has tilted the directions of the smallest squares; Cholesky's factor makes them orthogonal again.
    return solve_triangular(np.linalg.cholesky(tilted.T @ tilted), tilted.T, lower=True).T
