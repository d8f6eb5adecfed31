"""Examples that may be looked at next, whose explanations are sent before somebody asks for them."""

from collections.abc import Callable, Collection, Mapping
from functools import partial

import numpy as np

from mcviz.app.caching import cached_for_run, names_key
from mcviz.app.components.charts import PICTURE_WIDTH
from mcviz.app.components.explanation import Explanation, send_ahead
from mcviz.app.kinds import kind_renderer
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from mcviz.errors import McvizError
from mcviz.runs import Run

MOST_AHEAD = 2_000_000  # predicted numbers, which are read and summed up in a second


def send_examples_ahead(run: Run, state: PageState, examples: Collection[int]) -> None:
    """Send the explanations of examples."""
    send_ahead(_explain_all(run, examples, partial(explain_example, run, state)))


def send_steps_ahead(run: Run, steps: Mapping[str, int], explain: Callable[[int], Explanation]) -> None:
    """Send the pictures and explanations of the examples to which buttons lead.

    Args:
        run: whose examples they are.
        steps: the examples, by what the keys of the buttons begin with.
        explain: an example by its number.
    """
    found, renderer = _explain_all(run, dict.fromkeys(steps.values()), explain), kind_renderer(run)
    for example, explanation in found.items():
        picture = renderer.tiles(run, np.array([example]), 2 * PICTURE_WIDTH).sheet
        found[example] = {**explanation, "picture": picture}
    send_ahead(found, steps)


def explain_example(run: Run, state: PageState, example: int) -> Explanation:
    """Explain an example as its task does."""
    return _explain(run, example, state.target, state.coverage, state)


def _explain_all(run: Run, examples: Collection[int], explain: Callable[[int], Explanation]) -> dict[int, Explanation]:
    """Explain examples; only the first ones, where all are too much to read."""
    found, most = {}, MOST_AHEAD // (run.passes * len(run.class_names or run.targets))
    for example in map(int, list(examples)[:most]):
        try:
            found[example] = explain(example)
        except McvizError:  # which a look at it will tell
            continue
    return found


@cached_for_run(names_key, max_entries=2_000)
def _explain(run: Run, example: int, target: int, coverage: int, _state: PageState) -> Explanation:  # noqa: ARG001
    return task_renderer(run).explain(load_example(run, _state, example))
