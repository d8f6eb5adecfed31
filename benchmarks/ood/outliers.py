"""Distance and density models of vectors, fitted on in-distribution examples alone: how far out is another one?

Each function takes `known`, (M, D) vectors of the examples to fit on, and `vectors`, (N, D) of those to be judged, and
returns (N,) float64 OOD scores: high for far out.
"""

import numpy as np
from sklearn.covariance import ShrunkCovariance
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from mcviz.measures.detectors import nearest_neighbours

Array = np.ndarray

__all__ = ["gaussian_by_class", "isolation_forest", "nearest_neighbours", "one_class"]
SHRINKAGE = 1 / 1001  # 1000 parts of the covariance to one of a sphere


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
    covariance = ShrunkCovariance(shrinkage=SHRINKAGE, assume_centered=True).fit(deviations)
    return np.min([covariance.mahalanobis(vectors - mean) for mean in means], axis=0)


def isolation_forest(known: Array, vectors: Array) -> Array:
    """Score vectors by how few random cuts isolate them (Liu et al. 2008), by scikit-learn, seeded."""
    return -IsolationForest(n_estimators=200, random_state=0).fit(known).score_samples(vectors)


def one_class(known: Array, vectors: Array) -> Array:
    """The distance outside of a kernel's boundary around the known (Schölkopf et al. 2001), by scikit-learn."""
    scaler = StandardScaler().fit(known)
    return -OneClassSVM(nu=0.05).fit(scaler.transform(known)).score_samples(scaler.transform(vectors))
