"""Pages of ranked examples that can be clicked."""

import streamlit as st

from mcviz.app.components.charts import nothing_passes
from mcviz.app.components.gallery import tiles
from mcviz.app.components.widgets import bound
from mcviz.app.selection import Selection
from mcviz.app.state import PAGE_SIZES


def gallery_view(selection: Selection) -> None:
    """A page of the selected examples, with a choice of page and of its size."""
    state, size = selection.state, selection.state.page_size
    pages = max(1, -(-len(selection.examples) // size))
    page = state.page if state.page <= pages else 1
    if len(selection.examples) == 0:
        nothing_passes()
        return
    first = (page - 1) * size
    tiles(selection.run, state, selection.examples[first : first + size], first + 1, selection.score, key="gallery")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.pagination(pages, width="stretch", **bound("page", page))
        st.segmented_control(
            "Examples a page", PAGE_SIZES, required=True, label_visibility="collapsed", **bound("page_size", size)
        )
