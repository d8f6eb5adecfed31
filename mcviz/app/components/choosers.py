"""Choices that several pages share: of the score that ranks, of the target, and of the filters to take off."""

import streamlit as st

from mcviz.app.filters import Filters
from mcviz.app.resources import class_names, run_numbers, run_scores, target_names
from mcviz.app.selection import Selection
from mcviz.app.state import (
    PageState,
    state_widget_args,
    update_state,
)
from mcviz.app.wording import as_markdown, describe_scores
from mcviz.runs import Run


def score_chooser(label: str, run: Run, state: PageState) -> None:
    """Render a choice among the scores of a run, which all pages share."""
    scores = run_scores(run)
    st.selectbox(
        label,
        list(scores),
        format_func=lambda name: scores[name].label,
        help=describe_scores(scores),
        width=290,
        **state_widget_args("score", state.score),
    )


def target_chooser(run: Run, state: PageState) -> None:
    """Render a choice among the targets of a run, which all pages share; nothing where there is only one."""
    names = target_names(run)
    if len(names) > 1:
        st.selectbox(
            "Target",
            range(len(names)),
            format_func=names.__getitem__,
            width=320,
            **state_widget_args("target", state.target),
        )


def chips(selection: Selection, *, with_count: bool = True) -> None:
    """Render how many examples are selected, a button that takes off each filter, and one for the flagged."""
    filters, flagged = selection.filters, selection.state.flagged
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content", key="chips"):
        if with_count:
            st.markdown(f"**{len(selection.examples):,}** of {len(selection.run):,} examples", width="content")
        removable = filters.chips(class_names(selection.run), run_numbers(selection.run))
        for index, (label, take_off) in enumerate(removable):
            st.button(
                as_markdown(label),
                icon=":material/close:",
                key=f"chip-{index}",
                help="Take this filter off",
                on_click=update_state,
                kwargs={"filters": take_off},
            )
        if flagged and filters.selected != flagged:
            st.button(
                f"Show the {len(flagged)} flagged",
                icon=":material/flag:",
                type="tertiary",
                on_click=update_state,
                kwargs={"filters": Filters(selected=flagged)},
            )
        if len(removable) > 1:
            st.button("Clear all", type="tertiary", key="clear", on_click=update_state, kwargs={"filters": Filters()})
