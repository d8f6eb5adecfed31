"""Whether probabilities are what they promise: accuracy, NLL, Brier score, ECE of several ways to predict.

A way to predict is the deterministic model, a single pass, or the ensemble. Each is reduced to `Terms`, some numbers of
each example, computed of one block of examples after the other and `joined`: the passes of all need not be in memory
together.

A single pass stands for one that is drawn at random: accuracy, NLL and Brier score are means over the passes, and the
bins of its ECE hold the predictions of all passes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import scipy  # loads scipy.optimize when it is first used

from mcviz.measures.bootstrap import Interval, Statistic, proportion, share_drawn, some_of, weighted_intervals
from mcviz.measures.conformal import cross_fitted
from mcviz.measures.units import percent

Array = np.ndarray

SMALLEST = 1 / 131068  # half a step of storage: a probability that is stored as 0 may have been as much
BINS = 15  # as in Guo et al. 2017
OF_ALL = 3  # of the terms of `_figures` that are no bins
LOG_TEMPERATURES = -4.0, 4.0  # between which the best one is looked for
MOST_FITTED = 50_000  # examples, to which a temperature is fitted
BLOCK = 1 << 16  # examples whose terms are binned at once


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
    count, confidence, correct = (
        _in_bins(of, edges, values).sum(axis=0) for values in (1.0, of.confidence, of.correct)
    )
    with np.errstate(invalid="ignore"):
        return Bins(edges, count, confidence / count, correct / count)


def _in_bins(of: Terms, edges: Array, values: Array | float) -> Array:
    """(N, B) sums over each example's predictions in each bin of values, divided by P."""
    number, bins = len(of), len(edges) - 1
    at = np.searchsorted(edges[1:-1], of.confidence) + bins * np.arange(number)[:, None]
    weights = np.broadcast_to(values, of.confidence.shape).ravel() / of.confidence.shape[1]
    return np.bincount(at.ravel(), weights, minlength=number * bins).reshape(number, bins)


@dataclass(frozen=True)
class Figures:
    """How good one way to predict is, or how far one is from another.

    Attributes:
        accuracy: as a fraction.
        nll: in nats.
        brier: 0 to 2.
        ece: in bins of one width, 0 to 1.
        ece_equal_mass: in bins that hold as many predictions each, 0 to 1.
        overconfidence: mean confidence less accuracy; below 0 the way to predict is under-confident.
    """

    accuracy: Interval
    nll: Interval
    brier: Interval
    ece: Interval
    ece_equal_mass: Interval
    overconfidence: Interval


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
    """Hold several ways to predict against the labels, with bootstrap intervals.

    An accuracy of one prediction an example has its exact interval (Clopper & Pearson 1934). The bins are those of all
    examples in every resample.

    Args:
        ways: the terms of each way, all of the same N ≥ 1 examples; "ensemble" is one of them.
        confidence: 0 to 1, of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    edges = [equal_mass_edges(way) for way in ways.values()]
    masses = [len(each) - 1 for each in edges]
    ends = np.cumsum([0, *(OF_ALL + count + BINS for count in masses)])
    at, count = list(ways).index("ensemble"), len(ways["ensemble"])

    def all_figures(means: Array) -> Array:
        found = [_figures(means[..., ends[i] : ends[i + 1]], masses[i]) for i in range(len(ways))]
        return np.concatenate([*found, *(found[at] - other for other in found)], axis=-1)

    def figures_of(chosen: Array | slice) -> Statistic:
        some = [way.only(chosen) for way in ways.values()]
        examples = len(some[at])
        blocks = [slice(start, start + BLOCK) for start in range(0, examples, BLOCK)]

        def columns(rows: slice) -> Array:
            return np.hstack([_columns(way.only(rows), mass) for way, mass in zip(some, edges, strict=True)])

        if len(blocks) > 1:  # of very many examples, whose columns are not in memory at once
            return lambda weights: all_figures(sum(weights[:, rows] @ columns(rows) for rows in blocks) / examples)
        held = columns(blocks[0])
        return lambda weights: all_figures(weights @ held / examples)

    found = weighted_intervals(figures_of, count, confidence=confidence, resamples=resamples, seed=seed)
    size = len(fields(Figures))
    each = [Figures(*found[start : start + size]) for start in range(0, len(found), size)]
    figures = dict(zip(ways, each, strict=False))
    for name, way in ways.items():
        if way.correct.shape[1] == 1:
            exact = proportion(int(way.correct.sum()), len(way), confidence)
            figures[name] = Figures(exact, *(getattr(figures[name], field.name) for field in fields(Figures)[1:]))
    differences = {name: of for name, of in zip(ways, each[len(ways) :], strict=True) if name != "ensemble"}
    return Calibration(ways, figures, differences, confidence)


def weighted_figures(of: Terms) -> Callable[[Array], Array]:
    """The figures of draws of the examples, in bins that stay those of all examples.

    Args:
        of: terms of N examples.

    Returns:
        What takes (R, N), how often each of R draws holds each example, which sum to N, and returns (R, 6) float64 in
        the order of `Figures`.
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
    """(…, 6) in the order of `Figures`."""
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


