"""The rows of a run's table: their values, the names of their columns, and what is usual in each column."""

import numpy as np

from mcviz.app.caching import cached_for_run, numbers_key
from mcviz.data import Usual, usual
from mcviz.runs import Run
from mcviz.text import one_line


@cached_for_run(numbers_key, max_entries=4)
def rows_of(run: Run) -> np.ndarray:
    """(N, D) float32: the rows of a run; shared, so not to be written to."""
    rows = run.content.to_numpy(np.float32)
    rows.setflags(write=False)
    return rows


def names_of(run: Run) -> list[str]:
    """The names of a run's columns, each as one line."""
    return [one_line(str(name)) for name in run.content]


@cached_for_run(numbers_key, max_entries=4)
def usual_values(run: Run) -> Usual:
    """What is usual in each column of a run."""
    return usual(rows_of(run))
