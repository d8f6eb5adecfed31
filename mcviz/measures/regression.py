"""Regression: scores of examples, and errors of each predictor with intervals.

To add a score, write a function here under `@score(…)`. Its parameters are fields of `RegressionPredictions`:
`outputs`, (T, N, D) floating point means, and `variances`, if predicted. Sum variances over targets, take Euclidean
norms as errors, sum in float64 and return (N,) float64.
"""

import math
from collections.abc import Mapping
from dataclasses import astuple
from functools import partial
from typing import Any

import numpy as np
import scipy  # loads scipy.special when it is first used

from mcviz.measures.intervals import Interval, count_groups, mean_intervals, sum_by_group
from mcviz.measures.registry import (
    REGRESSION_SCORES,
    RegressionPredictions,
    Terms,
    join_terms,
    register,
    require_labels,
)

Array = np.ndarray
score = partial(register, scores=REGRESSION_SCORES)
LOG_2PI = float(np.log(2 * np.pi))
TAIL = 6  # standard deviations; beyond, a Gaussian counts as 0
NODES_PER_STD = 1.25

TERMS = "squared_error", "absolute_error", "nll", "crps"  # of every predictor
MEASURED_BY = dict(zip(("rmse", "mae", "nll", "crps", "coverage", "width"), (*TERMS, "held", "width"), strict=True))
FEWEST_UNBOUNDED = 300  # examples, or groups, for intervals of errors, NLL and CRPS
FEWEST_LARGE = 10  # effective number of differences
BLOCK_EXAMPLES = 512  # examples in memory as float64 at a time


@score(
    "Predictive std",
    "target",
    "high",
    "Uncertainty of the model: how far the prediction varies from pass to pass. High: the passes disagree.",
)
def predictive_std(outputs: Array) -> Array:
    """Return the std of the predicted mean over passes (Gal & Ghahramani 2016)."""
    return np.sqrt(predictive_variance(outputs).sum(axis=-1))


@score(
    "Aleatoric std",
    "target",
    "high",
    "Uncertainty in the data, as the model predicts it. High: every single pass expects values far from its mean.",
)
def aleatoric_std(variances: Array) -> Array:
    """Return the root of the mean predicted variance (Kendall & Gal 2017)."""
    return np.sqrt(variances.mean(axis=0, dtype=np.float64).sum(axis=-1))


@score(
    "Total std",
    "target",
    "high",
    "The whole uncertainty, of the model and in the data. High: the true value may be far from the prediction.",
)
def total_std(outputs: Array, variances: Array) -> Array:
    """Return the std of the mixture of all passes."""
    return np.sqrt(predictive_variance(outputs, variances).sum(axis=-1))


@score(
    "Absolute error",
    "target",
    "high",
    "The distance from the prediction to the label. High: the prediction is wrong, or the label is.",
)
def absolute_error(outputs: Array, labels: Array) -> Array:
    """Return the Euclidean norm of predictive mean − label."""
    return np.linalg.norm(outputs.mean(axis=0, dtype=np.float64) - labels, axis=-1)


@score(
    "Negative log likelihood",
    "nats",
    "high",
    "How surprising the label is. High: it is many predicted standard deviations away, or these are large.",
)
def nll(outputs: Array, labels: Array, variances: Array | None = None) -> Array:
    """Return the Gaussian negative log density of labels (Lakshminarayanan et al. 2017).

    The Gaussian has the mixture's mean and variance; at least the rounding of float32 counts as its std. The unit of
    the targets shifts the value by a constant.
    """
    mean = outputs.mean(axis=0, dtype=np.float64)
    return gaussian_nll(mean, predictive_variance(outputs, variances), labels).sum(axis=-1)


@score(
    "CRPS",
    "target",
    "high",
    "The distance from the whole predicted distribution to the label. High: it is wrong, or wide.",
)
def crps(outputs: Array, labels: Array, variances: Array | None = None) -> Array:
    """Return the CRPS (Gneiting & Raftery 2007), summed over the targets.

    It takes the empirical distribution of the passes, or with variances the mixture of Gaussians.
    """
    if variances is None:
        return empirical_crps(outputs, labels).sum(axis=-1)
    return mixture_crps(outputs, variances, labels).sum(axis=-1)


