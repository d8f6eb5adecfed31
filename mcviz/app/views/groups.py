"""Group by group of one of the user's own columns: how accurate the model is, and how uncertain."""

import streamlit as st

from mcviz.app.columns import grouping_columns, groups
from mcviz.app.components.charts import nothing_passes
from mcviz.app.components.widgets import bound
from mcviz.app.needs import has
from mcviz.app.selection import Selection
from mcviz.app.state import one_of
from mcviz.measures import SCORES
from mcviz.text import one_line

MOST_ROWS = 12
HEIGHT = 460  # pixels


def groups_view(selection: Selection) -> None:
    """A row a group of the selected examples, those of lowest accuracy first, or the most uncertain without labels."""
    run, score = selection.run, SCORES[selection.score]
    offered = grouping_columns(run)
    name = one_of(selection.state.column, offered)
    st.selectbox("Group by", offered, format_func=one_line, width=250, **bound("column", name))
    if len(selection.examples) == 0:
        nothing_passes()
        return
    found, scores = groups(run, name), selection.table
    members = scores.assign(correct=scores["correct"].astype("Float64")).groupby(found.members[selection.examples])
    summary = members.agg(
        examples=(score.name, "size"), correct=("correct", "mean"), score=(score.name, "mean")
    ).reset_index(names="group")
    summary["group"] = [found.names[group] for group in summary["group"]]
    by_score = summary.sort_values("score", ascending=score.uncertain_when == "low", kind="stable")
    ordered = by_score.sort_values("correct", kind="stable") if has(run, "labels") else by_score.drop(columns="correct")
    columns = {
        "group": st.column_config.TextColumn(one_line(name)),
        "examples": st.column_config.NumberColumn("examples", format="localized"),
        "correct": st.column_config.ProgressColumn("correct", format="percent", min_value=0, max_value=1),
        "score": st.column_config.ProgressColumn(
            f"mean {score.label.lower()}",
            format="%.3f",
            min_value=0,
            max_value=max(float(summary["score"].max()), 1e-6),
        ),
    }
    st.dataframe(
        ordered,
        key=f"groups-{name}",
        hide_index=True,
        height="content" if len(ordered) <= MOST_ROWS else HEIGHT,
        column_config=columns,
        alt=f"Table of {len(ordered)} groups with the number of their examples and the mean {score.label.lower()}",
    )
    st.caption("Figures of the selected examples. A click on a column sorts by it.")
