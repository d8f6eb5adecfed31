"""The selection: the examples of a run that pass the filters, ranked. Every view is given one."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mcviz.app.filters import Filters
from mcviz.app.resources import ranking, table
from mcviz.app.state import CONFIDENT_FIRST, PageState
from mcviz.runs import Run


@dataclass(frozen=True)
class Selection:
    """A run and the examples selected in it.

    Attributes:
        run: the run.
        state: of the page, with the filters and the score that examples are ranked by.
        examples: (n,) int64 numbers of the selected examples, in the order of the ranking.
    """

    run: Run
    state: PageState
    examples: np.ndarray

    @property
    def filters(self) -> Filters:
        """The filters that the examples pass."""
        return self.state.filters

    @property
    def score(self) -> str:
        """The name of the score that examples are ranked by."""
        return self.state.score

    @property
    def table(self) -> pd.DataFrame:
        """All scores of the selected examples, in the order of the ranking."""
        return table(self.run).iloc[self.examples]


def select(run: Run, state: PageState) -> Selection:
    """The examples that pass a state's filters, in its order."""
    order = ranked(run, state)
    return Selection(run, state, order[state.filters.mask(table(run))[order]])


def ranked(run: Run, state: PageState) -> np.ndarray:
    """(N,) int64: all examples of a run, in a state's order."""
    order = ranking(run, state.score)
    return order[::-1] if state.order == CONFIDENT_FIRST else order
