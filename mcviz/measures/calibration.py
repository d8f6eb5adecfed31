"""Calibration of predictors: figures with intervals, their table, and temperature scaling.

A predictor is the deterministic model, one pass drawn at random, or the ensemble; `calibration_terms` reduces each to a
few numbers per example. For a single pass, accuracy, NLL and Brier score are means over the passes, and the bins of its
ECE hold the predictions of all passes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import scipy  # loads scipy.optimize when it is first used

from mcviz.choices import PREDICTOR_NAMES
from mcviz.measures.conformal import cross_fit
from mcviz.measures.intervals import (
    BLOCK_WEIGHTS,
    Interval,
    accuracy_difference,
    bounded_interval,
    can_reject,
    design_effect,
    draw_examples,
    excess_mistakes,
    largest_design_effect,
    number_groups,
    share_interval,
    subsample_share,
    subtract,
)
from mcviz.measures.measure import CLASSIFICATION_MEASURES
from mcviz.measures.registry import Terms, select_terms
from mcviz.text import percent

Array = np.ndarray
Verdict = Literal["calibrated", "over-confident", "under-confident", "uneven", "too few examples", "too few groups"]
SMALLEST_PROBABILITY = 1 / 131068  # half a step of storage, so the largest value stored as 0
LARGEST_LOSSES = {"nll": -math.log(SMALLEST_PROBABILITY), "brier": 2.0}  # of an example
CALIBRATION_BINS = 15  # as in Guo et al. 2017
CONFIDENCE_EDGES = 0, 0.25, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1  # most predictions are near 1
FEWEST_IN_BIN = 50  # predictions; with fewer, an interval says little
FEWEST_OF_EACH = 5  # mistakes, and correct predictions; with fewer, an AURC has no interval
ENOUGH = f"{FEWEST_OF_EACH} mistakes and {FEWEST_OF_EACH} correct predictions"
TOO_FEW = "too few examples to tell"
SHARE_OF_BINS = 0.2  # of the chance of a wrong verdict; the mean has the rest
CALIBRATION_MEASURES = {measure.name: measure for measure in CLASSIFICATION_MEASURES if "trust" in measure.places}
TERMS = {"correct": "bool", "confidence": "float32", "nll": "float32", "brier": "float32"}  # as stored
ECES = "ece", "ece_equal_mass"  # they have a bound by chance in place of an interval

PREDICTOR_WORDS = {"deterministic": "the deterministic model", "single_pass": "a single pass"}  # in sentences
SCALED = "_scaled"  # suffix of predictors that are not compared with the ensemble
ECE_ROUNDING = 1e-9  # without mistakes, an ECE often equals the bound by chance but for rounding

LOG_TEMPERATURES = -4.0, 4.0  # range of the search
MOST_FITTED = 50_000  # examples that a temperature is fitted to


def calibration_terms(probs: Array, labels: Array, predicted: Array | None = None) -> dict[str, Array]:
    """Compute the terms of one predictor for one block of examples.

    Args:
        probs: (n, C) floating point of the ensemble or the model itself; or (T, n, C), the passes as single ones.
        labels: (n,) integers.
        predicted: (n,) or (T, n) integers, the predictions; the likeliest classes without it.

    Returns:
        `correct`, (n,) or (n, T) bool, whether each prediction is; `confidence`, float64 of the same shape, the
        probability that each gives its own prediction; `nll`, (n,) float64 nats, the negative log of the label's
        probability, clipped at 1/131068; `brier`, (n,) float64 0 to 2, the sum over classes of squared differences to
        the label. The last two are means over the passes.
    """
    passes = tuple(range(probs.ndim - 2))  # their axis, if any
    chosen = np.broadcast_to(labels[:, None], (*probs.shape[:-1], 1))
    of_label = np.take_along_axis(probs, chosen, axis=-1)[..., 0].astype(np.float64)
    predicted = probs.argmax(axis=-1) if predicted is None else predicted
    of_predicted = np.take_along_axis(probs, predicted[..., None], axis=-1)[..., 0]
    nll = -np.log(np.maximum(of_label, SMALLEST_PROBABILITY))
    brier = np.square(probs, dtype=np.float64).sum(axis=-1) - 2 * of_label + 1
    return {
        "correct": (predicted == labels).T,
        "confidence": of_predicted.T.astype(np.float64),
        "nll": nll.mean(axis=passes),
        "brier": brier.mean(axis=passes),
    }


def _mean_over_passes(values: Array) -> Array:
    return values.mean(axis=1) if values.ndim > 1 else values.astype(np.float64)


@dataclass(frozen=True)
class Bins:
    """The bins of a reliability diagram; each bin includes its upper edge.

    Attributes:
        edges: (B + 1,) float64 within 0 to 1, ascending; no prediction is beyond the outer ones.
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


