"""An example of a run, as its kind shows it."""

from mcviz.app.components.charts import PICTURE_WIDTH
from mcviz.app.kinds import kind_renderer
from mcviz.app.needs import check_needs
from mcviz.runs import Run

EXAMPLE_WIDTH = 360  # pixels, of an example beside what is predicted for it


def render_example(run: Run, example: int, width: int = PICTURE_WIDTH) -> None:
    """Render one example, a picture at most so many pixels wide, or why it cannot be shown."""
    if check_needs(run, {"examples"}):
        kind_renderer(run).render_example(run, example, width)
