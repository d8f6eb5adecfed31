"""How large errors are against how uncertain the examples are, with a lasso."""

from typing import Any

import streamlit as st

from mcviz import plot
from mcviz.app.caching import cached_for_run, names_key, table_key
from mcviz.app.filters import Filters, Lasso
from mcviz.app.resources import run_scores, table
from mcviz.app.selection import Selection, filter_mask
from mcviz.app.views.linked import lasso_marks, render_lasso_chart
from mcviz.figures import Window
from mcviz.measures.quality import rank_correlation
from mcviz.runs import Run

ERROR = "absolute_error"


def render_errors(selection: Selection) -> None:
    """Render errors against the ranking's score, and their rank correlation; a lasso selects."""
    run, state, filters = selection.run, selection.state, selection.filters
    others, ranked_by = filters.without("lasso"), run_scores(run)[state.score]
    score = run_scores(run)[run.first_score] if ranked_by.needs_labels else ranked_by
    if score is not ranked_by:
        st.caption(
            f"{ranked_by.label} looks at the label itself, so the errors are shown against the "
            f"{score.inline_label}. Rank by another score to see them against that one."
        )
    render_lasso_chart(
        "errors",
        run,
        Lasso(score.name, ERROR, ()),
        filters.lasso,
        (others, score.name, table_key(run)),
        lambda lasso, window: _figure(run, others, score.name, lasso, window),
        f"Scatter chart of {filter_mask(run, others).sum():,} examples: absolute error against {score.inline_label}. "
        "The table view lists the same numbers.",
    )
    several = " Of several targets the error is the Euclidean distance." if len(run.targets) > 1 else ""
    st.caption(f"{correlation(run, others, score.name)}{several}")


@cached_for_run(names_key, max_entries=8)
def correlation(run: Run, others: Filters, score: str) -> str:
    """Say whether the examples of high scores are those of large errors, in a sentence or two."""
    shown = table(run)[filter_mask(run, others)]
    found = rank_correlation(shown[score].to_numpy(), shown[ERROR].to_numpy())
    climbs = "Where the line climbs, the score tells where errors are large."
    if found is None:  # one of the two is the same everywhere
        return climbs
    return (
        f"{climbs} The rank correlation of the two is {found:.2f}: 1 if the most uncertain examples have the largest "
        "errors, 0 if the score says nothing of them."
    )


@cached_for_run(names_key, max_entries=8)
def _figure(run: Run, others: Filters, score: str, lasso: Lasso | None, window: Window | None) -> Any:
    rows = table(run)[filter_mask(run, others)]
    return plot.errors(run, score, rows=rows, **lasso_marks(lasso, score, ERROR, rows), window=window)
