"""The detector of out-of-distribution (OOD) examples: is an example like those that the model was made for?

It has two conformal p-values. Is the ensemble as uncertain as it rarely is in distribution (one minus the max
probability)? Do the activations in front of the first stochastic layer fit the predicted class as badly as they rarely
do in distribution (unexplained share)? Their harmonic mean decides: one small p-value is enough.

The two were found with most of the sets of the OOD study in view, and the harmonic mean was fixed by hand. The
trainings that it is measured in and the sets that the study calls new came afterwards.
"""

from dataclasses import dataclass

import numpy as np

from mcviz.measures.combination import conformal_p_values, harmonic_mean_p
from mcviz.measures.subspaces import ClassSubspaces, held_out_shares, unexplained_share

Array = np.ndarray

COVERAGE = 0.95  # of in-distribution examples, the share that is not taken for out of distribution
LEAST_EXAMPLES = 20


@dataclass(frozen=True)
class OODPrediction:
    """What the detector finds for N examples.

    Attributes:
        p_uncertainty: (N,) share of in-distribution examples whose max probability is as low.
        p_unexplained: (N,) share of in-distribution examples whose activations fit the predicted class as badly.
        p_value: (N,) the two combined; low is out of distribution.
        is_ood: (N,) bool, whether `p_value` is below the threshold.
        percentile: (N,) share of in-distribution examples with a smaller `p_value`, 0 to 1.
    """

    p_uncertainty: Array
    p_unexplained: Array
    p_value: Array
    is_ood: Array
    percentile: Array

    @property
    def ood_score(self) -> Array:
        """(N,) float64, minus the decimal logarithm of the p-value: high is out of distribution."""
        return -np.log10(self.p_value)


@dataclass(frozen=True)
class OODDetector:
    """The fitted detector.

    Attributes:
        subspaces: of the activations of each class.
        uncertainty: (M,) float64, one minus the max probability of the fitting examples.
        unexplained: (M,) float64, the unexplained share of each by subspaces that were fitted without it.
        p_values: (M,) float64, the combined p-values of the fitting examples, ascending.
        threshold: of the combined p-value; 95% of the fitting examples are not below it.
    """

    subspaces: ClassSubspaces
    uncertainty: Array
    unexplained: Array
    p_values: Array
    threshold: float

    @classmethod
    def fit(
        cls, mean_probs: Array, activations: Array, labels: Array | None = None, unexplained: Array | None = None
    ) -> "OODDetector":
        """Fit on in-distribution examples alone.

        Args:
            mean_probs: (M, C) the predictive mean of each example.
            activations: (M, D) float32 in front of the first stochastic layer.
            labels: (M,) integer classes; the predictions where they are not known.
            unexplained: (M,) float64, that of an earlier fit on the same examples, which spares most of the work.

        Raises:
            ValueError: fewer than 20 examples, of which no 95% can be told.
        """
        if len(mean_probs) < LEAST_EXAMPLES:
            raise ValueError(
                f"The detector needs at least {LEAST_EXAMPLES} in-distribution examples. Received: {len(mean_probs)}."
            )
        if labels is None:
            labels = mean_probs.argmax(axis=1)
        uncertainty = _uncertainty(mean_probs)
        if unexplained is None:
            unexplained = held_out_shares(mean_probs, activations, labels)
        each = [conformal_p_values(values, values) for values in (uncertainty, unexplained)]
        p_values = np.sort(harmonic_mean_p(np.stack(each)))
        subspaces = ClassSubspaces.fit(activations, labels, mean_probs.shape[1])
        return cls(subspaces, uncertainty, unexplained, p_values, float(np.quantile(p_values, 1 - COVERAGE)))

    def predict(self, mean_probs: Array, activations: Array) -> OODPrediction:
        """Tell which examples are out of distribution.

        Args:
            mean_probs: (N, C) the predictive mean of each example.
            activations: (N, D) float32, as for `fit`.
        """
        p_uncertainty = conformal_p_values(_uncertainty(mean_probs), self.uncertainty)
        unexplained = unexplained_share(self.subspaces, mean_probs, activations)
        p_unexplained = conformal_p_values(unexplained, self.unexplained)
        p_value = harmonic_mean_p(np.stack([p_uncertainty, p_unexplained]))
        percentile = np.searchsorted(self.p_values, p_value, side="left") / len(self.p_values)
        return OODPrediction(p_uncertainty, p_unexplained, p_value, p_value < self.threshold, percentile)


def _uncertainty(mean_probs: Array) -> Array:
    return 1 - mean_probs.max(axis=1).astype(np.float64)
