"""Scores: one number an example for how uncertain the passes are about it, and the one registry of them.

A new score is one function here with `@register` above it. Its parameters are fields of `Predictions` and say what it
needs: `probs`, (T, N, C) floating point, are the probabilities of T passes over N examples and C classes. Sums run in
float64, and (N,) float64 comes back.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal, TypeVar

import numpy as np
import scipy  # loads scipy.special when it is first used, so that opening a run need not wait for it

from mcviz.measures.units import with_unit

Array = np.ndarray
Function = TypeVar("Function", bound=Callable[..., Array])


@dataclass(frozen=True)
class Predictions:
    """What scores are computed from: arrays of N examples, all in the same order.

    Attributes:
        probs: (T, N, C) floating point, the probabilities of each pass.
        labels: (N,) integers, or None where they are not known.
        deterministic_probs: (N, C) floating point, the probabilities with dropout off, or None.
        logits: (T, N, C) floating point, what `probs` were before the softmax, or None.

    Raises:
        ValueError: an array of another shape, or `probs` with no pass, no example or fewer than two classes.
    """

    probs: Array
    labels: Array | None = None
    deterministic_probs: Array | None = None
    logits: Array | None = None

    def __post_init__(self) -> None:
        shape = self.probs.shape
        if len(shape) != 3 or 0 in shape or shape[-1] < 2:
            raise ValueError(
                f"probs should be (passes, examples, classes ≥ 2), with no axis empty. Received: shape {shape}."
            )
        for name, wanted in (("labels", shape[1:2]), ("deterministic_probs", shape[1:]), ("logits", shape)):
            array = getattr(self, name)
            if array is not None and array.shape != wanted:
                raise ValueError(
                    f"{name} should have the shape {wanted}, to go with probs. Received: shape {array.shape}."
                )


@dataclass(frozen=True)
class Score:
    """A score that examples can be ranked by.

    Attributes:
        name: its name in tables, files and addresses.
        label: its name for people.
        unit: "probability" or "share of passes", both shown in percent, "nats", any other word, or "" for none.
        uncertain_when: whether a low or a high value means uncertain.
        meaning: a sentence or two on what such a value says.
        function: takes the arrays that `needs` names, in that order, and returns (N,) floating point.
        needs: fields of `Predictions`.
    """

    name: str
    label: str
    unit: str
    uncertain_when: Literal["low", "high"]
    meaning: str
    function: Callable[..., Array]
    needs: tuple[str, ...] = ("probs",)

    def missing(self, predictions: Predictions) -> list[str]:
        """What the score needs and the predictions lack."""
        return [need for need in self.needs if getattr(predictions, need) is None]

    def compute(self, predictions: Predictions) -> Array:
        """The score of each example.

        Args:
            predictions: of N examples.

        Returns:
            (N,) float64, in the score's unit.

        Raises:
            ValueError: something that the score needs is not there.
        """
        if missing := self.missing(predictions):
            raise ValueError(
                f"{self.label} is computed from {' and '.join(self.needs)}. "
                f"Received: predictions without {' and '.join(missing)}."
            )
        return self.function(*(getattr(predictions, need) for need in self.needs)).astype(np.float64, copy=False)

    def format(self, value: float) -> str:
        """A value of this score as text with its unit, such as "97.1%" or "0.322 nats"."""
        return with_unit(value, self.unit)


SCORES: dict[str, Score] = {}
OTHER_COLUMNS = ("example", "id", "label", "prediction", "correct")  # of a table of scores


def register(
    label: str, unit: str, uncertain_when: Literal["low", "high"], meaning: str
) -> Callable[[Function], Function]:
    """Make a function a score: from then on it is in every table, ranking and chart, under the function's name.

    Args:
        label: as in `Score`.
        unit: as in `Score`.
        uncertain_when: as in `Score`.
        meaning: as in `Score`.

    Returns:
        A decorator for a function whose parameters are fields of `Predictions`; it leaves the function as it is.

    Raises:
        ValueError: a name that is taken, or a parameter that `Predictions` does not have.
    """

    def add(function: Function) -> Function:
        name, needs = function.__name__, tuple(inspect.signature(function).parameters)
        if not name.isidentifier() or name in (*SCORES, *OTHER_COLUMNS):
            raise ValueError(f"The name of a score should be an identifier that is not taken. Received: {name!r}.")
        known = [field.name for field in fields(Predictions)]
        if not needs or not set(needs) <= set(known):
            raise ValueError(f"The parameters of a score should be among {', '.join(known)}. Received: {needs}.")
        SCORES[name] = Score(name, label, unit, uncertain_when, meaning, function, needs)
        return function

    return add


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


def scores(
    probs: Array,
    labels: Array | None = None,
    deterministic_probs: Array | None = None,
    logits: Array | None = None,
) -> dict[str, Array]:
    """Compute the ensemble's prediction and every score whose needs are there.

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
    there = [score for score in SCORES.values() if not score.missing(predictions)]
    values = {score.name: score.compute(predictions).astype(np.float32) for score in there}
    return {"prediction": _mean(probs).argmax(axis=-1), **values}


def most_uncertain_first(name: str, values: Array) -> Array:
    """The ranking of examples by a score.

    Args:
        name: one of `SCORES`.
        values: (N,) that score of each example.

    Returns:
        (N,) int64 indices of the examples; ties keep the examples' own order.
    """
    signed = values if SCORES[name].uncertain_when == "low" else -values
    return np.argsort(signed, kind="stable")


def _mean(probs: Array) -> Array:
    return probs.mean(axis=0, dtype=np.float64)
