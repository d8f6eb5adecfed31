"""Selective prediction: the quality of the rest if uncertain examples are referred.

Examples are kept from the most certain to the least; with ties, a figure is its exact mean over their orders. The loss
of an example is 0 to 1. Bounds are exact for mistakes (Clopper & Pearson 1934), and hold for other losses by betting
(Waudby-Smith & Ramdas 2024). A referral is a threshold that also applies to new examples, so ties are referred
together.
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
    share_interval,
    split_in_halves,
)

Array = np.ndarray

SMALLEST = 1e-6  # step of a quality


@dataclass(frozen=True)
class Ranking:
    """Predictions of N ≥ 1 examples, ordered by uncertainty.

    Attributes:
        uncertainty: (N,) floating point, no NaN, high for uncertain.
        loss: (N,) bool, whether each prediction is a mistake; or float64 0 to 1, how wrong it is.
        groups: (N,) integers, the group of each example; None if each is its own.
    """

    uncertainty: Array
    loss: Array
    groups: Array | None = None

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def counts_mistakes(self) -> bool:
        """Whether losses are mistakes, so that their sum is a count."""
        return self.loss.dtype == bool

    def select(self, chosen: Array | slice) -> "Ranking":
        """Return the ranking of some examples, by a slice, numbers or a mask."""
        groups = None if self.groups is None else self.groups[chosen]
        return Ranking(self.uncertainty[chosen], self.loss[chosen], groups)


def cumulative_loss(ranking: Ranking) -> Array:
    """Return the expected loss sum of the 0, 1, … N most certain: (N + 1,) float64."""
    counts, losses = _cumulate_groups(ranking, np.ones((1, len(ranking))))
    return np.interp(np.arange(len(ranking) + 1), counts[0], losses[0])


def quality_of_rest(ranking: Ranking) -> Array:
    """Return 1 − risk of the rest after 0, 1, … N referrals.

    (N + 1,) float64; of mistakes it is the accuracy, and 1 for an empty rest.
    """
    counts = np.arange(len(ranking), -1, -1)
    return 1 - cumulative_loss(ranking)[::-1] / np.maximum(counts, 1)


def perfect_ranking(ranking: Ranking) -> Ranking:
    """Return the predictions in the best order: larger losses are less certain."""
    return Ranking(ranking.loss.astype(np.float64), ranking.loss)


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
        G intervals of the risk; the quality of the kept examples is one minus each.
    """

    def build_statistic(chosen: Array | slice) -> Statistic:
        some = ranking.select(chosen)

        def risks(weights: Array) -> Array:
            rows = zip(*_cumulate_groups(some, weights), strict=True)
            return np.stack(
                [
                    np.interp(coverages * counts[-1], counts, losses) / (coverages * counts[-1])
                    for counts, losses in rows
                ]
            )

        return risks

    options: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    return bootstrap_intervals(build_statistic, len(ranking), groups=ranking.groups, **options)


@dataclass(frozen=True)
class SelectiveFigures:
    """The quality of an order at finding large losses; low is good.

    Attributes:
        aurc: the mean risk over the coverages 1/N, 2/N, … 1 (Geifman & El-Yaniv 2017).
        e_aurc: its excess over the perfect order (Geifman et al. 2019).
        augrc: the area under the loss of the kept examples, as a share of all examples, against the coverage: the mean
            risk of an undetected error (Traub et al. 2024).
        above_best: `augrc` − that of the order with the lowest one, with an interval that holds for all orders at
            once.
        above_random: `augrc` − that of a random order, half of the mean loss, with such an interval.
    """

    aurc: Interval
    e_aurc: Interval
    augrc: Interval
    above_best: Interval
    above_random: Interval

    @property
    def beats_random(self) -> bool:
        """Whether the order beats a random one by more than noise."""
        return self.above_random.high < 0

    @property
    def ties_with_best(self) -> bool:
        """Whether the order is the best, or within noise of it."""
        return self.above_best.low <= 0


