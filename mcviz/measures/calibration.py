"""Whether probabilities are what they promise: accuracy, NLL, Brier score, ECE of several ways to predict.

A way to predict is the deterministic model, a single pass, or the ensemble. Each is reduced to `Terms`, some numbers of
each example, computed of one block of examples after the other and `joined`: the passes of all need not be in memory
together.

A single pass stands for one that is drawn at random: accuracy, NLL and Brier score are means over the passes, and the
bins of its ECE hold the predictions of all passes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import scipy  # loads scipy.optimize when it is first used

from mcviz.measures.bootstrap import (
    BLOCK,
    Interval,
    mean_intervals,
    paired_difference,
    proportion,
    share_drawn,
    some_of,
)
from mcviz.measures.conformal import cross_fitted
from mcviz.measures.poisson_binomial import excess_of_mistakes

Array = np.ndarray

SMALLEST = 1 / 131068  # half a step of storage: a probability that is stored as 0 may have been as much
BINS = 15  # as in Guo et al. 2017
FEWEST_OF_EACH = 5  # mistakes, and correct predictions, of which an NLL has an interval
SHARE_OF_BINS = 0.2  # of the chance of a wrong verdict; the rest is that of the mean
MEASURES = "accuracy", "nll", "brier", "ece", "ece_equal_mass", "overconfidence"  # of `Figures`, in their order
LOG_TEMPERATURES = -4.0, 4.0  # between which the best one is looked for
MOST_FITTED = 50_000  # examples, to which a temperature is fitted


@dataclass(frozen=True)
class Terms:
    """What calibration is computed from, of one way to predict.

    Attributes:
        correct: (N, P) bool, whether each of an example's P predictions is correct; P is 1, or T for single passes.
        confidence: (N, P) float64, the probability that each gives its own prediction.
        nll: (N,) float64 nats, the negative log of the label's probability, clipped at `SMALLEST`; mean over the P.
        brier: (N,) float64 0 to 2, the sum over classes of squared differences to the label; mean over the P.
    """

    correct: Array
    confidence: Array
    nll: Array
    brier: Array

    def __len__(self) -> int:
        return len(self.nll)

    def only(self, chosen: Array | slice) -> "Terms":
        """The terms of some examples, by a slice, their numbers or a mask over all."""
        return Terms(*(getattr(self, each.name)[chosen] for each in fields(self)))


def terms(probs: Array, labels: Array) -> Terms:
    """The terms of one block of examples.

    Args:
        probs: (P, n, C) floating point: the passes as single ones, or one array of the ensemble or the model itself.
        labels: (n,) integers.
    """
    of_label = np.take_along_axis(probs, labels[None, :, None], axis=2)[..., 0].astype(np.float64)
    return Terms(
        correct=(probs.argmax(axis=2) == labels).T,
        confidence=probs.max(axis=2).T.astype(np.float64),
        nll=-np.log(np.maximum(of_label, SMALLEST)).mean(axis=0),
        brier=(np.square(probs, dtype=np.float64).sum(axis=2) - 2 * of_label + 1).mean(axis=0),
    )


def joined(blocks: Sequence[Terms]) -> Terms:
    """The terms of all examples, from those of blocks of them, in their order."""
    return Terms(*(np.concatenate([getattr(block, each.name) for block in blocks]) for each in fields(Terms)))


@dataclass(frozen=True)
class Bins:
    """The bars of a reliability diagram; predictions are in the bin whose upper end is the first to reach them.

    Attributes:
        edges: (B + 1,) float64 from 0 to 1, ascending.
        count: (B,) float64, how many examples are in each; of single passes, the mean over the passes.
        confidence: (B,) float64, their mean confidence; NaN of an empty bin, as is `accuracy`.
        accuracy: (B,) float64, the share of them that is correct.
    """

    edges: Array
    count: Array
    confidence: Array
    accuracy: Array

    @property
    def ece(self) -> float:
        """The expected calibration error (Naeini et al. 2015), 0 to 1."""
        gaps = np.nan_to_num(np.abs(self.accuracy - self.confidence))
        return float((self.count * gaps).sum() / self.count.sum())


def equal_width_edges(bins: int = BINS) -> Array:
    """(bins + 1,) ends of bins of one width."""
    return np.linspace(0, 1, bins + 1)


def equal_mass_edges(of: Terms, bins: int = BINS) -> Array:
    """Ends of bins that hold as many predictions each; equal confidences stay in one bin, so there may be fewer."""
    inner = np.quantile(of.confidence, np.arange(1, bins) / bins, method="inverted_cdf")
    return np.unique(np.r_[0, inner[inner < 1], 1])


def reliability(of: Terms, edges: Array) -> Bins:
    """Sort predictions into bins of confidence.

    Args:
        of: terms of N examples.
        edges: as `Bins` has them.
    """
    at, passes = np.searchsorted(edges[1:-1], of.confidence).ravel(), of.confidence.shape[1]
    count, confidence, correct = (
        np.bincount(at, values, len(edges) - 1) / passes for values in (None, of.confidence.ravel(), of.correct.ravel())
    )
    with np.errstate(invalid="ignore"):
        return Bins(edges, count, confidence / count, correct / count)


def _in_bins(of: Terms, edges: Array, values: Array) -> Array:
    """(N, B) sums over each example's predictions in each bin of (N, P) values, divided by P."""
    number, bins = len(of), len(edges) - 1
    at = np.searchsorted(edges[1:-1], of.confidence) + bins * np.arange(number)[:, None]
    return np.bincount(at.ravel(), values.ravel() / values.shape[1], number * bins).reshape(number, bins)


