"""Examples laid out by how alike their images are, coloured by a score."""

import secrets
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import streamlit as st

from mcviz.app.components.widgets import bound
from mcviz.app.filters import Filters
from mcviz.app.resources import cache_folder, table
from mcviz.app.selection import Selection, ranked
from mcviz.app.similar import components
from mcviz.app.state import go, one_of
from mcviz.app.views.linked import linked_chart
from mcviz.figures import coloured_map
from mcviz.measures import SCORES
from mcviz.runs import Run

LAYOUTS = {"pca": "PCA", "tsne": "t-SNE"}
MAPPED = 20_000  # examples; a map of more takes many minutes, and its points cover each other
ITERATIONS = (250, 500)  # of the two phases that van der Maaten & Hinton (2008) describe, openTSNE's own defaults
EVERY = 10  # iterations, the progress is shown
MOST_SELECTED = 400  # examples of a lasso, as the address can carry
FEWEST = 5  # examples; the neighbours of fewer make no map


def map_view(selection: Selection) -> None:
    """The map of all examples that the other filters leave; a lasso selects from it."""
    run, filters, score = selection.run, selection.filters, SCORES[selection.score]
    layouts = list(LAYOUTS) if len(run) >= FEWEST else ["pca"]
    layout = one_of(selection.state.layout, layouts)
    if len(layouts) > 1:
        st.segmented_control(
            "Layout", layouts, format_func=LAYOUTS.__getitem__, required=True, **bound("layout", layout)
        )
    others = replace(filters, selected=())
    shown = np.flatnonzero(others.mask(table(run)))
    plane = _strongest_two(run) if layout == "pca" else tsne(run)
    if plane is None:
        return
    shown = shown[np.isfinite(plane[shown, 0])]
    if len(shown) == 0:
        st.info("No example on this map passes the other filters.", icon=":material/filter_alt_off:")
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
        alt=f"Map of {len(shown):,} examples by similarity of their pixels, coloured by {score.label.lower()}.",
    )
    st.caption(
        f"Examples whose pixels are alike are near each other. The colour is {score.label.lower()}, bright where the "
        f"model is uncertain. Draw around points to select them, the first {MOST_SELECTED} of the ranking at most."
    )


def _strongest_two(run: Run) -> np.ndarray:
    """(N, 2) float32: the PCA layout; an only image lies at the origin, images of one pixel on a line."""
    if len(run) == 1:
        return np.zeros((1, 2), dtype=np.float32)
    plane = components(run.digest, run)[:, :2]
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))


def tsne(run: Run) -> np.ndarray | None:
    """(N, 2) float32: the t-SNE layout of a run, or None where it still has to be computed, which is then offered.

    Images beyond the 20,000 that a fixed draw chooses are NaN.
    """
    layouts = _layouts()
    file = cache_folder() / ".maps" / f"{run.digest}.npy"
    if run.digest not in layouts and (kept := _kept(file, len(run))) is not None:
        layouts[run.digest] = kept
    if run.digest not in layouts:
        st.info(
            "This layout is computed once, in a minute or two for 10,000 images, and kept. Stop it whenever you like.",
            icon=":material/hourglass:",
        )
        if st.button("Compute the t-SNE layout", type="primary", icon=":material/play_arrow:"):
            layouts[run.digest] = _computed(components(run.digest, run))
            with suppress(OSError):  # a cache that cannot be written to: the layout lives as long as the app
                _keep(file, layouts[run.digest])
            st.rerun()
    return layouts.get(run.digest)


@st.cache_resource(show_spinner=False)
def _layouts() -> dict[str, np.ndarray]:
    """The layouts of all runs that were looked at, by digest; shared by all sessions."""
    return {}


def _computed(places: np.ndarray) -> np.ndarray:
    import openTSNE  # here, because it takes a second to import

    bar = st.progress(0.0, "Finding each image's neighbours …")
    rounds = count(1)

    def progress(*_: object) -> bool:
        done = next(rounds) * EVERY
        bar.progress(min(done / sum(ITERATIONS), 1.0), f"Iteration {done} of {sum(ITERATIONS)}")
        return False

    mapped = np.sort(np.random.default_rng(0).choice(len(places), min(len(places), MAPPED), replace=False))
    layout = openTSNE.TSNE(
        n_jobs=-1,
        random_state=0,
        early_exaggeration_iter=ITERATIONS[0],
        n_iter=ITERATIONS[1],
        perplexity=min(30, max(1, (len(mapped) - 1) // 3)),
        callbacks=progress,
        callbacks_every_iters=EVERY,
    )
    made = np.full((len(places), 2), np.nan, dtype=np.float32)
    try:
        made[mapped] = np.asarray(layout.fit(places[mapped]))
    finally:
        bar.empty()
    return made


def _kept(file: Path, images: int) -> np.ndarray | None:
    """A layout from disk, or None where there is none that fits."""
    try:
        layout = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        return None
    return layout if layout.shape == (images, 2) and layout.dtype == np.float32 else None


def _keep(file: Path, layout: np.ndarray) -> None:
    """Put a layout in place, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("wb") as opened:
            np.save(opened, layout, allow_pickle=False)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


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