def predictive_variance(outputs: Array, variances: Array | None = None) -> Array:
    """Compute the predictive variance of each target.

    It is the variance of the means plus the mean variance.

    Args:
        outputs: (T, N, D) floating point, the mean that each pass predicts.
        variances: (T, N, D) floating point, the variance that each pass predicts; without it, of the means alone.

    Returns:
        (N, D) float64.
    """
    variance = outputs.var(axis=0, dtype=np.float64)
    return variance if variances is None else variance + variances.mean(axis=0, dtype=np.float64)


def gaussian_nll(mean: Array, variance: Array, labels: Array) -> Array:
    """Compute the Gaussian NLL in nats: (…) float64, broadcast."""
    rounding = np.spacing(np.maximum(np.abs(mean), np.abs(labels)).astype(np.float32)).astype(np.float64)
    variance = np.maximum(variance, rounding**2)
    return (LOG_2PI + np.log(variance) + (labels - mean) ** 2 / variance) / 2


def empirical_crps(outputs: Array, labels: Array) -> Array:
    """Compute the CRPS of T values: E|X - y| - E|X - X'| / 2.

    Args:
        outputs: (T, …) floating point.
        labels: (…) floating point.

    Returns:
        (…) float64, at least 0, in the unit of the values.
    """
    errors = np.sort(outputs.astype(np.float64) - labels, axis=0)
    passes = len(errors)
    ranks = (2 * np.arange(passes) - passes + 1) / passes**2  # sorted, all distances of pairs are one weighted sum
    return np.abs(errors).mean(axis=0) - np.tensordot(ranks, errors, axes=1)


def gaussian_crps(mean: Array, variance: Array, labels: Array) -> Array:
    """Compute the CRPS of a Gaussian (Gneiting et al. 2005): (…) float64, broadcast."""
    variance = variance.astype(np.float64)
    return _expected_size(mean - labels.astype(np.float64), variance) - np.sqrt(variance / np.pi)


def mixture_crps(means: Array, variances: Array, labels: Array) -> Array:
    """Compute the CRPS of T equally weighted Gaussians (Grimit et al. 2006).

    Args:
        means: (T, …) floating point.
        variances: (T, …) floating point, above 0.
        labels: (…) floating point.

    Returns:
        (…) float64, at least 0, in the unit of the means, to a millionth of the smallest std.
    """
    means, variances = means - labels.astype(np.float64), variances.astype(np.float64)
    return _expected_size(means, variances).mean(axis=0) - _half_mean_distance(means, variances)


def _expected_size(mean: Array, variance: Array) -> Array:
    """Return E|X| of Gaussians."""
    z = mean / np.sqrt(2 * variance)
    return mean * scipy.special.erf(z) + np.sqrt(2 * variance / np.pi) * np.exp(-(z**2))


def _half_mean_distance(means: Array, variances: Array) -> Array:
    """Return E|X - X'| / 2 of mixtures, (…) float64."""
    passes, shape = len(means), means.shape[1:]
    means, variances = means.reshape(passes, -1), variances.reshape(passes, -1)
    std = np.sqrt(variances)
    low, high = (means - TAIL * std).min(axis=0), (means + TAIL * std).max(axis=0)
    nodes = np.ceil(NODES_PER_STD * (high - low) / std.min(axis=0))
    paired = nodes > passes  # then all pairs are less work
    means_of_pairs = np.empty(means.shape[1])
    means_of_pairs[paired] = _half_mean_of_pairs(means[:, paired], variances[:, paired])
    smooth = ~paired
    means_of_pairs[smooth] = _integral(
        means[:, smooth], std[:, smooth], low[smooth], high[smooth], int(nodes[smooth].max(initial=1))
    )
    return means_of_pairs.reshape(shape)


def _half_mean_of_pairs(means: Array, variances: Array) -> Array:
    total, passes = np.zeros(means.shape[1]), len(means)
    for t in range(passes):
        distances = _expected_size(means[t] - means[t:], variances[t] + variances[t:])
        total += 2 * distances.sum(axis=0) - distances[0]
    return total / (2 * passes**2)


