"""An estimate of how many labels are wrong, by confident learning (Northcutt et al. 2021).

An example counts as one of a class where the class's probability reaches the mean of that probability over the examples
with its label. The counts by given label and by this class, scaled to as many as have each label, are the joint
distribution of given and true labels; what lies off its diagonal is wrong.
"""

import numpy as np
import scipy  # loads scipy.sparse when it is first used

from mcviz.measures.bootstrap import Interval, Statistic, bootstrap_intervals

Array = np.ndarray

ROUNDING = 1e-6  # below a threshold that still reaches it: where all probabilities of a class are alike, they are it


def estimate_label_errors(probs: Array, labels: Array, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Estimate how many labels are wrong.

    Args:
        probs: (N, C) floating point, the predictive mean of a model that was not trained on these labels.
        labels: (N,) integers.
        confidence: 0 to 1, of the interval: percentiles of 1,000 bootstrap draws of the examples. It holds what other
            examples would do to the estimate, and not what another model would.
        seed: of the draws.

    Returns:
        The number, 0 to N, and the ends of its interval.
    """
    (share,) = bootstrap_intervals(
        lambda chosen: _build_share(probs[chosen], labels[chosen]), len(labels), confidence=confidence, seed=seed
    )
    return Interval(*(len(labels) * end for end in (share.value, share.low, share.high)))


def _build_share(probs: Array, labels: Array) -> Statistic:
    """Build a function of (R, N) weights of draws that returns the share of wrong labels in each, (R,)."""
    classes = probs.shape[1]
    own = probs[np.arange(len(labels)), labels].astype(np.float64)

    def share(weights: Array) -> Array:
        counts = weights @ _by_label(np.ones(len(labels)), labels, classes)
        thresholds = weights @ _by_label(own, labels, classes) / np.maximum(counts, 1)
        thresholds = np.where(counts > 0, thresholds - ROUNDING, np.inf)  # no example is of a class without a label
        low, high = thresholds.min(axis=0), thresholds.max(axis=0)
        moving = ((probs >= low) & (probs < high)).any(axis=1)  # the classes of others are the same in all draws
        found = _count_pairs(weights[:, ~moving], probs[~moving], labels[~moving], thresholds[0])
        if moving.any():
            some = weights[:, moving], probs[moving], labels[moving]
            found += np.concatenate(
                [_count_pairs(each[None], *some[1:], level) for each, level in zip(some[0], thresholds, strict=True)],
                axis=1,
            )
        # As in the paper's code, at least one label of each class is right.
        wrong, right = found[0], np.maximum(found[1], 1)
        return (counts * wrong / (wrong + right)).sum(axis=1) / counts.sum(axis=1)

    return share


def _count_pairs(weights: Array, probs: Array, labels: Array, thresholds: Array) -> Array:
    """(2, R, C) weights, by given label, of the examples that count as another class, and as that of their label."""
    reached = np.where(probs >= thresholds, probs, -1)
    found = np.where(reached.max(axis=1) < 0, -1, reached.argmax(axis=1))
    pairs = (found >= 0) & (found != labels), found == labels
    return np.stack([weights @ _by_label(pair.astype(np.float64), labels, len(thresholds)) for pair in pairs])


def _by_label(values: Array, labels: Array, classes: int) -> "scipy.sparse.csr_array":
    """(n, C) sparse: a value of each example in the column of its label."""
    return scipy.sparse.csr_array((values, (np.arange(len(labels)), labels)), shape=(len(labels), classes))
