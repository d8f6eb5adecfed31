"""The meaning of a model's outputs: what its user says of them, and what the activation that made them does."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcviz.choices import PREDICTS, Predicts
from mcviz.errors import UnsuitableModelError
from mcviz.tasks import find_task
from mcviz.validate import choice, fraction, invalid


def check_options(task: str, predicts: Predicts, from_logits: bool | None, rate: float | None) -> None:
    """Check what a user says of a model; see `Sampler`.

    Raises:
        InvalidInputError: an option that does not go with the task, or a rate out of range.
    """
    classes = find_task(task).predicts_classes
    choice("predicts", predicts, PREDICTS)
    if not classes and from_logits is not None:
        raise invalid("from_logits", "left out for a regression", from_logits)
    if classes and predicts != "mean":
        raise invalid("predicts", "left out for a classification", repr(predicts), "Or give task='regression'.")
    if rate is not None and not 0 < fraction("rate", rate) < 1:
        raise invalid("rate", "above 0 and below 1", rate)


def find_output(named: Mapping[str, Any], name: str | None) -> Any:
    """Return the output of a name, or the only one.

    Raises:
        InvalidInputError: several outputs and no name, or an unknown name.
    """
    if name is None and len(named) == 1:
        name = next(iter(named))
    if name is None or name not in named:
        raise invalid("output", f"one of the model's outputs: {', '.join(named)}", f"output={name!r}")
    return named[name]


def check_output(shape: tuple[int | None, ...], dtype: str, *, floating: bool) -> None:
    """Refuse an output that is not one row of numbers for each example.

    Raises:
        UnsuitableModelError: it has another form.
    """
    if len(shape) != 2 or not floating:
        raise UnsuitableModelError(
            "The model must return one row of class scores or predicted values for each example, (N, C) of floats. "
            f"Received: shape ({', '.join(['N', *map(str, shape[1:])])}), dtype {dtype}."
        )


def guess_activation(values: np.ndarray) -> str:
    """Guess the activation of (N, C) outputs from some: "softmax", "sigmoid", "none", or "unclear" in 0 to 1."""
    if not np.all((values >= 0) & (values <= 1)):
        return "none"
    if values.shape[1] == 1:
        return "sigmoid"
    return "softmax" if np.allclose(values.sum(axis=1), 1, atol=1e-3) else "unclear"


def are_logits(columns: int, activation: str, from_logits: bool | None) -> bool:
    """Return whether (N, C) class scores are logits, not probabilities.

    Args:
        columns: C.
        activation: that made them: "softmax", "sigmoid", "none", or "unclear".
        from_logits: what the user says of it, or None.

    Raises:
        InvalidInputError: `from_logits` for probabilities.
        UnsuitableModelError: a sigmoid over several outputs; one or two numbers of unknown meaning.
    """
    if from_logits and activation == "softmax":
        raise invalid("from_logits", "left out for a model that returns probabilities", from_logits)
    if activation == "none" and from_logits is None and columns <= 2:
        count, function, meaning = (
            ("one number", "sigmoid", "the logit") if columns == 1 else ("two numbers", "softmax", "logits")
        )
        raise UnsuitableModelError(
            f"The model returns {count} without a {function}: is it a regression, or {meaning} of two classes? "
            "For a regression, give task='regression', on the command line --task regression; for logits, say so "
            "(from_logits), on the command line by --from-logits."
        )
    logits = activation == "none" if from_logits is None else from_logits
    unknown = activation == "sigmoid" or (activation == "unclear" and from_logits is None)
    if columns > 1 and not logits and unknown:
        raise UnsuitableModelError(
            "Several sigmoid outputs are no probabilities of classes that exclude each other: they need not sum to 1. "
            f"Received: {columns} outputs. Pick a softmax output, or pass from_logits for logits."
        )
    return logits


def check_regression(columns: int, predicts: Predicts, find_activation: Callable[[], str]) -> None:
    """Check (N, columns) outputs of a regression.

    Raises:
        UnsuitableModelError: a softmax over several classes; no spread for each mean.
    """
    if columns > 1 and find_activation() == "softmax":
        raise UnsuitableModelError(
            f"The model returns probabilities of classes, a softmax over {columns} outputs, which is no regression. "
            "Leave out task='regression' (--task regression), or pick another output."
        )
    if predicts != "mean" and columns % 2:
        raise UnsuitableModelError(
            f"A model of predicts={predicts!r} returns a spread for each mean, so an even number of columns. "
            f"Received: {columns}. For means alone, give predicts='mean'."
        )