@dataclass(frozen=True)
class Figures:
    """How good one way to predict is, or how far one is from another.

    Attributes:
        accuracy: as a fraction.
        nll: in nats; from 5 mistakes and 5 correct predictions on with an interval.
        brier: 0 to 2; with an interval as `nll`.
        ece: in bins of one width, 0 to 1, without an interval.
        ece_equal_mass: in bins that hold as many predictions each, 0 to 1, without an interval.
        overconfidence: mean confidence − accuracy; below 0 the way to predict is under-confident.
        ece_by_chance: what the ECE of a calibrated way would stay below, but for a fifth of the chance that
            `confidence` leaves open; NaN of a difference.
        ece_equal_mass_by_chance: the same of `ece_equal_mass`.
    """

    accuracy: Interval
    nll: Interval
    brier: Interval
    ece: Interval
    ece_equal_mass: Interval
    overconfidence: Interval
    ece_by_chance: float = math.nan
    ece_equal_mass_by_chance: float = math.nan


@dataclass(frozen=True)
class Calibration:
    """Several ways to predict the same examples, held against their labels.

    Attributes:
        ways: the terms of each way, by its name; "ensemble" is one of them.
        figures: of each way.
        differences: of the ensemble from each of the others, paired by example: the ensemble's less the other's.
        confidence: of all intervals.
    """

    ways: Mapping[str, Terms]
    figures: Mapping[str, Figures]
    differences: Mapping[str, Figures]
    confidence: float

    @cached_property
    def bins(self) -> dict[str, Bins]:
        """The reliability diagram of each way, in bins of one width."""
        return {name: reliability(way, equal_width_edges()) for name, way in self.ways.items()}

    @cached_property
    def equal_mass_bins(self) -> dict[str, Bins]:
        """The same in bins that hold as many predictions each."""
        return {name: reliability(way, equal_mass_edges(way)) for name, way in self.ways.items()}


