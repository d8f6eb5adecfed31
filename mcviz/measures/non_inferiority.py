"""The difference of two ensembles over the same examples, with an interval of the difference itself.

`quality.compare_measures` asks whether chance alone explains a difference. To claim that one ensemble is not worse than
another by more than a margin, the difference that the data leave possible must be known: of few examples that is much,
even if the two differ on none of them.
"""

import math
from typing import Any

import numpy as np
import scipy  # loads scipy.optimize and scipy.special when they are first used

from mcviz.measures.bootstrap import Interval, Statistic, bootstrap_intervals, bounded_mean, mean_intervals
from mcviz.measures.calibration import FEWEST_OF_EACH, MOST_NLL, grouped_difference
from mcviz.measures.quality import Quality, select_terms
from mcviz.measures.regression import Terms

Array = np.ndarray

ROUNDING = 1e-9  # of a difference of shares
MOST = {"nll": MOST_NLL, "brier": 2}  # of an example of a classification
MEANS = {"nll": "nll", "brier": "brier", "rmse": "squared_error", "mae": "absolute_error", "crps": "crps"}


def paired_difference_interval(
    quality: Quality,
    measure: str,
    one: Terms,
    other: Terms,
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Compute the difference of a measure of two ensembles over the same examples.

    An accuracy has the interval of `score_interval`, a mean that of `mean_intervals`, and any other measure percentiles
    of bootstrap draws of the examples. Of few mistakes, an NLL or Brier score has one from `bounded_mean` of each
    ensemble. Where the terms of both are the same, the difference is 0 for certain.

    Args:
        quality: the measures of the task.
        measure: the name of one of them.
        one: terms of N ≥ 1 examples.
        other: of the same examples in the same order.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: 0 to 1, of the interval.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        The second's less the first's; ends of NaN where mistakes or examples are too few to tell, all NaN where one of
        the two has no such measure.
    """
    if all(np.array_equal(one[name], other[name]) for name in one):
        return Interval(0.0, 0.0, 0.0)
    place = quality.place[measure]
    share = quality.measures[place].share_of
    if share and groups is not None:
        return grouped_difference(other[share].astype(np.float64) - one[share], groups, confidence)
    if share:
        gained, lost = (
            int(np.count_nonzero(a > b)) for a, b in ((other[share], one[share]), (one[share], other[share]))
        )
        return score_interval(gained, lost, len(one[share]), confidence)

    def build_statistic(chosen: Array | slice) -> Statistic:
        first, second = (quality.statistic(select_terms(terms, chosen)) for terms in (one, other))
        return lambda weights: second(weights)[:, place] - first(weights)[:, place]

    if not _has_enough_mistakes(one, other):
        if measure in MOST and groups is None:  # what unseen mistakes cost is bounded for each of the two
            before, after = (
                bounded_mean(terms[measure], MOST[measure], (1 + confidence) / 2) for terms in (one, other)
            )
            return Interval(after.value - before.value, after.low - before.high, after.high - before.low)
        (value,) = build_statistic(slice(None))(np.ones((1, len(one["correct"]))))
        return Interval(float(value))
    options: dict[str, Any] = {"groups": groups, "confidence": confidence, "resamples": resamples, "seed": seed}
    if measure in MEANS:
        first, second = (terms[MEANS[measure]] for terms in (one, other))
        (found,) = mean_intervals((second - first)[:, None], **options)
        if measure != "rmse":
            return found
        roots = math.sqrt(first.mean()) + math.sqrt(second.mean())  # of squares a² - b² = (a - b)(a + b)
        return Interval(found.value / roots, found.low / roots, found.high / roots)
    (found,) = bootstrap_intervals(build_statistic, len(one["correct"]), **options)
    return found


def score_interval(gained: int, lost: int, trials: int, confidence: float = 0.95) -> Interval:
    """Compute the difference of two shares of the same examples, with the score interval of Tango (1998).

    Args:
        gained: how many only the second holds.
        lost: how many only the first holds.
        trials: how many examples there are, at least 1.
        confidence: 0 to 1.

    Returns:
        The second share less the first.
    """
    value = (gained - lost) / trials

    def find_end(gained: int, lost: int) -> float:
        """The lowest difference that the score test does not refuse."""
        critical = scipy.special.ndtri((1 + confidence) / 2)

        def excess(difference: float) -> float:
            linear = (2 * trials - gained + lost) * difference - gained - lost
            root = math.sqrt(max(linear**2 + 8 * trials * lost * difference * (1 - difference), 0))
            chance_lost = (root - linear) / (4 * trials)  # the likeliest one, given the difference
            variance = trials * (2 * chance_lost + difference * (1 - difference))
            return gained - lost - trials * difference - critical * math.sqrt(max(variance, 0))

        below = (gained - lost) / trials - ROUNDING  # at the value itself the variance may be 0
        return -1.0 if excess(-1.0) <= 0 else float(scipy.optimize.brentq(excess, -1.0, below))

    return Interval(value, find_end(gained, lost), -find_end(lost, gained))


def _has_enough_mistakes(*predictors: Terms) -> bool:
    """Whether each classification has the mistakes, and the correct predictions, that an interval takes."""
    counts = [np.bincount(terms["correct"], minlength=2) for terms in predictors if "correct" in terms]
    return all(count.min() >= FEWEST_OF_EACH for count in counts)
