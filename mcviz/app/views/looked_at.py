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
    selection = address.selection(run)
    ranked = ranking(run.digest, score, run)
    if address.one_of("order", [UNSURE_FIRST, SURE_FIRST], UNSURE_FIRST) == SURE_FIRST:
        ranked = ranked[::-1]
    return LookedAt(run, selection, score, ranked[selection.mask(run.scores())[ranked]])
