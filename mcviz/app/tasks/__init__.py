"""The tasks that pages can show, by name."""

from mcviz.app.tasks.base import Task
from mcviz.app.tasks.classification import Classification
from mcviz.app.tasks.regression import Regression
from mcviz.runs import Run

TASKS: dict[str, Task] = {"classification": Classification(), "regression": Regression()}


def task_of(run: Run) -> Task:
    """The task of a run."""
    return TASKS[run.manifest.task]