def _integral(means: Array, std: Array, low: Array, high: Array, nodes: int) -> Array:
    """Return E|X - X'| / 2 as the integral of F (1 - F).

    F is smooth: steps of about its narrowest std are almost exact.
    """
    step = (high - low) / nodes
    z, z_step = (low - means) / (np.sqrt(2) * std), step / (np.sqrt(2) * std)
    total = np.zeros(means.shape[1])
    for _ in range(1, nodes):
        z += z_step
        total += 1 - scipy.special.erf(z).mean(axis=0) ** 2
    return total * step / 4


def regression_scores(predictions: RegressionPredictions) -> dict[str, Array]:
    """Compute every score whose arrays are present.

    Args:
        predictions: of N examples.

    Returns:
        By the names of `REGRESSION_SCORES`, (N,) float32 each.
    """
    return REGRESSION_SCORES.compute(predictions)


def regression_means(terms: Terms) -> dict[str, Array]:
    """Return (N,) numbers whose means are measures, by measure.

    The RMSE is represented by its square.

    Args:
        terms: of a predictor, as `regression_terms` has them; those of the ensemble may also have `held` and `width`.
    """
    return {measure: terms[name] for measure, name in MEASURED_BY.items() if name in terms}


def with_rmse_difference(intervals: Mapping[str, Interval], one: Terms, other: Terms) -> dict[str, Interval]:
    """Convert a difference of squared RMSEs, if any, to one of RMSEs."""
    if "rmse" not in intervals:
        return dict(intervals)
    # a² − b² = (a − b)(a + b)
    roots = sum(math.sqrt(terms["squared_error"].mean()) for terms in (one, other)) or 1.0
    return {**intervals, "rmse": Interval(*(end / roots for end in astuple(intervals["rmse"])))}


def unbounded_intervals(
    columns: Mapping[str, Array],
    *,
    groups: Array | None,
    confidence: float,
    resamples: int,
    seed: int,
    differ: bool = False,
) -> dict[str, Interval]:
    """Return means of unbounded losses with intervals.

    No interval holds for all unbounded losses (Bahadur & Savage 1956), and small samples seldom contain the largest
    errors. So errors need `FEWEST_UNBOUNDED` examples, and differences d need (Σd²)² ≥ `FEWEST_LARGE` · Σd⁴. For
    squared errors, d is the root of the difference.

    Args:
        columns: (N,) floating point by the names of measures.
        groups: as for `mean_intervals`.
        confidence: as for `mean_intervals`.
        resamples: as for `mean_intervals`.
        seed: as for `mean_intervals`.
        differ: whether they are differences.
    """
    if not columns:
        return {}
    options: dict[str, Any] = {"groups": groups, "confidence": confidence, "resamples": resamples, "seed": seed}
    values = np.stack(list(columns.values()), axis=1)
    intervals = dict(zip(columns, mean_intervals(values, **options), strict=True))
    many = count_groups(len(values), groups) >= FEWEST_UNBOUNDED
    own_unit = [np.sqrt(np.abs(each)) if name == "rmse" else np.abs(each) for name, each in columns.items()]
    squares = np.square(sum_by_group(np.stack(own_unit, axis=1), groups))
    spread = np.square(squares.sum(axis=0)) >= FEWEST_LARGE * np.square(squares).sum(axis=0)
    enough = (many | (np.array(list(columns)) == "width")) & (~np.array(differ) | (spread & values.any(axis=0)))
    return {
        name: interval if is_enough else Interval(interval.value)
        for (name, interval), is_enough in zip(intervals.items(), enough, strict=True)
    }


