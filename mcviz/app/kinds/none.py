"""Examples of which a run knows nothing but their number."""

from typing import Any

import numpy as np

from mcviz.app.kinds.kind import Kind, Tiles
from mcviz.errors import McvizError
from mcviz.runs import Run


def _nothing(run: Run, *_: Any) -> Any:
    raise McvizError(f"The examples of {run.path} are not in it.")


def tiles(run: Run, examples: np.ndarray) -> Tiles:  # noqa: ARG001
    """Nothing but what every tile has."""
    return Tiles()


def columns(run: Run, examples: np.ndarray) -> dict[str, tuple[list[Any], Any]]:  # noqa: ARG001
    """No column."""
    return {}


NONE = Kind("", _nothing, _nothing, tiles, columns, _nothing, _nothing, inputs={})
