"""Files of PyTorch models."""

from typing import Any


def load_network(options: Any, task: Any, run: Any) -> Any:
    raise NotImplementedError


def network_for_run(model: Any, run: Any) -> Any:
    raise NotImplementedError


def save_network(network: Any) -> bytes:
    raise NotImplementedError
