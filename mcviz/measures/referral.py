"""Which examples go to a person: for a target, with what is guaranteed, and at the least cost.

A referral is a rule that new examples can be held against: all whose uncertainty reaches a threshold are referred.
Examples that tie are therefore referred together.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import scipy  # loads scipy.stats when it is first used

from mcviz.measures.bootstrap import proportion
from mcviz.measures.selective import Ranking

Array = np.ndarray


@dataclass(frozen=True)
class Referral:
    """What a threshold comes to on labelled examples.

    Attributes:
        threshold: of the uncertainty, from which on an example is referred; infinite where none is.
        referred: (R,) int64 numbers of the examples that are referred, the most uncertain first.
        caught: how many mistakes are among them.
        missed: how many are among the rest.
        accuracy_of_rest: as a fraction, or None where all are referred.
    """

    threshold: float
    referred: Array
    caught: int
    missed: int
    accuracy_of_rest: float | None


def referred_at(uncertainty: Array, threshold: float) -> Array:
    """The examples that a threshold refers, which needs no labels.

    Args:
        uncertainty: (N,) floating point, no NaN, high for uncertain.
        threshold: as in `Referral`.

    Returns:
        (R,) int64 numbers of examples, the most uncertain first; ties keep the examples' own order.
    """
    referred = np.flatnonzero(uncertainty >= threshold)
    return referred[np.argsort(-uncertainty[referred], kind="stable")]


def referral_at(ranking: Ranking, threshold: float) -> Referral:
    """What a threshold comes to.

    Args:
        ranking: labelled examples.
        threshold: as in `Referral`.
    """
    referred = referred_at(ranking.uncertainty, threshold)
    caught, mistakes = (int(np.count_nonzero(~correct)) for correct in (ranking.correct[referred], ranking.correct))
    rest = len(ranking) - len(referred)
    return Referral(threshold, referred, caught, mistakes - caught, 1 - (mistakes - caught) / rest if rest else None)


def referral_for_accuracy(ranking: Ranking, accuracy: float) -> Referral:
    """The fewest examples to a person so that the rest is right often enough.

    Args:
        ranking: labelled examples.
        accuracy: 0 to 1, the least of the rest. No rest is right enough.
    """
    steps, wanted = _steps(ranking), Fraction(str(accuracy))
    for threshold, referred, missed in zip(*steps, strict=True):
        rest = len(ranking) - int(referred)
        if rest - int(missed) >= wanted * rest:
            return referral_at(ranking, float(threshold))
    raise AssertionError("unreachable: where all are referred, nothing is missed")


def referral_for_budget(ranking: Ranking, budget: int) -> Referral:
    """As many of the most uncertain examples as a person will look at, or fewer where the next ones tie.

    Args:
        ranking: labelled examples.
        budget: the most that are referred.
    """
    thresholds, referred, _ = _steps(ranking)
    return referral_at(ranking, float(thresholds[np.searchsorted(referred, budget, side="right") - 1]))


def referral_for_misses(ranking: Ranking, share: float) -> Referral:
    """The fewest examples to a person so that few mistakes are missed.

    Args:
        ranking: labelled examples.
        share: 0 to 1, the most of all mistakes that are among the rest.
    """
    thresholds, _, missed = _steps(ranking)
    allowed = Fraction(str(share)) * int(missed[0])
    return referral_at(ranking, float(thresholds[np.flatnonzero(missed <= float(allowed))[0]]))


def _steps(ranking: Ranking) -> tuple[Array, Array, Array]:
    """Every threshold that matters, how many examples it refers, and how many mistakes it misses; none first."""
    values, at, counts = np.unique(-ranking.uncertainty, return_inverse=True, return_counts=True)
    caught = np.bincount(at, ~ranking.correct).astype(np.int64).cumsum()
    mistakes = int(caught[-1])
    return np.r_[np.inf, -values], np.r_[0, counts.cumsum()], np.r_[mistakes, mistakes - caught]


@dataclass(frozen=True)
class Guarantee:
    """A threshold, and what holds for new examples that are drawn as the labelled ones were.

    Attributes:
        threshold: as in `Referral`.
        confidence: 0 to 1, how often labelled examples lead to a guarantee that is true.
        accuracy: of new examples that are not referred, at least; a fraction.
        on_others: what the threshold comes to on examples whose labels did not choose it, by their numbers among all.
        others: (M,) int64 these numbers.
    """

    threshold: float
    confidence: float
    accuracy: float
    on_others: Referral
    others: Array


def guaranteed(
    ranking: Ranking, choose: Callable[[Ranking], Referral], *, confidence: float = 0.95, seed: int = 0
) -> Guarantee | None:
    """Choose a threshold on one half of the examples, and bound the accuracy of the rest by the other.

    Args:
        ranking: N ≥ 2 labelled examples.
        choose: such as `referral_for_misses` of a share.
        confidence: above 0.5, of the bound, which is exact and one-sided (Clopper & Pearson 1934).
        seed: of the halves.

    Returns:
        None where the threshold refers all of the other half.
    """
    first, second = _halves(ranking, seed)
    return _tested(ranking, choose(_only(ranking, first)).threshold, second, confidence)


def guaranteed_budget(ranking: Ranking, budget: int, *, confidence: float = 0.95) -> Guarantee | None:
    """Bound the accuracy of what a budget leaves, by all labels: none of them chooses the threshold, which is a rank.

    Args:
        ranking: N ≥ 1 labelled examples.
        budget: the most that are referred.
        confidence: as in `guaranteed`.

    Returns:
        None where the budget is for all examples.
    """
    return _tested(ranking, referral_for_budget(ranking, budget).threshold, np.arange(len(ranking)), confidence)


def _tested(ranking: Ranking, threshold: float, others: Array, confidence: float) -> Guarantee | None:
    """What labels that did not choose a threshold guarantee of it; None where it refers all of them."""
    found = _on_others(ranking, threshold, others)
    rest = len(others) - len(found.referred)
    if not rest:
        return None
    return Guarantee(threshold, confidence, _least_accuracy(rest - found.missed, rest, confidence), found, others)


def _on_others(ranking: Ranking, threshold: float, others: Array) -> Referral:
    found = referral_at(_only(ranking, others), threshold)
    return replace(found, referred=others[found.referred])


def guaranteed_accuracy(
    ranking: Ranking, accuracy: float, *, confidence: float = 0.95, seed: int = 0
) -> Guarantee | None:
    """The fewest referrals for which an accuracy of the rest can be guaranteed: Learn then Test.

    One half of the examples says in which order thresholds are tested, from the one that is most likely to pass to
    those that refer ever fewer. The other half tests them until the first does not pass (fixed sequence testing,
    Angelopoulos et al. 2021), so that the confidence holds for whichever is the last that did.

    Args:
        ranking: N ≥ 2 labelled examples.
        accuracy: 0 to 1, of the rest.
        confidence: above 0.5.
        seed: of the halves.

    Returns:
        None where the examples are too few, or the mistakes too many, to guarantee that.
    """
    choosing, others = _halves(ranking, seed)
    first, second = _only(ranking, choosing), _only(ranking, others)
    thresholds, referred, missed = _steps(first)
    found, start = None, _likeliest_to_pass(len(first) - referred, missed, accuracy, confidence)
    for threshold in thresholds[start::-1]:
        kept = second.uncertainty < threshold
        count, right = int(np.count_nonzero(kept)), int(np.count_nonzero(second.correct[kept]))
        if not count or _least_accuracy(right, count, confidence) < accuracy:
            break
        found = float(threshold)
    if found is None:
        return None
    return Guarantee(found, confidence, accuracy, _on_others(ranking, found, others), others)


def _likeliest_to_pass(rest: Array, missed: Array, accuracy: float, confidence: float) -> int:
    """Which threshold as many others will bear out, by what each of one half leaves and misses, none referred first.

    However poor the guess, what passes is guaranteed. It takes it that what is more certain is no less often right.
    """
    nearly = np.maximum(rest - 3 * np.sqrt(rest), 0).astype(np.int64)  # the other half may leave somewhat fewer
    allowed = scipy.stats.binom.ppf(1 - confidence, nearly, 1 - accuracy) - 1
    risk = np.minimum.accumulate((missed + 0.5) / (rest + 1))
    return int(np.argmax(scipy.stats.binom.cdf(allowed, rest, risk)))


def _least_accuracy(right: int, count: int, confidence: float) -> float:
    return proportion(right, count, 2 * confidence - 1).low  # both tails of that are 1 - confidence


def _halves(ranking: Ranking, seed: int) -> tuple[Array, Array]:
    first, second = np.array_split(np.random.default_rng(seed).permutation(len(ranking)), 2)
    return np.sort(first), np.sort(second)


def _only(ranking: Ranking, chosen: Array) -> Ranking:
    return Ranking(ranking.uncertainty[chosen], ranking.correct[chosen])


@dataclass(frozen=True)
class Costs:
    """The cheapest threshold.

    Attributes:
        referral: what it comes to.
        cost: of the looks and the mistakes that are missed.
        of_none: what it costs if nobody looks at any example.
        of_all: what it costs to look at all.
    """

    referral: Referral
    cost: float
    of_none: float
    of_all: float

    @property
    def saved(self) -> float:
        """What the threshold saves against the cheaper of none and all, 0 or more."""
        return min(self.of_none, self.of_all) - self.cost


def cheapest(ranking: Ranking, mistake: float, look: float) -> Costs:
    """The threshold at which looks and mistakes together cost least; of equal ones that with the fewest looks.

    Args:
        ranking: labelled examples.
        mistake: what one costs that nobody sees, in any unit.
        look: what it costs that a person looks at one example, in the same unit.
    """
    thresholds, referred, missed = _steps(ranking)
    costs = mistake * missed + look * referred
    least = int(costs.argmin())
    return Costs(referral_at(ranking, float(thresholds[least])), float(costs[least]), float(costs[0]), float(costs[-1]))


@dataclass(frozen=True)
class Shift:
    """Whether the scores of new examples are distributed as those of old ones (Kolmogorov–Smirnov, two samples).

    Attributes:
        statistic: the largest difference of the two distribution functions, 0 to 1.
        p_value: the chance of as large a one if there is no shift.
    """

    statistic: float
    p_value: float


def shift(old: Array, new: Array) -> Shift:
    """Compare the scores of two sets of examples.

    Args:
        old: (N,) floating point.
        new: (M,) floating point.
    """
    found = scipy.stats.ks_2samp(old, new)
    return Shift(float(found.statistic), float(found.pvalue))
