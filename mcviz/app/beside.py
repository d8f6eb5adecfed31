"""A run with the numbers of another run over the same examples beside its own."""

import pandas as pd
import streamlit as st

from mcviz.comparing import beside
from mcviz.runs import Run


class RunBeside(Run):
    """A run whose table has what another run says of the same examples; otherwise it is as it was.

    How the prediction changed is one of its columns by which examples are filtered, grouped and coloured; the other
    run's scores are numbers, as its own are.

    Attributes:
        other: the other run.
        change: the name of the column that says how each example changed.
        numbers: a row an example, the other run's numbers.
    """

    __slots__ = ("_columns", "change", "numbers", "other")

    def __init__(self, run: Run, other: Run) -> None:
        """Put a run beside another, which costs nothing the second time.

        Args:
            run: over the same examples.
            other: the other.
        """
        self.__dict__ = run.__dict__  # what one of them reads, the other has
        self.other = other
        self.change, self._columns, self.numbers = _joined(key_of_both(run, other), run, other)

    @property
    def columns(self) -> pd.DataFrame:
        """The ids and the user's own columns, and how the prediction changed."""
        return self._columns

    def table(self) -> pd.DataFrame:
        """As of the run, with how the prediction changed and the other run's numbers behind it."""
        return super().table().join(self.numbers)


def key_of(run: Run) -> str:
    """What the table of a run follows from: its digest, and that of the run beside it."""
    return key_of_both(run, run.other) if isinstance(run, RunBeside) else run.digest


def key_of_both(run: Run, other: Run) -> str:
    """What a comparison of two runs follows from."""
    return " ".join((run.digest, *run.class_names, "beside", other.digest, *other.class_names, other.name))


@st.cache_resource(max_entries=8, show_spinner="Comparing the runs …")
def _joined(key: str, _run: Run, _other: Run) -> tuple[str, pd.DataFrame, pd.DataFrame]:  # noqa: ARG001 (the cache's)
    found, own = beside(_run, _other), _run.columns
    change = str(found.columns[0])
    if own is None:
        own = pd.DataFrame({"id": found.index.astype(str)}, index=found.index)
    return change, own.assign(**{change: found[change]}), found.drop(columns=change)
