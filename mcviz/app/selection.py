"""The selection: the examples of a run that pass the filters, ranked. Every view is given one."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from mcviz.analysis.base import LEAST_LABELLED
from mcviz.analysis.labelling import OUT_OF_FOLD, count_label_errors, label_errors_sentence
from mcviz.app.caching import cached_for_run, numbers_key, table_key
from mcviz.app.filters import Filters
from mcviz.app.layouts import positions
from mcviz.app.resources import ranking, table
from mcviz.app.state import CONFIDENT_FIRST, UNCERTAIN_FIRST, PageState
from mcviz.runs import Run

LABEL_ERRORS = {"score": "self_confidence", "order": UNCERTAIN_FIRST}  # of the state that ranks them first


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

    def first(self, count: int) -> pd.DataFrame:
        """The first so many rows of its table."""
        return table(self.run).iloc[self.examples[:count]]


def select(run: Run, state: PageState) -> Selection:
    """Return the examples that pass a state's filters, in its order."""
    order = ranked_examples(run, state)
    return Selection(run, state, order[filter_mask(run, state.filters)[order]])


@cached_for_run(table_key, max_entries=32)
def filter_mask(run: Run, filters: Filters) -> np.ndarray:
    """Return (N,) bool: the examples of a run that pass every filter; shared, so not to be written to."""
    mask = filters.mask(table(run), partial(positions, run))
    mask.setflags(write=False)
    return mask


@cached_for_run(numbers_key, max_entries=8, show_spinner="Counting probable label errors …")
def label_error_words(run: Run) -> str:
    """Say how many labels of a run are expected to be wrong, and what that takes; "" of one example."""
    if len(run) < LEAST_LABELLED:
        return ""
    return f"{label_errors_sentence(count_label_errors(run), len(run))} {OUT_OF_FOLD}"


def find_rank(example: int, order: np.ndarray) -> int:
    """Return where an example stands in an order of examples, counted from 0; -1 where it is not there."""
    found = np.flatnonzero(order == example)
    return int(found[0]) if len(found) else -1


def ranked_examples(run: Run, state: PageState) -> np.ndarray:
    """Return (N,) int64: all examples of a run, in a state's order."""
    order = ranking(run, state.score)
    return order[::-1] if state.order == CONFIDENT_FIRST else order
