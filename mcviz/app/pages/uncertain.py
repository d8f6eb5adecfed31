"""All examples, ranked and filtered, in the view that fits the question."""

import streamlit as st

from mcviz.app.columns import example_of, own_columns
from mcviz.app.components.charts import nothing_passes
from mcviz.app.components.widgets import choose_segment
from mcviz.app.navigation import EXAMPLE, UNCERTAIN, begin, open_page
from mcviz.app.needs import offered
from mcviz.app.selection import passing
from mcviz.app.state import one_of, quoted
from mcviz.app.views import VIEWS
from mcviz.app.views.brushes import brushes
from mcviz.app.views.filter_bar import filter_bar
from mcviz.app.views.gallery import gallery_controls, gallery_view
from mcviz.app.views.looking import looking, ticked_bar

run, state = begin(UNCERTAIN)
selection = filter_bar(run, state)
names = offered(VIEWS, run)
name = one_of(state.view, names)
view = VIEWS[name]
with_gallery = name == "gallery" or bool(view.own_filters)
with st.container(horizontal=True, vertical_alignment="center", gap="small", key="views"):
    labels = {each: VIEWS[each].label for each in names}
    choose_segment("View", "view", name, labels, label_visibility="collapsed")
    brushes(selection)
    if with_gallery:
        gallery_controls(selection)
ticked_bar(selection)
beside, panel = st.columns([5, 2], gap="small")
with beside:
    if not view.own_filters:
        view.show(selection)
    elif not passing(run, selection.filters.without(*view.own_filters)).any():
        nothing_passes()
    else:
        left, right = st.columns([3, 2], gap="small")
        with left:
            view.show(selection)
        with right:
            gallery_view(selection)
with panel:
    looking(run, paged=name == "gallery")

with st.form("open", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
    wanted: str | int
    if "id" in own_columns(run):
        wanted = st.text_input("Or open an example by its id", key="id", width=320)
    else:
        wanted = st.number_input("Or open an example by its number", 0, len(run) - 1, key="number", width=240)
    if st.form_submit_button("Open example", icon=":material/open_in_new:"):
        found = example_of(run, wanted) if isinstance(wanted, str) else wanted
        if found is None:
            st.error(f"No example has the id {quoted(str(wanted))}.", icon=":material/link_off:")
        else:
            open_page(EXAMPLE, state, example=found)
