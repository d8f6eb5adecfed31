"""Tasks of models: a class each, on arrays, without Keras and without a screen."""

from mcviz.manifest import Manifest
from mcviz.tasks.base import Aggregates, Changes, PassFormat, PassNames, StoredArray, Task
from mcviz.tasks.classification import Classification
from mcviz.tasks.regression import Regression
from mcviz.validate import choice

TASKS: dict[str, Task] = {task.name: task for task in (Classification(), Regression())}

__all__ = [
    "TASKS",
    "Aggregates",
    "Changes",
    "Classification",
    "PassFormat",
    "PassNames",
    "Regression",
    "StoredArray",
    "Task",
    "find_task",
    "task_of",
]


def find_task(name: str) -> Task:
    """Find a task by its name.

    Raises:
        InvalidInputError: there is none.
    """
    return TASKS[choice("task", name, tuple(TASKS))]


def task_of(manifest: Manifest) -> Task:
    """The task of a run."""
    return TASKS[manifest.task]
