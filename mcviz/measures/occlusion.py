"""How a prediction changes where a part of its input is hidden, over the passes."""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Effects:
    """What each part of an input adds to what is predicted.

    Attributes:
        mean: (P, K) float64, over the passes, in the unit of the K predicted numbers; above 0 where it is lower without
            the part.
        std: (P, K) float64, over the passes: how far they differ about it.
    """

    mean: Array
    std: Array


def occlusion_effects(whole: Array, hidden: Array) -> Effects:
    """Compare pass by pass what is predicted with and without each part, through the same masks.

    Args:
        whole: (T, K) predictions of the input.
        hidden: (T, P, K) predictions of the input with each part hidden.
    """
    lost = whole[:, None].astype(np.float64) - hidden
    return Effects(lost.mean(axis=0), lost.std(axis=0))
