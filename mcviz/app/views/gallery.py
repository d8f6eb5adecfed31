"""Pages of ranked examples that can be clicked."""

import numpy as np
import streamlit as st

from mcviz.app.components.charts import render_empty_selection
from mcviz.app.components.gallery import tiles
from mcviz.app.components.widgets import state_widget_args, choose_segment
from mcviz.app.selection import Selection
from mcviz.app.state import PAGE_SIZES, TILE_SIZES, add_examples
from mcviz.app.views.look_panel import tick_examples
from mcviz.app.wording import counted


def render_gallery(selection: Selection) -> None:
    """Render a page of the selected examples, with a choice of page and of its size."""
    state, size = selection.state, selection.state.page_size
    pages, page = _pages(selection)
    if len(selection.examples) == 0:
        render_empty_selection()
        return
    if page != state.page:
        st.caption(f"There is no page {state.page:,}: these examples fill {counted(pages, 'page')}.")
    tiles(
        selection.run,
        state,
        page_examples(selection),
        (page - 1) * size + 1,
        selection.score,
        key="gallery",
        looks=True,
    )
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.pagination(pages, width="stretch", **state_widget_args("page", page))
        sizes = {each: str(each) for each in PAGE_SIZES}
        choose_segment("Examples a page", "page_size", size, sizes, label_visibility="collapsed")


def render_gallery_controls(selection: Selection) -> None:
    """Render the size of the tiles, and a button that ticks all that are shown."""
    state = selection.state
    sizes = {each: each[0].upper() for each in TILE_SIZES}
    choose_segment("Size of the tiles", "tile_size", state.tile_size, sizes, label_visibility="collapsed")
    shown = page_examples(selection).tolist()
    st.button(
        "Tick all",
        key="tick-all",
        icon=":material/select_all:",
        help="Tick all examples that are shown",
        disabled=set(shown) <= set(state.ticked),
        on_click=tick_examples,
        args=(add_examples(state.ticked, shown),),
    )


def page_examples(selection: Selection) -> np.ndarray:
    """Return the examples of the page that is shown."""
    size, (_, page) = selection.state.page_size, _pages(selection)
    return selection.examples[(page - 1) * size : page * size]


def _pages(selection: Selection) -> tuple[int, int]:
    """Return how many pages there are, and the one that is shown."""
    pages = max(1, -(-len(selection.examples) // selection.state.page_size))
    return pages, selection.state.page if selection.state.page <= pages else 1
