"""Group by group of one of the user's own columns: how good the predictions are, and how uncertain."""

import streamlit as st

from mcviz.app.columns import all_grouping_columns, groups
from mcviz.app.components.charts import render_empty_selection, table_height
from mcviz.app.components.widgets import state_widget_args
from mcviz.app.needs import has
from mcviz.app.resources import run_scores, table
from mcviz.app.selection import Selection
from mcviz.app.state import choose_name
from mcviz.app.tasks import task_renderer
from mcviz.text import one_line


def render_groups(selection: Selection) -> None:
    """Render a row a group of the selection, the worst predicted first, or the most uncertain without labels."""
    run, score, quality = (
        selection.run,
        run_scores(selection.run)[selection.score],
        task_renderer(selection.run).group_measure,
    )
    offered = all_grouping_columns(run)
    name = choose_name(selection.state.column, offered)
    st.selectbox("Group by", offered, format_func=one_line, width=250, **state_widget_args("column", name))
    if len(selection.examples) == 0:
        render_empty_selection()
        return
    found, known = groups(run, name), has(run, "labels")
    rows = table(run)[[score.name]].iloc[selection.examples]
    measured = table(run)[quality.column].iloc[selection.examples].astype("Float64") if known else None
    members = rows.assign(**{quality.column: measured}).groupby(found.members[selection.examples])
    summary = members.agg(
        **{
            "examples": (score.name, "size"),
            quality.column: (quality.column, "mean"),
            "score": (score.name, "mean"),
        }
    )
    summary = summary.reset_index(names="group")
    summary["group"] = [found.names[group] for group in summary["group"]]
    ordered = summary.sort_values("score", ascending=score.uncertain_when == "low", kind="stable")
    if known:
        ordered = ordered.sort_values(quality.column, ascending=quality.low_is_bad, kind="stable")
    else:
        ordered = ordered.drop(columns=quality.column)
    unit = "" if quality.is_share else one_line(run.manifest.unit)
    columns = {
        "group": st.column_config.TextColumn(one_line(name)),
        "examples": st.column_config.NumberColumn("examples", format="localized"),
        quality.column: st.column_config.ProgressColumn(
            f"{quality.label}, {unit}" if unit else quality.label,
            format="percent" if quality.is_share else "%.4g",
            min_value=0,
            max_value=1 if quality.is_share else max(float(summary[quality.column].max()), 1e-6) if known else 1,
        ),
        "score": st.column_config.ProgressColumn(
            f"mean {score.inline_label}",
            format="%.3f",
            min_value=0,
            max_value=max(float(summary["score"].max()), 1e-6),
        ),
    }
    st.dataframe(
        ordered,
        key=f"groups-{name}",
        hide_index=True,
        height=table_height(len(ordered)),
        column_config=columns,
        alt=f"Table of {len(ordered)} groups with the number of their examples and the mean {score.inline_label}",
    )
    st.caption("Figures of the selected examples. A click on a column sorts by it.")
