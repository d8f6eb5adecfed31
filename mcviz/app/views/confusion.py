"""The ensemble's confusion matrix; a click on a cell selects its examples."""

from dataclasses import replace

import streamlit as st

from mcviz import plot
from mcviz.app.caching import table_key
from mcviz.app.components.widgets import choose_segment
from mcviz.app.resources import table
from mcviz.app.selection import Selection, filter_mask
from mcviz.app.session import widget_value
from mcviz.app.state import change_filters, choose_name
from mcviz.app.views.linked import chart_key
from mcviz.measures import percent

CELLS = {"counts": "examples", "score": "mean of the score"}


def render_confusion(selection: Selection) -> None:
    """Render the matrix of all examples that the other filters leave; a click selects a cell."""
    run, filters = selection.run, selection.filters
    shows = choose_name(selection.state.cells, CELLS)
    choose_segment("Cells show", "cells", shows, CELLS)
    others = filters.without("label", "prediction")
    shown = table(run)[["label", "prediction", "correct", selection.score]][filter_mask(run, others)]
    classes, averaged = len(run.class_names), shows == "score"
    one_cell = len(filters.label) == len(filters.prediction) == 1
    cell = (filters.label[0], filters.prediction[0]) if one_cell else None
    points_key = (others, shows, selection.score if averaged else None, table_key(run))
    key, shows_it = chart_key("confusion", points_key, lambda key: _read_cell(key, classes), cell)
    figure = plot.confusion(run, selection.score if averaged else None, rows=shown, selected=None if shows_it else cell)
    wrong = ~shown["correct"].astype(bool)
    st.plotly_chart(
        figure,
        key=key,
        on_select=lambda: _apply_cell(key, classes),
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"Confusion matrix of {len(shown):,} examples, {wrong.sum():,} of them ({percent(wrong.mean())}) off the "
        "diagonal. The table view lists label and prediction of each.",
    )
    st.caption(
        "Click a cell to select its examples, or choose label and prediction under Filters. The diagonal holds the "
        "correct predictions."
    )


def _read_cell(key: str, classes: int) -> tuple[int, int] | None:
    """Return the label and the prediction of the cell that the browser shows as selected, or None."""
    event = widget_value(key)
    if not event or not event["selection"]["points"]:
        return None
    return divmod(int(event["selection"]["points"][0]["customdata"]), classes)


def _apply_cell(key: str, classes: int) -> None:
    cell = _read_cell(key, classes)
    if cell:  # none when the chart is drawn anew, which changes nothing
        label, prediction = cell
        change_filters(lambda filters: replace(filters, label=(label,), prediction=(prediction,)))
