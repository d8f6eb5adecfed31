"""Tasks of models: a class each, on arrays. No Keras, no screen."""

from mcviz.manifest import Manifest
from mcviz.tasks.base import Changes as Changes
from mcviz.tasks.base import Loss as Loss
from mcviz.tasks.base import PassFormat as PassFormat
from mcviz.tasks.base import Task as Task
from mcviz.tasks.classification import Classification as Classification
from mcviz.tasks.multilabel import Multilabel as Multilabel
from mcviz.tasks.regression import Regression as Regression
from mcviz.tasks.segmentation import Segmentation as Segmentation
from mcviz.validate import choice

ALL_TASKS = (Classification(), Regression(), Multilabel(), Segmentation())
TASKS: dict[str, Task] = {task.name: task for task in ALL_TASKS}


def find_task(name: str) -> Task:
    """Find a task by its name.

    Raises:
        InvalidInputError: there is none.
    """
    return TASKS[choice("task", name, tuple(TASKS))]


def task_of(manifest: Manifest) -> Task:
    """The task of a run."""
    return TASKS[manifest.task]
