"""Pictures for a chart of points: of the one under the pointer, and of few; a ring around the one that is looked at."""

from typing import Any

import streamlit as st

from mcviz.app.components.assets import load_assets

_mounted = st.components.v2.component(
    "mcviz_points",
    css=load_assets("tile.css", "points.css"),
    js=load_assets("internals.js", "hearing.js", "element.js", "tile.js", "latest_data.js", "points.js"),
)


def points(key: str, container: str, current: int | None, shown: dict[str, Any], version: str, most: int) -> None:
    """Let the points of a chart be looked at by a click, and show the pictures that were asked for.

    Args:
        key: of the component.
        container: the key of the container of the chart, whose points carry the numbers of examples as `customdata`.
        current: the number of the example that is looked at, or None.
        shown: the examples that were asked for last, as `tile_data` gives them.
        version: decides whether pictures from before still hold.
        most: points in view, up to which they are pictures; 0 for none.
    """
    data = {**shown, "container": container, "current": current, "version": version, "most": most}
    _mounted(key=key, height=1, data=data)
