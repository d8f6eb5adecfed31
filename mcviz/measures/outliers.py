"""Distance and density models of vectors, fitted on in-distribution images alone: how far out is another image?

Each function takes `known`, (M, D) vectors of the fitting images, and `vectors`, (N, D) of those to be judged, and
returns (N,) float64, high for far out.
"""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

Array = np.ndarray

SHRINKAGE = 1e-3
ROWS_AT_ONCE = 1024


def gaussian_by_class(known: Array, labels: Array, vectors: Array) -> Array:
    """The squared Mahalanobis distance to the nearest class mean, one covariance for all (Lee et al. 2018).

    Args:
        known: (M, D).
        labels: (M,) integer classes.
        vectors: (N, D).
    """
    classes = np.unique(labels)
    means = np.stack([known[labels == c].mean(axis=0, dtype=np.float64) for c in classes])
    deviations = known - means[np.searchsorted(classes, labels)]
    covariance = deviations.T @ deviations / len(known)
    covariance += SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    whitening = np.linalg.cholesky(np.linalg.inv(covariance))
    return cdist(vectors @ whitening, means @ whitening, "sqeuclidean").min(axis=1)


def nearest_neighbours(known: Array, vectors: Array, count: int = 10) -> Array:
    """The distance to the nearest `count` vectors, on average (Sun et al. 2022).

    Args:
        known: (M, D).
        vectors: (N, D).
        count: of neighbours.
    """
    lengths = np.square(known).sum(axis=1)
    result = np.empty(len(vectors))
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = vectors[start : start + ROWS_AT_ONCE]
        squares = np.square(block).sum(axis=1, keepdims=True) + lengths - 2 * block @ known.T
        nearest = np.partition(squares, count - 1, axis=1)[:, :count]
        result[start : start + len(block)] = np.sqrt(np.maximum(nearest, 0)).mean(axis=1)
    return result


def isolation_forest(known: Array, vectors: Array) -> Array:
    """How few random cuts isolate a vector (Liu et al. 2008), by scikit-learn, seeded."""
    return -IsolationForest(n_estimators=200, random_state=0).fit(known).score_samples(vectors)


def one_class(known: Array, vectors: Array) -> Array:
    """The distance outside of a kernel's boundary around the known (Schölkopf et al. 2001), by scikit-learn."""
    scaler = StandardScaler().fit(known)
    return -OneClassSVM(nu=0.05).fit(scaler.transform(known)).score_samples(scaler.transform(vectors))


def unit_length(vectors: Array) -> Array:
    """(N, D) vectors scaled to length 1; zeros stay zeros."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def standardised(known: Array, vectors: Array) -> Array:
    """(N, D) vectors less the mean of the known, in units of their standard deviation."""
    return StandardScaler().fit(known).transform(vectors)
