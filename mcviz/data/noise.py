"""Images of nothing: inputs that belong to no class, reproducible from a seed."""

import numpy as np


def uniform_noise(count: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Draw images whose every value is uniform on [0, 1), independently.

    Image `i` of a seed is the same whatever `count` is.

    Args:
        count: how many images, N.
        shape: one image's (height, width, channels).
        seed: any non-negative integer.

    Returns:
        (N, height, width, channels) float32 in 0..1.
    """
    return np.random.default_rng(seed).random((count, *shape), dtype=np.float32)
