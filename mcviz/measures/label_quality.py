"""Scores that look at the given label, low where it is probably wrong: confident learning (Northcutt et al. 2021).

Passes that agree on another class than the label's say that label or model is wrong. So do passes that agree with the
label and hesitate, which is how a network looks that has learnt the same wrong label elsewhere.
"""

import numpy as np

import mcviz.measures.scores  # noqa: F401 (its scores come first)
from mcviz.measures.registry import register

Array = np.ndarray


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