def ece_by_chance(of: Terms, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0) -> float:
    """The ECE, in bins of one width, that a perfectly calibrated model with these confidences stays below that often.

    Args:
        of: terms of one prediction an example.
        confidence: 0 to 1, how often it stays below (consistency resampling, Bröcker & Smith 2007).
        resamples: how often correct and wrong are drawn by the confidences.
        seed: of the draws.
    """
    random, edges = np.random.default_rng(seed), equal_width_edges()
    share = share_drawn(len(of))
    some = of if share == 1 else of.only(some_of(len(of), share, random))
    in_bin, confidences = _in_bins(some, edges, 1.0), some.confidence[:, 0]
    expected, found = confidences @ in_bin, []
    for _ in range(resamples):
        drawn = random.random(len(some)) < confidences
        found.append(np.abs(drawn @ in_bin - expected).sum() / len(some))
    return float(np.quantile(found, confidence) * np.sqrt(share))


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


def calibration_in_words(result: Calibration) -> str:
    """The sentences of `calibration_sentences` in one text."""
    return " ".join(calibration_sentences(result))


def calibration_sentences(result: Calibration) -> list[str]:
    """Whether the ensemble's probabilities can be taken at their word, and whether the ensemble gains anything.

    Returns:
        The verdict, then a sentence for each other way to predict; each is that of an interval, or of the ECE that
        chance explains.
    """
    figures, ensemble = result.figures["ensemble"], result.ways["ensemble"]
    over, confident = figures.overconfidence, ensemble.confidence.mean()
    both = f"Its mean confidence is {percent(confident, 2)}, its accuracy {percent(figures.accuracy.value, 2)}."
    size = over.size
    ends = f"{100 * size.low:.2f} to {100 * size.high:.2f}"
    by = f"by {_points(over.value)} ({100 * result.confidence:.6g}% interval {ends})"
    if over.low > 0:
        verdict = f"The ensemble is over-confident {by}."
    elif over.high < 0:
        verdict = f"The ensemble is under-confident {by}."
    elif figures.ece.value > ece_by_chance(ensemble, confidence=result.confidence):
        verdict = (
            "The ensemble is over-confident in places and under-confident in others: its ECE of "
            f"{percent(figures.ece.value, 2)} is more than chance explains."
        )
    else:
        verdict = f"The ensemble is well calibrated, as far as {len(ensemble):,} examples tell."
    names = {"deterministic": "the deterministic model", "single_pass": "a single pass"}
    gains = [_gain(result.differences[way], name) for way, name in names.items() if way in result.differences]
    return [f"{verdict} {both}", *gains]


def _gain(difference: Figures, other: str) -> str:
    gain = difference.accuracy
    noise = gain.low <= 0 <= gain.high
    if gain.value == 0:
        accuracy = f"Its accuracy is that of {other}"
    else:
        direction = "above" if gain.value > 0 else "below"
        verdict = "within noise" if noise else "more than noise"
        accuracy = f"Its accuracy is {_points(gain.value)} {direction} that of {other}, which is {verdict}"
    fits = difference.nll
    if fits.low <= 0 <= fits.high:
        return f"{accuracy}; the NLLs do not differ beyond noise."
    return f"{accuracy}; its NLL is {'worse' if fits.value > 0 else 'better'} by {abs(fits.value):.4f} nats."


def _points(difference: float) -> str:
    """A difference of fractions, without its sign."""
    return f"{100 * abs(difference):.2f} percentage points"
