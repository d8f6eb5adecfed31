"""Examples laid out by the similarity of their images or features, coloured by a score."""

from dataclasses import replace

import numpy as np
import streamlit as st

from mcviz.app.components.widgets import bound
from mcviz.app.filters import Filters
from mcviz.app.resources import table
from mcviz.app.selection import Selection, ranked
from mcviz.app.similar import compared, components
from mcviz.app.state import go, one_of
from mcviz.app.views.linked import linked_chart
from mcviz.figures import coloured_map
from mcviz.measures import SCORES
from mcviz.measures.projection import FEWEST_POINTS, tsne
from mcviz.runs import Derived, Run, load_derived, save_derived

LAYOUTS = {"pca": "PCA", "tsne": "t-SNE"}
TSNE = Derived("t-sne", 1, {"positions": "float32"})
MOST_SELECTED = 400  # examples of a lasso, as the address can carry


def map_view(selection: Selection) -> None:
    """The map of all examples that the other filters leave; a lasso selects from it."""
    run, filters, score = selection.run, selection.filters, SCORES[selection.score]
    layouts = list(LAYOUTS) if len(run) >= FEWEST_POINTS else ["pca"]
    layout = one_of(selection.state.layout, layouts)
    if len(layouts) > 1:
        st.segmented_control(
            "Layout", layouts, format_func=LAYOUTS.__getitem__, required=True, **bound("layout", layout)
        )
    others = filters.without("selected")
    shown = np.flatnonzero(others.mask(table(run)))
    plane = _strongest_two(run) if layout == "pca" else tsne_layout(run)
    if plane is None:
        return
    shown = shown[np.isfinite(plane[shown, 0])]
    if len(shown) == 0:
        st.info("No example in this layout passes the filters. Take one off above.", icon=":material/filter_alt_off:")
        return
    drawn = (others, selection.score, layout, run.digest)
    key, shows_it = linked_chart("map", drawn, lambda key: set(_inside(key)), set(filters.selected))
    figure = coloured_map(
        plane[shown, 0],
        plane[shown, 1],
        table(run)[selection.score].to_numpy()[shown],
        score.label,
        shown,
        uncertain_when=score.uncertain_when,
        selected=np.isin(shown, filters.selected) if filters.selected and not shows_it else None,
        primary=selection.state.example,
    )
    st.plotly_chart(
        figure,
        key=key,
        on_select=lambda: _lassoed(filters, ranked(run, selection.state), key),
        selection_mode=("lasso", "box"),
        config={"displaylogo": False, "modeBarButtonsToRemove": ["toImage"]},
        alt=f"Map of {len(shown):,} examples by similarity of their {compared(run)}, coloured by "
        f"{score.label.lower()}.",
    )
    st.caption(
        f"Examples with similar {compared(run)} are near each other; bright colours are uncertain. Draw around points "
        f"to select them, at most the first {MOST_SELECTED} of the ranking."
    )


def _strongest_two(run: Run) -> np.ndarray:
    """(N, 2) float32: the PCA layout; an only example lies at the origin, images of one pixel on a line."""
    plane = components(run.digest, run)[:, :2]
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))


def tsne_layout(run: Run) -> np.ndarray | None:
    """(N, 2) float32: the t-SNE layout of a run, or None where it still has to be computed, which is then offered.

    Examples beyond the 20,000 that a fixed draw chooses are NaN.
    """
    layouts = _layouts()
    if run.digest not in layouts and (kept := load_derived(run, TSNE)) and kept["positions"].shape == (len(run), 2):
        layouts[run.digest] = kept["positions"]
    if run.digest not in layouts:
        st.info(
            "This layout is computed once, in a minute or two for 10,000 examples, and kept. Stop it at any time.",
            icon=":material/hourglass:",
        )
        if st.button("Compute the t-SNE layout", type="primary", icon=":material/play_arrow:"):
            layouts[run.digest] = _computed(components(run.digest, run))
            save_derived(run, TSNE, {"positions": layouts[run.digest]})
            st.rerun()
    return layouts.get(run.digest)


@st.cache_resource(show_spinner=False)
def _layouts() -> dict[str, np.ndarray]:
    """The layouts of runs by digest, shared by all sessions."""
    return {}


def _computed(principal: np.ndarray) -> np.ndarray:
    bar = st.progress(0.0, "Finding each example's neighbours …")
    try:
        return tsne(principal, lambda done, total: bar.progress(done / total, f"Iteration {done} of {total}"))
    finally:
        bar.empty()


def _inside(key: str) -> list[int]:
    """The examples that the browser shows as selected in a chart."""
    event = st.session_state.get(key)
    return [int(point["customdata"]) for point in event["selection"]["points"]] if event else []


def _lassoed(filters: Filters, order: np.ndarray, key: str) -> None:
    """Select what was just drawn around; as many as the address can carry, the first of the ranking."""
    examples = order[np.isin(order, _inside(key))]
    if not len(examples):  # the chart is drawn anew, which changes nothing
        return
    if len(examples) > MOST_SELECTED:
        st.toast(
            f"{MOST_SELECTED} of {len(examples):,} selected, the first of the ranking.",
            icon=":material/filter_list:",
        )
    go(filters=replace(filters, selected=tuple(examples[:MOST_SELECTED].tolist())))
