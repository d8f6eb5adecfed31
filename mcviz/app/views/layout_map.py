"""Examples laid out by the similarity of their images or features, coloured by a score or by another column."""

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from mcviz import plot
from mcviz.analysis.base import similarity_basis
from mcviz.app.caching import cached_for_run, names_key, table_key
from mcviz.app.components.widgets import choose_segment
from mcviz.app.filters import Area, Filters
from mcviz.app.layouts import LAYOUTS, available_layouts, compute_tsne, positions
from mcviz.app.resources import run_scores, table
from mcviz.app.selection import Selection, filter_mask
from mcviz.app.state import TICKS, choose_name, update_state
from mcviz.app.views.colours import colour_label, colouring_chooser, draw_points
from mcviz.app.views.linked import render_lasso_chart
from mcviz.app.wording import extremes
from mcviz.figures import Window
from mcviz.runs import Run


def render_map(selection: Selection) -> None:
    """Render the map of all examples that the other filters leave; a lasso selects from it."""
    run, filters, score = selection.run, selection.filters, run_scores(selection.run)[selection.score]
    layouts = available_layouts(run)
    layout = choose_name(selection.state.layout, layouts)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if len(layouts) > 1:
            choose_segment("Layout", "layout", layout, {each: LAYOUTS[each] for each in layouts})
        colouring = colouring_chooser(run, selection.state, "score")
    plane = positions(run, layout)
    if plane is None:
        _offer_to_compute(run)
        return
    others, basis = filters.without("area", "selected"), similarity_basis(run)
    ranked_by = selection.score if colouring == "score" else ""
    shown = np.flatnonzero(filter_mask(run, others) & np.isfinite(plane[:, 0]))
    if len(shown) == 0:
        st.info("No example in this layout passes the filters. Take one off above.", icon=":material/filter_alt_off:")
        return
    render_lasso_chart(
        "map",
        run,
        Area(layout, ()),
        filters.area,
        (others, filters.selected, colouring, ranked_by, table_key(run)),
        lambda lasso, window: _figure(
            run, others, layout, colouring, ranked_by, Filters(area=lasso, selected=filters.selected), window
        ),
        f"Map of {len(shown):,} examples by similarity of their {basis}, coloured by "
        f"{score.inline_label if ranked_by else colour_label(colouring)}.",
    )
    brightest = f"; the brightest are {extremes(score)[0]}" if ranked_by else ""
    st.caption(f"Examples with similar {basis} are near each other{brightest}.")
    _render_around_example(selection, plane, shown)


@cached_for_run(names_key, max_entries=8)
def _figure(
    run: Run,
    others: Filters,
    layout: str,
    colouring: str,
    ranked_by: str,
    chosen: Filters,
    window: Window | None,
) -> Any:
    plane = positions(run, layout)
    assert plane is not None
    shown = np.flatnonzero(filter_mask(run, others) & np.isfinite(plane[:, 0]))
    marks: dict[str, Any] = {
        "outline": chosen.area.corners if chosen.area and chosen.area.layout == layout else (),
        "selected": None if chosen == Filters() else filter_mask(run, chosen)[shown],
        "window": window,
    }
    if ranked_by:
        return plot.map(run, ranked_by, positions=plane, rows=table(run).iloc[shown], **marks)
    x, y = plane[shown].T
    return draw_points(run, colouring, ranked_by, x, y, shown, axes=None, **marks)


def _render_around_example(selection: Selection, plane: np.ndarray, shown: np.ndarray) -> None:
    """Render fields that select the examples around one, for those who cannot draw."""
    state = selection.state
    with (
        st.popover("Select around an example", icon=":material/near_me:"),
        st.form("around", border=False),
    ):
        example = st.number_input("Example", 0, len(selection.run) - 1, int(state.example or 0), key="around-example")
        count = st.number_input("How many nearest", 1, min(TICKS, len(shown)), min(24, len(shown)), key="around")
        if st.form_submit_button("Select", icon=":material/filter_list:"):
            if not np.isfinite(plane[example]).all():
                st.info(f"Example {example} is not in this layout, which has only some of the examples.")
                return
            distances = np.linalg.norm(plane[shown] - plane[example], axis=1)
            nearest = shown[np.argsort(distances, kind="stable")[:count]]
            update_state(filters=replace(selection.filters, area=None, selected=tuple(nearest.tolist())))
            st.rerun()


def _offer_to_compute(run: Run) -> None:
    st.info(
        "This layout is computed once, in a minute or two for 10,000 examples, and kept. Stop it at any time.",
        icon=":material/hourglass:",
    )
    if st.button("Compute the t-SNE layout", type="primary", icon=":material/play_arrow:"):
        bar = st.progress(0.0, "Finding each example's neighbours …")
        try:
            compute_tsne(run, lambda done, total: bar.progress(done / total, f"Iteration {done} of {total}"))
        finally:
            bar.empty()
        st.rerun()
