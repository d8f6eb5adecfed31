"""Predictions against labels, with a lasso."""

from typing import Any

import streamlit as st

from mcviz import plot
from mcviz.analysis.base import column
from mcviz.app.caching import cached_for_run, names_key, table_key
from mcviz.app.components.choosers import target_chooser
from mcviz.app.filters import Filters, Lasso
from mcviz.app.resources import run_scores, table
from mcviz.app.selection import Selection, filter_mask
from mcviz.app.views.linked import lasso_marks, render_lasso_chart
from mcviz.figures import Window
from mcviz.runs import Run


def render_predicted(selection: Selection) -> None:
    """Render the chart of a target, coloured by the ranking's score; a lasso selects."""
    run, state, filters = selection.run, selection.state, selection.filters
    target_chooser(run, state)
    plane = Lasso(column(run, "label", state.target), column(run, "prediction", state.target), ())
    others = filters.without("lasso")
    score = run_scores(run)[state.score]
    render_lasso_chart(
        "predicted",
        run,
        plane,
        filters.lasso,
        (others, state.target, state.score, table_key(run)),
        lambda lasso, window: _figure(run, others, state.target, state.score, lasso, window),
        f"Scatter chart of {filter_mask(run, others).sum():,} examples: prediction against label, coloured by "
        f"{score.inline_label}. The table view lists the same numbers.",
    )
    st.caption(
        "On the dotted line predictions are right. Far from it and bright: an error that the score warns of. Far from "
        "it and dark: one that it does not see. Of up to 300 examples, bars show one standard deviation of the "
        "prediction to either side."
    )


@cached_for_run(names_key, max_entries=8)
def _figure(run: Run, others: Filters, target: int, ranked_by: str, lasso: Lasso | None, window: Window | None) -> Any:
    rows = table(run)[filter_mask(run, others)]
    marks = lasso_marks(lasso, column(run, "label", target), column(run, "prediction", target), rows)
    return plot.predicted(run, ranked_by, target=target, rows=rows, **marks, window=window)
