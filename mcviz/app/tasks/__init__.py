"""How pages show the tasks: a renderer for each."""

from mcviz import tasks
from mcviz.app.tasks.base import TaskRenderer
from mcviz.app.tasks.classification import ClassificationRenderer
from mcviz.app.tasks.multilabel import MultilabelRenderer
from mcviz.app.tasks.regression import RegressionRenderer
from mcviz.app.tasks.segmentation import SegmentationRenderer
from mcviz.errors import McvizError
from mcviz.runs import Run

TASK_RENDERERS: dict[type[tasks.Task], TaskRenderer] = {
    tasks.Classification: ClassificationRenderer(),
    tasks.Multilabel: MultilabelRenderer(),
    tasks.Regression: RegressionRenderer(),
    tasks.Segmentation: SegmentationRenderer(),
}


def task_renderer(run: Run) -> TaskRenderer:
    """Return the renderer of a run's task or of its base.

    Raises:
        NoRendererError: there is none.
    """
    renderer = next((renderer for task, renderer in TASK_RENDERERS.items() if isinstance(run.task, task)), None)
    if renderer is None:
        raise NoRendererError(
            f"The dashboard cannot show predictions of the task {run.task.name}: neither those of an example, nor how "
            f"good they are, nor how far they can be trusted. {run.task.instead}".rstrip()
        )
    return renderer


class NoRendererError(McvizError):
    """A run whose task pages cannot show; the message names alternatives."""
