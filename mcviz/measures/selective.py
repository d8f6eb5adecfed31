"""Selective prediction: how good the rest is when uncertain examples are referred to a person.

Examples are kept from the most certain to the least. Where uncertainties tie, a figure is its expected value over all
orders of the ties, which is exact: errors add up evenly over the ties.

A referral is a rule that also applies to new examples: all whose uncertainty reaches a threshold are referred. Examples
that tie are therefore referred together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import scipy  # loads scipy.special when it is first used

from mcviz.measures.calibration import FEWEST_OF_EACH
from mcviz.measures.intervals import (
    Interval,
    Statistic,
    betting_p_value,
    bootstrap_intervals,
    design_effect,
    number_groups,
    proportion,
    resample,
    split_in_halves,
)

Array = np.ndarray

SMALLEST = 1e-6  # step of an accuracy


@dataclass(frozen=True)
class Ranking:
    """Predictions of N ≥ 1 examples, ordered by how uncertain they are.

    Attributes:
        uncertainty: (N,) floating point, no NaN, high for uncertain.
        correct: (N,) bool.
        groups: (N,) integers, the group of each example; None where each is its own.
    """

    uncertainty: Array
    correct: Array
    groups: Array | None = None

    def __len__(self) -> int:
        return len(self.correct)

    def select(self, chosen: Array | slice) -> "Ranking":
        """Return the ranking of some of the examples, by a slice, their numbers or a mask."""
        groups = None if self.groups is None else self.groups[chosen]
        return Ranking(self.uncertainty[chosen], self.correct[chosen], groups)


def cumulative_errors(ranking: Ranking) -> Array:
    """(N + 1,) float64, the expected number of errors among the 0, 1, … N most certain examples."""
    counts, errors = _cumulate_groups(ranking, np.ones((1, len(ranking))))
    return np.interp(np.arange(len(ranking) + 1), counts[0], errors[0])


def risk_by_coverage(ranking: Ranking) -> Array:
    """(N,) float64 0 to 1, the risk: the share of errors among the 1, 2, … N most certain examples."""
    return cumulative_errors(ranking)[1:] / np.arange(1, len(ranking) + 1)


def accuracy_of_rest(ranking: Ranking) -> Array:
    """(N + 1,) float64, the accuracy of the rest after the 0, 1, … N most uncertain were referred; 1 without a rest."""
    counts = np.arange(len(ranking), -1, -1)
    return 1 - cumulative_errors(ranking)[::-1] / np.maximum(counts, 1)


def perfect_ranking(ranking: Ranking) -> Ranking:
    """Return the same predictions in the best order: every error is less certain than all that is correct."""
    return Ranking((~ranking.correct).astype(np.float64), ranking.correct)


def risk_bands(
    ranking: Ranking, coverages: Array, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> list[Interval]:
    """Compute the risk at some coverages, with bootstrap intervals.

    Args:
        ranking: of N examples.
        coverages: (G,) shares of the examples that are kept, above 0, up to 1.
        confidence: 0 to 1, of each interval.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        G intervals of the risk; the accuracy of the kept examples is one minus each.
    """

    def build_statistic(chosen: Array | slice) -> Statistic:
        some = ranking.select(chosen)

        def risks(weights: Array) -> Array:
            rows = zip(*_cumulate_groups(some, weights), strict=True)
            return np.stack(
                [
                    np.interp(coverages * counts[-1], counts, errors) / (coverages * counts[-1])
                    for counts, errors in rows
                ]
            )

        return risks

    options: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    return bootstrap_intervals(build_statistic, len(ranking), groups=ranking.groups, **options)


@dataclass(frozen=True)
class SelectiveFigures:
    """The quality of an order at finding errors, over all coverages: low is good.

    Attributes:
        aurc: the mean risk over the coverages 1/N, 2/N, … 1 (Geifman & El-Yaniv 2017).
        e_aurc: its excess over the perfect order (Geifman et al. 2019).
        augrc: the area under the share of all examples that are kept and wrong, against the coverage: the mean risk of
            an undetected error (Traub et al. 2024).
        above_best: `augrc` less that of the order with the lowest one, with an interval that holds for all orders at
            once.
    """

    aurc: Interval
    e_aurc: Interval
    augrc: Interval
    above_best: Interval

    @property
    def ties_with_best(self) -> bool:
        """Whether the order is the best, or does not differ from it beyond noise."""
        return self.above_best.low <= 0


def selective_figures(
    rankings: Mapping[str, Ranking], *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> dict[str, SelectiveFigures]:
    """Compare orders of the same examples, with the intervals of `area_intervals`.

    The best of several orders is partly the best by chance. So differences of their AUGRCs are held against the range,
    over all orders, of how far each AUGRC of a draw is from that of all examples: of orders that are equally good, one
    or more seems worse in 1 - `confidence` of cases (as Tukey's studentized range, but by the bootstrap).

    Args:
        rankings: by name, such as that of a score. The predictions may be others: those of the deterministic model are.
            The groups are the same.
        confidence: 0 to 1, of each interval, and of all differences together.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        The figures of each ranking, by its name.
    """

    def build_statistic(chosen: Array | slice) -> Statistic:
        some = [ranking.select(chosen) for ranking in rankings.values()]
        return lambda weights: np.concatenate([compute_areas(ranking, weights)[:, :3] for ranking in some], axis=1)

    first = next(iter(rankings.values()))
    value, draws = resample(build_statistic, len(first), groups=first.groups, resamples=resamples, seed=seed)
    augrc = value[2::3]
    noise = float(np.quantile(np.ptp(draws[:, 2::3] - augrc, axis=1), confidence))
    above = [Interval(excess, excess - noise, excess + noise) for excess in (augrc - augrc.min()).tolist()]
    figures = {}
    for i, (name, ranking) in enumerate(rankings.items()):
        of_ranking = slice(3 * i, 3 * i + 3)
        areas = area_intervals(value[of_ranking], draws[:, of_ranking], ranking.correct, confidence)
        figures[name] = SelectiveFigures(*(*areas, above[i]))
    return figures


def area_intervals(value: Array, draws: Array, correct: Array, confidence: float) -> list[Interval]:
    """Compute intervals of areas that lie between 0 and 1: Student's t of their logits, with errors of the bootstrap.

    Percentiles of the bootstrap leave out too often what is true where the mistakes, or the correct predictions, are
    few. So the fewer of the two, less one, are the degrees of freedom.

    Args:
        value: (M,) areas of N examples, as `compute_areas` has them.
        draws: (R, M) those of bootstrap draws.
        correct: (N,) bool.
        confidence: 0 to 1.

    Returns:
        M intervals; there is none with fewer than 5 mistakes or 5 correct predictions, nor of an area that is 0 or 1.
    """
    fewest = min(np.count_nonzero(correct), np.count_nonzero(~correct))
    if fewest < FEWEST_OF_EACH:
        return [Interval(float(figure)) for figure in value]
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.nanstd(draws, axis=0, ddof=1) / (value * (1 - value))
        around = scipy.special.stdtrit(fewest - 1, (1 + confidence) / 2) * errors
        low, high = (scipy.special.expit(scipy.special.logit(value) + way * around) for way in (-1, 1))
    return [Interval(*map(float, interval)) for interval in zip(value, low, high, strict=True)]


def find_ties_with_best(figures: Mapping[str, SelectiveFigures]) -> Sequence[str]:
    """Name the orders that do not differ from the best beyond noise, the best first."""
    tied = [name for name, areas_of_score in figures.items() if areas_of_score.ties_with_best]
    return sorted(tied, key=lambda name: figures[name].augrc.value)


def _cumulate_groups(ranking: Ranking, weights: Array) -> tuple[Array, Array]:
    """Cumulate examples and errors over groups, the most certain first; a group is a tie, or a stretch without error.

    Args:
        ranking: of N examples.
        weights: (R, N) how often each of R draws holds each example.

    Returns:
        (R, G + 1) each, from none to all; between two groups, errors are a line over examples.
    """
    order = np.argsort(ranking.uncertainty, kind="stable")
    ordered, wrong = ranking.uncertainty[order], ~ranking.correct[order]
    tie = np.cumsum(np.r_[False, ordered[1:] != ordered[:-1]])
    with_error = np.bincount(tie, wrong)[tie] > 0
    first = np.flatnonzero(np.r_[True, np.diff(tie).astype(bool) & (with_error[1:] | with_error[:-1])])
    counts = np.add.reduceat(weights.take(order, axis=1), first, axis=1)
    at = np.searchsorted(np.flatnonzero(wrong), np.r_[first, len(order)])
    errors = np.cumsum(weights[:, order[wrong]], axis=1)
    none = np.zeros((len(weights), 1))
    return np.hstack([none, counts.cumsum(axis=1)]), np.hstack([none, errors])[:, at]


def compute_areas(ranking: Ranking, weights: Array) -> Array:
    """Compute AURC, E-AURC and AUGRC of R draws, as `SelectiveFigures` has them, and the AUROC of finding mistakes.

    The AUROC is the chance that a mistake is less certain than a correct prediction, where ties count half. It follows
    from the AUGRC (Traub et al. 2024).

    Args:
        ranking: of N examples.
        weights: (R, N) float64 whole numbers, how often each draw holds each example.

    Returns:
        (R, 4) float64; the AUROC is NaN of a draw that holds no mistake, or nothing else.
    """
    kept_counts, errors = _cumulate_groups(ranking, weights)
    examples, wrong = kept_counts[:, -1], errors[:, -1]
    augrc = ((errors[:, 1:] + errors[:, :-1]) / 2 * np.diff(kept_counts, axis=1)).sum(axis=1) / examples**2
    # Sums of 1/k up to each k: within ties, errors are a line over k, and the risk is that line divided by k.
    harmonic = np.r_[0, (1 / np.arange(1, int(examples.max()) + 1)).cumsum()]
    counts, more = np.diff(kept_counts, axis=1), np.diff(errors, axis=1)
    slope = more / np.maximum(counts, 1)
    steps = np.diff(harmonic[kept_counts.astype(np.intp)], axis=1)
    aurc = (more + (errors[:, :-1] - slope * kept_counts[:, :-1]) * steps).sum(axis=1) / examples
    correct = (examples - wrong).astype(np.intp)
    best = (wrong - correct * (harmonic[examples.astype(np.intp)] - harmonic[correct])) / examples
    risk = wrong / examples
    pairs = risk * (1 - risk)
    missed = np.divide(augrc - risk**2 / 2, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return np.stack([aurc, aurc - best, augrc, 1 - missed], axis=1)


@dataclass(frozen=True)
class Referral:
    """The result of a threshold on labelled examples.

    Attributes:
        threshold: of the uncertainty, from which on an example is referred; infinite where none is.
        referred: (R,) int64 numbers of the examples that are referred, the most uncertain first.
        caught: number of mistakes among them.
        missed: number of mistakes among the rest.
        accuracy_of_rest: as a fraction, or None where all are referred.
    """

    threshold: float
    referred: Array
    caught: int
    missed: int
    accuracy_of_rest: float | None


def select_referred(uncertainty: Array, threshold: float) -> Array:
    """Select the examples that a threshold refers; no labels are needed.

    Args:
        uncertainty: (N,) floating point, no NaN, high for uncertain.
        threshold: as in `Referral`.

    Returns:
        (R,) int64 numbers of examples, the most uncertain first; ties keep the examples' own order.
    """
    referred = np.flatnonzero(uncertainty >= threshold)
    return referred[np.argsort(-uncertainty[referred], kind="stable")]


def evaluate_threshold(ranking: Ranking, threshold: float) -> Referral:
    """Compute the result of a threshold on labelled examples.

    Args:
        ranking: labelled examples.
        threshold: as in `Referral`.
    """
    referred = select_referred(ranking.uncertainty, threshold)
    caught, mistakes = (int(np.count_nonzero(~correct)) for correct in (ranking.correct[referred], ranking.correct))
    rest = len(ranking) - len(referred)
    return Referral(threshold, referred, caught, mistakes - caught, 1 - (mistakes - caught) / rest if rest else None)


def referral_for_accuracy(ranking: Ranking, accuracy: float) -> Referral:
    """Refer the fewest examples so that the accuracy of the rest is high enough.

    Args:
        ranking: labelled examples.
        accuracy: 0 to 1, the least of the rest; an empty rest is accurate enough.
    """
    steps, wanted = _threshold_steps(ranking), Fraction(str(accuracy))
    for threshold, referred, missed in zip(*steps, strict=True):
        rest = len(ranking) - int(referred)
        if rest - int(missed) >= wanted * rest:
            return evaluate_threshold(ranking, float(threshold))
    raise AssertionError("unreachable: where all are referred, nothing is missed")


def referral_for_budget(ranking: Ranking, budget: int) -> Referral:
    """Refer as many of the most uncertain examples as the budget allows, or fewer where the next ones tie.

    Args:
        ranking: labelled examples.
        budget: the most that are referred.
    """
    thresholds, referred, _ = _threshold_steps(ranking)
    return evaluate_threshold(ranking, float(thresholds[np.searchsorted(referred, budget, side="right") - 1]))


def referral_for_misses(ranking: Ranking, share: float) -> Referral:
    """Refer the fewest examples so that few mistakes are missed.

    Args:
        ranking: labelled examples.
        share: 0 to 1, the most of all mistakes that are among the rest.
    """
    thresholds, _, missed = _threshold_steps(ranking)
    allowed = Fraction(str(share)) * int(missed[0])
    return evaluate_threshold(ranking, float(thresholds[np.flatnonzero(missed <= float(allowed))[0]]))


def _threshold_steps(ranking: Ranking) -> tuple[Array, Array, Array]:
    """Every distinct threshold, the number of examples it refers, and of mistakes it misses; the first refers none."""
    values, places, counts = np.unique(-ranking.uncertainty, return_inverse=True, return_counts=True)
    caught = np.bincount(places, ~ranking.correct).astype(np.int64).cumsum()
    mistakes = int(caught[-1])
    return np.r_[np.inf, -values], np.r_[0, counts.cumsum()], np.r_[mistakes, mistakes - caught]


@dataclass(frozen=True)
class Guarantee:
    """A threshold with a guarantee for new examples that are drawn as the labelled ones were.

    Attributes:
        threshold: as in `Referral`.
        confidence: 0 to 1, how often labelled examples lead to a guarantee that is true.
        accuracy: the least accuracy of new examples that are not referred, a fraction.
        on_others: the result on the examples whose labels did not choose the threshold, by their numbers among all.
        others: (M,) int64 these numbers.
    """

    threshold: float
    confidence: float
    accuracy: float
    on_others: Referral
    others: Array


def guarantee_threshold(
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
    first, second = _split_in_halves(ranking, seed)
    return _guarantee(ranking, choose(ranking.select(first)).threshold, second, confidence, seed)


def guarantee_budget(ranking: Ranking, budget: int, *, confidence: float = 0.95, seed: int = 0) -> Guarantee | None:
    """Bound the accuracy of the rest for a budget. All labels test it: the threshold is a rank, chosen by none of them.

    Args:
        ranking: N ≥ 1 labelled examples.
        budget: the most that are referred.
        confidence: as in `guarantee_threshold`.
        seed: of the order of the groups.

    Returns:
        None where the budget is for all examples, or nothing is known of the rest.
    """
    threshold = referral_for_budget(ranking, budget).threshold
    return _guarantee(ranking, threshold, np.arange(len(ranking)), confidence, seed)


def _guarantee(ranking: Ranking, threshold: float, others: Array, confidence: float, seed: int) -> Guarantee | None:
    """Test a threshold on examples whose labels did not choose it; None where it refers all of them."""
    outcome = _evaluate_on(ranking, threshold, others)
    rest = len(others) - len(outcome.referred)
    if not rest:
        return None
    if ranking.groups is None:
        accuracy = _accuracy_bound(rest - outcome.missed, rest, confidence)
    else:
        accuracy = _group_accuracy_bound(ranking.select(others), threshold, confidence, seed)
        if not accuracy:
            return None
    return Guarantee(threshold, confidence, accuracy, outcome, others)


def _evaluate_on(ranking: Ranking, threshold: float, others: Array) -> Referral:
    outcome = evaluate_threshold(ranking.select(others), threshold)
    return replace(outcome, referred=others[outcome.referred])


def guarantee_accuracy(
    ranking: Ranking, accuracy: float, *, confidence: float = 0.95, seed: int = 0
) -> Guarantee | None:
    """Find the fewest referrals that guarantee an accuracy of the rest: Learn then Test.

    One half of the examples says in which order thresholds are tested, from the one that is most likely to pass to
    those that refer ever fewer. The other half tests them until the first fails (fixed sequence testing, Angelopoulos
    et al. 2021), so that the confidence holds for the last that passed.

    Args:
        ranking: N ≥ 2 labelled examples.
        accuracy: 0 to 1, of the rest.
        confidence: above 0.5.
        seed: of the halves.

    Returns:
        None where the examples are too few, or the mistakes too many, to guarantee that.
    """
    choosing, others = _split_in_halves(ranking, seed)
    first, second = ranking.select(choosing), ranking.select(others)
    thresholds, referred, missed = _threshold_steps(first)
    effect = design_effect(~first.correct, float((~first.correct).mean()), first.groups)
    rest = ((len(first) - referred) / effect).astype(np.int64)
    start = _likeliest_to_pass(rest, missed / effect, accuracy, confidence)
    passing = None
    for threshold in thresholds[start::-1]:
        if not _passes(second, threshold, accuracy, confidence, seed):
            break
        passing = float(threshold)
    if passing is None:
        return None
    return Guarantee(passing, confidence, accuracy, _evaluate_on(ranking, passing, others), others)


def _likeliest_to_pass(rest: Array, missed: Array, accuracy: float, confidence: float) -> int:
    """The index of the threshold that is most likely to pass, by what each leaves and misses on one half.

    Any guess is valid. This one assumes that more certain examples are at least as often right.
    """
    nearly = np.maximum(rest - 3 * np.sqrt(rest), 0).astype(np.int64)  # the other half may leave somewhat fewer
    allowed = scipy.stats.binom.ppf(1 - confidence, nearly, 1 - accuracy) - 1
    risk = np.minimum.accumulate((missed + 0.5) / (rest + 1))
    return int(np.argmax(scipy.stats.binom.cdf(allowed, rest, risk)))


def _passes(ranking: Ranking, threshold: float, accuracy: float, confidence: float, seed: int) -> bool:
    """Whether a test refuses that the accuracy of the rest is below `accuracy`."""
    is_kept = ranking.uncertainty < threshold
    count, right = int(np.count_nonzero(is_kept)), int(np.count_nonzero(ranking.correct[is_kept]))
    if not count:
        return False
    if ranking.groups is None:
        return _accuracy_bound(right, count, confidence) >= accuracy
    return betting_p_value(_group_losses(ranking, threshold, 1 - accuracy, seed), 1 - accuracy) <= 1 - confidence


def _group_losses(ranking: Ranking, threshold: float, risk: float, seed: int) -> Array:
    """(G,) float64 0 to 1, a loss a group, in a random order: its mean is `risk` where that is the risk of the rest.

    It is the number of mistakes of the group's rest, and the risk for each example by which the rest is smaller than
    the largest group; divided by the size of that. So a mean that is below the risk is a ratio of the expected
    mistakes and the expected number of examples of the rest that is below it, whatever the sizes.
    """
    assert ranking.groups is not None
    numbers, sizes = number_groups(ranking.groups)
    is_kept = ranking.uncertainty < threshold
    rest, wrong = (np.bincount(numbers, weights, len(sizes)) for weights in (is_kept, is_kept & ~ranking.correct))
    losses = (wrong + (sizes.max() - rest) * risk) / sizes.max()
    return losses[np.random.default_rng(seed).permutation(len(losses))]


def _group_accuracy_bound(ranking: Ranking, threshold: float, confidence: float, seed: int) -> float:
    """The highest accuracy of the rest below which the test refuses all, or 0."""

    def excess(accuracy: float) -> float:
        risk = 1 - accuracy
        return betting_p_value(_group_losses(ranking, threshold, risk, seed), risk) - (1 - confidence)

    if excess(SMALLEST) > 0:
        return 0.0
    return float(scipy.optimize.brentq(excess, SMALLEST, 1.0, xtol=SMALLEST)) - SMALLEST


def _accuracy_bound(right: int, count: int, confidence: float) -> float:
    return proportion(right, count, 2 * confidence - 1).low  # both tails of that are 1 - confidence


def _split_in_halves(ranking: Ranking, seed: int) -> tuple[Array, Array]:
    first, second = split_in_halves(len(ranking), ranking.groups, seed)
    return np.sort(first), np.sort(second)


@dataclass(frozen=True)
class Costs:
    """What looks and missed mistakes cost by a threshold, on examples whose labels did not choose it.

    Attributes:
        threshold: the cheapest on one half of the examples, as in `Referral`.
        on_others: its result on the other half, by their numbers among all.
        cost: of the looks and the mistakes that are missed, on the other half as the next two.
        of_none: the cost of looking at no example.
        of_all: the cost of looking at all.
        saved: the saving against the cheaper of none and all, with its interval; below 0 the threshold costs more.
    """

    threshold: float
    on_others: Referral
    cost: float
    of_none: float
    of_all: float
    saved: Interval


def find_cheapest(ranking: Ranking, mistake: float, look: float, *, confidence: float = 0.95, seed: int = 0) -> Costs:
    """Find the cheapest threshold on one half of the examples, and judge by the other half what it saves.

    Against none, looks save the mistakes that they find; against all, what is left saves its looks. The saving is the
    lesser of the two, and so is each of its ends: those of the shares of mistakes among the two parts are exact
    (Clopper & Pearson 1934).

    Args:
        ranking: N ≥ 2 labelled examples.
        mistake: cost of a mistake that is missed, in any unit.
        look: cost of a person's look at one example, in the same unit.
        confidence: of the interval.
        seed: of the halves.
    """
    choosing, others = _split_in_halves(ranking, seed)
    thresholds, referred, missed = _threshold_steps(ranking.select(choosing))
    threshold = float(thresholds[(mistake * missed + look * referred).argmin()])  # of equal ones the fewest looks
    on = _evaluate_on(ranking, threshold, others)
    looks, rest = len(on.referred), len(others) - len(on.referred)
    caught, left = (
        proportion(mistakes, count, confidence) if count else Interval(0, 0, 0)
        for mistakes, count in ((on.caught, looks), (on.missed, rest))
    )
    cost, of_none, of_all = mistake * on.missed + look * looks, mistake * (on.caught + on.missed), look * len(others)
    low, high = (
        min(mistake * looks * of_looks - look * looks, look * rest - mistake * rest * of_rest)
        for of_looks, of_rest in ((caught.low, left.high), (caught.high, left.low))
    )
    return Costs(threshold, on, cost, of_none, of_all, Interval(min(of_none, of_all) - cost, low, high))


@dataclass(frozen=True)
class Shift:
    """A two-sample Kolmogorov–Smirnov test: are the scores of new examples distributed as those of old ones?

    Attributes:
        statistic: the largest difference of the two distribution functions, 0 to 1.
        p_value: the chance of as large a one if there is no shift.
    """

    statistic: float
    p_value: float


def compare_scores(old: Array, new: Array) -> Shift:
    """Test whether the scores of two sets of examples have the same distribution.

    Args:
        old: (N,) floating point.
        new: (M,) floating point.
    """
    test = scipy.stats.ks_2samp(old, new)
    return Shift(float(test.statistic), float(test.pvalue))
