"""Wrong labels and active learning: estimate label errors, select examples to label.

`bald` and `entropy` take the highest scores, which may be redundant. `power_bald` samples by score, and `batch_bald`
takes the jointly most informative batch.
"""

import heapq

import numpy as np
import scipy  # loads scipy.sparse when it is first used

from mcviz.measures.intervals import Interval, Statistic, bootstrap_intervals
from mcviz.measures.scores import expected_entropy, mutual_information, predictive_entropy

Array = np.ndarray
CONFIDENT_ODDS = 2  # of prediction to label that make a mistake evidence against the label
ROUNDING = 1e-6  # tolerance of thresholds: if all probabilities of a class are equal, they must reach it

MOST_COMPARED = 2**21  # probabilities compared with thresholds at a time
MOST_COMBINATIONS = 2000  # combinations of labels of a batch


def estimate_label_errors(probs: Array, labels: Array, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Estimate the number of wrong labels by confident learning (Northcutt et al. 2021).

    An example counts as a class if its probability reaches the mean over examples with that label. The counts, scaled
    to the number of each label, estimate the joint distribution of given and true labels; off-diagonal entries are
    wrong. In a multilabel task, each class is a binary problem.

    Args:
        probs: (N, C) floating point, the predictive mean of a model that was not trained on these labels.
        labels: (N,) integers, or in a multilabel task (N, C) 1, 0, or −1 for unknown.
        confidence: 0 to 1, of the interval: percentiles of 1,000 bootstrap draws of the examples (multilabel: 200). It
            covers the choice of the examples, but not that of the model.
        seed: of the draws.

    Returns:
        The number, 0 to that of the known labels, and the ends of its interval.
    """
    (share,) = bootstrap_intervals(
        lambda chosen: _build_share(probs[chosen], labels[chosen]),
        len(labels),
        confidence=confidence,
        resamples=1000 if labels.ndim == 1 else 200,
        seed=seed,
    )
    known = int((labels >= 0).sum())
    return Interval(*(known * end for end in (share.value, share.low, share.high)))


def count_confident_mistakes(probs: Array, labels: Array) -> tuple[int, int]:
    """Count the mistakes, and the confident ones among them.

    A mistake is confident if the prediction is `CONFIDENT_ODDS` times as probable as the label.

    Args:
        probs: as for `estimate_label_errors`.
        labels: as for `estimate_label_errors`.
    """
    mistakes, confident = 0, 0
    for of_choice, chosen in _choices(probs, labels):
        own = of_choice[np.arange(len(chosen)), chosen]
        is_mistake = of_choice.argmax(axis=1) != chosen
        mistakes += int(is_mistake.sum())
        confident += int((is_mistake & (of_choice.max(axis=1) >= CONFIDENT_ODDS * own)).sum())
    return mistakes, confident


def _choices(probs: Array, labels: Array) -> list[tuple[Array, Array]]:
    """Return (n, K) probabilities and (n,) known labels, in multilabel tasks per class."""
    if labels.ndim == 1:
        return [(probs, labels)]
    columns = zip(probs.T, labels.T, strict=True)
    pairs = ((np.stack([1 - has_class, has_class], axis=1), given) for has_class, given in columns)
    return [(of_two[given >= 0], given[given >= 0]) for of_two, given in pairs]


def _build_share(probs: Array, labels: Array) -> Statistic:
    counts = [_build_count(*choice) for choice in _choices(probs, labels)]
    known = [slice(None)] if labels.ndim == 1 else list(labels.T >= 0)

    def share(weights: Array) -> Array:
        wrong, total = np.zeros(len(weights)), np.zeros(len(weights))
        for count, some in zip(counts, known, strict=True):
            of_known = weights[:, some]
            wrong, total = wrong + count(of_known), total + of_known.sum(axis=1)
        return np.asarray(wrong / np.maximum(total, 1))

    return share


def _build_count(probs: Array, labels: Array) -> Statistic:
    classes = probs.shape[1]
    own = probs[np.arange(len(labels)), labels].astype(np.float64)

    def count(weights: Array) -> Array:
        counts = weights @ _by_label(labels, classes)
        thresholds = weights @ _by_label(labels, classes, own) / np.maximum(counts, 1)
        thresholds = np.where(counts > 0, thresholds - ROUNDING, np.inf)  # no example is of a class without a label
        low, high = thresholds.min(axis=0), thresholds.max(axis=0)
        moving = ((probs >= low) & (probs < high)).any(axis=1)  # the classes of others are the same in all draws
        pair_counts = _count_pairs(weights[:, ~moving], probs[~moving], labels[~moving], thresholds[:1])
        draws = max(1, MOST_COMPARED // max(1, probs[moving].size))
        for start in range(0, len(weights) if moving.any() else 0, draws):
            some = slice(start, start + draws)
            pair_counts[:, some] += _count_pairs(weights[some, moving], probs[moving], labels[moving], thresholds[some])
        # As in the paper's code, at least one label of each class is right.
        wrong, right = pair_counts[0], np.maximum(pair_counts[1], 1)
        return np.asarray((counts * wrong / (wrong + right)).sum(axis=1))

    return count


def _count_pairs(weights: Array, probs: Array, labels: Array, thresholds: Array) -> Array:
    """Return (2, R, C) weights by given label.

    The first are of examples that count as another class, the second of those that count as their label's class.
    Thresholds are (R, C), or (1, C) for all draws.
    """
    reached = np.where(probs >= thresholds[:, None], probs, -1)
    classes = np.where(reached.max(axis=2) < 0, -1, reached.argmax(axis=2))
    pairs, of_label = ((classes >= 0) & (classes != labels), classes == labels), _by_label(labels, probs.shape[1])
    return np.stack([(weights * pair) @ of_label for pair in pairs])


def _by_label(labels: Array, classes: int, values: Array | float = 1.0) -> "scipy.sparse.csr_array":
    values = np.broadcast_to(np.asarray(values, np.float64), len(labels))
    return scipy.sparse.csr_array((values, (np.arange(len(labels)), labels)), shape=(len(labels), classes))


def random(examples: int, batch: int, seed: int = 0) -> Array:
    """Draw (batch,) int64 example numbers uniformly without replacement."""
    return np.random.default_rng(seed).permutation(examples)[:batch]


def entropy(probs: Array, batch: int) -> Array:
    """Return the examples of highest predictive entropy: (batch,) int64, highest first.

    `probs` is (T, N, C).
    """
    return select_highest(predictive_entropy(probs), batch)


def bald(probs: Array, batch: int) -> Array:
    """Return the examples of highest mutual information (Houlsby et al. 2011).

    `probs` is (T, N, C); the result (batch,) int64, highest first.
    """
    return select_highest(mutual_information(probs), batch)


def select_highest(scores: Array, batch: int) -> Array:
    """Return the examples with the highest (N,) scores: (batch,) int64, highest first.

    Ties keep the examples' order.
    """
    return np.argsort(-scores, kind="stable")[:batch]


def power_bald(information: Array, batch: int, seed: int = 0) -> Array:
    """Draw examples in proportion to mutual information (Kirsch et al. 2023, β = 1).

    The draw is without replacement.

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
    """Select the jointly most informative examples: greedy BatchBALD (Kirsch et al. 2019).

    It is exact while the labels of the batch have at most `rows` combinations; beyond, that many are drawn by their
    probability. An example never adds more than it added to a smaller batch, so few gains have to be computed again.

    Args:
        probs: (T, N, C) floating point; all examples of a pass must share masks, or the result is meaningless.
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
    """Combine every row with every label of one more example.

    If there are more than `rows` combinations, draw `rows` of them. `chance` is (R,) of each combination, `posterior`
    (R, T) of each pass given it, `probs` (T, C) of the example.
    """
    label_chance = posterior @ probs
    together = (chance[:, None] * label_chance).ravel()
    if len(together) <= rows:
        places_taken, chances = np.flatnonzero(together > 0), together[together > 0]
    else:
        places = (np.arange(rows) + generator.random()) / rows  # systematic sampling
        cumulated = together.cumsum()
        places_taken = np.searchsorted(cumulated / cumulated[-1], places, side="right").clip(max=len(together) - 1)
        chances = np.full(rows, 1 / rows)
    row, label = np.divmod(places_taken, probs.shape[1])
    return chances, posterior[row] * probs.T[label] / label_chance.ravel()[places_taken][:, None]
