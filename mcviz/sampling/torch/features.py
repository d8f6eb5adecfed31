"""The inputs of a model's last dense layer, and the gradient of its prediction by its input."""

from collections.abc import Callable, Mapping

import numpy as np
import torch

from mcviz.errors import UnsuitableModelError
from mcviz.runs.contents import Rows
from mcviz.sampling.engine import iterate_blocks
from mcviz.sampling.torch.draws import Call, borrow, supply_nothing, supply_numbers
from mcviz.sampling.torch.internals import ignore_other_threads
from mcviz.sampling.torch.tracing import as_tensor

FEATURES_AT_ONCE = 100  # examples
GRADIENTS_AT_ONCE = 100  # the same


def compute_features(model: torch.nn.Module, call: Call, inputs: Mapping[str, Rows]) -> np.ndarray:
    """Compute the inputs of the last dense layer that is called, dropout off.

    Args:
        model: the model.
        call: of it.
        inputs: N examples, each input (N, ...).

    Returns:
        (N, D) float32.

    Raises:
        UnsuitableModelError: a model without such a layer, or one whose input has other axes than the batch and one.
    """
    taken: list[torch.Tensor] = []
    take = ignore_other_threads(lambda _, given: taken.append(given[0]))
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    features = []
    for rows, block in iterate_blocks(inputs, FEATURES_AT_ONCE):
        taken.clear()
        with torch.no_grad(), borrow(model), supply_numbers(model, (), supply_nothing):
            hooks = [layer.register_forward_pre_hook(take) for layer in layers]
            try:
                call({name: as_tensor(array).clone() for name, array in block.items()})
            finally:
                for hook in hooks:
                    hook.remove()
        if not taken or taken[-1].ndim != 2 or len(taken[-1]) != FEATURES_AT_ONCE:
            raise UnsuitableModelError(
                "The inputs of the last layer need a model that ends in a torch.nn.Linear over one row an example. "
                f"Received: {type(model).__name__}."
            )
        features.append(taken[-1][: rows.stop - rows.start].float().numpy())
    return np.concatenate(features)


def compute_gradient_sign(
    model: torch.nn.Module,
    predict: Callable[[torch.Tensor], torch.Tensor],
    examples: np.ndarray,
    labels: np.ndarray | None,
) -> np.ndarray:
    """Compute the sign of the change of each number that makes a class less probable (Goodfellow et al. 2015).

    This is the direction of the fast gradient sign method; dropout is off.

    Args:
        model: a classifier.
        predict: (N, ...) examples to (N, C) probabilities.
        examples: (N, ...) float32 as the model takes them.
        labels: (N,) the classes to move away from; the model's predictions without it.

    Returns:
        (N, ...) float32 of -1, 0 and 1.
    """
    signs = []
    for start in range(0, len(examples), GRADIENTS_AT_ONCE):
        block = as_tensor(examples[start : start + GRADIENTS_AT_ONCE]).clone().requires_grad_()
        with torch.enable_grad(), borrow(model), supply_numbers(model, (), supply_nothing):
            probs = predict(block.clone())  # a model may write into its input
            classes = probs.argmax(dim=1) if labels is None else torch.tensor(labels[start : start + len(block)])
            chosen = probs.gather(1, classes.long()[:, None])
            # Cross-entropy up to its sign; the smallest float keeps the gradient of a probability that is 0 finite.
            (gradient,) = torch.autograd.grad(-(chosen + torch.finfo(torch.float32).tiny).log().sum(), block)
        signs.append(gradient.sign().numpy())
    return np.concatenate(signs)
