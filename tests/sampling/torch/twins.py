"""The network of `tests/sampling/fake.py` in PyTorch."""

from typing import Any

import numpy as np
import torch
from torch import nn

from mcviz.runs.tables import Rows
from mcviz.sampling.base import InputSpec, ModelSettings
from mcviz.sampling.examples import NAMELESS
from mcviz.sampling.torch.network import TorchNetwork
from tests.sampling.fake import Arrays, make_arrays


class Twin(nn.Module):
    """A second ReLU behind the dropout changes no number, and keeps the layer from being factored."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        rate, _, factored = arrays["settings"]
        self.first, self.second = nn.Linear(*arrays["first"].shape), nn.Linear(*arrays["second"].shape)
        self.dropout, self.again = nn.Dropout(float(rate)), nn.Identity() if factored else nn.ReLU()
        weights = {name: (getattr(self, name), arrays[name], arrays[f"{name}_bias"]) for name in ("first", "second")}
        for layer, kernel, bias in weights.values():
            layer.load_state_dict({"weight": torch.tensor(kernel.T), "bias": torch.tensor(bias)})

    def forward(self, top: torch.Tensor, bottom: torch.Tensor | None = None) -> torch.Tensor:
        flat = torch.cat([part.flatten(1) for part in (top, bottom) if part is not None], dim=1)
        return self.second(self.again(self.dropout(self.first(flat).relu())))


class TwinOfTwoInputs(TorchNetwork):
    """Examples are split along their first axis."""

    def prepare(self, examples: Any) -> dict[str, Rows]:
        return dict(zip(("top", "bottom"), np.array_split(examples, 2, axis=1), strict=True))


def make_twin(arrays: Arrays, task: str, device: str = "cpu") -> TorchNetwork:
    two, factored = map(int, arrays["settings"][1:])
    build = "build_factored" if factored else "build"
    options = {"settings": ModelSettings(task=task, device=device), "function": f"{__name__}:{build}"}
    if two == 2:
        inputs = InputSpec("top", (3, 5, 1), "float32"), InputSpec("bottom", (3, 5, 1), "float32")
        return TwinOfTwoInputs(Twin(arrays), inputs=inputs, **options)
    return TorchNetwork(Twin(arrays), inputs=(InputSpec(NAMELESS, (1, 6, 5), "float32"),), **options)


def build() -> Twin:
    return Twin(make_arrays())


def build_factored() -> Twin:
    return Twin(make_arrays(factored=True))
