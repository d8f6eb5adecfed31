"""Charts that both show the selection and make it, with pictures of the points in view."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from mcviz.app.components import load_assets
from mcviz.app.components.gallery import tile_data
from mcviz.app.filters import Lasso, round_corners
from mcviz.app.kinds.base import TILE
from mcviz.app.resources import cached_for_run, has, names_key, run_numbers, table_key
from mcviz.app.selection import filter_mask
from mcviz.app.state import (
    latest_state,
    mark_dirty,
    mark_rendered,
    queue_toast,
    session_store,
    update_state,
    widget_value,
)
from mcviz.app.views.look_panel import MOST_PICTURES, PICTURED, POINTS
from mcviz.figures import Window
from mcviz.figures.scores import MOST_DRAWN_POINTS
from mcviz.figures.style import escape_label
from mcviz.runs import Run

_mounted = st.components.v2.component(
    "mcviz_points",
    css=load_assets("tile.css", "points.css"),
    js=load_assets("internals.js", "listening.js", "element.js", "tile.js", "latest_data.js", "points.js"),
)

_mounted_zoom = st.components.v2.component("mcviz_zoom", js=load_assets("internals.js", "zoom.js"))

T = TypeVar("T")
CORNERS = 40  # of a lasso in the address
THUMBNAIL = 128  # pixels, of a photograph among many in a chart


def points(key: str, container: str, current: int | None, content: dict[str, Any], version: str, most: int) -> None:
    """Let the points of a chart be looked at by a click, and show the pictures that were asked for.

    Args:
        key: of the component.
        container: the key of the container of the chart, whose points carry the numbers of examples as `customdata`.
        current: the number of the example that is looked at, or None.
        content: the examples that were asked for last, as `tile_data` gives them.
        version: decides whether pictures from before still hold.
        most: points in view, up to which they are pictures; 0 for none.
    """
    data = {**content, "container": container, "current": current, "version": version, "most": most}
    _mounted(key=key, height=1, data=data)


def zoom(key: str, container: str, change: Callable[[Window], None]) -> None:
    """Hear of the part of a chart's plane that somebody zoomed in on, or moved to.

    Args:
        key: of the component.
        container: the key of the container of the chart.
        change: takes the part, in a callback.
    """

    def changed() -> None:
        component = widget_value(key)  # which is gone where somebody left the page meanwhile
        window = _zoom_window(component.window) if component else None
        if window:
            change(window)

    _mounted_zoom(key=key, height=1, data={"container": container}, on_window_change=changed)


def _zoom_window(window: Any) -> Window | None:
    """Return the part that the browser sent, where it is one."""
    match window:
        case {"x": [float() | int(), float() | int()] as x, "y": [float() | int(), float() | int()] as y}:
            if all(isfinite(low) and isfinite(high) and low < high for low, high in (x, y)):
                return Window((float(x[0]), float(x[1])), (float(y[0]), float(y[1])))
    return None


def chart_key(
    name: str, points_key: Hashable, read_selection: Callable[[str], T | None], selected: T | None
) -> tuple[str, bool]:
    """Return the key of a chart, and whether the browser shows the selection, because it was made there.

    Such a chart is left alone: drawing ten thousand points anew takes longer than all else that a lasso does. It has to
    be a new one where other points are drawn, where the browser shows a selection that is no more, and where the chart
    came with a selection: the browser's own would not outlast that one's going.

    Args:
        name: of the chart; its key is the name and a number.
        points_key: decides which points the chart has.
        read_selection: gives the selection that the browser shows in the chart of a key; nothing that is true, if none.
        selected: the selection as the state has it.
    """
    before, number, came_with_one = session_store().get(f"{name}-chart", (points_key, 0, False))
    inside = read_selection(f"{name}-{number}")
    anew = points_key != before or bool(inside and (came_with_one or inside != selected))
    number += anew
    shows_it = bool(inside) and not anew
    session_store()[f"{name}-chart"] = points_key, number, bool(selected) and not shows_it
    return f"{name}-{number}", shows_it


def render_lasso_chart(
    name: str,
    run: Run,
    plane: Lasso,
    lasso: Lasso | None,
    points_key: Hashable,
    draw: Callable[[Lasso | None, Window | None], Figure],
    spoken: str,
    *,
    looks: bool = True,
) -> None:
    """Render a chart of numbers of the examples, in which a lasso or a box selects.

    Args:
        name: of the chart and of its container.
        run: whose examples they are.
        plane: the numbers along its axes, or the layout, as a lasso without corners.
        lasso: that is on.
        points_key: decides which points the chart has, and all else of it that does not follow from its name, from
            `run` and `plane`.
        draw: draws the chart, with a lasso that it has to show by itself, and of a part of the plane alone.
        spoken: what it shows, for those who cannot see it.
        looks: whether there is a panel beside, in which a point can be looked at.
    """
    window = _window(name, run, plane)
    key, shows_it = chart_key(name, (points_key, window), lambda key: _read_lasso(key, plane), lasso)
    chart = _figure(run, name, points_key, plane, None if shows_it else lasso, window, draw)
    zoomable = window is not None or bool(chart.layout.images)
    hidden = ["toImage", "autoScale2d", "resetScale2d"] if zoomable else ["toImage"]
    with st.container(key=name):
        st.plotly_chart(
            chart,
            key=key,
            on_select=lambda: _apply_lasso(key, run, plane),
            selection_mode=("lasso", "box"),
            config={"displaylogo": False, "modeBarButtonsToRemove": hidden, "scrollZoom": False},
            alt=spoken,
        )
    if zoomable:
        _render_zoom(name, run, plane, chart, window)
    if looks:
        render_point_pictures(run, name)
    pictures = (
        f" Zoom in: up to {MOST_PICTURES} points in view become pictures." if looks and has(run, "images") else ""
    )
    without = "“Filter around an example” below" if plane.layout else "“Range of”, under More in the filters"
    st.caption(
        "Draw around points with the lasso, or with the box at the top right, to filter to the examples inside. "
        f"Without a pointer: {without}.{pictures}"
    )


@cached_for_run(names_key, max_entries=32)  # a copy would be another chart to the browser
def _figure(
    run: Run,  # noqa: ARG001 (the key)
    name: str,  # noqa: ARG001
    points_key: Hashable,  # noqa: ARG001
    plane: Lasso,  # noqa: ARG001
    lasso: Lasso | None,
    window: Window | None,
    _draw: Callable[[Lasso | None, Window | None], Figure],
) -> Figure:
    return _draw(lasso, window)


def _render_zoom(name: str, run: Run, plane: Lasso, chart: Figure, window: Window | None) -> None:
    """Render the meaning of the cells of a chart, and the way into the plane and back."""

    def show(part: Window | None) -> None:
        if part != _window(name, run, plane):
            session_store()[f"{name}-window"] = (table_key(run), plane, part)
            mark_dirty()

    zoom(f"zoom-{name}", name, show)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if window is not None:
            st.button("Show all", key=f"all-of-{name}", icon=":material/zoom_out_map:", on_click=show, args=(None,))
        if chart.layout.images:
            st.caption(
                "Each cell counts examples. Its colour is the mean of theirs, and stronger where there are more. "
                "Zoom in with the tools at the top right: "
                f"up to {MOST_DRAWN_POINTS:,} examples in view are drawn one by one.",
                width="stretch",
            )


def _window(name: str, run: Run, plane: Lasso) -> Window | None:
    """Return the part of a chart's plane that is in view; None for all."""
    of, on, part = session_store().get(f"{name}-window", (None, None, None))
    return part if (of, on) == (table_key(run), plane) else None


