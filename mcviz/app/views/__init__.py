"""The views of a selection, each with its needs; views that are tables are here."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import summarise_classes
from mcviz.app.components import chart, render_empty_selection, table_height
from mcviz.app.components.gallery import has_long_names, look_at_example, render_gallery, tick_examples, tiles
from mcviz.app.intervals import render_widths
from mcviz.app.kinds import kind_renderer
from mcviz.app.resources import (
    Need,
    all_grouping_columns,
    cached_for_run,
    class_names,
    groups,
    has,
    numbers_key,
    own_columns,
    run_scores,
    table,
)
from mcviz.app.selection import Selection
from mcviz.app.state import (
    add_examples,
    choose_name,
    latest_state,
    state_widget_args,
    update_state,
    widget_value,
)
from mcviz.app.tasks import task_renderer
from mcviz.app.views.scatter import render_confusion, render_errors, render_map, render_predicted, render_scatter
from mcviz.app.wording import all_as_markdown, as_markdown, ranking_end_labels
from mcviz.figures.style import NAMED_CLASSES
from mcviz.runs import Run
from mcviz.text import fixed, one_line, percent

MOST_ROWS = 500  # a table of thumbnails beyond that is slow to send, and nobody scrolls through it
cached_intervals = cached_for_run(numbers_key, max_entries=24, show_spinner="Comparing intervals with the labels …")(
    plot.intervals
)


def render_table(selection: Selection) -> None:
    """Render the table; rows are ticked, and a click on a cell looks at an example."""
    if len(selection.examples) == 0:
        render_empty_selection()
        return
    run, examples = selection.run, selection.examples[:MOST_ROWS]
    scores, small = run_scores(run), kind_renderer(run).table_columns(run, examples)
    rows = _rows(selection, {name: values for name, (values, _) in small.items()})
    columns = {
        name: st.column_config.NumberColumn(score.label, format=score.number_format) for name, score in scores.items()
    }
    columns |= {name: config for name, (_, config) in small.items()}
    key = f"table-{hashlib.sha256(examples.tobytes()).hexdigest()}"
    _show_ticks(key, examples, selection.state.ticked)
    st.dataframe(
        rows,
        key=key,
        hide_index=True,
        height=560,
        on_select=partial(_apply_selection, key, selection.run, examples),
        selection_mode=("multi-row", "single-cell"),
        column_config=columns,
        alt=f"Table of {len(examples)} examples with all their scores",
    )
    if len(selection.examples) > MOST_ROWS:
        st.caption(
            f"The first {MOST_ROWS} of {len(selection.examples):,} in the ranking. A click on a column sorts these; "
            "“Rank by” ranks all. The export has every row."
        )


def _show_ticks(key: str, examples: np.ndarray, ticked: tuple[int, ...]) -> None:
    rows, selection_state = np.flatnonzero(np.isin(examples, ticked)).tolist(), st.session_state.get(key)
    if selection_state is None or sorted(selection_state["selection"]["rows"]) != rows:
        cells = selection_state["selection"]["cells"] if selection_state else []
        st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": cells}}


def _apply_selection(key: str, run: Run, examples: np.ndarray) -> None:
    chosen, ticked = widget_value(key)["selection"], latest_state().ticked
    rows = [int(examples[row]) for row in chosen["rows"]]
    still_ticked = [example for example in ticked if example in rows or example not in examples]
    if {*still_ticked, *rows} != set(ticked):
        tick_examples(add_examples(still_ticked, rows))
    elif chosen["cells"]:
        look_at_example(run, int(examples[chosen["cells"][0][0]]), paged=False)


def _rows(selection: Selection, small: dict[str, list[Any]]) -> pd.DataFrame:
    run, examples, table = selection.run, selection.examples[:MOST_ROWS], selection.first(MOST_ROWS)
    own, content = list(own_columns(run)), run.manifest.examples.content
    rows: dict[str, Any] = {"example": examples, **small}
    if "id" in own:
        rows["id"] = table["id"].to_numpy()
    rows |= task_renderer(run).table_columns(selection, MOST_ROWS)
    for name in run_scores(run):
        rows[name] = table[name].to_numpy()
    for name in own:
        if name != "id" and not (name in small and name in content):  # which is there already
            rows[f"user_{name}" if name in rows else name] = table[name].to_numpy()
    return pd.DataFrame(rows)


def render_groups(selection: Selection) -> None:
    """Render a row a group of the selection, the worst predicted first, or the most uncertain without labels."""
    run, score = selection.run, run_scores(selection.run)[selection.score]
    phrases = task_renderer(run).phrases
    column, label = phrases.group_column, phrases.group
    quality = run.task.quality.measures[0]
    offered = all_grouping_columns(run)
    name = choose_name(selection.state.column, offered)
    st.selectbox("Group by", offered, format_func=one_line, width=250, **state_widget_args("column", name))
    if len(selection.examples) == 0:
        render_empty_selection()
        return
    found_groups, known = groups(run, name), has(run, "labels")
    rows = table(run)[[score.name]].iloc[selection.examples]
    measured = table(run)[column].iloc[selection.examples].astype("Float64") if known else None
    members = rows.assign(**{column: measured}).groupby(found_groups.members[selection.examples])
    summary = members.agg(
        **{
            "examples": (score.name, "size"),
            column: (column, "mean"),
            "score": (score.name, "mean"),
        }
    )
    summary = summary.reset_index(names="group")
    summary["group"] = [found_groups.names[group] for group in summary["group"]]
    ordered = summary.sort_values("score", ascending=score.uncertain_when == "low", kind="stable")
    if known:
        ordered = ordered.sort_values(column, ascending=column == "correct", kind="stable")
    else:
        ordered = ordered.drop(columns=column)
    is_share = quality.unit == "share"
    unit = "" if is_share else one_line(run.manifest.unit)
    columns = {
        "group": st.column_config.TextColumn(one_line(name)),
        "examples": st.column_config.NumberColumn("examples", format="localized"),
        column: st.column_config.ProgressColumn(
            f"{label}, {unit}" if unit else label,
            format="percent" if is_share else "%.4g",
            min_value=0,
            max_value=1 if is_share else max(float(summary[column].max()), 1e-6) if known else 1,
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
    st.caption("Figures of the matching examples. A click on a column sorts by it.")


def render_classes(selection: Selection) -> None:
    """Render accuracy and uncertainty of every class, then one class in detail."""
    run, score = selection.run, run_scores(selection.run)[selection.score]
    scores, names = table(run), class_names(run)
    summary = summarise_classes(scores, selection.score, len(names))
    worst = int(np.nanargmin(summary["accuracy"].to_numpy()))
    left, right = st.columns([5, 4], gap="medium")
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
    changed = state_widget_args("class", chosen, lambda new: update_state(label=(new,)))
    classes = range(len(names))
    if len(names) <= NAMED_CLASSES and not has_long_names(run):
        st.segmented_control("One class in detail", classes, format_func=all_as_markdown(names).__getitem__, **changed)
    else:
        st.selectbox("One class in detail", classes, format_func=names.__getitem__, width=320, **changed)
    _render_one_class(selection, chosen)


def _describe_worst(class_name: str, accuracy: float) -> str:
    if accuracy == 1:
        return "No class is ever missed: every prediction is correct."
    return f"**{as_markdown(class_name)}** is missed most often: {percent(1 - accuracy)}."


def _render_table(summary: pd.DataFrame, selection: Selection) -> None:
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
            .map(lambda value: fixed(value, 3), "ignore")
            .fillna("–"),
        }
    ).set_index("class")


def _render_one_class(selection: Selection, chosen: int) -> None:
    run, score = selection.run, selection.score
    ranked_by = run_scores(run)[score]
    everything = table(run)
    members = np.flatnonzero((everything["label"] == chosen).fillna(False).to_numpy(bool))
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
        first, last = ranking_end_labels(ranked_by)
        st.markdown(f"**The two {first} and the two {last}**")
        tiles(
            run, selection.state, order[[0, 1, -2, -1]] if len(order) > 3 else order, None, score, key="class-extremes"
        )


def render_intervals(selection: Selection) -> None:
    """Render the calibration of a target's intervals, and how many labels those of one level hold."""
    run, state = selection.run, selection.state
    left, right = st.columns(2, gap="large")
    with left:
        spoken = "How often intervals by the passes hold the label, against how often they should."
        st.markdown("**Do the intervals hold the labels as often as they should?**")
        st.caption(
            f"{spoken} Below the dotted line they are too narrow, above it too wide. The band is what chance leaves "
            "open at each share."
        )
        chart(cached_intervals(run, state.target), "coverage", spoken)
    with right:
        render_widths(run, state)


