"""The details of Trust: closed until somebody asks, computed when they are opened, and named in the address."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from mcviz.app.state import PageState, latest_state, state_widget_args, update_state
from mcviz.app.trust.calibration import render_figures, render_groups
from mcviz.app.trust.referral import render_costs, render_missed_mistakes, render_prediction_sets, render_scores
from mcviz.runs import Run

DETAILS: dict[str, tuple[str, Callable[[Run, PageState], None]]] = {
    "figures": ("How accurate is each way to predict?", render_figures),
    "groups": ("Does a group fare worse?", render_groups),
    "scores": ("Which score finds the mistakes?", render_scores),
    "mistakes": ("Which mistakes does nobody see?", render_missed_mistakes),
    "costs": ("What is cheapest?", render_costs),
    "sets": ("How many classes are possible?", render_prediction_sets),
}


def render_details(run: Run, state: PageState) -> None:
    """Render a question each, with its answer where it is open."""
    with st.container(gap="xsmall"):
        for name, (question, render) in DETAILS.items():
            expander = st.expander(
                question, **state_widget_args(f"details-{name}", name in state.details, partial(_show, name))
            )
            if expander.open:
                with expander:
                    render(run, state)


def _show(name: str, is_shown: bool) -> None:
    """Open or close one of the details, in a callback."""
    others = tuple(detail for detail in latest_state().details if detail != name)
    update_state(details=(*others, name) if is_shown else others)