@st.fragment(key=POINTS)
def render_point_pictures(run: Run, container: str) -> None:
    """Render the pictures of the points that were asked for, and a ring around the example in the panel.

    Args:
        run: whose examples the points are.
        container: the key of the container of the chart.
    """
    state = latest_state()
    asked = [
        example for example in session_store().get(PICTURED, ()) if example < len(run)
    ]  # or of a run that was open before
    side = TILE if len(asked) == 1 else THUMBNAIL
    pictures = tile_data(run, state, np.array(asked, int), None, state.score, side) if asked else {"tiles": []}
    with st.container(key="points"):
        points(
            f"points-{container}",
            container,
            state.example,
            pictures,
            f"{run.digest} {state.score}",
            MOST_PICTURES if has(run, "images") else 0,
        )
    mark_rendered(POINTS)


def lasso_marks(lasso: Lasso | None, x: str, y: str, scores: pd.DataFrame) -> dict[str, Any]:
    """Return how a figure of two numbers shows a lasso: its outline, if it is over these, and the points inside.

    Args:
        lasso: that the figure has to show by itself, or None.
        x: the name of the number along the x axis.
        y: the same for the y axis.
        scores: (n,) rows of the run's table, the points of the figure.
    """
    return {
        "outline": lasso.corners if lasso and (lasso.x, lasso.y) == (x, y) else (),
        "selected": lasso.mask(scores) if lasso else None,
    }


def axis_title(run: Run, name: str) -> str:
    """Return the title of a number's axis, as plotly shows it, with the unit where that is the run's own."""
    number = run_numbers(run)[name]
    unit = number.unit if number.unit == run.manifest.unit else ""
    return escape_label(f"{number.label}, {unit}" if unit else number.label)


def _apply_lasso(key: str, run: Run, plane: Lasso) -> None:
    """Filter by the lasso that was just drawn.

    A chart that is drawn anew reports that nothing is selected, so that changes nothing: the chip takes it off. Nor
    does a line around no point, as a tap or a swipe makes it: the chart is drawn anew without it.
    """
    lasso = _read_lasso(key, plane)
    if lasso is None:
        return
    changes: dict[str, Any] = {"area": lasso, "selected": ()} if lasso.layout else {"lasso": lasso}
    if not filter_mask(run, latest_state().replace(**changes).filters).any():
        queue_toast("No point lies within what was drawn, so nothing changes.", ":material/lasso_select:")
    else:
        update_state(**changes)


def _read_lasso(key: str, plane: Lasso) -> Lasso | None:
    """Return the lasso that the browser shows, with as many digits and corners as the address carries."""
    event = widget_value(key)
    corners: Sequence[tuple[float, float]] = ()
    if event and event["selection"]["lasso"]:
        lasso = event["selection"]["lasso"][-1]
        corners = list(zip(lasso["x"], lasso["y"], strict=True))
    elif event and event["selection"]["box"]:
        (x0, x1), (y0, y1) = (event["selection"]["box"][-1][axis] for axis in "xy")
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    thinned = list(corners[:: -(-len(corners) // CORNERS) or 1])
    if not thinned:
        return None
    thinned += thinned[-1:] * (3 - len(thinned))  # a line is an area with nothing inside
    written = round_corners(tuple((float(a), float(b)) for a, b in thinned))
    return replace(plane, corners=written) if written else None
