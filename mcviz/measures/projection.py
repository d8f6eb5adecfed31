"""A map on which similar examples lie near each other: t-SNE."""

from collections.abc import Callable
from itertools import count

import numpy as np

MOST_MAPPED = 20_000  # more take many minutes, and their points cover each other
FEWEST_MAPPED = 5  # the neighbours of fewer make no map
PERPLEXITY = 30
ITERATIONS = (250, 500)  # of the two phases that van der Maaten & Hinton (2008) describe, openTSNE's own defaults
REPORTED = 10  # iterations from one report of the progress to the next


def tsne(components: np.ndarray, progress: Callable[[int, int], object] | None = None) -> np.ndarray:
    """Lay out examples by t-SNE (van der Maaten & Hinton 2008) with openTSNE; it takes minutes.

    Args:
        components: (N, K) floating point, K numbers an example, such as `principal_components` gives.
        progress: called with (done, total) iterations; an exception from it ends the computation.

    Returns:
        (N, 2) float32 positions; those of examples beyond the 20,000 that a fixed draw chooses are NaN.

    Raises:
        ValueError: fewer than 5 examples.
    """
    total = len(components)
    if total < FEWEST_MAPPED:
        raise ValueError(f"t-SNE needs at least {FEWEST_MAPPED} examples. Received: {total}.")
    import openTSNE  # here, because it takes a second to import

    rounds = count(1)

    def report(*_: object) -> bool:
        if progress:
            progress(next(rounds) * REPORTED, sum(ITERATIONS))
        return False

    chosen = np.sort(np.random.default_rng(0).choice(total, min(total, MOST_MAPPED), replace=False))
    embedding = openTSNE.TSNE(
        n_jobs=-1,
        random_state=0,
        early_exaggeration_iter=ITERATIONS[0],
        n_iter=ITERATIONS[1],
        perplexity=min(PERPLEXITY, (len(chosen) - 1) // 3),
        callbacks=report,
        callbacks_every_iters=REPORTED,
    )
    layout = np.full((total, 2), np.nan, dtype=np.float32)
    layout[chosen] = np.asarray(embedding.fit(components[chosen]))
    return layout
