"""What every view is given: the run, and the images selected in it, ranked."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mcviz.app import address
from mcviz.app.parts import ranking
from mcviz.app.selection import Selection
from mcviz.runs import Run

UNSURE_FIRST, SURE_FIRST = "most uncertain first", "most certain first"


@dataclass(frozen=True)
class LookedAt:
    """A run and the images selected in it.

    Attributes:
        run: the run.
        selection: the filters.
        score: the name of the score that images are ranked by.
        images: (n,) int64 indices of the selected images, in the order of the ranking.
    """

    run: Run
    selection: Selection
    score: str
    images: np.ndarray

    @property
    def scores(self) -> pd.DataFrame:
        """All scores of the selected images, in the order of the ranking."""
        return self.run.scores().iloc[self.images]


def looked_at(run: Run, score: str) -> LookedAt:
    """What the address selects, in the order that it names."""
    selection, order = address.selection(run), ranked(run, score)
    return LookedAt(run, selection, score, order[selection.mask(run.scores())[order]])


def ranked(run: Run, score: str) -> np.ndarray:
    """(N,) int64: all images of a run, in the order that the address names."""
    order = ranking(run.digest, score, run)
    sure_first = address.one_of("order", [UNSURE_FIRST, SURE_FIRST], UNSURE_FIRST) == SURE_FIRST
    return order[::-1] if sure_first else order
