"""The scores of classification: one number an example, for the uncertainty of the passes or the quality of the label.

A new score is one function here with `@register` above it. Its parameters are fields of `Predictions`, the arrays that
it needs: `probs`, (T, N, C) floating point, are the probabilities of T passes over N examples and C classes. Sums run
in float64, and (N,) float64 comes back.

Label quality is low where the given label is probably wrong: confident learning (Northcutt et al. 2021). Passes that
agree on another class than the label's say that label or model is wrong. So do passes that agree with the label and
hesitate, as a network does that has learnt the same wrong label elsewhere.
"""

import numpy as np
import scipy  # loads scipy.special when it is first used, so that opening a run need not wait for it

from mcviz.measures.registry import SCORES, Predictions, register

Array = np.ndarray


@register(
    "Max probability",
    "probability",
    "low",
    "The ensemble's probability for its own prediction. Low: no class stands out.",
)
def max_probability(probs: Array) -> Array:
    """The largest entry of the predictive mean (Hendrycks & Gimpel 2017)."""
    return _mean(probs).max(axis=-1)


@register(
    "Predictive std",
    "probability",
    "high",
    "How far the prediction's probability varies from pass to pass. High: the passes disagree.",
)
def predictive_std(probs: Array) -> Array:
    """The standard deviation over the passes of the probability of the ensemble's prediction."""
    predicted = _mean(probs).argmax(axis=-1)
    of_predicted = np.take_along_axis(probs, predicted[None, :, None], axis=-1)[..., 0]
    return of_predicted.std(axis=0, dtype=np.float64)


@register(
    "Predictive entropy",
    "nats",
    "high",
    "The whole uncertainty. High: the ensemble's probability is spread over several classes.",
)
def predictive_entropy(probs: Array) -> Array:
    """The entropy of the predictive mean in nats, 0 to log C."""
    return scipy.special.entr(_mean(probs)).sum(axis=-1)


@register(
    "Expected entropy",
    "nats",
    "high",
    "Uncertainty in the data. High: every single pass is uncertain, so the example itself is ambiguous.",
)
def expected_entropy(probs: Array) -> Array:
    """The mean over the passes of each pass's entropy, in nats, 0 to log C."""
    return scipy.special.entr(probs).sum(axis=-1, dtype=np.float64).mean(axis=0)


@register(
    "Mutual information (BALD)",
    "nats",
    "high",
    "Uncertainty of the model. High: each pass is confident, but of different classes.",
)
def mutual_information(probs: Array) -> Array:
    """Predictive less expected entropy, in nats, 0 to log C: BALD (Houlsby et al. 2011)."""
    # The difference is never negative (Jensen); rounding alone can take it below zero.
    return np.maximum(predictive_entropy(probs) - expected_entropy(probs), 0)


@register(
    "Variation ratio",
    "share of passes",
    "high",
    "The share of passes outvoted by the most frequent prediction. High: the votes are split.",
)
def variation_ratio(probs: Array) -> Array:
    """The share of passes whose own prediction is not the most frequent one, 0 to 1 - 1/C (Freeman 1965)."""
    votes = probs.argmax(axis=-1)
    counts = np.stack([(votes == c).sum(axis=0) for c in range(probs.shape[-1])])
    return 1 - counts.max(axis=0) / len(probs)


@register(
    "Margin",
    "probability",
    "low",
    "The gap between the two most probable classes. Low: the ensemble hesitates between them.",
)
def margin(probs: Array) -> Array:
    """The difference between the two largest entries of the predictive mean, 0 to 1."""
    top = np.partition(_mean(probs), -2, axis=-1)
    return top[:, -1] - top[:, -2]


@register(
    "Self-confidence (label quality)",
    "probability",
    "low",
    "The ensemble's probability for the given label. Low: check the label.",
)
def self_confidence(mean_probs: Array, labels: Array) -> Array:
    """The predictive mean's entry for the label, 0 to 1."""
    return mean_probs[np.arange(len(labels)), labels]


@register(
    "Normalized margin (label quality)",
    "probability",
    "low",
    "How far the given label is ahead of the likeliest other class; 50% is a tie. Low: check the label.",
)
def normalized_margin(mean_probs: Array, labels: Array) -> Array:
    """The label's entry less the largest other one, from -1..1 to 0..1."""
    others = mean_probs.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return (self_confidence(mean_probs, labels) - others.max(axis=1) + 1) / 2


def scores(
    probs: Array,
    labels: Array | None = None,
    deterministic_probs: Array | None = None,
    logits: Array | None = None,
) -> dict[str, Array]:
    """Compute the ensemble's prediction and every score whose arrays are there.

    Args:
        probs: (T, N, C) floating point.
        labels: (N,) integers, where they are known.
        deterministic_probs: (N, C) floating point, with dropout off.
        logits: (T, N, C) floating point, before the softmax.

    Returns:
        `prediction`, (N,) int64, the argmax of the predictive mean; then by the names of `SCORES`, (N,) float32 each.

    Raises:
        ValueError: arrays that `Predictions` refuses.
    """
    predictions = Predictions(probs, labels, deterministic_probs, logits)
    return {"prediction": _mean(probs).argmax(axis=-1), **SCORES.compute(predictions)}


def _mean(probs: Array) -> Array:
    return probs.mean(axis=0, dtype=np.float64)
