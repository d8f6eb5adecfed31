"""Selective prediction: the quality of the predictions that are kept when the uncertain ones go to a person.

Examples are kept from the most certain to the least. Where uncertainties tie, a figure is its expected value over all
orders of the ties, which is exact: errors add up evenly over the ties.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # loads scipy.special when it is first used

from mcviz.measures.bootstrap import Interval, Statistic, bootstrap_intervals, resample
from mcviz.measures.calibration import FEWEST_OF_EACH

Array = np.ndarray


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
    kept, errors = _cumulate_groups(ranking, np.ones((1, len(ranking))))
    return np.interp(np.arange(len(ranking) + 1), kept[0], errors[0])


def risk_by_coverage(ranking: Ranking) -> Array:
    """(N,) float64 0 to 1, the risk: the share of errors among the 1, 2, … N most certain examples."""
    return cumulative_errors(ranking)[1:] / np.arange(1, len(ranking) + 1)


def accuracy_of_rest(ranking: Ranking) -> Array:
    """(N + 1,) float64, the accuracy of the rest after the 0, 1, … N most uncertain were referred; 1 without a rest."""
    kept = np.arange(len(ranking), -1, -1)
    return 1 - cumulative_errors(ranking)[::-1] / np.maximum(kept, 1)


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
                [np.interp(coverages * kept[-1], kept, errors) / (coverages * kept[-1]) for kept, errors in rows]
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
    above = [Interval(each, each - noise, each + noise) for each in (augrc - augrc.min()).tolist()]
    found = {}
    for i, (name, ranking) in enumerate(rankings.items()):
        of_ranking = slice(3 * i, 3 * i + 3)
        areas = area_intervals(value[of_ranking], draws[:, of_ranking], ranking.correct, confidence)
        found[name] = SelectiveFigures(*(*areas, above[i]))
    return found


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
        return [Interval(float(each)) for each in value]
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.nanstd(draws, axis=0, ddof=1) / (value * (1 - value))
        around = scipy.special.stdtrit(fewest - 1, (1 + confidence) / 2) * errors
        low, high = (scipy.special.expit(scipy.special.logit(value) + way * around) for way in (-1, 1))
    return [Interval(*map(float, each)) for each in zip(value, low, high, strict=True)]


def find_ties_with_best(figures: Mapping[str, SelectiveFigures]) -> Sequence[str]:
    """Name the orders that do not differ from the best beyond noise, the best first."""
    tied = [name for name, each in figures.items() if each.ties_with_best]
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
    kept = np.add.reduceat(weights.take(order, axis=1), first, axis=1)
    at = np.searchsorted(np.flatnonzero(wrong), np.r_[first, len(order)])
    errors = np.cumsum(weights[:, order[wrong]], axis=1)
    none = np.zeros((len(weights), 1))
    return np.hstack([none, kept.cumsum(axis=1)]), np.hstack([none, errors])[:, at]


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
    kept, errors = _cumulate_groups(ranking, weights)
    examples, wrong = kept[:, -1], errors[:, -1]
    augrc = ((errors[:, 1:] + errors[:, :-1]) / 2 * np.diff(kept, axis=1)).sum(axis=1) / examples**2
    # Sums of 1/k up to each k: within ties, errors are a line over k, and the risk is that line divided by k.
    harmonic = np.r_[0, (1 / np.arange(1, int(examples.max()) + 1)).cumsum()]
    counts, more = np.diff(kept, axis=1), np.diff(errors, axis=1)
    slope = more / np.maximum(counts, 1)
    steps = np.diff(harmonic[kept.astype(np.intp)], axis=1)
    aurc = (more + (errors[:, :-1] - slope * kept[:, :-1]) * steps).sum(axis=1) / examples
    correct = (examples - wrong).astype(np.intp)
    best = (wrong - correct * (harmonic[examples.astype(np.intp)] - harmonic[correct])) / examples
    risk = wrong / examples
    pairs = risk * (1 - risk)
    missed = np.divide(augrc - risk**2 / 2, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return np.stack([aurc, aurc - best, augrc, 1 - missed], axis=1)
