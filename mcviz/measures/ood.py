"""The detector that tells whether an image is one that the model can be asked about.

Two p-values, one for each way to be out of depth: is the predictive mean as undecided as it rarely is for
in-distribution images (max probability), and do the activations in front of the first stochastic layer fit the class
that the passes see as badly as they rarely do (unexplained share)? Their harmonic mean is the answer: one of them alone
is enough. The two were found with most of the sets of `benchmarks/ood.py` in view, and the harmonic mean was fixed by
hand; the trainings that it is measured in and the sets that it calls new came afterwards.
"""

from dataclasses import dataclass

import numpy as np

from mcviz.measures.combination import harmonic_mean_p, p_values
from mcviz.measures.subspaces import ClassSubspaces, held_out_shares, unexplained_share

Array = np.ndarray

KEPT = 0.95


@dataclass(frozen=True)
class Verdict:
    """What the detector makes of N images.

    Attributes:
        p_doubt: (N,) share of in-distribution images whose max probability is as low.
        p_novelty: (N,) share of in-distribution images that their class explains as badly.
        p: (N,) the two combined; low is out of scope.
        in_distribution: (N,) bool, `p` at least the threshold.
        percentile: (N,) share of in-distribution images with a smaller `p`, that is, less in scope than this one.
    """

    p_doubt: Array
    p_novelty: Array
    p: Array
    in_distribution: Array
    percentile: Array


@dataclass(frozen=True)
class OODDetector:
    """The fitted detector.

    Attributes:
        subspaces: what the classes explain.
        doubt: (M,) float64, one minus the max probability of the fitting images.
        novelty: (M,) float64, the unexplained share of each by subspaces that were fitted without it.
        reference: (M,) float64, `p` of the fitting images, ascending.
        threshold: of `p`; it keeps 95% of the fitting images.
    """

    subspaces: ClassSubspaces
    doubt: Array
    novelty: Array
    reference: Array
    threshold: float

    @classmethod
    def fit(
        cls, mean_probs: Array, activations: Array, labels: Array | None = None, novelty: Array | None = None
    ) -> "OODDetector":
        """Learn from in-distribution images alone.

        Args:
            mean_probs: (M, C) the predictive mean of each image.
            activations: (M, D) float32 in front of the first stochastic layer.
            labels: (M,) integer classes; the predicted ones where nobody knows them.
            novelty: (M,) float64, that of an earlier fit on the same images, which spares most of the work.

        Raises:
            ValueError: fewer than 20 images, from which no 95% can be kept.
        """
        if len(mean_probs) < 20:
            raise ValueError(f"The detector needs at least 20 in-distribution images. Received: {len(mean_probs)}.")
        if labels is None:
            labels = mean_probs.argmax(axis=1)
        doubt = 1 - mean_probs.max(axis=1).astype(np.float64)
        if novelty is None:
            novelty = held_out_shares(mean_probs, activations, labels)
        p = harmonic_mean_p(np.stack([p_values(doubt, doubt), p_values(novelty, novelty)]))
        subspaces = ClassSubspaces.fit(activations, labels, mean_probs.shape[1])
        return cls(subspaces, doubt, novelty, np.sort(p), float(np.quantile(p, 1 - KEPT)))

    def judge(self, mean_probs: Array, activations: Array) -> Verdict:
        """Judge images.

        Args:
            mean_probs: (N, C) the predictive mean of each image.
            activations: (N, D) float32, as for `fit`.
        """
        p_doubt = p_values(1 - mean_probs.max(axis=1).astype(np.float64), self.doubt)
        p_novelty = p_values(unexplained_share(self.subspaces, mean_probs, activations), self.novelty)
        p = harmonic_mean_p(np.stack([p_doubt, p_novelty]))
        percentile = np.searchsorted(self.reference, p, side="left") / len(self.reference)
        return Verdict(p_doubt, p_novelty, p, p >= self.threshold, percentile)
