"""What a model predicts: one class for each task, on arrays, without Keras and without a screen."""

from mcviz.manifest import Manifest
from mcviz.tasks.base import Changes, PassFormat, PassNames, Task
from mcviz.tasks.classification import Classification
from mcviz.tasks.regression import Regression
from mcviz.tasks.stored_array import StoredArray
from mcviz.tasks.summary import Summary

TASKS: dict[str, Task] = {task.name: task for task in (Classification(), Regression())}

__all__ = [
    "TASKS",
    "Changes",
    "Classification",
    "PassFormat",
    "PassNames",
    "Regression",
    "StoredArray",
    "Summary",
    "Task",
    "task_of",
]


def task_of(manifest: Manifest) -> Task:
    """The task of a run."""
    return TASKS[manifest.task]
