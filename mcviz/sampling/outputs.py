"""The meaning of a model's outputs: what its user says of them, and what the activation that made them does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mcviz.choices import PREDICTS, Predicts
from mcviz.errors import UnsuitableModelError
from mcviz.tasks import find_task
from mcviz.text import list_names
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


@dataclass(frozen=True)
class OutputMeaning:
    """What the outputs of a model are taken for.

    Attributes:
        text: in words, such as "10 logits, of which a softmax makes probabilities of classes that exclude each other".
        guessed: whether the numbers alone say so, and neither the model nor its user.
    """

    text: str = ""
    guessed: bool = False


def choose_outputs(
    names: Sequence[str], output: str | None, predicts: Predicts, *, ordered: bool, usual: str | None = None
) -> tuple[str, ...]:
    """Choose the output that is sampled: of a name, or the only one; or those of a mean and its spread.

    Args:
        names: of all outputs, at least one.
        output: the name that the user gives, or None.
        predicts: what they are in a regression. Two parts are outputs of these names, or two in that order.
        ordered: whether the model returns them in an order, not only by names.
        usual: the name of one that needs no naming.

    Raises:
        InvalidInputError: several outputs and no name, or an unknown name.
    """
    parts = tuple(predicts.split(","))
    if output is None and len(names) == 1:
        return tuple(names)
    if output is None and len(parts) > 1 and (set(parts) <= set(names) or (ordered and len(names) == 2)):
        return parts if set(parts) <= set(names) else tuple(names)
    if output is None and usual in names:
        output = usual
    if output is not None and output in names:
        return (output,)
    advice = f"Name the one to sample by output={names[0]!r}, on the command line --output {names[0]}."
    if len(parts) > 1:
        advice += f" A mean and its spread are two outputs in that order, or called {' and '.join(parts)}."
    elif len(names) == 2:
        advice += " If they are the mean and the spread of a regression, say so by predicts (--predicts)."
    count = f"{len(names):,} " if len(names) > 1 else ""
    expected = f"the name of one of the model's {count}outputs: {list_names(names)}"
    raise invalid("output", expected, f"output={output!r}", advice)


def name_chosen(chosen: Sequence[str], names: Sequence[str]) -> str:
    """Say which of several outputs are sampled, before what they mean; "" of the only one."""
    if len(names) == 1:
        return ""
    return f"{' and '.join(chosen)} of the model's {len(names):,} outputs ({list_names(names)}): "


def check_output(shape: tuple[int | None, ...], dtype: str, *, floating: bool) -> None:
    """Refuse an output that is not one row of numbers for each example.

    Raises:
        UnsuitableModelError: it has another form.
    """
    if len(shape) != 2 or not floating:
        several = (
            " Several predictions an example, such as a class a pixel (segmentation), are not supported yet."
            if len(shape) > 2
            else ""
        )
        raise UnsuitableModelError(
            "The model must return one row of class scores or predicted values for each example, (N, C) of floats. "
            f"Received: shape ({', '.join(['N', *map(str, shape[1:])])}), dtype {dtype}.{several}"
        )


def check_same_width(chosen: Sequence[str], widths: Sequence[int | None]) -> None:
    """Refuse a mean and a spread of different numbers of targets.

    Raises:
        UnsuitableModelError: they have.
    """
    if len(set(widths)) > 1:
        found = ", ".join(f"{width} of {name}" for name, width in zip(chosen, widths, strict=True))
        raise UnsuitableModelError(f"A mean and its spread should have as many columns. Received: {found}.")


def guess_activation(values: np.ndarray) -> str:
    """Guess the activation of (N, C) outputs from some: "softmax", "none", or "unclear" in 0 to 1."""
    if not np.all((values >= 0) & (values <= 1)):
        return "none"
    sums_to_one = values.shape[1] > 1 and np.allclose(values.sum(axis=1), 1, atol=1e-3)
    return "softmax" if sums_to_one else "unclear"


def are_logits(columns: int, activation: str, from_logits: bool | None) -> bool:
    """Return whether (N, C) class scores are logits, not probabilities.

    Args:
        columns: C.
        activation: that made them: "softmax", "sigmoid", "none", or "unclear".
        from_logits: what the user says of it, or None.

    Raises:
        InvalidInputError: `from_logits` for probabilities.
        UnsuitableModelError: several outputs in 0 to 1 that need not sum to 1; one or two numbers of unknown meaning.
    """
    if columns > 1 and activation == "sigmoid":
        raise UnsuitableModelError(
            "Several sigmoid outputs are no probabilities of classes that exclude each other: they need not sum to 1. "
            f"Received: {columns} outputs. Several labels an example are not supported yet."
        )
    if columns > 1 and activation == "unclear":
        raise UnsuitableModelError(
            "The outputs lie in 0 to 1 and do not sum to 1, as probabilities of classes that exclude each other would. "
            f"Received: {columns} outputs. If each is the probability of a label of its own, several labels an example "
            "are not supported yet. If they are logits, let the model return their softmax."
        )
    if from_logits and activation in ("softmax", "sigmoid"):
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
    return activation == "none" if from_logits is None else from_logits


def describe_classes(columns: int, activation: str, from_logits: bool | None, which: str) -> OutputMeaning:
    """Describe (N, C) class scores, as `are_logits` takes them; `which` names the outputs that they are."""
    logits = are_logits(columns, activation, from_logits)
    guessed = from_logits is None and activation in ("none", "unclear")
    if columns == 1:
        return OutputMeaning(
            f"{which}one {'logit' if logits else 'probability'}, of the second of two classes", guessed
        )
    kind = "logits, of which a softmax makes probabilities" if logits else "probabilities"
    return OutputMeaning(f"{which}{columns:,} {kind} of classes that exclude each other", guessed)


def describe_values(columns: int, predicts: Predicts, which: str) -> OutputMeaning:
    """Describe (N, columns) outputs of a regression; `which` names the outputs that they are."""
    parts = predicts.replace("_", " ").split(",")
    targets = columns // len(parts)
    return OutputMeaning(f"{which}{' and '.join(parts)} of {targets:,} target{'s' * (targets != 1)}")


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
