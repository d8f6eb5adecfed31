"""The detector of out-of-distribution (OOD) examples, its alternatives, and their quality.

It combines the uncertainty of the ensemble (1 − max probability) with the share of the activations in front of the
first stochastic layer that the predicted class does not explain. The harmonic mean of their conformal p-values is
ranked again among calibration examples. Subspaces are fitted on other examples, so at most 5% of new in-distribution
examples are flagged, whatever the model (split conformal prediction, Papadopoulos et al. 2002; Vovk et al. 2005).

The activations of each class lie near a subspace of principal components (CLAFIC, Watanabe 1967; Oja 1983, "Subspace
Methods of Pattern Recognition"). The residual outside it is large out of distribution (Ndiour et al. 2020; ViM, Wang et
al. 2022). Here it is a share of the deviation from the average example, weighted by the predictive mean.

Both scores were chosen with most data sets of the OOD study in view; its new sets came afterwards. A high OOD score
means out of distribution.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import scipy  # loads scipy.linalg when it is first used

from mcviz.measures.conformal import conformal_p_values, count_as_high
from mcviz.measures.intervals import percentile_intervals
from mcviz.measures.registry import SCORES

Array = np.ndarray
COVERAGE = 0.95  # least share of new in-distribution examples that is not flagged
OOD_P_VALUE = float(1 - Fraction(str(COVERAGE)))
LEAST_CALIBRATING = 19  # examples; with fewer, no rank is as rare as one in twenty
LEAST_OOD_EXAMPLES = LEAST_CALIBRATING + 1  # one of them to fit
RANKED_AT_ONCE = 256  # examples
DIRECTIONS_OF_A_CLASS = 200
DIRECTIONS_IN_ALL = 2000
PROJECTED_AT_ONCE = 1024  # examples

TRUE_POSITIVE_RATE = 0.95  # in-distribution examples are the positives, as in Hendrycks & Gimpel (2017)
RATE_ROUNDING = 1e-9

NEIGHBOUR_COUNT = 10
VARIANCE = 0.9  # share that the components explain; fixed before anything was measured
VERDICT, UNEXPLAINED, NO_NETWORK = "verdict", "unexplained_share", "content_alone"
DROPOUT_OFF = "deterministic_max_probability"
NEIGHBOURS, NEIGHBOURS_OF_LAST = "neighbours", "neighbours_of_last_layer"


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
        """Fit each class's subspace.

        It has up to 200 directions, at most half of the class's examples and a quarter of the dimensions.

        Args:
            activations: (N, D) float32 of in-distribution examples.
            labels: (N,) integer classes; a class without two examples explains nothing.
            classes: C.
        """
        scaled = scale_to_unit_length(activations)
        centre = scaled.mean(axis=0)
        most = min(DIRECTIONS_OF_A_CLASS, max(1, DIRECTIONS_IN_ALL // classes))
        return cls(centre, tuple(_principal_directions(scaled[labels == c] - centre, most) for c in range(classes)))

    def unexplained(self, activations: Array) -> Array:
        """Return the share of squared deviations outside each class's subspace.

        Deviations are from the average example.

        Args:
            activations: (N, D) float32.

        Returns:
            (N, C) float64, 0 to 1.
        """
        result = np.empty((len(activations), len(self.directions)))
        for start in range(0, len(activations), PROJECTED_AT_ONCE):
            deviations = scale_to_unit_length(activations[start : start + PROJECTED_AT_ONCE]) - self.centre
            total = np.maximum(np.square(deviations).sum(axis=1, dtype=np.float64), np.finfo(np.float32).tiny)
            for c, directions in enumerate(self.directions):
                explained = np.square(deviations @ directions).sum(axis=1, dtype=np.float64)
                result[start : start + len(deviations), c] = 1 - explained / total
        return np.clip(result, 0, 1)


@dataclass(frozen=True)
class OODPrediction:
    """The detector's results for N examples.

    Attributes:
        p_uncertainty: (N,) share of in-distribution examples whose max probability is as low.
        p_unexplained: (N,) share of in-distribution examples whose activations fit the predicted class as badly.
        combined: (N,) the harmonic mean of the two.
        p_value: (N,) share of in-distribution examples whose combined value is as low. Of new ones, at most the share a
            has a p-value of a or less.
        percentile: (N,) share of the calibration examples with a smaller combined value, 0 to 1.
    """

    p_uncertainty: Array
    p_unexplained: Array
    combined: Array
    p_value: Array
    percentile: Array

    @property
    def is_ood(self) -> Array:
        """(N,) bool, p-value ≤ 5%: at most 5% of new in-distribution examples."""
        return self.p_value <= OOD_P_VALUE

    @property
    def ood_score(self) -> Array:
        """(N,) float64, −log10 of the combined value: high is out of distribution."""
        return -np.log10(self.combined)


@dataclass(frozen=True)
class OODDetector:
    """The fitted detector.

    Attributes:
        subspaces: of the activations of each class, fitted on other examples than those for calibration.
        uncertainty: (M,) float64, one minus the max probability of the calibration examples.
        unexplained: (M,) float64, the unexplained share of each.
    """

    subspaces: ClassSubspaces
    uncertainty: Array
    unexplained: Array

    @classmethod
    def calibrate(cls, subspaces: ClassSubspaces, mean_probs: Array, unexplained: Array) -> "OODDetector":
        """Calibrate on in-distribution examples not used to fit the subspaces.

        Args:
            subspaces: of the activations of each class.
            mean_probs: (M, C) the predictive mean of each example.
            unexplained: (M,) float64, the unexplained share of each, from its activations in front of the first
                stochastic layer.

        Raises:
            ValueError: fewer than 19 examples, too few for a level of 5%.
        """
        if len(mean_probs) < LEAST_CALIBRATING:
            raise ValueError(
                f"The detector needs at least {LEAST_CALIBRATING} in-distribution examples to be calibrated. "
                f"Received: {len(mean_probs)}."
            )
        return cls(subspaces, uncertainty_from_means(mean_probs), unexplained)

    def predict(self, mean_probs: Array, activations: Array) -> OODPrediction:
        """Predict which examples are out of distribution.

        Args:
            mean_probs: (N, C) the predictive mean of each example.
            activations: (N, D) float32 in front of the first stochastic layer.
        """
        return self.classify(
            uncertainty_from_means(mean_probs), unexplained_share(self.subspaces, mean_probs, activations)
        )

    def classify(self, uncertainty: Array, unexplained: Array) -> OODPrediction:
        """Predict like `predict`, from the two scores.

        Args:
            uncertainty: (N,) one minus the max probability of each example.
            unexplained: (N,) the unexplained share of each.
        """
        parts = [
            self._classify_block(
                uncertainty[start : start + RANKED_AT_ONCE], unexplained[start : start + RANKED_AT_ONCE]
            )
            for start in range(0, len(uncertainty), RANKED_AT_ONCE)
        ]
        return OODPrediction(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    @cached_property
    def _own_ranks(self) -> Array:
        """(2, M) int64: how many calibration examples, itself included, score as high."""
        return np.stack([count_as_high(values, values) for values in (self.uncertainty, self.unexplained)])

    @property
    def calibration_combined(self) -> Array:
        """(M,) float64, each calibration example's combined value among the others."""
        return harmonic_mean_p(self._own_ranks / len(self.uncertainty))

    @property
    def calibration_share(self) -> float:
        """The share of calibration examples flagged among the others, at most 5%."""
        combined = self.calibration_combined
        ranks = np.searchsorted(np.sort(combined), combined, side="right")
        return float((ranks / len(combined) <= OOD_P_VALUE).mean())

    def _classify_block(self, uncertainty: Array, unexplained: Array) -> tuple[Array, ...]:
        count = len(self.uncertainty) + 1
        own, ranks = [], []
        pairs = (self.uncertainty, uncertainty), (self.unexplained, unexplained)
        for own_rank, (calibration, new) in zip(self._own_ranks, pairs, strict=True):
            ranks.append(conformal_p_values(calibration, new))
            own.append((own_rank + (new[:, None] >= calibration)) / count)
        combined, others_combined = harmonic_mean_p(np.stack(ranks)), harmonic_mean_p(np.stack(own))
        as_low = (others_combined <= combined[:, None]).sum(axis=1)
        lower = (others_combined < combined[:, None]).sum(axis=1)
        return *ranks, combined, (as_low + 1) / count, lower / (count - 1)


