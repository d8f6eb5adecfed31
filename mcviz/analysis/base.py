"""Helpers of all analyses: requirements on a run, its scores of uncertainty, and rows of its table."""

from typing import TYPE_CHECKING

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.measures import SCORES
from mcviz.runs import Run

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray

RANKING_SCORES = tuple(name for name, score in SCORES.items() if not score.needs_labels)
LEAST_LABELLED = 2  # examples, one half of which calibrates the other
REGRESSION_ADVICE = (
    "Of a regression, the dashboard shows how wrong it is, on Overview; and whether its scores find the errors and its "
    "intervals hold the labels, on Uncertain examples under Errors and Intervals. On the command line, `mcviz trust` "
    "prints these figures, and `mcviz compare` compares two."
)


def require_classes(run: Run) -> None:
    """Raise an `InvalidInputError` for a run that is not of classes."""
    if not run.class_names:
        raise InvalidInputError(
            f"This is for runs of classification. Received: {run.path}, of {run.manifest.task}. {REGRESSION_ADVICE}"
        )


def require_labels(run: Run) -> Array:
    """Return the labels of a classification of two examples or more.

    Raises:
        InvalidInputError: it has none, one example, or is of a regression.
    """
    require_classes(run)
    return require_known_labels(run)


def require_known_labels(run: Run) -> Array:
    """Return the labels of two examples or more, of any task.

    Raises:
        InvalidInputError: it has none, or one example.
    """
    if run.labels is None:
        raise InvalidInputError(f"This takes labels, and {run.path} has none. Make the run of examples with labels.")
    if len(run) < LEAST_LABELLED:
        raise InvalidInputError(f"This takes {LEAST_LABELLED} examples or more. Received: {run.path}, with {len(run)}.")
    return run.labels


def ranking_scores(run: Run) -> list[str]:
    """Return the scores of `RANKING_SCORES` that a run has, as some runs lack some, and those that were added to it."""
    return [name for name in (*RANKING_SCORES, *run.added_scores) if name in run.score_names]


def convergence_score(score: str) -> str:
    """Return a score, or max probability where that score does not follow from passes alone."""
    return score if score in RANKING_SCORES else "max_probability"


def example_rows(run: Run, examples: Array) -> "pd.DataFrame":
    """Return rows of `Run.table` for (R,) numbers of examples, in their order, with number and names of the classes."""
    table = run.table().iloc[examples].reset_index()
    names = dict(enumerate(run.class_names))
    for column in ("prediction", "label"):
        name = f"{column}_name"
        table = table.rename(columns={name: f"user_{name}"})
        table.insert(list(table).index(column) + 1, name, table[column].map(names))
    return table
