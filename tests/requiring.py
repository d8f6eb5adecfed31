"""Packages that a test cannot do without."""

import os
from importlib.util import find_spec

import pytest


def require_torch(*others: str) -> None:
    """Skip a test where PyTorch, or a package beside it, is not installed; MCVIZ_REQUIRE_TORCH makes that a failure."""
    missing = [name for name in ("torch", *others) if find_spec(name) is None]
    if missing:
        reason = f"not installed: {', '.join(missing)}"
        if os.environ.get("MCVIZ_REQUIRE_TORCH"):
            pytest.fail(reason)
        pytest.skip(reason, allow_module_level=True)
