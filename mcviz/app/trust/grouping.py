"""The choice of a column whose values are groups of examples that belong together."""

import streamlit as st

from mcviz.analysis.base import group_sentence
from mcviz.app.columns import details
from mcviz.app.compared_run import ComparedRun
from mcviz.app.components.widgets import state_widget_args
from mcviz.app.state import PageState
from mcviz.app.wording import as_markdown
from mcviz.runs import Run
from mcviz.text import one_line

INDEPENDENT = "none: all are independent"


def chosen_group(run: Run, state: PageState) -> str | None:
    """Return the column that the state names, or None where no such column is there."""
    return state.group if state.group in _group_columns(run) else None


def render_group_choice(run: Run, state: PageState) -> None:
    """Render the choice where the run has own columns, and say what is taken as independent."""
    columns, group = _group_columns(run), chosen_group(run, state)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if columns:
            st.selectbox(
                "Groups that belong together, such as the images of a patient",
                ["", *columns],
                format_func=lambda name: one_line(name) if name else INDEPENDENT,
                width=400,
                **state_widget_args("group", group or ""),
            )
        st.caption(as_markdown(group_sentence(run, group)), width="content")


def _group_columns(run: Run) -> list[str]:
    own = details(run)
    return [name for name in own if name != run.change] if isinstance(run, ComparedRun) else own
