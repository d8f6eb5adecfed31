"""The scores of regression: one number an example, for the uncertainty of the passes or for their error.

A new score is one function here with `@register(…, scores=REGRESSION_SCORES)` above it. Its parameters are fields of
`RegressionPredictions`, the arrays that it needs: `outputs`, (T, N, D) floating point, are the means that T passes
predict for N examples and D targets, `variances` the variances, where the model predicts them. Of several targets
variances are summed, and an error is a Euclidean norm. Sums run in float64, and (N,) float64 comes back.
"""

import numpy as np
import scipy  # loads scipy.special when it is first used

from mcviz.measures.registry import REGRESSION_SCORES, RegressionPredictions, register

Array = np.ndarray

LOG_2PI = float(np.log(2 * np.pi))
TAIL = 6  # standard deviations, beyond which a Gaussian is taken as 0
NODES_PER_STD = 1.25


@register(
    "Predictive std",
    "target",
    "high",
    "Uncertainty of the model: how far the prediction varies from pass to pass. High: the passes disagree.",
    scores=REGRESSION_SCORES,
)
def predictive_std(outputs: Array) -> Array:
    """The standard deviation over the passes of the predicted mean (Gal & Ghahramani 2016)."""
    return np.sqrt(predictive_variance(outputs).sum(axis=-1))


@register(
    "Aleatoric std",
    "target",
    "high",
    "Uncertainty in the data, as the model predicts it. High: every single pass expects values far from its mean.",
    scores=REGRESSION_SCORES,
)
def aleatoric_std(variances: Array) -> Array:
    """The root of the mean over the passes of the predicted variance (Kendall & Gal 2017)."""
    return np.sqrt(variances.mean(axis=0, dtype=np.float64).sum(axis=-1))


@register(
    "Total std",
    "target",
    "high",
    "The whole uncertainty, of the model and in the data. High: the true value may be far from the prediction.",
    scores=REGRESSION_SCORES,
)
def total_std(outputs: Array, variances: Array) -> Array:
    """The root of the variance of the mixture of all passes: that over the passes and the mean predicted one."""
    return np.sqrt(predictive_variance(outputs, variances).sum(axis=-1))


@register(
    "Absolute error",
    "target",
    "high",
    "The distance from the prediction to the label. High: the prediction is wrong, or the label is.",
    scores=REGRESSION_SCORES,
)
def absolute_error(outputs: Array, labels: Array) -> Array:
    """The Euclidean norm of predictive mean less label."""
    return np.linalg.norm(outputs.mean(axis=0, dtype=np.float64) - labels, axis=-1)


@register(
    "Negative log likelihood",
    "nats",
    "high",
    "How surprising the label is. High: it is many predicted standard deviations away, or these are large.",
    scores=REGRESSION_SCORES,
)
def nll(outputs: Array, labels: Array, variances: Array | None = None) -> Array:
    """The negative log density of the Gaussian with the mixture's mean and variance (Lakshminarayanan et al. 2017).

    The unit of the targets moves it by a constant. Passes that all agree have a spread below the rounding of float32;
    this rounding is taken for it then.
    """
    mean = outputs.mean(axis=0, dtype=np.float64)
    return gaussian_nll(mean, predictive_variance(outputs, variances), labels).sum(axis=-1)


@register(
    "CRPS",
    "target",
    "high",
    "The distance from the whole predicted distribution to the label. High: it is wrong, or wide.",
    scores=REGRESSION_SCORES,
)
def crps(outputs: Array, labels: Array, variances: Array | None = None) -> Array:
    """The continuous ranked probability score (Gneiting & Raftery 2007), summed over the targets.

    It is that of the empirical distribution of the passes, or, with variances, of the mixture of Gaussians.
    """
    if variances is None:
        return empirical_crps(outputs, labels).sum(axis=-1)
    return mixture_crps(outputs, variances, labels).sum(axis=-1)


