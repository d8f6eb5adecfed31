"""The choice of the target that charts show, of a regression of several."""

import streamlit as st

from mcviz.app.components.widgets import bind
from mcviz.app.resources import target_names
from mcviz.app.state import PageState
from mcviz.runs import Run


def target_chooser(run: Run, state: PageState) -> None:
    """Render a choice among the targets of a run, which all pages share; nothing where there is only one."""
    names = target_names(run)
    if len(names) > 1:
        st.selectbox(
            "Target", range(len(names)), format_func=names.__getitem__, width=320, **bind("target", state.target)
        )
