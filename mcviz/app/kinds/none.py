"""Examples of which a run knows nothing but their number."""

from typing import Any, NoReturn

import numpy as np

from mcviz.app.kinds.base import KindRenderer
from mcviz.errors import McvizError
from mcviz.runs import Run


class NothingRenderer(KindRenderer):
    """Examples that are not in the run."""

    def render_example(self, run: Run, example: int, width: int) -> NoReturn:
        raise _missing(run)

    def render_input(self, run: Run, content: Any, spoken: str) -> NoReturn:
        raise _missing(run)

    def contents(self, run: Run, examples: np.ndarray) -> NoReturn:
        raise _missing(run)


def _missing(run: Run) -> McvizError:
    return McvizError(f"The examples of {run.path} are not in it.")
