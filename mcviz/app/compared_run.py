"""A run with the numbers of another run beside its own, of the examples that both have."""

import pandas as pd

from mcviz.analysis.pairing import Pairs
from mcviz.runs import Run


class ComparedRun(Run):
    """A run whose table has what another run says of the same examples; otherwise it is as it was.

    How the prediction changed is one of its columns by which examples are filtered, grouped and coloured; the other
    run's scores are numbers, as its own are.

    Attributes:
        other: the other run.
        pairs: the examples that both have, and the labels that both are measured by.
        change: the name of the column that says how each example changed.
        numbers: a row an example, the other run's numbers, missing where that lacks the example.
    """

    __slots__ = ("_columns", "change", "numbers", "other", "pairs")

    def __init__(
        self, run: Run, other: Run, pairs: Pairs, change: str, columns: pd.DataFrame, numbers: pd.DataFrame
    ) -> None:
        """Put a run beside another.

        Args:
            run: that is shown.
            other: the other.
            pairs: the examples that both have.
            change: the name of the column that says how each example changed.
            columns: the ids, the user's own columns, and how each example changed.
            numbers: a row an example, the other run's numbers.
        """
        self.__dict__ = run.__dict__  # what one of them reads, the other has
        self.other, self.pairs = other, pairs
        self.change, self._columns, self.numbers = change, columns, numbers

    @property
    def columns(self) -> pd.DataFrame:
        """The ids and the user's own columns, and how the prediction changed."""
        return self._columns

    def table(self) -> pd.DataFrame:
        """Return the run's table, with how the prediction changed and the other run's numbers behind it."""
        return super().table().join(self.numbers)
