"""Examples that may be looked at next, whose explanations are sent before somebody asks for them."""

from collections.abc import Iterable

import streamlit as st

from mcviz.app.caching import cached_for_run, names_key
from mcviz.app.components.explanation import Explanation, send_ahead
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from mcviz.errors import McvizError
from mcviz.runs import Run

MOST_AHEAD = 2_000_000  # predicted numbers, which are read and summed up in a second


def send_examples_ahead(run: Run, state: PageState, examples: Iterable[int]) -> None:
    """Send the explanations of examples; only of the first ones, where all are too much to read."""
    found = {}
    for example in list(examples)[: MOST_AHEAD // (run.passes * len(run.class_names or run.targets))]:
        try:
            found[int(example)] = _explain(run, int(example), state.target, state.coverage, state)
        except McvizError:  # which a look at it will tell
            continue
    with st.container(key="ahead"):
        send_ahead("explanations-ahead", found)


@cached_for_run(names_key, max_entries=2_000)
def _explain(run: Run, example: int, target: int, coverage: int, _state: PageState) -> Explanation:  # noqa: ARG001
    return task_renderer(run).explain(load_example(run, _state, example))
