"""Pictures for a chart of points: of the one under the pointer, and a ring around the one that is looked at."""

from typing import Any

import streamlit as st

from mcviz.app.components.assets import load_assets

_mounted = st.components.v2.component(
    "mcviz_points",
    css=load_assets("tile.css", "points.css"),
    js=load_assets("internals.js", "hearing.js", "element.js", "tile.js", "latest_data.js", "points.js"),
)


def points(key: str, container: str, current: int | None, tile: dict[str, Any] | None, sheet: dict[str, Any]) -> None:
    """Let the points of a chart be looked at by a click, show the picture of the one that the pointer rests on.

    Args:
        key: of the component.
        container: the key of the container of the chart, whose points carry the numbers of examples as `customdata`.
        current: the number of the example that is looked at, or None.
        tile: of the one whose picture was asked for last, as `tile_data` gives it, or None.
        sheet: its picture, as `tile_data` gives it; or nothing.
    """
    _mounted(key=key, height=1, data={**sheet, "container": container, "current": current, "tile": tile})
