"""All scores of the selected examples as a table, with thumbnails; rows that are ticked can be kept alone."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

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
    run, examples, scores = selection.run, selection.examples[:ROWS], selection.table[:ROWS]
    named = np.array(class_names(run))
    rows = pd.DataFrame({"example": examples})
    if has(run, "images"):
        rows["image"] = [_thumbnail(run.images[example]) for example in examples]
    if has(run, "labels"):
        rows["label"] = named[scores["label"].to_numpy(int)]
    rows["prediction"] = named[scores["prediction"].to_numpy()]
    if has(run, "labels"):
        rows["correct"] = np.where(scores["correct"].to_numpy(bool), "correct", "✗ wrong")
    for name in SCORES:
        rows[name] = scores[name].to_numpy()
    columns = {name: st.column_config.NumberColumn(score.label, format="%.4f") for name, score in SCORES.items()}
    event = st.dataframe(
        rows,
        key=f"table-{hashlib.sha256(examples.tobytes()).hexdigest()}",  # rows stay ticked while they are the same
        hide_index=True,
        height=560,
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"image": st.column_config.ImageColumn("", width="small"), **columns},
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


def _thumbnail(image: np.ndarray) -> str:
    step = max(1, max(image.shape[:2]) // 64)
    return png_url(image[::step, ::step])
