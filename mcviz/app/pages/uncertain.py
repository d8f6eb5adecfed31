"""All images, ranked and filtered, in the view that fits the question."""

import streamlit as st

from mcviz.app import address
from mcviz.app.parts import EXAMPLE, open_page, title
from mcviz.app.resources import current_run
from mcviz.app.views.classes import classes_view
from mcviz.app.views.confusion import confusion_view
from mcviz.app.views.filters import filter_bar
from mcviz.app.views.gallery import gallery
from mcviz.app.views.layout_map import map_view
from mcviz.app.views.scatter import scatter_view
from mcviz.app.views.table import table_view

GALLERY, TABLE, SCATTER, MAP, CONFUSION, CLASSES = "Gallery", "Table", "Scatter", "Map", "Confusion", "Classes"
BESIDE_THE_GALLERY = {SCATTER: scatter_view, MAP: map_view, CONFUSION: confusion_view}

run = current_run()
title("Uncertain examples", run)
looked = filter_bar(run)
views = (
    [GALLERY, TABLE, SCATTER]
    + ([MAP] if run.has_images else [])
    + ([CONFUSION, CLASSES] if run.labels is not None else [])
)
view = address.one_of("view", views, GALLERY)
st.segmented_control("View", views, required=True, label_visibility="collapsed", **address.bound("view", view))
if view == GALLERY:
    gallery(looked)
elif view == TABLE:
    table_view(looked)
elif view == CLASSES:
    classes_view(looked)
else:
    left, right = st.columns([3, 2], gap="large")
    with left:
        BESIDE_THE_GALLERY[view](looked)
    with right:
        gallery(looked)

with st.form("open", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
    st.number_input("Or open an image by its number", 0, len(run) - 1, key="number", width=240)
    if st.form_submit_button("Open image", icon=":material/open_in_new:"):
        open_page(EXAMPLE, image=st.session_state["number"])
