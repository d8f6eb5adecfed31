"""All images, ranked by how unsure the ensemble is."""

import numpy as np
import streamlit as st

from mcviz.app.gallery import gallery
from mcviz.app.opened import current_run
from mcviz.app.parts import EXAMPLE_PAGE, score_chooser, title
from mcviz.measures import SCORES, most_uncertain_first
from mcviz.runs import Run

PAGE_SIZES = (24, 48, 96)
UNSURE, SURE = "most uncertain first", "most certain first"


def kept(run: Run, which: str) -> np.ndarray:
    """(N,) bool: the images that the filter lets through."""
    if which == "all":
        return np.ones(len(run.images), dtype=bool)
    correct = run.scores()["correct"].to_numpy(dtype=bool)
    return correct if which == "right" else ~correct


run = current_run()
title("Uncertain examples", run)
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    score = score_chooser("Rank by")
    order = st.segmented_control("Order", [UNSURE, SURE], default=UNSURE, required=True, key="order")
    which = "all"
    if run.labels is not None:
        which = st.segmented_control("Answers", ["all", "wrong", "right"], default="all", required=True, key="answers")
    size = st.segmented_control("Images a page", PAGE_SIZES, default=PAGE_SIZES[0], required=True, key="size")
st.caption(SCORES[score].meaning)

ranked = most_uncertain_first(score, run.scores()[score].to_numpy())
if order == SURE:
    ranked = ranked[::-1]
ranked = ranked[kept(run, which)[ranked]]
if len(ranked) == 0:
    st.info(f"No answer of this run is {which}.", icon=":material/check_circle:")
    st.stop()

pages = -(-len(ranked) // size)
with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    page = st.pagination(pages, key=f"page-{score}-{order}-{which}-{size}")
    st.markdown(f"**{len(ranked):,}** of {len(run.images):,} images")
first = (page - 1) * size
opened = gallery(run, ranked[first : first + size], first + 1, score, key="gallery")
if opened is not None:
    st.switch_page(EXAMPLE_PAGE, query_params={"image": opened, "score": score})

with st.form("open", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
    number = st.number_input("Or open an image by its number", 0, len(run.images) - 1, key="number", width=240)
    if st.form_submit_button("Open", icon=":material/open_in_new:"):
        st.switch_page(EXAMPLE_PAGE, query_params={"image": number, "score": score})
