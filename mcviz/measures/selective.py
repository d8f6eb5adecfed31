"""Selective prediction: how good the predictions are if those that are uncertain go to a person.

Examples are kept from the most certain to the least. Where uncertainties tie, a figure is its expected value over all
orders of the ties, which is exact: errors add up evenly over the ties.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcviz.measures.bootstrap import Interval, Statistic, weighted_intervals

Array = np.ndarray


@dataclass(frozen=True)
class Ranking:
    """Predictions of N ≥ 1 examples, ordered by how uncertain they are.

    Attributes:
        uncertainty: (N,) floating point, no NaN, high for uncertain.
        correct: (N,) bool.
    """

    uncertainty: Array
    correct: Array

    def __len__(self) -> int:
        return len(self.correct)

    def only(self, chosen: Array | slice) -> "Ranking":
        """The same of some of the examples."""
        return Ranking(self.uncertainty[chosen], self.correct[chosen])


def errors_kept(ranking: Ranking) -> Array:
    """(N + 1,) float64, the expected number of errors among the 0, 1, … N most certain examples."""
    kept, errors = _groups(ranking, np.ones((1, len(ranking))))
    return np.interp(np.arange(len(ranking) + 1), kept[0], errors[0])


def risk_by_coverage(ranking: Ranking) -> Array:
    """(N,) float64 0 to 1, the risk: the share of errors among the 1, 2, … N most certain examples."""
    return errors_kept(ranking)[1:] / np.arange(1, len(ranking) + 1)


def accuracy_of_rest(ranking: Ranking) -> Array:
    """(N + 1,) float64, the accuracy of the rest after the 0, 1, … N most uncertain were referred; 1 without a rest."""
    kept = np.arange(len(ranking), -1, -1)
    return 1 - errors_kept(ranking)[::-1] / np.maximum(kept, 1)


def perfect(ranking: Ranking) -> Ranking:
    """The same predictions in the best order there is: every error is less certain than all that is correct."""
    return Ranking((~ranking.correct).astype(np.float64), ranking.correct)


def risk_bands(
    ranking: Ranking, coverages: Array, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> list[Interval]:
    """The risk at some coverages, with bootstrap intervals at each.

    Args:
        ranking: of N examples.
        coverages: (G,) shares of the examples that are kept, above 0, up to 1.
        confidence: 0 to 1, of each interval.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        G intervals; that of the accuracy among those that are kept is one less each.
    """

    def risks_of(chosen: Array | slice) -> Statistic:
        some = ranking.only(chosen)
        kept_counts = coverages * len(some)

        def risks(weights: Array) -> Array:
            rows = zip(*_groups(some, weights), strict=True)
            return np.stack([np.interp(kept_counts, kept, errors) for kept, errors in rows]) / kept_counts

        return risks

    return weighted_intervals(risks_of, len(ranking), confidence=confidence, resamples=resamples, seed=seed)


@dataclass(frozen=True)
class SelectiveFigures:
    """How well an order finds errors, over all coverages: low is good.

    Attributes:
        aurc: the mean risk over the coverages 1/N, 2/N, … 1 (Geifman & El-Yaniv 2017).
        e_aurc: what it is above that of the perfect order (Geifman et al. 2019).
        augrc: the area under the share of all examples that are kept and wrong, against the coverage: the mean risk of
            an error that nobody sees (Traub et al. 2024).
        above_best: `augrc` less that of the order with the lowest one, paired by example.
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
    """Compare orders of the same examples, with bootstrap intervals.

    Args:
        rankings: by name, such as that of a score. The predictions may be others: those of the deterministic model are.
        confidence: 0 to 1, of each interval; that several orders are compared with the best one is not allowed for.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        The figures of each ranking, by its name.
    """
    examples = len(next(iter(rankings.values())))
    one = np.ones((1, examples))
    best = int(np.argmin([areas(ranking, one)[0, 2] for ranking in rankings.values()]))

    def figures_of(chosen: Array | slice) -> Statistic:
        some = [ranking.only(chosen) for ranking in rankings.values()]

        def figures(weights: Array) -> Array:
            found = np.stack([areas(ranking, weights) for ranking in some], axis=1)
            above = found[..., 2:] - found[:, best : best + 1, 2:]
            return np.concatenate([found, above], axis=2).reshape(len(weights), -1)

        return figures

    found = weighted_intervals(figures_of, examples, confidence=confidence, resamples=resamples, seed=seed)
    return {name: SelectiveFigures(*found[4 * i : 4 * i + 4]) for i, name in enumerate(rankings)}


def tied_with_best(figures: Mapping[str, SelectiveFigures]) -> Sequence[str]:
    """The names of the orders that do not differ from the best beyond noise, the best first."""
    tied = [name for name, each in figures.items() if each.ties_with_best]
    return sorted(tied, key=lambda name: figures[name].augrc.value)


def _groups(ranking: Ranking, weights: Array) -> tuple[Array, Array]:
    """How many examples, and how many errors, the most certain groups hold together: ties, or what has no error.

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


def auroc_of_mistakes(ranking: Ranking, weights: Array) -> Array:
    """The chance that a mistake is less certain than what is correct (ties count half), of R draws.

    Args:
        ranking: of N examples.
        weights: (R, N) how often each draw holds each example.

    Returns:
        (R,) float64, 0 to 1; NaN of a draw that holds no mistake, or nothing else.
    """
    kept, errors = _groups(ranking, weights)
    correct = kept - errors
    below = ((correct[:, 1:] + correct[:, :-1]) / 2 * np.diff(errors, axis=1)).sum(axis=1)  # pairs in the right order
    pairs = correct[:, -1] * errors[:, -1]
    return np.divide(below, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def areas(ranking: Ranking, weights: Array) -> Array:
    """AURC, E-AURC and AUGRC of R draws, as `SelectiveFigures` has them.

    Args:
        ranking: of N examples.
        weights: (R, N) how often each draw holds each example, which sum to N; not always whole.

    Returns:
        (R, 3) float64.
    """
    examples = len(ranking)
    kept, errors = _groups(ranking, weights)
    augrc = ((errors[:, 1:] + errors[:, :-1]) / 2 * np.diff(kept, axis=1)).sum(axis=1) / examples**2
    # Within ties, errors are a line over k, and the risk is that line divided by k.
    counts, more = np.diff(kept, axis=1), np.diff(errors, axis=1)
    slope = np.divide(more, counts, out=np.zeros_like(more), where=counts > 0)
    steps = np.diff(_harmonic(kept, examples), axis=1)
    aurc = (more + (errors[:, :-1] - slope * kept[:, :-1]) * steps).sum(axis=1) / examples
    wrong = errors[:, -1]
    correct = examples - wrong
    best = (wrong - correct * (_harmonic(kept[:, -1], examples) - _harmonic(correct, examples))) / examples
    return np.stack([aurc, aurc - best, augrc], axis=1)


def _harmonic(counts: Array, most: int) -> Array:
    """The sums of 1/k up to each count, 0 to `most`; up to one that is not whole, on a line between its neighbours."""
    sums, whole = np.r_[0, (1 / np.arange(1, most + 1)).cumsum()], counts.astype(np.intp)
    return sums[whole] + (counts - whole) / (whole + 1)
