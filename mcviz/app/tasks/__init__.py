"""The registry of tasks: what pages ask of what a run predicts."""

from mcviz.app.tasks.classification import CLASSIFICATION
from mcviz.app.tasks.regression import REGRESSION
from mcviz.app.tasks.task import Task
from mcviz.runs import Run

TASKS: dict[str, Task] = {"classification": CLASSIFICATION, "regression": REGRESSION}


def task_of(run: Run) -> Task:
    """The task of a run."""
    return TASKS[run.manifest.task]
