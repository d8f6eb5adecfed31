"""Active learning: which examples to label next.

`bald` and `entropy` take the highest scores, which may all be of the same doubt. `power_bald` draws by them, and
`batch_bald` takes the batch that would tell most together.
"""

import heapq

import numpy as np
import scipy  # loads scipy.special when it is first used

from mcviz.measures.scores import expected_entropy, mutual_information, predictive_entropy

Array = np.ndarray

MOST_COMBINATIONS = 2000  # combinations of labels of a batch that are followed


def random(examples: int, batch: int, seed: int = 0) -> Array:
    """(batch,) int64 numbers of examples, each as likely as any other."""
    return np.random.default_rng(seed).permutation(examples)[:batch]


def entropy(probs: Array, batch: int) -> Array:
    """(batch,) int64, the highest predictive entropies of (T, N, C) probabilities, the highest first."""
    return select_highest(predictive_entropy(probs), batch)


def bald(probs: Array, batch: int) -> Array:
    """(batch,) int64, the highest mutual information (Houlsby et al. 2011) of (T, N, C), the highest first."""
    return select_highest(mutual_information(probs), batch)


def select_highest(scores: Array, batch: int) -> Array:
    """(batch,) int64, the examples with the highest of (N,) scores, the highest first; ties in their own order."""
    return np.argsort(-scores, kind="stable")[:batch]


def power_bald(information: Array, batch: int, seed: int = 0) -> Array:
    """Draw examples without replacement, in proportion to their mutual information (Kirsch et al. 2023, β = 1).

    Args:
        information: (N,) floating point, 0 or more.
        batch: how many are drawn; those without information come last.
        seed: of the draws.

    Returns:
        (batch,) int64 numbers of examples, in the order in which they were drawn.
    """
    noise = np.random.default_rng(seed).gumbel(size=len(information))
    with np.errstate(divide="ignore"):
        return select_highest(np.log(information) + noise, batch)


def batch_bald(probs: Array, batch: int, seed: int = 0, rows: int = MOST_COMBINATIONS) -> Array:
    """Select the examples whose labels together would tell most of the model: greedy BatchBALD (Kirsch et al. 2019).

    Exact as long as the labels of the batch have at most `rows` combinations; then that many are drawn by their chance.
    An example never adds more than it added to a smaller batch, so that few have to be computed again.

    Args:
        probs: (T, N, C) floating point; all examples of a pass have the same masks, or it means nothing.
        batch: how many.
        seed: of the draws.
        rows: how many combinations are followed.

    Returns:
        (batch,) int64 numbers of examples, in the order in which they were taken.
    """
    generator, within = np.random.default_rng(seed), expected_entropy(probs)
    chance, posterior = np.ones(1), np.full((1, len(probs)), 1 / len(probs))  # of each combination; of passes given it
    queue = [(-information, example, 0) for example, information in enumerate(mutual_information(probs))]
    heapq.heapify(queue)
    chosen: list[int] = []
    while queue and len(chosen) < batch:
        _, example, batch_size = heapq.heappop(queue)
        example_probs = probs[:, example].astype(np.float64)
        if batch_size < len(chosen):
            adds = chance @ scipy.special.entr(posterior @ example_probs).sum(axis=1) - within[example]
            heapq.heappush(queue, (-adds, example, len(chosen)))
            continue
        chosen.append(example)
        chance, posterior = _extend_batch(chance, posterior, example_probs, rows, generator)
    return np.array(chosen, np.int64)


def _extend_batch(
    chance: Array, posterior: Array, probs: Array, rows: int, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Combine every row with every label of one more example; draw `rows` of them where they get too many.

    `chance` is (R,) of each combination, `posterior` (R, T) of each pass given it, `probs` (T, C) of the example.
    """
    label_chance = posterior @ probs
    together = (chance[:, None] * label_chance).ravel()
    if len(together) <= rows:
        kept, chances = np.flatnonzero(together > 0), together[together > 0]
    else:
        places = (np.arange(rows) + generator.random()) / rows  # systematic sampling
        cumulated = together.cumsum()
        kept = np.searchsorted(cumulated / cumulated[-1], places, side="right").clip(max=len(together) - 1)
        chances = np.full(rows, 1 / rows)
    row, label = np.divmod(kept, probs.shape[1])
    return chances, posterior[row] * probs.T[label] / label_chance.ravel()[kept][:, None]