def calibration(
    ways: Mapping[str, Terms], *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> Calibration:
    """Hold several ways to predict against the labels.

    Args:
        ways: the terms of each way, all of the same N ≥ 1 examples; "ensemble" is one of them.
        confidence: 0 to 1, of the intervals, and that a calibrated way is not said to be another.
        resamples: of the bootstrap, and of the ECE by chance.
        seed: of the same.
    """
    options: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    found = {name: figures(way, **options) for name, way in ways.items()}
    ensemble = ways["ensemble"]
    differences = {
        name: _difference(ensemble, way, found["ensemble"], found[name], **options)
        for name, way in ways.items()
        if name != "ensemble"
    }
    return Calibration(ways, found, differences, confidence)


def figures(of: Terms, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0) -> Figures:
    """How good one way to predict is.

    An accuracy has Clopper and Pearson's interval, the over-confidence that of `excess_of_mistakes`, NLL and Brier
    score that of `mean_intervals`. Of single passes, whose mean varies less, the first two are somewhat too wide.

    Args:
        of: terms of N ≥ 1 examples.
        confidence: as for `calibration`.
        resamples: as for `calibration`.
        seed: as for `calibration`.
    """
    count, mistakes = len(of), float((~of.correct).mean(axis=1).sum())
    of_mean, of_bins = levels(confidence)
    nll, brier = (Interval(float(values.mean())) for values in (of.nll, of.brier))
    if enough(of):
        columns = np.stack([of.nll, of.brier], axis=1)
        nll, brier = mean_intervals(columns, confidence=confidence, resamples=resamples, seed=seed)
    edges = equal_width_edges(), equal_mass_edges(of)
    by_width, by_mass = (Interval(reliability(of, each).ece) for each in edges)
    chance_by_width, chance_by_mass = ece_by_chance(of, *edges, confidence=of_bins, resamples=resamples, seed=seed)
    return Figures(
        accuracy=proportion(count - mistakes, count, confidence),
        nll=nll,
        brier=brier,
        ece=by_width,
        ece_equal_mass=by_mass,
        overconfidence=excess_of_mistakes(chances(of), mistakes, of_mean),
        ece_by_chance=chance_by_width,
        ece_equal_mass_by_chance=chance_by_mass,
    )


def enough(*ways: Terms) -> bool:
    """Whether each way has the mistakes, and the correct predictions, that an interval of its NLL takes."""
    return all(min(way.correct.mean(axis=1).sum(), (~way.correct).mean(axis=1).sum()) >= FEWEST_OF_EACH for way in ways)


def _difference(one: Terms, other: Terms, of_one: Figures, of_other: Figures, **options: Any) -> Figures:
    """How far one way is from another over the same examples."""
    found: dict[str, Any] = {
        name: Interval(getattr(of_one, name).value - getattr(of_other, name).value) for name in MEASURES
    }
    correct, others = one.correct.mean(axis=1), other.correct.mean(axis=1)
    if enough(one, other):
        confident = one.confidence.mean(axis=1) - other.confidence.mean(axis=1)
        columns = [correct - others, one.nll - other.nll, one.brier - other.brier, confident - (correct - others)]
        means = mean_intervals(np.stack(columns, axis=1), **options)
        found |= dict(zip(("accuracy", "nll", "brier", "overconfidence"), means, strict=True))
    if one.correct.shape[1] == other.correct.shape[1] == 1:
        gained, lost = (int(np.count_nonzero(change)) for change in (correct > others, correct < others))
        found["accuracy"] = paired_difference(gained, lost, len(one), options["confidence"])
    return Figures(**found)


def levels(confidence: float) -> tuple[float, float]:
    """The confidence of the test of the mean, and of that of the bins, with which both together keep `confidence`."""
    open_to_chance = 1 - confidence
    return 1 - (1 - SHARE_OF_BINS) * open_to_chance, 1 - SHARE_OF_BINS * open_to_chance


def chances(of: Terms) -> Array:
    """(N,) float64, the chance that each example is a mistake, by its confidence; of several predictions the mean."""
    return np.clip(1 - of.confidence.mean(axis=1), 0, 1)


def weighted_figures(of: Terms) -> Callable[[Array], Array]:
    """The figures of draws of the examples, in bins that stay those of all examples.

    Args:
        of: terms of N examples.

    Returns:
        What takes (R, N), how often each of R draws holds each example, which sum to N, and returns (R, 6) float64 in
        the order of `MEASURES`.
    """
    masses = equal_mass_edges(of)
    columns = _columns(of, masses)
    return lambda weights: _figures(weights @ columns / weights.sum(axis=1, keepdims=True), len(masses) - 1)


def _columns(of: Terms, masses: Array) -> Array:
    """(N, K) terms that `_figures` needs the means of, with the ends of the bins of equal mass."""
    gaps = of.confidence - of.correct
    binned = [_in_bins(of, edges, gaps) for edges in (masses, equal_width_edges())]
    return np.column_stack([of.correct.mean(axis=1), of.nll, of.brier, *binned])


def _figures(means: Array, masses: int) -> Array:
    """(…, 6) in the order of `MEASURES`."""
    by_mass, by_width = means[..., 3 : 3 + masses], means[..., 3 + masses :]
    eces = [np.abs(gaps).sum(axis=-1) for gaps in (by_width, by_mass)]
    return np.stack([means[..., 0], means[..., 1], means[..., 2], *eces, by_width.sum(axis=-1)], axis=-1)


def calibration_by_group(
    ways: Mapping[str, Terms], groups: Array, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> dict[int, Calibration]:
    """The same for each group of examples alone, such as a class or a source.

    Args:
        ways: as for `calibration`.
        groups: (N,) integers, the group of each example.
        confidence: as for `calibration`.
        resamples: as for `calibration`.
        seed: as for `calibration`.

    Returns:
        The calibration of each group, by its number, ascending.
    """
    found = {}
    for group in np.unique(groups):
        of_group = {name: way.only(groups == group) for name, way in ways.items()}
        found[int(group)] = calibration(of_group, confidence=confidence, resamples=resamples, seed=seed)
    return found


def ece_by_chance(
    of: Terms, *edges: Array, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> list[float]:
    """The ECE that a perfectly calibrated model with these confidences stays below that often.

    Args:
        of: terms of N examples; of several predictions an example, whose mean varies less, one is drawn.
        edges: of the bins, as `Bins` has them.
        confidence: 0 to 1, how often it stays below (consistency resampling, Bröcker & Smith 2007).
        resamples: how often correct and wrong are drawn by the confidences.
        seed: of the draws.

    Returns:
        One for each of `edges`.
    """
    random, share = np.random.default_rng(seed), share_drawn(len(of))
    some = some_of(len(of), share, random)
    count, found = len(some), []
    confidences = of.confidence[some, random.integers(of.confidence.shape[1], size=count)]
    bins = [np.searchsorted(each[1:-1], confidences) for each in edges]
    rows = max(1, BLOCK // count)
    for start in range(0, resamples, rows):
        draws = min(rows, resamples - start)
        draw, wrong = np.nonzero(random.random((draws, count)) >= confidences)
        eces = []
        for at, each in zip(bins, edges, strict=True):
            size = len(each) - 1
            mistakes = np.bincount(draw * size + at[wrong], minlength=draws * size).reshape(draws, size)
            eces.append(np.abs(np.bincount(at, confidences - 1, size) + mistakes).sum(axis=1) / count)
        found.append(np.stack(eces, axis=1))
    return (np.quantile(np.concatenate(found), confidence, axis=0, method="higher") * np.sqrt(share)).tolist()


def temperature(probs: Array, labels: Array) -> float:
    """The temperature with which probabilities have the lowest NLL (Guo et al. 2017): above 1 they were over-confident.

    Args:
        probs: (N, C) floating point.
        labels: (N,) integers.

    Returns:
        Between e⁻⁴ and e⁴.
    """
    log_probs = _log(probs)
    of_label = log_probs[np.arange(len(labels)), labels]

    def nll(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float((scipy.special.logsumexp(log_probs * inverse, axis=1) - of_label * inverse).mean())

    return float(np.exp(scipy.optimize.minimize_scalar(nll, bounds=LOG_TEMPERATURES, method="bounded").x))


def at_temperature(probs: Array, value: float) -> Array:
    """Probabilities whose logs are divided by a temperature, (N, C) float64, normalised; (N, C) go in."""
    return scipy.special.softmax(_log(probs) / value, axis=1)


def temperature_scaled(probs: Array, labels: Array, seed: int = 0) -> Array:
    """Probabilities at the temperature that is best for the other half of the examples.

    Args:
        probs: (N, C) floating point, N ≥ 2.
        labels: (N,) integers.
        seed: of the halves.

    Returns:
        (N, C) float64.
    """

    def scaled(calibration: Array, others: Array) -> Array:
        some = calibration[:MOST_FITTED]  # in a random order
        return at_temperature(probs[others], temperature(probs[some], labels[some]))

    return cross_fitted(len(labels), scaled, seed)


def _log(probs: Array) -> Array:
    return np.log(np.maximum(probs, SMALLEST, dtype=np.float64))
