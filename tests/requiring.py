"""Packages that a test cannot do without."""

import os
from importlib.util import find_spec

import pytest


def require_torch(*others: str) -> None:
    """Skip a test where PyTorch, or a package beside it, is not installed; MCVIZ_REQUIRE_TORCH makes that a failure."""
    _require(("torch", *others), "MCVIZ_REQUIRE_TORCH")


def require_triton() -> None:
    """Skip a test where PyTorch came without Triton, as it does for the processor; or MCVIZ_REQUIRE_TRITON fails it."""
    _require(("torch", "safetensors", "triton"), "MCVIZ_REQUIRE_TRITON")


def _require(names: tuple[str, ...], variable: str) -> None:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        reason = f"not installed: {', '.join(missing)}"
        if os.environ.get(variable):
            pytest.fail(reason)
        pytest.skip(reason, allow_module_level=True)