def equal_width_edges(bins: int = CALIBRATION_BINS) -> Array:
    """Return (bins + 1,) edges of bins of equal width."""
    return np.linspace(0, 1, bins + 1)


def equal_mass_edges(terms: Terms, bins: int = CALIBRATION_BINS) -> Array:
    """Return edges of bins that hold equally many predictions.

    Equal confidences stay in one bin, so there may be fewer bins.
    """
    inner = np.quantile(terms["confidence"], np.arange(1, bins) / bins, method="inverted_cdf")
    return np.unique(np.r_[0, inner[inner < 1], 1])


def reliability(terms: Terms, edges: Array) -> Bins:
    """Sort predictions into bins of confidence.

    Args:
        terms: of N examples.
        edges: as `Bins` has them.
    """
    confidences, passes = terms["confidence"].ravel(), terms["confidence"].size / len(terms["nll"])
    at = np.searchsorted(edges[1:-1], confidences)
    count, confidence, correct = (
        np.bincount(at, values, len(edges) - 1) / passes for values in (None, confidences, terms["correct"].ravel())
    )
    with np.errstate(invalid="ignore"):
        return Bins(edges, count, confidence / count, correct / count)


def reliability_near_one(
    predictors: Mapping[str, Terms], confidence: float = 0.95, groups: Array | None = None
) -> dict[str, tuple[Bins, list[Interval]]]:
    """Sort the predictions of several predictors into bins that narrow towards 1.

    Bins of `CONFIDENCE_EDGES` are merged from the lowest on until each holds 50 examples of every predictor; a smaller
    rest joins the bin below. Empty ends are left out. The interval of `excess_mistakes` excludes 0 exactly if the bin's
    mistakes reject its confidences.

    Args:
        predictors: the terms of each, with one prediction an example, of at least one example.
        confidence: 0 to 1, of the intervals.
        groups: as for `calibration`.

    Returns:
        For each predictor its bins, and the accuracy − mean confidence of each bin, as a fraction.
    """
    edges = _merge_bins(np.array(CONFIDENCE_EDGES), list(predictors.values()))
    return {
        name: (reliability(terms, edges), _bin_gaps(terms, edges, confidence, groups))
        for name, terms in predictors.items()
    }


def _merge_bins(edges: Array, predictors: Sequence[Terms]) -> Array:
    counts = np.stack([reliability(terms, edges).count for terms in predictors])
    filled = np.flatnonzero(counts.any(axis=0))
    first, last = filled[0], filled[-1]
    ends = merge_bins(edges[first : last + 2], counts[:, first : last + 1], FEWEST_IN_BIN)
    return np.array([edges[first], *ends[:-1], edges[last + 1]])


def merge_bins(edges: Array, counts: Array, fewest: int) -> list[float]:
    """Merge neighbouring bins until each holds enough of every kind.

    Args:
        edges: (B + 1,) ends of the bins, ascending.
        counts: (K, B) how many of each of K kinds are in each bin.
        fewest: of each kind in a merged bin.

    Returns:
        The upper end of each merged bin; too few at the upper end are in none.
    """
    ends, held = [], np.zeros(len(counts))
    for end, count in zip(edges[1:], counts.T, strict=True):
        held = held + count
        if held.min() >= fewest:
            ends.append(end)
            held = np.zeros(len(counts))
    return ends


def _bin_gaps(terms: Terms, edges: Array, confidence: float, groups: Array | None) -> list[Interval]:
    """Compute accuracy − mean confidence of each bin; none may be empty."""
    at, gaps = np.searchsorted(edges[1:-1], terms["confidence"].ravel()), []
    for number in range(len(edges) - 1):
        within = at == number
        excess = _excess(select_terms(terms, within), confidence, None if groups is None else groups[within])
        gaps.append(Interval(0 - excess.value, 0 - excess.high, 0 - excess.low))
    return gaps


