"""How often the passes are correct, one by one and together.

Both functions count instead of averaging, so that the counts of several blocks of examples add up.
"""

import numpy as np


def correct_per_pass(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count the examples that each single pass predicts correctly.

    Args:
        probs: (T, N, C) floating point.
        labels: (N,) integers.

    Returns:
        (T,) int64, each 0 to N.
    """
    return (probs.argmax(axis=-1) == labels).sum(axis=1, dtype=np.int64)


def correct_by_ensemble_size(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count the examples that the mean of the first 1, 2, … T passes predicts correctly.

    Args:
        probs: (T, N, C) floating point.
        labels: (N,) integers.

    Returns:
        (T,) int64, each 0 to N; entry t is of the ensemble of t + 1 passes.
    """
    total = np.zeros(probs.shape[1:], dtype=np.float64)
    correct = np.empty(len(probs), dtype=np.int64)
    for t, one_pass in enumerate(probs):
        total += one_pass
        correct[t] = (total.argmax(axis=-1) == labels).sum()
    return correct
