"""The detectors that are compared over a run, and two of them by themselves, which look at vectors.

Each gives an example an OOD score, high for out of distribution.
"""

from dataclasses import dataclass

import numpy as np

from mcviz.measures.registry import SCORES


@dataclass(frozen=True)
class Detector:
    """A detector.

    Attributes:
        label: its name for people.
        drawn: whether it is among the few that a chart shows.
        short: the name where there is little room; the label without one.
    """

    label: str
    drawn: bool = False
    short: str = ""


NEIGHBOUR_COUNT = 10
VARIANCE = 0.9  # share that the components explain; fixed before anything was measured

VERDICT, UNEXPLAINED, NO_NETWORK = "verdict", "unexplained_share", "content_alone"
DROPOUT_OFF = "deterministic_max_probability"
NEIGHBOURS, NEIGHBOURS_OF_LAST = "neighbours", "neighbours_of_last_layer"

DETECTORS: dict[str, Detector] = {
    VERDICT: Detector("Verdict", drawn=True),
    UNEXPLAINED: Detector("Unexplained share", drawn=True),
    NEIGHBOURS: Detector("Ten neighbours", drawn=True),
    NEIGHBOURS_OF_LAST: Detector("Ten neighbours, last layer"),
    **{
        name: Detector(score.label, drawn=name == "max_probability")
        for name, score in SCORES.items()
        if score.needs == ("probs",)
    },
    DROPOUT_OFF: Detector("Max probability, dropout off", drawn=True, short="Dropout off"),
    "deterministic_entropy": Detector("Entropy, dropout off"),
    NO_NETWORK: Detector("No network", drawn=True),
}


Array = np.ndarray


def nearest_neighbours(known: Array, vectors: Array, count: int = NEIGHBOUR_COUNT) -> Array:
    """Compute the mean distance to the nearest `count` vectors (Sun et al. 2022).

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
class PrincipalSubspace:
    """The subspace of the first principal components of in-distribution vectors.

    Attributes:
        centre: (D,) the mean of the vectors.
        components: (K, D) orthonormal, those that explain 90% of the variance.
    """

    centre: Array
    components: Array

    @classmethod
    def fit(cls, known: Array) -> "PrincipalSubspace":
        """Fit it to (M, D) vectors that are not all the same."""
        from sklearn.decomposition import PCA

        fitted = PCA(VARIANCE, svd_solver="full").fit(known)
        return cls(fitted.mean_, fitted.components_)

    def distance(self, vectors: Array) -> Array:
        """(N,) Euclidean distances of (N, D) vectors from the subspace."""
        deviations = vectors - self.centre
        return np.linalg.norm(deviations - deviations @ self.components.T @ self.components, axis=1)