@dataclass(frozen=True)
class Calibration:
    """Several predictors compared with the labels of the same examples.

    Attributes:
        predictors: the terms of each predictor, by its name; "ensemble" is one of them.
        figures: of each predictor, by the names of `CALIBRATION_MEASURES`. Shares are fractions, the NLL in nats, and
            over-confidence is mean confidence − accuracy. An ECE has no interval.
        eces_by_chance: of each predictor, by the names of `ECES`, the bound that the ECE of a calibrated one stays
            below, but for a fifth of the chance that `confidence` leaves open.
        differences: ensemble − each of the others, paired by example.
        confidence: of all intervals.
        groups: (N,) integers, the group of each example; None if each is its own.
    """

    predictors: Mapping[str, Terms]
    figures: Mapping[str, Mapping[str, Interval]]
    eces_by_chance: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, Mapping[str, Interval]]
    confidence: float
    groups: Array | None = None

    @cached_property
    def bins(self) -> dict[str, Bins]:
        """The reliability diagram of each predictor, in bins of equal width."""
        return {name: reliability(terms, equal_width_edges()) for name, terms in self.predictors.items()}

    @cached_property
    def gains(self) -> dict[str, dict[str, Interval]]:
        """The differences of two predictors, with joint intervals (Bonferroni)."""
        ensemble, confidence = self.predictors["ensemble"], (1 + self.confidence) / 2
        return {
            name: mean_differences(self.predictors[name], ensemble, self.groups, confidence)
            for name in PREDICTOR_WORDS
            if name in self.differences
        }

    @cached_property
    def equal_mass_bins(self) -> dict[str, Bins]:
        """The reliability diagrams in bins that hold equally many predictions."""
        return {name: reliability(terms, equal_mass_edges(terms)) for name, terms in self.predictors.items()}


