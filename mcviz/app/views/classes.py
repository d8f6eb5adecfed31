"""Class by class: where the model has problems."""

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import summarise_classes
from mcviz.app.components.charts import chart
from mcviz.app.components.gallery import tiles
from mcviz.app.components.widgets import state_widget_args
from mcviz.app.resources import class_names, run_scores, table
from mcviz.app.selection import Selection
from mcviz.app.state import change_filters
from mcviz.app.wording import all_as_markdown, as_markdown, extremes
from mcviz.figures.style import NAMED_CLASSES
from mcviz.measures import percent


def render_classes(selection: Selection) -> None:
    """Render accuracy and uncertainty of every class, then one class in detail."""
    run, score = selection.run, run_scores(selection.run)[selection.score]
    scores, names = table(run), class_names(run)
    summary = summarise_classes(scores, selection.score, len(names))
    worst = int(np.nanargmin(summary["accuracy"].to_numpy()))
    st.caption(f"Figures of all {len(scores):,} examples of the run; the filters do not apply.")
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(_describe_worst(names[worst], summary["accuracy"][worst]))
        chart(
            plot.classes(run, selection.score),
            "class-dots",
            f"Mistakes against mean {score.inline_label} of each class.",
        )
    with right:
        _render_table(summary, selection)
    filters = selection.filters
    chosen = filters.label[0] if len(filters.label) == 1 else worst
    changed = state_widget_args("class", chosen, _put_class)
    classes = range(len(names))
    if len(names) <= NAMED_CLASSES:
        st.segmented_control("One class in detail", classes, format_func=all_as_markdown(names).__getitem__, **changed)
    else:
        st.selectbox("One class in detail", classes, format_func=names.__getitem__, width=320, **changed)
    _render_one_class(selection, chosen)


def _put_class(new: int | None) -> None:
    change_filters(lambda filters: replace(filters, label=() if new is None else (new,)))


def _describe_worst(class_name: str, accuracy: float) -> str:
    if accuracy == 1:
        return "No class is ever missed: every prediction is correct."
    return f"**{as_markdown(class_name)}** is missed most often: {percent(1 - accuracy)}."


def _render_table(summary: pd.DataFrame, selection: Selection) -> None:
    """Render a row a class; of many classes a table that scrolls and sorts, the most missed first."""
    if len(summary) <= NAMED_CLASSES:
        st.table(_format_summary(summary, selection))
        return
    label = run_scores(selection.run)[selection.score].inline_label
    rows = summary.assign(name=class_names(selection.run)).sort_values("accuracy", kind="stable")
    st.dataframe(
        rows,
        key="class-table",
        hide_index=True,
        height=380,
        column_order=("name", "examples", "accuracy", "score"),
        column_config={
            "name": st.column_config.TextColumn("class", width=140),
            "examples": st.column_config.NumberColumn("examples", width=70),
            "accuracy": st.column_config.NumberColumn("correct", format="percent", width=60),
            "score": st.column_config.NumberColumn(f"mean {label}", format="%.3f", width=130),
        },
        alt=f"Table of {len(rows):,} classes with accuracy and mean {label}",
    )


def _format_summary(summary: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "class": all_as_markdown(selection.run.class_names),
            "examples": [f"{count:,.0f}" for count in summary["examples"].fillna(0)],
            "correct": summary["accuracy"].map(percent, na_action="ignore").fillna("–"),
            f"mean {run_scores(selection.run)[selection.score].inline_label}": summary["score"]
            .map("{:.3f}".format, "ignore")
            .fillna("–"),
        }
    ).set_index("class")


def _render_one_class(selection: Selection, chosen: int) -> None:
    run, score = selection.run, selection.score
    ranked_by = run_scores(run)[score]
    everything = table(run)
    members = np.flatnonzero((everything["label"] == chosen).to_numpy(bool))
    if len(members) == 0:
        st.info("No example of this run is of that class.", icon=":material/inbox:")
        return
    scores = everything.iloc[members]
    left, right = st.columns([3, 2], gap="large")
    with left:
        chart(
            plot.distribution(run, score, rows=scores),
            "class-distribution",
            f"Distribution of {ranked_by.inline_label} for class {class_names(run)[chosen]}, correct and wrong.",
        )
    with right:
        order = members[np.argsort(scores[score].to_numpy(), kind="stable")]
        if ranked_by.uncertain_when == "high":
            order = order[::-1]
        first, last = extremes(ranked_by)
        st.markdown(f"**The two {first} and the two {last}**")
        tiles(
            run, selection.state, order[[0, 1, -2, -1]] if len(order) > 3 else order, None, score, key="class-extremes"
        )
