"""All scores of the selected examples as a table, with thumbnails; rows are ticked, and a click looks at one."""

import hashlib
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.columns import own_columns
from mcviz.app.components.charts import render_empty_selection
from mcviz.app.kinds import kind_renderer
from mcviz.app.resources import run_scores
from mcviz.app.selection import Selection
from mcviz.app.session import widget_value
from mcviz.app.state import add_examples, latest_state
from mcviz.app.tasks import task_renderer
from mcviz.app.views.look_panel import look_at_example, tick_examples
from mcviz.runs import Run

MOST_ROWS = 500  # a table of thumbnails beyond that is slow to send, and nobody scrolls through it


def render_table(selection: Selection) -> None:
    """Render the table; rows are ticked, and a click on a cell looks at an example."""
    if len(selection.examples) == 0:
        render_empty_selection()
        return
    run, examples = selection.run, selection.examples[:MOST_ROWS]
    scores, small = run_scores(run), kind_renderer(run).table_columns(run, examples)
    rows = _rows(selection, {name: values for name, (values, _) in small.items()})
    columns = {
        name: st.column_config.NumberColumn(score.label, format="%.4g" if run.targets else "%.4f")
        for name, score in scores.items()
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
    """Let the browser tick the rows of the examples that are ticked, and no others."""
    rows, shown = np.flatnonzero(np.isin(examples, ticked)).tolist(), st.session_state.get(key)
    if shown is None or sorted(shown["selection"]["rows"]) != rows:
        cells = shown["selection"]["cells"] if shown else []
        st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": cells}}


def _apply_selection(key: str, run: Run, examples: np.ndarray) -> None:
    """Tick the examples whose rows are; or look at the one of the row that was clicked."""
    chosen, ticked = widget_value(key)["selection"], latest_state().ticked
    rows = [int(examples[row]) for row in chosen["rows"]]
    kept = [example for example in ticked if example in rows or example not in examples]
    if {*kept, *rows} != set(ticked):
        tick_examples(add_examples(kept, rows))
    elif chosen["cells"]:
        look_at_example(run, int(examples[chosen["cells"][0][0]]), paged=False)


def _rows(selection: Selection, small: dict[str, list[Any]]) -> pd.DataFrame:
    """Return the table's rows of the first examples: ids and the user's own columns beside the scores."""
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