def calibration(
    predictors: Mapping[str, Terms],
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Calibration:
    """Compare several predictors with the labels.

    Args:
        predictors: the terms of each predictor, all of the same N ≥ 1 examples; "ensemble" is one of them.
        groups: (N,) integers, the group of each example; without it each is its own.
        confidence: 0 to 1, of the intervals, and that a calibrated predictor is not called miscalibrated.
        resamples: of the bootstrap, and of the ECE by chance.
        seed: of the same.
    """
    nothing = Calibration({}, {}, {}, {}, confidence, groups)
    ordered = {"ensemble": predictors["ensemble"], **predictors}
    return add_predictors(nothing, ordered, resamples=resamples, seed=seed)


def add_predictors(
    result: Calibration, predictors: Mapping[str, Terms], *, resamples: int = 1000, seed: int = 0
) -> Calibration:
    """Compare more predictors with the labels, reusing earlier results.

    Args:
        result: of the ensemble, and of predictors that were compared already.
        predictors: the terms of each further predictor, of the same examples.
        resamples: as for `calibration`.
        seed: as for `calibration`.

    Returns:
        The result of `calibration` for all of them together.
    """
    known, figures, by_chance = {**result.predictors, **predictors}, {**result.figures}, {**result.eces_by_chance}
    options: dict[str, Any] = {"groups": result.groups, "confidence": result.confidence}
    of_bins, differences = split_confidence(result.confidence)[1], {**result.differences}
    for name, terms in predictors.items():
        edges = _ece_edges(terms)
        figures[name] = calibration_figures(terms, edges=edges, **options)
        eces = ece_by_chance(terms, *edges, groups=result.groups, confidence=of_bins, resamples=resamples, seed=seed)
        by_chance[name] = dict(zip(ECES, eces, strict=True))
        if name != "ensemble":
            changes = {
                each: Interval(figures["ensemble"][each].value - old.value) for each, old in figures[name].items()
            }
            differences[name] = changes | mean_differences(terms, known["ensemble"], **options)
    return Calibration(known, figures, by_chance, differences, result.confidence, result.groups)


def calibration_figures(
    terms: Terms,
    *,
    edges: tuple[Array, Array] | None = None,
    groups: Array | None = None,
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Compute the quality of one predictor.

    Intervals come from `share_interval` (accuracy), `bounded_interval` (NLL, Brier score) and `excess_mistakes`
    (over-confidence), which is slightly too wide for single passes: their mean varies less.

    Args:
        terms: of N ≥ 1 examples.
        edges: of the bins of both ECEs, if known: those of equal width, and those of equal mass.
        groups: as for `calibration`.
        confidence: as for `calibration`.

    Returns:
        By the names of `CALIBRATION_MEASURES`.
    """
    bounded = {
        name: bounded_interval(terms[name], (0, most), groups, confidence) for name, most in LARGEST_LOSSES.items()
    }
    eces = (Interval(reliability(terms, bin_edges).ece) for bin_edges in edges or _ece_edges(terms))
    return {
        "accuracy": share_interval(_mean_over_passes(terms["correct"]), groups, confidence),
        **bounded,
        **dict(zip(ECES, eces, strict=True)),
        "overconfidence": _excess(terms, split_confidence(confidence)[0], groups),
    }


def _excess(terms: Terms, confidence: float, groups: Array | None) -> Interval:
    chances, wrong = mistake_chances(terms), _mean_over_passes(~terms["correct"])
    effect = design_effect(wrong, chances, groups, confidence)
    return excess_mistakes(chances, float(wrong.sum()), confidence, effect)


def _ece_edges(terms: Terms) -> tuple[Array, Array]:
    return equal_width_edges(), equal_mass_edges(terms)


def mean_differences(
    one: Terms, other: Terms, groups: Array | None = None, confidence: float = 0.95
) -> dict[str, Interval]:
    """Compute the differences of two predictors' means over the same examples.

    Args:
        one: terms of N examples.
        other: of the same examples in the same order.
        groups: as for `calibration`.
        confidence: 0 to 1, of each interval by itself.

    Returns:
        Second − first, of `accuracy`, `nll`, `brier` and `overconfidence`.
    """
    names = "correct", "nll", "brier", "confidence"
    first, second = ({name: _mean_over_passes(terms[name]) for name in names} for terms in (one, other))
    losses = {
        name: bounded_interval(subtract(second[name], first[name]), (-most, most), groups, confidence)
        for name, most in LARGEST_LOSSES.items()
    }
    before, after = (terms["confidence"] - terms["correct"] for terms in (first, second))
    return {
        "accuracy": accuracy_difference(first["correct"], second["correct"], groups, confidence),
        **losses,
        "overconfidence": bounded_interval(subtract(after, before), (-2, 2), groups, confidence),
    }


def split_confidence(confidence: float) -> tuple[float, float]:
    """Split a confidence between the tests of mean and bins.

    Both tests together keep the confidence.
    """
    open_to_chance = 1 - confidence
    return 1 - (1 - SHARE_OF_BINS) * open_to_chance, 1 - SHARE_OF_BINS * open_to_chance


def mistake_chances(terms: Terms) -> Array:
    """Return (N,) float64, the chance of a mistake by each confidence.

    Several predictions of an example are averaged.
    """
    return np.clip(1 - _mean_over_passes(terms["confidence"]), 0, 1)


def calibration_by_group(
    predictors: Mapping[str, Terms],
    members: Array,
    *,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[int, Calibration]:
    """Compute the calibration of each class or source separately.

    Args:
        predictors: as for `calibration`.
        members: (N,) integers, the class or source of each example.
        groups: as for `calibration`.
        confidence: as for `calibration`.
        resamples: as for `calibration`.
        seed: as for `calibration`.

    Returns:
        The calibration of each, by its number, ascending.
    """
    by_group = {}
    for number in np.unique(members):
        chosen = members == number
        terms = {name: select_terms(of_predictor, chosen) for name, of_predictor in predictors.items()}
        options: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
        by_group[int(number)] = calibration(terms, groups=None if groups is None else groups[chosen], **options)
    return by_group


def ece_by_chance(
    terms: Terms,
    *edges: Array,
    groups: Array | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[float]:
    """Bound the ECE of a perfectly calibrated model with these confidences.

    Args:
        terms: of N examples; of several predictions an example, whose mean varies less, one is drawn.
        edges: of the bins, as `Bins` has them.
        groups: as for `calibration`; those of a group are drawn by one random number, as if all were alike.
        confidence: 0 to 1, how often it stays below (consistency resampling, Bröcker & Smith 2007).
        resamples: how often correct and wrong are drawn by the confidences.
        seed: of the draws.

    Returns:
        One for each of `edges`.
    """
    examples, by_pass = len(terms["nll"]), terms["confidence"].reshape(len(terms["nll"]), -1)
    random, share = np.random.default_rng(seed), subsample_share(examples)
    some = draw_examples(examples, share, random, groups)
    count, blocks = len(some), []
    members = np.arange(count) if groups is None else number_groups(groups[some])[0]
    units = int(members.max()) + 1
    confidences = by_pass[some, random.integers(by_pass.shape[1], size=count)]
    bins = [np.searchsorted(bin_edges[1:-1], confidences) for bin_edges in edges]
    rows = max(1, BLOCK_WEIGHTS // count)
    for start in range(0, resamples, rows):
        draws = min(rows, resamples - start)
        draw, wrong = np.nonzero(random.random((draws, units))[:, members] >= confidences)
        eces = []
        for at, bin_edges in zip(bins, edges, strict=True):
            size = len(bin_edges) - 1
            mistakes = np.bincount(draw * size + at[wrong], minlength=draws * size).reshape(draws, size)
            eces.append(np.abs(np.bincount(at, confidences - 1, size) + mistakes).sum(axis=1) / count)
        blocks.append(np.stack(eces, axis=1))
    return (np.quantile(np.concatenate(blocks), confidence, axis=0, method="higher") * np.sqrt(share)).tolist()


def find_verdict(result: Calibration) -> Verdict:
    """Judge the ensemble's calibration by the tests of mean and bins."""
    figures, ensemble = result.figures["ensemble"], result.predictors["ensemble"]
    over = figures["overconfidence"]
    if over.low > 0:
        return "over-confident"
    if over.high < 0:
        return "under-confident"
    if figures["ece"].value > result.eces_by_chance["ensemble"]["ece"] + ECE_ROUNDING:
        return "uneven"
    expected, mean_confidence = mistake_chances(ensemble), split_confidence(result.confidence)[0]
    if can_reject(expected, mean_confidence, largest_design_effect(result.groups)):
        return "calibrated"
    return "too few groups" if can_reject(expected, mean_confidence) else "too few examples"


def calibration_table(result: Calibration) -> dict[str, dict[str, str]]:
    """Format each predictor's figures and their differences from the ensemble.

    Returns:
        By the name of a row and that of a measure, such as "98.21% (97.95 to 98.44)". The rows of predictors stand in
        the order of `choices.PREDICTOR_NAMES`; then come the differences, in points for shares.
    """
    rows = {
        name: _format_figures(result.figures[key], by_chance=result.eces_by_chance[key])
        for key, name in PREDICTOR_NAMES.items()
        if key in result.figures
    }
    for key, difference in result.differences.items():
        if not key.endswith(SCALED):
            rows[f"ensemble − {PREDICTOR_NAMES[key]}"] = _format_figures(difference, "+")
    return rows


def _format_figures(
    figures: Mapping[str, Interval], sign: str = "", by_chance: Mapping[str, float] | None = None
) -> dict[str, str]:
    chances = {name: f", chance {percent(most, 2)}" for name, most in (by_chance or {}).items()}
    return {
        measure.heading: measure.format_below_heading(figures[name], sign) + chances.get(name, "")
        for name, measure in CALIBRATION_MEASURES.items()
    }


def fit_temperature(probs: Array, labels: Array) -> float:
    """Find the temperature with the lowest NLL (Guo et al. 2017).

    Above 1, the probabilities were over-confident.

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


def apply_temperature(probs: Array, value: float) -> Array:
    """Scale (N, C) probabilities by a temperature: (N, C) float64."""
    return scipy.special.softmax(_log(probs) / value, axis=1)


def cross_fit_temperature(probs: Array, labels: Array, seed: int = 0, groups: Array | None = None) -> Array:
    """Scale each half of the examples by the other half's best temperature.

    Args:
        probs: (N, C) floating point, N ≥ 2.
        labels: (N,) integers.
        seed: of the halves.
        groups: as for `conformal.cross_fit`.

    Returns:
        (N, C) float64.
    """

    def scaled(calibration: Array, others: Array) -> Array:
        some = calibration[:MOST_FITTED]  # in a random order
        return apply_temperature(probs[others], fit_temperature(probs[some], labels[some]))

    return cross_fit(len(labels), scaled, seed, groups)


def _log(probs: Array) -> Array:
    return np.log(np.maximum(probs, SMALLEST_PROBABILITY, dtype=np.float64))