def selective_figures(
    rankings: Mapping[str, Ranking], *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> dict[str, SelectiveFigures]:
    """Compare orders of the same examples, with `area_intervals`.

    The best of several orders is partly the best by chance. So differences of AUGRC are compared with the range, over
    all orders, of each bootstrap draw's deviations. Among equally good orders, one or more seem worse in 1 -
    `confidence` of cases (like Tukey's studentized range).

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
        return lambda weights: np.concatenate([_areas_and_random(ranking, weights) for ranking in some], axis=1)

    first = next(iter(rankings.values()))
    value, draws = resample(build_statistic, len(first), groups=first.groups, resamples=resamples, seed=seed)
    (augrc, above_random), moved = (value[place::4] for place in (2, 3)), draws - value
    noise = float(np.quantile(np.ptp(moved[:, 2::4], axis=1), confidence))
    of_random = float(np.quantile(np.abs(moved[:, 3::4]).max(axis=1), confidence))
    figures = {}
    for i, (name, ranking) in enumerate(rankings.items()):
        of_ranking = slice(4 * i, 4 * i + 3)
        aurc, e_aurc, area = area_intervals(value[of_ranking], draws[:, of_ranking], ranking.loss, confidence)
        best, random = (
            Interval(float(excess), float(excess - around), float(excess + around))
            for excess, around in ((augrc[i] - augrc.min(), noise), (above_random[i], of_random))
        )
        figures[name] = SelectiveFigures(aurc, e_aurc, area, best, random)
    return figures


def _areas_and_random(ranking: Ranking, weights: Array) -> Array:
    """Return (R, 4): the areas, and AUGRC − half of the mean loss."""
    areas = compute_areas(ranking, weights)
    random = weights @ ranking.loss / weights.sum(axis=1) / 2
    return np.column_stack([areas, areas[:, 2] - random])


def area_intervals(value: Array, draws: Array, loss: Array, confidence: float) -> list[Interval]:
    """Compute intervals of areas between 0 and 1.

    They are Student's t intervals of logits with bootstrap errors, because bootstrap percentiles are too narrow for few
    mistakes or few correct predictions. The degrees of freedom are the rarer of both, minus one; for other losses, of
    examples with a loss above 0, and below 1.

    Args:
        value: (M,) areas of N examples, as `compute_areas` has them.
        draws: (R, M) those of bootstrap draws.
        loss: (N,) as `Ranking` has it.
        confidence: 0 to 1.

    Returns:
        M intervals; without ends for fewer than 5 mistakes or 5 correct predictions, and for an area of 0 or 1.
    """
    fewest = min(np.count_nonzero(loss), np.count_nonzero(loss < 1))
    if fewest < FEWEST_OF_EACH:
        return [Interval(float(figure)) for figure in value]
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.nanstd(draws, axis=0, ddof=1) / (value * (1 - value))
        around = scipy.special.stdtrit(fewest - 1, (1 + confidence) / 2) * errors
        low, high = (scipy.special.expit(scipy.special.logit(value) + way * around) for way in (-1, 1))
    return [Interval(*map(float, interval)) for interval in zip(value, low, high, strict=True)]


def find_ties_with_best(figures: Mapping[str, SelectiveFigures]) -> Sequence[str]:
    """List the orders within noise of the best, the best first."""
    tied = [name for name, areas_of_score in figures.items() if areas_of_score.ties_with_best]
    return sorted(tied, key=lambda name: figures[name].augrc.value)


def _cumulate_groups(ranking: Ranking, weights: Array) -> tuple[Array, Array]:
    """Cumulate examples and losses over groups, the most certain first.

    A group is a tie, or a stretch without loss.

    Args:
        ranking: of N examples.
        weights: (R, N) how often each of R draws holds each example.

    Returns:
        (R, G + 1) each, from none to all; between two groups, losses are a line over examples.
    """
    order = np.argsort(ranking.uncertainty, kind="stable")
    ordered, loss = ranking.uncertainty[order], ranking.loss[order]
    wrong = loss > 0
    tie = np.cumsum(np.r_[False, ordered[1:] != ordered[:-1]])
    with_loss = np.bincount(tie, wrong)[tie] > 0
    first = np.flatnonzero(np.r_[True, np.diff(tie).astype(bool) & (with_loss[1:] | with_loss[:-1])])
    counts = np.add.reduceat(weights.take(order, axis=1), first, axis=1)
    at = np.searchsorted(np.flatnonzero(wrong), np.r_[first, len(order)])
    losses = weights[:, order[wrong]] if ranking.counts_mistakes else weights[:, order[wrong]] * loss[wrong]
    none = np.zeros((len(weights), 1))
    return np.hstack([none, counts.cumsum(axis=1)]), np.hstack([none, losses.cumsum(axis=1)])[:, at]


def compute_areas(ranking: Ranking, weights: Array) -> Array:
    """Compute AURC, E-AURC and AUGRC of R draws (see `SelectiveFigures`).

    Args:
        ranking: of N examples.
        weights: (R, N) float64 whole numbers, how often each draw holds each example.

    Returns:
        (R, 3) float64.
    """
    counts, losses = _cumulate_groups(ranking, weights)
    examples = counts[:, -1]
    augrc = ((losses[:, 1:] + losses[:, :-1]) / 2 * np.diff(counts, axis=1)).sum(axis=1) / examples**2
    # Sums of 1/k up to each k: within ties, losses are a line over k, and the risk is that line divided by k.
    harmonic = np.r_[0, (1 / np.arange(1, int(examples.max()) + 1)).cumsum()]
    aurc = _area_under_risk(counts, losses, harmonic)
    if ranking.counts_mistakes:
        wrong = losses[:, -1]
        correct = (examples - wrong).astype(np.intp)
        best = (wrong - correct * (harmonic[examples.astype(np.intp)] - harmonic[correct])) / examples
    else:
        best = _area_under_risk(*_cumulate_groups(perfect_ranking(ranking), weights), harmonic)
    return np.stack([aurc, aurc - best, augrc], axis=1)


def _area_under_risk(counts: Array, losses: Array, harmonic: Array) -> Array:
    """Compute (R,) AURCs; `harmonic` sums 1, 1/2, 1/3, … up to each count."""
    more = np.diff(losses, axis=1)
    slope = more / np.maximum(np.diff(counts, axis=1), 1)
    steps = np.diff(harmonic[counts.astype(np.intp)], axis=1)
    areas: Array = (more + (losses[:, :-1] - slope * counts[:, :-1]) * steps).sum(axis=1) / counts[:, -1]
    return areas


def auroc_of_mistakes(ranking: Ranking, weights: Array, augrc: Array) -> Array:
    """Compute R draws' AUROC of mistakes from their AUGRC (Traub et al. 2024).

    It is the chance that a mistake is less certain than a correct prediction; ties count half.

    Args:
        ranking: of N examples, by mistakes.
        weights: (R, N) float64 whole numbers, how often each draw holds each example.
        augrc: (R,) of the draws, as `compute_areas` has it.

    Returns:
        (R,) float64; NaN without mistakes, or with nothing else.
    """
    risk = weights @ ranking.loss / weights.sum(axis=1)
    pairs = risk * (1 - risk)
    missed = np.divide(augrc - risk**2 / 2, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return 1 - missed


@dataclass(frozen=True)
class Referral:
    """The result of a threshold on labelled examples.

    Attributes:
        threshold: the least uncertainty that is referred; infinite to refer none.
        referred: (R,) int64 numbers of the examples that are referred, the most uncertain first.
        caught: the sum of their losses: of mistakes the number.
        missed: the same of the rest.
        quality_of_rest: 1 − mean loss of the rest, of mistakes the accuracy; None if all are referred.
    """

    threshold: float
    referred: Array
    caught: float
    missed: float
    quality_of_rest: float | None


def select_referred(uncertainty: Array, threshold: float) -> Array:
    """Select referred examples by a threshold, without labels.

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
    is_rest = np.ones(len(ranking), bool)
    is_rest[referred] = False
    caught, missed, rest = ranking.loss[referred].sum().item(), ranking.loss[is_rest].sum().item(), int(is_rest.sum())
    return Referral(threshold, referred, caught, missed, 1 - missed / rest if rest else None)


def referral_for_quality(ranking: Ranking, quality: float) -> Referral:
    """Refer the fewest examples that give the rest a quality.

    Args:
        ranking: labelled examples.
        quality: 0 to 1, the least of the rest, of mistakes the accuracy; an empty rest is good enough.
    """
    steps, wanted = _threshold_steps(ranking), Fraction(str(quality))
    for threshold, referred, missed in zip(*steps, strict=True):
        rest = len(ranking) - int(referred)
        if rest - missed.item() >= wanted * rest:
            return evaluate_threshold(ranking, float(threshold))
    raise AssertionError("unreachable: where all are referred, nothing is missed")


def referral_for_budget(ranking: Ranking, budget: int) -> Referral:
    """Refer up to `budget` uncertain examples, ties together.

    Args:
        ranking: labelled examples.
        budget: the most that are referred.
    """
    thresholds, referred, _ = _threshold_steps(ranking)
    return evaluate_threshold(ranking, float(thresholds[np.searchsorted(referred, budget, side="right") - 1]))


def referral_for_misses(ranking: Ranking, share: float) -> Referral:
    """Refer the fewest examples that leave a small share of loss.

    Args:
        ranking: labelled examples.
        share: 0 to 1, the most of all losses that is among the rest.
    """
    thresholds, _, missed = _threshold_steps(ranking)
    allowed = Fraction(str(share)) * Fraction(missed[0].item())
    return evaluate_threshold(ranking, float(thresholds[np.flatnonzero(missed <= float(allowed))[0]]))


def _threshold_steps(ranking: Ranking) -> tuple[Array, Array, Array]:
    """Return each distinct threshold, its number of referrals and missed loss.

    The first refers none. Mistakes are counted in int64, other losses summed in float64.
    """
    values, places, counts = np.unique(-ranking.uncertainty, return_inverse=True, return_counts=True)
    losses = np.bincount(places, ranking.loss)
    missed = np.r_[losses[::-1].cumsum()[::-1], 0.0]  # summed from the end, so that it ends at exactly 0
    return (
        np.r_[np.inf, -values],
        np.r_[0, counts.cumsum()],
        missed.astype(np.int64 if ranking.counts_mistakes else float),
    )


@dataclass(frozen=True)
class Guarantee:
    """A threshold with a guarantee for new examples drawn alike.

    Attributes:
        threshold: as in `Referral`.
        confidence: 0 to 1, how often labelled examples lead to a guarantee that is true.
        quality: lower bound of the expected quality of new examples that are not referred, 0 to 1: of mistakes the
            accuracy.
        on_others: the result on the examples whose labels did not choose the threshold, by their numbers among all.
        others: (M,) int64 these numbers.
    """

    threshold: float
    confidence: float
    quality: float
    on_others: Referral
    others: Array


def guarantee_threshold(
    ranking: Ranking, choose: Callable[[Ranking], Referral], *, confidence: float = 0.95, seed: int = 0
) -> Guarantee | None:
    """Choose a threshold on one half, and bound its quality on the other.

    Args:
        ranking: N ≥ 2 labelled examples.
        choose: such as `referral_for_misses` of a share.
        confidence: above 0.5, of the one-sided bound.
        seed: of the halves.

    Returns:
        None if the threshold refers all of the other half.
    """
    first, second = _split_in_halves(ranking, seed)
    return _guarantee(ranking, choose(ranking.select(first)).threshold, second, confidence, seed)


def guarantee_budget(ranking: Ranking, budget: int, *, confidence: float = 0.95, seed: int = 0) -> Guarantee | None:
    """Bound the quality of the rest for a budget.

    All labels test the threshold: it is a rank, so none of them chose it.

    Args:
        ranking: N ≥ 1 labelled examples.
        budget: the most that are referred.
        confidence: as in `guarantee_threshold`.
        seed: of the order of the groups.

    Returns:
        None if the budget is for all examples, or nothing is known of the rest.
    """
    threshold = referral_for_budget(ranking, budget).threshold
    return _guarantee(ranking, threshold, np.arange(len(ranking)), confidence, seed)


def _guarantee(ranking: Ranking, threshold: float, others: Array, confidence: float, seed: int) -> Guarantee | None:
    outcome = _evaluate_on(ranking, threshold, others)
    rest = len(others) - len(outcome.referred)
    if not rest:
        return None
    if ranking.counts_mistakes and ranking.groups is None:
        quality = _accuracy_bound(rest - int(outcome.missed), rest, confidence)
    else:
        quality = _betting_bound(ranking.select(others), threshold, confidence, seed)
        if not quality:
            return None
    return Guarantee(threshold, confidence, quality, outcome, others)


def _evaluate_on(ranking: Ranking, threshold: float, others: Array) -> Referral:
    outcome = evaluate_threshold(ranking.select(others), threshold)
    return replace(outcome, referred=others[outcome.referred])


def guarantee_quality(ranking: Ranking, quality: float, *, confidence: float = 0.95, seed: int = 0) -> Guarantee | None:
    """Find the fewest referrals that guarantee a quality: Learn then Test.

    One half orders the thresholds, from the likeliest to pass to ever fewer referrals. The other half tests them until
    the first fails (fixed sequence testing, Angelopoulos et al. 2021), so the confidence holds for the last that
    passed.

    Args:
        ranking: N ≥ 2 labelled examples.
        quality: 0 to 1, of the rest, of mistakes the accuracy.
        confidence: above 0.5.
        seed: of the halves, and of the order in which losses are bet on.

    Returns:
        None if the examples are too few, or the losses too large, for a guarantee.
    """
    choosing, others = _split_in_halves(ranking, seed)
    first, second = ranking.select(choosing), ranking.select(others)
    thresholds, referred, missed = _threshold_steps(first)
    effect = design_effect(first.loss, float(first.loss.mean()), first.groups)
    rest = ((len(first) - referred) / effect).astype(np.int64)
    start = _likeliest_to_pass(rest, missed / effect, quality, confidence)
    passing = None
    for threshold in thresholds[start::-1]:
        if not _passes(second, threshold, quality, confidence, seed):
            break
        passing = float(threshold)
    if passing is None:
        return None
    return Guarantee(passing, confidence, quality, _evaluate_on(ranking, passing, others), others)


def _likeliest_to_pass(rest: Array, missed: Array, quality: float, confidence: float) -> int:
    """Return the index of the threshold that is most likely to pass.

    Any guess is valid. This one assumes that more certain examples are at least as often right, and treats losses as
    mistakes.
    """
    nearly = np.maximum(rest - 3 * np.sqrt(rest), 0).astype(np.int64)  # the other half may leave fewer
    allowed = scipy.stats.binom.ppf(1 - confidence, nearly, 1 - quality) - 1
    risk = np.minimum.accumulate((missed + 0.5) / (rest + 1))
    return int(np.argmax(scipy.stats.binom.cdf(allowed, rest, risk)))


def _passes(ranking: Ranking, threshold: float, quality: float, confidence: float, seed: int) -> bool:
    is_kept = ranking.uncertainty < threshold
    count = int(np.count_nonzero(is_kept))
    if not count:
        return False
    if ranking.counts_mistakes and ranking.groups is None:
        right = count - int(np.count_nonzero(ranking.loss[is_kept]))
        return _accuracy_bound(right, count, confidence) >= quality
    risk = 1 - quality
    return betting_p_value(_losses_of_rest(ranking, threshold, risk, seed), risk) <= 1 - confidence


def _losses_of_rest(ranking: Ranking, threshold: float, risk: float, seed: int) -> Array:
    """Return (G,) float64 losses of the groups' rests, 0 to 1, shuffled.

    A group's number is the sum of its rest's losses, plus `risk` for each example less than the largest group, divided
    by that group's size. So their mean is below `risk` exactly if the rest's loss per example is.
    """
    is_kept, random = ranking.uncertainty < threshold, np.random.default_rng(seed)
    if ranking.groups is None:
        return random.permutation(ranking.loss[is_kept])
    numbers, sizes = number_groups(ranking.groups)
    rest, lost = (np.bincount(numbers, weights, len(sizes)) for weights in (is_kept, is_kept * ranking.loss))
    losses = (lost + (sizes.max() - rest) * risk) / sizes.max()
    return losses[random.permutation(len(losses))]


def _betting_bound(ranking: Ranking, threshold: float, confidence: float, seed: int) -> float:
    def excess(quality: float) -> float:
        risk = 1 - quality
        return betting_p_value(_losses_of_rest(ranking, threshold, risk, seed), risk) - (1 - confidence)

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
    """The costs of a threshold, on examples whose labels did not choose it.

    Attributes:
        threshold: the cheapest on one half of the examples, as in `Referral`.
        on_others: its result on the other half, by their numbers among all.
        cost: of the looks and the missed mistakes, on the other half as the next two.
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
    """Find the cheapest threshold on one half, and judge savings on the other.

    Against looking at none, looks save the mistakes that they find; against looking at all, the rest saves its looks.
    The saving, and each of its ends, is the lesser of the two. Ends are exact for mistakes (Clopper & Pearson 1934),
    else of `bounded_interval`.

    Args:
        ranking: N ≥ 2 labelled examples.
        mistake: cost of a mistake that is missed, or of a loss of 1, in any unit.
        look: cost of a person's look at one example, in the same unit.
        confidence: of the interval.
        seed: of the halves.
    """
    choosing, others = _split_in_halves(ranking, seed)
    thresholds, referred, missed = _threshold_steps(ranking.select(choosing))
    threshold = float(thresholds[(mistake * missed + look * referred).argmin()])  # among equals the fewest looks
    on = _evaluate_on(ranking, threshold, others)
    looks, rest = len(on.referred), len(others) - len(on.referred)
    is_look = np.isin(others, on.referred)
    losses = (ranking.loss[others[part]] for part in (is_look, ~is_look))
    caught, left = (share_interval(loss, None, confidence) if len(loss) else Interval(0, 0, 0) for loss in losses)
    cost, of_none, of_all = mistake * on.missed + look * looks, mistake * (on.caught + on.missed), look * len(others)
    low, high = (
        min(mistake * looks * of_looks - look * looks, look * rest - mistake * rest * of_rest)
        for of_looks, of_rest in ((caught.low, left.high), (caught.high, left.low))
    )
    return Costs(threshold, on, cost, of_none, of_all, Interval(min(of_none, of_all) - cost, low, high))


@dataclass(frozen=True)
class Shift:
    """A two-sample Kolmogorov–Smirnov test of new scores against old ones.

    Attributes:
        statistic: the largest difference of the two distribution functions, 0 to 1.
        p_value: the chance of as large a one if there is no shift.
    """

    statistic: float
    p_value: float


def compare_scores(old: Array, new: Array) -> Shift:
    """Test whether two sets of scores have the same distribution.

    Args:
        old: (N,) floating point.
        new: (M,) floating point.
    """
    test = scipy.stats.ks_2samp(old, new)
    return Shift(float(test.statistic), float(test.pvalue))
