"""The outputs of a model as probabilities of classes, or as the means and variances of a regression."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from mcviz.choices import Predicts
from mcviz.sampling.outputs import (
    OutputMeaning,
    are_logits,
    check_output,
    check_regression,
    check_same_width,
    choose_outputs,
    describe_classes,
    guess_activation,
    name_chosen,
)
from mcviz.sampling.torch.internals import aten, log_softmax, softmax, to_copy

LOGITS = "logits"  # an output that the models of Hugging Face have
ACTIVATIONS = {
    softmax: "softmax",
    aten.sigmoid.default: "sigmoid",
    log_softmax: LOGITS,
    aten.addmm.default: "none",
    aten.mm.default: "none",
}
UNCHANGING = (
    to_copy,
    aten.clone.default,
    aten.select.int,
    aten.slice.Tensor,
    aten.squeeze.dim,
    aten.unsqueeze.default,
    aten.view.default,
)


def pick_output(returned: Any, name: str | None, predicts: Predicts) -> tuple[torch.Tensor, tuple[str, ...], str]:
    """Return the output of a name as (rows, C), its name, and which of several it is, in words.

    Without a name it is `logits`, or the only one. A mean and its spread in two outputs are concatenated.

    Raises:
        InvalidInputError: several outputs and no name, or an unknown name.
        UnsuitableModelError: the output is not one row of numbers for each example.
    """
    ordered = not is_dataclass(returned) and not isinstance(returned, Mapping)
    if is_dataclass(returned):  # before a mapping: those of Hugging Face are both
        named = {each.name: getattr(returned, each.name) for each in fields(returned)}
    elif isinstance(returned, Mapping):
        named = {str(key): value for key, value in returned.items()}
    else:
        named = {str(n): each for n, each in enumerate(returned if isinstance(returned, tuple | list) else [returned])}
    named = {key: value for key, value in named.items() if value is not None}
    chosen = choose_outputs(list(named), name, predicts, ordered=ordered, usual=LOGITS)
    outputs = [each[:, None] if each.ndim == 1 else each for each in map(named.__getitem__, chosen)]
    for rows in outputs:
        check_output(tuple(rows.shape), str(rows.dtype).removeprefix("torch."), floating=rows.is_floating_point())
    check_same_width(chosen, [rows.shape[1] for rows in outputs])
    return (outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)), chosen, name_chosen(chosen, list(named))


def find_activation(output: torch.fx.Node | None, values: np.ndarray) -> str:
    """Find the activation of (rows, C) outputs: "softmax", "sigmoid", "none", "unclear", or "logits" for sure.

    Args:
        output: in a graph; None where there is no graph.
        values: some, (n, C), for when the operation that made it says nothing.
    """
    while output is not None and output.target in UNCHANGING:
        output = output.args[0]
    return ACTIVATIONS.get(output and output.target) or guess_activation(values)


def make_probabilities(
    columns: int, activation: str, from_logits: bool | None, which: str
) -> tuple[Callable[[torch.Tensor], torch.Tensor], OutputMeaning]:
    """Make the function of (rows, C) class scores to float32 probabilities, of a single score to those of two classes.

    Returns:
        The function, and what the scores are taken for, after `which` outputs they are.

    Raises:
        InvalidInputError: `from_logits` for probabilities.
        UnsuitableModelError: several outputs in 0 to 1 that need not sum to 1; one or two numbers of unknown meaning.
    """
    if activation == LOGITS:
        activation, from_logits = "none", True if from_logits is None else from_logits
    logits = are_logits(columns, activation, from_logits)

    def finish(output: torch.Tensor) -> torch.Tensor:
        values = output.float()
        if columns == 1:
            positive = values.sigmoid() if logits else values
            return torch.cat([1 - positive, positive], dim=1)
        return values.softmax(dim=1) if logits else values

    return finish, describe_classes(columns, activation, from_logits, which)


def make_values(columns: int, activation: str, predicts: Predicts) -> Callable[[torch.Tensor], torch.Tensor]:
    """Make the function of (rows, D) outputs to float32 values; with a predicted spread to D means, then D variances.

    Raises:
        UnsuitableModelError: a softmax over several classes; no spread for each mean.
    """
    check_regression(columns, predicts, lambda: activation)

    def finish(output: torch.Tensor) -> torch.Tensor:
        values = output.float()
        if predicts in ("mean", "mean,variance"):
            return values
        means, spreads = values.chunk(2, dim=1)
        return torch.cat([means, spreads.exp() if predicts == "mean,log_variance" else spreads.square()], dim=1)

    return finish
