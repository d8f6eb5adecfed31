"""The detector of out-of-distribution (OOD) examples: is an example like those that the model was made for?

It looks at two things. Is the ensemble as uncertain as it rarely is in distribution (one minus the max probability)?
Do the activations in front of the first stochastic layer fit the predicted class as badly as they rarely do in
distribution (unexplained share)? Each becomes a conformal p-value, and their harmonic mean is the combined value: one
small p-value is enough.

The combined value is no p-value itself, so it is ranked once more, among those of the calibration examples. All ranks
are taken in the calibration examples and the new one together, and the subspaces are fitted on other examples. So a new
in-distribution example is as likely to have any rank as any calibration example, and at most 5% of them are taken for
out of distribution, whatever the model (split conformal prediction, Papadopoulos et al. 2002; Vovk et al. 2005).

The two were found with most of the sets of the OOD study in view, and the harmonic mean was fixed by hand. The
trainings that it is measured in and the sets that the study calls new came afterwards.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from mcviz.measures.combination import harmonic_mean_p
from mcviz.measures.conformal import as_high, conformal_p_values
from mcviz.measures.subspaces import ClassSubspaces, unexplained_share

Array = np.ndarray

COVERAGE = 0.95  # of new in-distribution examples, the share at least that is not taken for out of distribution
RARE = float(1 - Fraction(str(COVERAGE)))
LEAST_CALIBRATING = 19  # examples, of which no rank is rarer than one in twenty
LEAST_EXAMPLES = LEAST_CALIBRATING + 1  # one of them to fit
ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class OODPrediction:
    """What the detector finds for N examples.

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
        """(N,) bool, whether the p-value is 5% or less, which it is for at most 5% of new in-distribution examples."""
        return self.p_value <= RARE

    @property
    def ood_score(self) -> Array:
        """(N,) float64, minus the decimal logarithm of the combined value: high is out of distribution."""
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
    def calibrated(cls, subspaces: ClassSubspaces, mean_probs: Array, unexplained: Array) -> "OODDetector":
        """Calibrate on in-distribution examples that the subspaces were not fitted on.

        Args:
            subspaces: of the activations of each class.
            mean_probs: (M, C) the predictive mean of each example.
            unexplained: (M,) float64, the unexplained share of each, from its activations in front of the first
                stochastic layer.

        Raises:
            ValueError: fewer than 19 examples, of which no 5% can be told.
        """
        if len(mean_probs) < LEAST_CALIBRATING:
            raise ValueError(
                f"The detector needs at least {LEAST_CALIBRATING} in-distribution examples to be calibrated. "
                f"Received: {len(mean_probs)}."
            )
        return cls(subspaces, uncertainty_of(mean_probs), unexplained)

    def predict(self, mean_probs: Array, activations: Array) -> OODPrediction:
        """Tell which examples are out of distribution.

        Args:
            mean_probs: (N, C) the predictive mean of each example.
            activations: (N, D) float32 in front of the first stochastic layer.
        """
        return self.judged(uncertainty_of(mean_probs), unexplained_share(self.subspaces, mean_probs, activations))

    def judged(self, uncertainty: Array, unexplained: Array) -> OODPrediction:
        """The same by what the detector looks at.

        Args:
            uncertainty: (N,) one minus the max probability of each example.
            unexplained: (N,) the unexplained share of each.
        """
        parts = [
            self._judged(uncertainty[start : start + ROWS_AT_ONCE], unexplained[start : start + ROWS_AT_ONCE])
            for start in range(0, len(uncertainty), ROWS_AT_ONCE)
        ]
        return OODPrediction(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    @cached_property
    def _own_ranks(self) -> Array:
        """(2, M) int64: how many of the calibration examples, itself among them, are as high by each of the two."""
        return np.stack([as_high(values, values) for values in (self.uncertainty, self.unexplained)])

    @property
    def own_combined(self) -> Array:
        """(M,) float64, the combined value of each calibration example among the others."""
        return harmonic_mean_p(self._own_ranks / len(self.uncertainty))

    @property
    def own_share(self) -> float:
        """The share of the calibration examples that are taken for out of distribution among the others, at most 5%."""
        combined = self.own_combined
        ranks = np.searchsorted(np.sort(combined), combined, side="right")
        return float((ranks / len(combined) <= RARE).mean())

    def _judged(self, uncertainty: Array, unexplained: Array) -> tuple[Array, ...]:
        """The five arrays of `OODPrediction`, for n examples, each beside the M for calibration."""
        count = len(self.uncertainty) + 1
        own, ranks = [], []
        pairs = (self.uncertainty, uncertainty), (self.unexplained, unexplained)
        for own_rank, (calibration, new) in zip(self._own_ranks, pairs, strict=True):
            ranks.append(conformal_p_values(calibration, new))
            own.append((own_rank + (new[:, None] >= calibration)) / count)
        combined, of_others = harmonic_mean_p(np.stack(ranks)), harmonic_mean_p(np.stack(own))
        as_low = (of_others <= combined[:, None]).sum(axis=1)
        lower = (of_others < combined[:, None]).sum(axis=1)
        return *ranks, combined, (as_low + 1) / count, lower / (count - 1)


def uncertainty_of(mean_probs: Array) -> Array:
    """(N,) float64, one minus the max probability of (N, C) predictive means."""
    return 1 - mean_probs.max(axis=1).astype(np.float64)
