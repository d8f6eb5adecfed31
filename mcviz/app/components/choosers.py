"""Choices that several pages share: of the score that ranks, of the target, and of the filters to take off."""

import streamlit as st

from mcviz.app.failures import refusal
from mcviz.app.filters import Filters
from mcviz.app.resources import class_names, columns_as_scores, run_numbers, run_scores, table, target_names
from mcviz.app.selection import Selection
from mcviz.app.state import (
    PageState,
    mark_dirty,
    queue_toast,
    session_store,
    state_widget_args,
    update_state,
)
from mcviz.app.wording import as_markdown
from mcviz.errors import McvizError
from mcviz.permission import may_write
from mcviz.runs import Run
from mcviz.runs.storage import is_shipped
from mcviz.text import one_line

COLUMN = "column-to-rank-by"  # the key in the session of one whose uncertain end is asked for


def score_chooser(label: str, run: Run, state: PageState) -> None:
    """Render a choice among the scores of a run, which all pages share, and the numeric columns of the user's own.

    A column becomes a score once its uncertain end is known.
    """
    scores = run_scores(run)
    columns = columns_as_scores(run) if may_write() and not is_shipped(run.path) else {}
    labels = {column: f"{one_line(column)}, a column" for column in columns}
    labels |= {name: score.label for name, score in scores.items()}

    def choose(name: str) -> None:
        session_store()[COLUMN] = name
        if name in scores:
            update_state(score=name)
        else:
            mark_dirty()

    with st.container(key="score-chooser", width=290, gap="xsmall"):
        st.selectbox(
            label,
            [*scores, *columns],
            format_func=labels.__getitem__,
            help="\n\n".join(f"**{score.label}**: {as_markdown(score.meaning)}" for score in scores.values()),
            **state_widget_args("score", state.score, choose),
        )
        column = session_store().get(COLUMN)
        if column in columns:
            _ask_for_end(run, column, columns[column])


def _ask_for_end(run: Run, column: str, name: str) -> None:
    """Render a question: which end of a column is uncertain? The answer makes it a score."""

    def add(*, high: bool) -> None:
        end = "High" if high else "Low"
        meaning = f"Your column {one_line(column)[:100]}. {end}: uncertain."
        try:
            run.add_score(name, table(run)[column], high_is_uncertain=high, meaning=meaning)
        except McvizError as error:
            queue_toast(refusal(error, "Rank by"), ":material/error:")
        else:
            update_state(score=name)

    label = f"Which end of **{as_markdown(column)}** is uncertain?"
    st.caption(label)
    with st.container(horizontal=True, gap="xsmall"):
        st.button("High", key="high-is-uncertain", on_click=add, kwargs={"high": True}, width="stretch")
        st.button("Low", key="low-is-uncertain", on_click=add, kwargs={"high": False}, width="stretch")


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


def chips(selection: Selection) -> None:
    """Render how many examples are selected, a button that takes off each filter, and one for the flagged."""
    filters, flagged = selection.filters, selection.state.flagged
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content", key="chips"):
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
