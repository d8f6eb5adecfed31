"""All examples, ranked and filtered, in the view that fits the question."""

import streamlit as st

from mcviz.app.components.charts import render_empty_selection
from mcviz.app.navigation import UNCERTAIN, begin
from mcviz.app.resources import available
from mcviz.app.selection import filter_mask
from mcviz.app.state import choose_name, choose_segment
from mcviz.app.views import VIEWS
from mcviz.app.views.actions import render_menus
from mcviz.app.views.brushes import render_brushes
from mcviz.app.views.filter_bar import render_filter_bar
from mcviz.app.views.look_panel import (
    page_examples,
    render_gallery,
    render_look_panel,
    render_marked_bar,
    send_examples_ahead,
)

run, state = begin(UNCERTAIN)
selection = render_filter_bar(run, state)
render_brushes(selection)
names = available(VIEWS, run)
name = choose_name(state.view, names)
view = VIEWS[name]
with_gallery = name == "gallery" or bool(view.own_filters)
beside, panel = st.columns([5, 2], gap="small")
with beside:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="views"):
        labels = {each: VIEWS[each].label for each in names}
        choose_segment("View", "view", name, labels, label_visibility="collapsed")
        st.space("stretch")
        render_menus(selection, with_gallery=with_gallery)
    if not view.own_filters:
        view.show(selection)
    elif not filter_mask(run, selection.filters.without(*view.own_filters)).any():
        render_empty_selection()
    else:
        left, right = st.columns([3, 2], gap="small")
        with left:
            view.show(selection)
        with right:
            render_gallery(selection)
    render_marked_bar(selection)
with panel:
    render_look_panel(run, paged=name == "gallery")

if with_gallery:
    send_examples_ahead(run, state, page_examples(selection))
