"""Choices that several pages share: of the score that examples are ranked by, and of the target that charts show."""

import streamlit as st

from mcviz.app.components.widgets import state_widget_args
from mcviz.app.failures import refusal
from mcviz.app.resources import columns_as_scores, run_scores, table, target_names
from mcviz.app.session import mark_dirty, queue_toast, session_store
from mcviz.app.state import PageState, update_state
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
            "Target", range(len(names)), format_func=names.__getitem__, width=320, **state_widget_args("target", state.target)
        )
