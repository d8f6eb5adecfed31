"""Images laid out by how alike they look, coloured by a score."""

from dataclasses import replace

import numpy as np
import streamlit as st

from mcviz.app import address
from mcviz.app.selection import Selection
from mcviz.app.similar import components
from mcviz.app.views.linked import linked_chart, primary_image
from mcviz.app.views.looked_at import LookedAt, ranked
from mcviz.figures import coloured_map
from mcviz.measures import SCORES
from mcviz.measures.projection import FEWEST_POINTS, tsne
from mcviz.runs import Derived, Run, load_derived, save_derived

BY_PCA, BY_TSNE = "PCA", "t-SNE"
TSNE = Derived("t-sne", 1, {"positions": "float32"})
PICKED = 400  # images of a lasso, as the address can carry


def map_view(looked: LookedAt) -> None:
    """The map of all images that the other filters leave; a lasso picks from it."""
    run, score = looked.run, SCORES[looked.score]
    methods = [BY_PCA, BY_TSNE] if len(run) >= FEWEST_POINTS else [BY_PCA]
    method = address.one_of("map", methods, BY_PCA)
    if len(methods) > 1:
        st.segmented_control("Layout", methods, required=True, **address.bound("map", method))
    others = replace(looked.selection, picked=())
    shown = np.flatnonzero(others.mask(run.scores()))
    plane = _strongest_two(run) if method == BY_PCA else tsne_layout(run)
    if plane is None:
        return
    shown = shown[np.isfinite(plane[shown, 0])]
    if len(shown) == 0:
        st.info("No image on this map passes the other filters.", icon=":material/filter_alt_off:")
        return
    values = run.scores()[looked.score].to_numpy()[shown]
    picked = looked.selection.picked
    drawn = (others, looked.score, method, run.digest)
    key, shows_it = linked_chart("map", drawn, lambda key: set(_inside(key)), set(picked))
    figure = coloured_map(
        plane[shown, 0],
        plane[shown, 1],
        values,
        score.label,
        shown,
        uncertain_when=score.uncertain_when,
        selected=np.isin(shown, picked) if picked and not shows_it else None,
        primary=primary_image(run),
    )
    st.plotly_chart(
        figure,
        key=key,
        on_select=lambda: _picked(looked.selection, ranked(run, looked.score), key),
        selection_mode=("lasso", "box"),
        config={"displaylogo": False, "modeBarButtonsToRemove": ["toImage"]},
        alt=f"Map of {len(shown):,} images by similarity of their pixels, coloured by {score.label.lower()}.",
    )
    st.caption(
        f"Images whose pixels are alike are near each other. The colour is {score.label.lower()}, bright where the "
        f"model is unsure. Draw around points to pick them, the first {PICKED} of the ranking at most."
    )


def _strongest_two(run: Run) -> np.ndarray:
    """(N, 2) float32: the PCA layout; an only image lies at the origin, images of one pixel on a line."""
    plane = components(run.digest, run)[:, :2]
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))


def tsne_layout(run: Run) -> np.ndarray | None:
    """(N, 2) float32: the t-SNE layout of a run, or None where it still has to be computed, which is then offered.

    Images beyond the 20,000 that a fixed draw chooses are NaN.
    """
    layouts = _layouts()
    if run.digest not in layouts and (kept := load_derived(run, TSNE)) and kept["positions"].shape == (len(run), 2):
        layouts[run.digest] = kept["positions"]
    if run.digest not in layouts:
        st.info(
            "This layout is computed once, in a minute or two for 10,000 images, and kept. Stop it whenever you like.",
            icon=":material/hourglass:",
        )
        if st.button("Compute the t-SNE layout", type="primary", icon=":material/play_arrow:"):
            layouts[run.digest] = _computed(components(run.digest, run))
            save_derived(run, TSNE, {"positions": layouts[run.digest]})
            st.rerun()
    return layouts.get(run.digest)


@st.cache_resource(show_spinner=False)
def _layouts() -> dict[str, np.ndarray]:
    """The layouts of all runs that were looked at, by digest; shared by all sessions."""
    return {}


def _computed(places: np.ndarray) -> np.ndarray:
    bar = st.progress(0.0, "Finding each image's neighbours …")
    try:
        return tsne(places, lambda done, total: bar.progress(done / total, f"Iteration {done} of {total}"))
    finally:
        bar.empty()


def _inside(key: str) -> list[int]:
    """The images that the browser shows as picked in a chart."""
    event = st.session_state.get(key)
    return [int(point["customdata"]) for point in event["selection"]["points"]] if event else []


def _picked(selection: Selection, order: np.ndarray, key: str) -> None:
    """Make what was just drawn around the pick; as many as the address can carry, the first of the ranking."""
    images = order[np.isin(order, _inside(key))]
    if not len(images):  # the chart is drawn anew, which changes nothing
        return
    if len(images) > PICKED:
        st.toast(f"{PICKED} of {len(images):,} picked, the first of the ranking.", icon=":material/filter_list:")
    address.select(replace(selection, picked=tuple(images[:PICKED].tolist())))