def predictive_variance(outputs: Array, variances: Array | None = None) -> Array:
    """Compute the variance of the predictive distribution, target by target: of the means, plus the mean variance.

    Args:
        outputs: (T, N, D) floating point, the mean that each pass predicts.
        variances: (T, N, D) floating point, the variance that each pass predicts; without it, of the means alone.

    Returns:
        (N, D) float64.
    """
    variance = outputs.var(axis=0, dtype=np.float64)
    return variance if variances is None else variance + variances.mean(axis=0, dtype=np.float64)


def gaussian_nll(mean: Array, variance: Array, labels: Array) -> Array:
    """Compute the negative log density of a Gaussian in nats: (…) float64, the arguments' common shape."""
    rounding = np.spacing(np.maximum(np.abs(mean), np.abs(labels)).astype(np.float32)).astype(np.float64)
    variance = np.maximum(variance, rounding**2)
    return (LOG_2PI + np.log(variance) + (labels - mean) ** 2 / variance) / 2


def empirical_crps(outputs: Array, labels: Array) -> Array:
    """Compute the CRPS of the empirical distribution of T values: E|X - y| - E|X - X'| / 2.

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
    """Compute the CRPS of a Gaussian (Gneiting et al. 2005): (…) float64, the arguments' common shape."""
    variance = variance.astype(np.float64)
    return _expected_size(mean - labels.astype(np.float64), variance) - np.sqrt(variance / np.pi)


def mixture_crps(means: Array, variances: Array, labels: Array) -> Array:
    """Compute the CRPS of a mixture of T Gaussians of equal weight (Grimit et al. 2006).

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
    """E|X| of Gaussians."""
    z = mean / np.sqrt(2 * variance)
    return mean * scipy.special.erf(z) + np.sqrt(2 * variance / np.pi) * np.exp(-(z**2))


def _half_mean_distance(means: Array, variances: Array) -> Array:
    """E|X - X'| / 2 of mixtures, (…) float64."""
    passes, shape = len(means), means.shape[1:]
    means, variances = means.reshape(passes, -1), variances.reshape(passes, -1)
    std = np.sqrt(variances)
    low, high = (means - TAIL * std).min(axis=0), (means + TAIL * std).max(axis=0)
    nodes = np.ceil(NODES_PER_STD * (high - low) / std.min(axis=0))
    paired = nodes > passes  # then it is less work to go through all pairs
    found = np.empty(means.shape[1])
    found[paired] = _half_mean_of_pairs(means[:, paired], variances[:, paired])
    smooth = ~paired
    found[smooth] = _integral(
        means[:, smooth], std[:, smooth], low[smooth], high[smooth], int(nodes[smooth].max(initial=1))
    )
    return found.reshape(shape)


def _half_mean_of_pairs(means: Array, variances: Array) -> Array:
    total, passes = np.zeros(means.shape[1]), len(means)
    for t in range(passes):
        distances = _expected_size(means[t] - means[t:], variances[t] + variances[t:])
        total += 2 * distances.sum(axis=0) - distances[0]
    return total / (2 * passes**2)


def _integral(means: Array, std: Array, low: Array, high: Array, nodes: int) -> Array:
    """E|X - X'| / 2 as the integral of F (1 - F). F is smooth: steps of about its narrowest std are almost exact."""
    step = (high - low) / nodes
    z, z_step = (low - means) / (np.sqrt(2) * std), step / (np.sqrt(2) * std)
    total = np.zeros(means.shape[1])
    for _ in range(1, nodes):
        z += z_step
        total += 1 - scipy.special.erf(z).mean(axis=0) ** 2
    return total * step / 4


def regression_scores(predictions: RegressionPredictions) -> dict[str, Array]:
    """Compute every score whose arrays are there.

    Args:
        predictions: of N examples.

    Returns:
        By the names of `REGRESSION_SCORES`, (N,) float32 each.
    """
    return REGRESSION_SCORES.compute(predictions)