def regression_terms(predictions: RegressionPredictions) -> dict[str, dict[str, Array]]:
    """Compute the terms whose means are the measures.

    Args:
        predictions: of N examples, with labels.

    Returns:
        For `deterministic` (if known), `single_pass` and `ensemble`: `squared_error`, `absolute_error`, `nll` (if there
        is a variance) and `crps`, (N,) float64 each, means over the targets.

    Raises:
        ValueError: predictions without labels.
    """
    labels = require_labels(predictions).astype(np.float64)
    starts = range(0, len(labels), BLOCK_EXAMPLES)
    blocks = [_block_terms(predictions, labels, slice(start, start + BLOCK_EXAMPLES)) for start in starts]
    return {row: join_terms([block[row] for block in blocks]) for row in blocks[0]}


def ensemble_terms(predictions: RegressionPredictions) -> dict[str, Array]:
    """Compute the terms of the ensemble alone, with all examples in memory."""
    labels = require_labels(predictions).astype(np.float64)
    variances = None if predictions.variances is None else predictions.variances.astype(np.float64)
    terms = _ensemble_terms(predictions.outputs.astype(np.float64), variances, labels)
    return {name: values.mean(axis=-1) for name, values in terms.items()}


def single_pass_rmse(pass_rmse: Array) -> float:
    """Return the root mean square of the (T,) RMSEs of all passes."""
    return float(np.sqrt(np.square(pass_rmse).mean()))


def squared_error_per_pass(outputs: Array, labels: Array) -> Array:
    """Sum each pass's squared errors over examples and targets.

    Args:
        outputs: (T, N, D) floating point.
        labels: (N, D) floating point.

    Returns:
        (T,) float64, in the squared unit of the targets.
    """
    return np.array([_squared_error(one_pass, labels) for one_pass in outputs])


def squared_error_by_ensemble_size(outputs: Array, labels: Array) -> Array:
    """Sum the squared errors of the first 1, 2, … T passes' mean.

    Args:
        outputs: (T, N, D) floating point.
        labels: (N, D) floating point.

    Returns:
        (T,) float64, in the squared unit of the targets; entry t is of the ensemble of t + 1 passes.
    """
    total = np.zeros(outputs.shape[1:], dtype=np.float64)
    errors = np.empty(len(outputs))
    for t, one_pass in enumerate(outputs):
        total += one_pass
        errors[t] = _squared_error(total / (t + 1), labels)
    return errors


def _squared_error(outputs: Array, labels: Array) -> float:
    return float(np.square(outputs.astype(np.float64) - labels).sum())


def _block_terms(given: RegressionPredictions, every_label: Array, block: slice) -> dict[str, dict[str, Array]]:
    labels = every_label[block]
    outputs = given.outputs[:, block].astype(np.float64)
    variances = None if given.variances is None else given.variances[:, block].astype(np.float64)
    rows = {
        "single_pass": _single_terms(outputs, variances, labels),
        "ensemble": _ensemble_terms(outputs, variances, labels),
    }
    if given.deterministic_outputs is not None:
        spread = None if given.deterministic_variances is None else given.deterministic_variances[None, block]
        rows["deterministic"] = _single_terms(given.deterministic_outputs[None, block], spread, labels)
    return {row: {name: values.mean(axis=-1) for name, values in terms.items()} for row, terms in rows.items()}


def _single_terms(outputs: Array, variances: Array | None, labels: Array) -> dict[str, Array]:
    errors = outputs - labels
    terms = {"squared_error": np.square(errors).mean(axis=0), "absolute_error": np.abs(errors).mean(axis=0)}
    if variances is None:
        return {**terms, "crps": terms["absolute_error"]}  # the CRPS of a single value is its absolute error
    nll, crps = gaussian_nll(outputs, variances, labels), gaussian_crps(outputs, variances, labels)
    return {**terms, "nll": nll.mean(axis=0), "crps": crps.mean(axis=0)}


def _ensemble_terms(outputs: Array, variances: Array | None, labels: Array) -> dict[str, Array]:
    mean = outputs.mean(axis=0)
    terms = {"squared_error": np.square(mean - labels), "absolute_error": np.abs(mean - labels)}
    if variances is not None or len(outputs) > 1:
        terms["nll"] = gaussian_nll(mean, predictive_variance(outputs, variances), labels)
    if variances is None:
        return {**terms, "crps": empirical_crps(outputs, labels)}
    return {**terms, "crps": mixture_crps(outputs, variances, labels)}
