"""All scores of the selected images as a table, with thumbnails; chosen rows are the selection."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app import address
from mcviz.app.parts import EXAMPLE, nothing_passes, open_page
from mcviz.app.views.looked_at import LookedAt
from mcviz.figures import png_url
from mcviz.measures import SCORES

ROWS = 500  # a table of thumbnails beyond that is slow to send, and nobody scrolls through it


def table_view(looked: LookedAt) -> None:
    """The table, and what can be done with the rows chosen in it."""
    if len(looked.images) == 0:
        nothing_passes()
        return
    images = looked.images[:ROWS]
    scores = looked.run.scores().iloc[images]
    named = np.array(looked.run.class_names)
    table = pd.DataFrame({"image": images})
    if looked.run.has_images:
        table["picture"] = [_thumbnail(looked.run.images[image]) for image in images]
    if looked.run.labels is not None:
        table["true"] = named[scores["label"].to_numpy(int)]
    table["said"] = named[scores["prediction"].to_numpy()]
    if looked.run.labels is not None:
        table["answer"] = np.where(scores["correct"].to_numpy(bool), "right", "✗ wrong")
    for name in SCORES:
        table[name] = scores[name].to_numpy()
    columns = {name: st.column_config.NumberColumn(score.label, format="%.4f") for name, score in SCORES.items()}
    event = st.dataframe(
        table,
        key=f"table-{hashlib.sha256(images.tobytes()).hexdigest()}",  # rows stay chosen while they are the same images
        hide_index=True,
        height=560,
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"picture": st.column_config.ImageColumn("", width="small"), **columns},
        alt=f"Table of {len(images)} images with all their scores",
    )
    chosen = [int(images[row]) for row in event.selection.rows]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Select the {len(chosen)} chosen" if chosen else "Select the chosen",
            icon=":material/select_check_box:",
            disabled=not chosen,
            on_click=address.select,
            args=(replace(looked.selection, picked=tuple(chosen)),),
        )
        if st.button("Open", icon=":material/open_in_new:", disabled=len(chosen) != 1):
            open_page(EXAMPLE, image=chosen[0])
        if len(looked.images) > ROWS:
            st.caption(
                f"The first {ROWS} of {len(looked.images):,} in the ranking. A click on a column sorts these; "
                "“Rank by” ranks all. The export has every row."
            )


def _thumbnail(image: np.ndarray) -> str:
    step = max(1, max(image.shape[:2]) // 64)
    return png_url(image[::step, ::step])
