"""The tasks that pages can show."""

from mcviz import tasks
from mcviz.app.tasks.base import Task
from mcviz.app.tasks.classification import Classification
from mcviz.app.tasks.regression import Regression
from mcviz.runs import Run

SHOWN_AS: dict[type[tasks.Task], Task] = {
    tasks.Classification: Classification(),
    tasks.Regression: Regression(),
}


def task_of(run: Run) -> Task:
    """Return the task of a run as pages show it: as the one that it is a kind of."""
    return next(task for form, task in SHOWN_AS.items() if isinstance(run.task, form))