@dataclass(frozen=True)
class View:
    """A view of a selection.

    Attributes:
        label: what it is called.
        show: draws it.
        needs: what a run has to have for it to be offered.
        own_filters: the attributes of `Filters` that it sets; the gallery stands below such a view.
        of_whole_run: whether its figures are of the whole run whatever the filters, so that the rail has no filters.
    """

    label: str
    show: Callable[[Selection], None]
    needs: Collection[Need] = field(default_factory=frozenset)
    own_filters: tuple[str, ...] = ()
    of_whole_run: bool = False


VIEWS = {
    "gallery": View("Gallery", render_gallery),
    "table": View("Table", render_table),
    "scatter": View("Scatter", render_scatter, own_filters=("lasso",)),
    "map": View("Map", render_map, needs={"examples or features"}, own_filters=("area", "selected")),
    "confusion": View("Confusion", render_confusion, needs={"labels", "classes"}, own_filters=("label", "prediction")),
    "classes": View("Classes", render_classes, needs={"labels", "classes"}, of_whole_run=True),
    "predicted": View("Predicted", render_predicted, needs={"labels", "targets"}, own_filters=("lasso",)),
    "errors": View("Errors", render_errors, needs={"labels", "losses"}, own_filters=("lasso",)),
    "intervals": View("Intervals", render_intervals, needs={"labels", "targets"}, of_whole_run=True),
    "groups": View("Groups", render_groups, needs={"groups"}),
}