def uncertainty_from_means(mean_probs: Array) -> Array:
    """Return 1 − max probability of (N, C) predictive means: (N,) float64."""
    return 1 - mean_probs.max(axis=1).astype(np.float64)


def unexplained_share(subspaces: ClassSubspaces, mean_probs: Array, activations: Array) -> Array:
    """Average the unexplained share over classes by their predictive mean.

    High: unlike the predicted class.

    Args:
        subspaces: fitted on in-distribution examples.
        mean_probs: (N, C) the predictive mean.
        activations: (N, D) float32.

    Returns:
        (N,) float64, 0 to 1.
    """
    return (mean_probs * subspaces.unexplained(activations)).sum(axis=1)


def scale_to_unit_length(vectors: Array) -> Array:
    """Scale (N, D) float32 vectors to length 1; zero vectors stay."""
    vectors = vectors.astype(np.float32, copy=False)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(length, np.finfo(np.float32).tiny)


def harmonic_mean_p(values: Array) -> Array:
    """Compute the harmonic mean of p-values (Wilson 2019).

    One very small value dominates it.

    Args:
        values: (K, N) p-values of K detectors.

    Returns:
        (N,) float64 in 0..1.
    """
    return len(values) / (1 / values).sum(axis=0)


def _principal_directions(deviations: Array, most: int) -> Array:
    """Return (D, k) orthonormal principal directions of (n, D) rows.

    They come from the eigenvectors of the (n, n) products.
    """
    count = min(most, len(deviations) // 2, deviations.shape[1] // 4)
    if count == 0:
        return np.empty((deviations.shape[1], 0), np.float32)
    last = len(deviations) - 1
    squares, vectors = scipy.linalg.eigh(deviations @ deviations.T, subset_by_index=[last + 1 - count, last])
    large = squares > 1e-6 * max(squares.max(), 0)
    tilted = deviations.T @ (vectors[:, large] / np.sqrt(squares[large]))
    # Rounding tilts the directions of the smallest squares; Cholesky's factor makes them orthogonal again.
    return scipy.linalg.solve_triangular(np.linalg.cholesky(tilted.T @ tilted), tilted.T, lower=True).T


@dataclass(frozen=True)
class Detection:
    """A detector's figures for two sets, as fractions.

    Attributes:
        auroc: the chance that an example out of distribution has a higher OOD score than one in it (0.5 is guessing).
        fpr95: the share out of distribution that passes when the threshold lets 95% of those in distribution pass.
        average_precision: of finding the examples out of distribution, over all thresholds.
    """

    auroc: float
    fpr95: float
    average_precision: float


def detection(in_distribution: Array, out_of_distribution: Array) -> Detection:
    """Compute a detector's figures.

    Args:
        in_distribution: (N,) OOD scores, finite.
        out_of_distribution: (M,) OOD scores, finite.
    """
    (figures,) = _weighted_figures(in_distribution, out_of_distribution)
    return Detection(*map(float, figures))


def detection_intervals(
    in_distribution: Array, out_of_distribution: Array, *, resamples: int = 200, seed: int = 0
) -> tuple[Detection, Detection]:
    """Compute 95% bootstrap intervals of a detector's figures (Efron 1979).

    Both sets are resampled.

    Args:
        in_distribution: (N,) OOD scores, finite.
        out_of_distribution: (M,) OOD scores, finite.
        resamples: number of bootstrap draws.
        seed: of the resampling.

    Returns:
        The lower ends and the upper ends.
    """
    random = np.random.default_rng(seed)
    in_weights, out_weights = (
        random.multinomial(count, np.full(count, 1 / count), resamples)
        for count in (len(in_distribution), len(out_of_distribution))
    )
    (value,) = _weighted_figures(in_distribution, out_of_distribution)
    draws = _weighted_figures(in_distribution, out_of_distribution, in_weights, out_weights)
    intervals = percentile_intervals(value, draws, 0.95)
    return Detection(*(interval.low for interval in intervals)), Detection(*(interval.high for interval in intervals))


def roc_points(in_distribution: Array, out_of_distribution: Array, false_positive_rates: Array) -> Array:
    """Compute the ROC curve at given false positive rates.

    Out of distribution is the positive class.

    Args:
        in_distribution: (N,) OOD scores.
        out_of_distribution: (M,) OOD scores.
        false_positive_rates: (P,) 0 to 1, ascending.

    Returns:
        (P,) float64, the true positive rates; ties are joined by straight lines, as in the AUROC.
    """
    (false_positives,), (true_positives,) = _rates(in_distribution, out_of_distribution)
    return np.interp(false_positive_rates, false_positives, true_positives)


def _weighted_figures(in_distribution: Array, out_of_distribution: Array, *weights: Array) -> Array:
    false_positives, true_positives = _rates(in_distribution, out_of_distribution, *weights)
    heights = (true_positives[:, 1:] + true_positives[:, :-1]) / 2
    auroc = (heights * np.diff(false_positives)).sum(axis=1)
    last_kept = (1 - false_positives >= TRUE_POSITIVE_RATE - RATE_ROUNDING).sum(axis=1) - 1
    fpr95 = 1 - true_positives[np.arange(len(true_positives)), last_kept]
    hits, flagged = true_positives[:, 1:] * len(out_of_distribution), false_positives[:, 1:] * len(in_distribution)
    average_precision = (hits / np.maximum(hits + flagged, 1) * np.diff(true_positives)).sum(axis=1)
    return np.stack([auroc, fpr95, average_precision], axis=1)


def _rates(in_distribution: Array, out_of_distribution: Array, *weights: Array) -> tuple[Array, Array]:
    """Compute false and true positive rates from the highest threshold down.

    Args:
        in_distribution: (N,) OOD scores.
        out_of_distribution: (M,) OOD scores.
        *weights: (R, N) and (R, M), how often each of R draws holds each example; without them one draw of all.

    Returns:
        (R, groups of ties + 1) float64 each, from 0 to 1; one sort serves all draws.
    """
    both = in_distribution, out_of_distribution
    ood_score, held = np.r_[both], np.hstack(weights or [np.ones((1, len(scores))) for scores in both])
    order = np.argsort(-ood_score, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(ood_score[order]) != 0])  # of each group of ties
    is_ood, held = order >= len(in_distribution), held[:, order].astype(np.float64)
    false_positives, true_positives = (
        np.pad(np.add.reduceat(held * chosen, first, axis=1).cumsum(axis=1) / len(scores), ((0, 0), (1, 0)))
        for chosen, scores in zip((~is_ood, is_ood), both, strict=True)
    )
    return false_positives, true_positives


