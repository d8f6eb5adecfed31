"""More passes for a finished run, from its own model and examples."""

import streamlit as st

from mcviz.app.runs.jobs import MOST_PASSES, act
from mcviz.app.wording import as_markdown, counted
from mcviz.jobs import Jobs
from mcviz.jobs.of_run import can_be_sampled, options_of_more
from mcviz.runs import Run
from mcviz.runs.shipped import is_shipped


def more_passes(run: Run) -> None:
    """The control that adds passes to a run; nothing where it cannot grow: shipped, without its model."""
    if (seed := run.manifest.seed) is None or run.passes >= MOST_PASSES or not can_be_sampled(run):
        return
    if is_shipped(run.path):
        return
    with st.popover("More passes", icon=":material/add:"):
        name = as_markdown(run.name)
        st.markdown(f"**{name}** has {counted(run.passes, 'pass')}. These stay as they are, and others are added.")
        wanted = st.number_input(
            "Passes in all",
            run.passes + 1,
            MOST_PASSES,
            min(2 * run.passes, MOST_PASSES),
            key=f"more-passes-{run.digest[:12]}",
        )

        def start(jobs: Jobs) -> None:
            options = options_of_more(run, seed=seed, passes=wanted)
            jobs.add("sample", options, run.name, f"{run.name}: {run.passes:,} to {wanted:,} passes")

        st.button("Add passes", icon=":material/add:", key="more-passes", on_click=act, args=(start,))
