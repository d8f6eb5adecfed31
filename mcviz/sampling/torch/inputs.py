"""Examples in the form that a PyTorch model takes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from mcviz.runs.contents import Rows


def prepare_inputs(examples: Any, transform: Callable[..., Any] | None) -> dict[str, Rows]:
    """Bring examples into the form that a model takes, by the names of its inputs."""
    if isinstance(examples, Mapping):
        return {name: np.asarray(array) for name, array in examples.items()}
    if isinstance(examples, torch.Tensor):
        return {"x": examples.numpy()}
    array = np.asarray(examples)
    return {"x": np.moveaxis(array, -1, 1) if array.ndim == 4 else array}