@dataclass(frozen=True)
class Detector:
    """A detector.

    Attributes:
        label: its name for people.
        drawn: whether it is among the few that a chart shows.
        short: the name if there is little room; the label without one.
    """

    label: str
    drawn: bool = False
    short: str = ""


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
    DROPOUT_OFF: Detector("Confidence, dropout off", drawn=True, short="Dropout off"),
    "deterministic_entropy": Detector("Entropy, dropout off"),
    NO_NETWORK: Detector("No network", drawn=True),
}


def nearest_neighbours(known: Array, vectors: Array, count: int = NEIGHBOUR_COUNT) -> Array:
    """Return mean distances to the `count` nearest vectors (Sun et al. 2022).

    Args:
        known: (M, D); if there are fewer than `count`, all of them are neighbours.
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
    """The subspace of first principal components of in-distribution vectors.

    Attributes:
        centre: (D,) the mean of the vectors.
        components: (K, D) orthonormal, those that explain 90% of the variance.
    """

    centre: Array
    components: Array

    @classmethod
    def fit(cls, known: Array) -> "PrincipalSubspace":
        """Fit to (M, D) vectors that differ."""
        from sklearn.decomposition import PCA

        fitted = PCA(VARIANCE, svd_solver="full").fit(known)
        return cls(fitted.mean_, fitted.components_)

    def distance(self, vectors: Array) -> Array:
        """Return (N,) Euclidean distances of (N, D) vectors from the subspace."""
        deviations = vectors - self.centre
        return np.linalg.norm(deviations - deviations @ self.components.T @ self.components, axis=1)
