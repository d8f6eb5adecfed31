"""All scores of the selected examples as a table, with thumbnails; rows that are ticked can be kept alone."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.columns import own_columns
from mcviz.app.components.charts import nothing_passes
from mcviz.app.navigation import EXAMPLE, open_page
from mcviz.app.needs import has
from mcviz.app.resources import class_names
from mcviz.app.selection import Selection
from mcviz.app.state import go
from mcviz.figures import png_url
from mcviz.measures import SCORES

ROWS = 500  # a table of thumbnails beyond that is slow to send, and nobody scrolls through it


def table_view(selection: Selection) -> None:
    """The table, and what can be done with the rows that are ticked in it."""
    if len(selection.examples) == 0:
        nothing_passes()
        return
    examples, rows = selection.examples[:ROWS], _rows(selection)
    columns = {name: st.column_config.NumberColumn(score.label, format="%.4f") for name, score in SCORES.items()}
    if has(selection.run, "images"):  # without, a column of that name is the user's own, and nothing to be fetched
        columns["image"] = st.column_config.ImageColumn("", width="small")
    event = st.dataframe(
        rows,
        key=f"table-{hashlib.sha256(examples.tobytes()).hexdigest()}",  # rows stay ticked while they are the same
        hide_index=True,
        height=560,
        on_select="rerun",
        selection_mode="multi-row",
        column_config=columns,
        alt=f"Table of {len(examples)} examples with all their scores",
    )
    ticked = [int(examples[row]) for row in event.selection.rows]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Keep only ticked rows",
            icon=":material/select_check_box:",
            disabled=not ticked,
            on_click=go,
            kwargs={"filters": replace(selection.filters, selected=tuple(ticked))},
        )
        if st.button("Open", icon=":material/open_in_new:", disabled=len(ticked) != 1):
            open_page(EXAMPLE, selection.state, example=ticked[0])
        if len(selection.examples) > ROWS:
            st.caption(
                f"The first {ROWS} of {len(selection.examples):,} in the ranking. A click on a column sorts these; "
                "“Rank by” ranks all. The export has every row."
            )


def _rows(selection: Selection) -> pd.DataFrame:
    """What the table shows of the first examples: ids and the user's own columns, as they are, beside the scores."""
    run, examples, scores = selection.run, selection.examples[:ROWS], selection.table[:ROWS]
    named, own = np.array(class_names(run)), list(own_columns(run))
    rows = pd.DataFrame({"example": examples})
    if has(run, "images"):
        rows["image"] = [_thumbnail(run.pictures[example]) for example in examples]
    if "id" in own:
        rows["id"] = scores["id"].to_numpy()
    if has(run, "labels"):
        rows["label"] = named[scores["label"].to_numpy(int)]
    rows["prediction"] = named[scores["prediction"].to_numpy()]
    if has(run, "labels"):
        rows["correct"] = np.where(scores["correct"].to_numpy(bool), "correct", "✗ wrong")
    for name in SCORES:
        rows[name] = scores[name].to_numpy()
    for name in own:
        if name != "id":
            rows[f"user_{name}" if name in rows else name] = scores[name].to_numpy()
    return rows


def _thumbnail(image: np.ndarray) -> str:
    step = max(1, max(image.shape[:2]) // 64)
    return png_url(image[::step, ::step])
