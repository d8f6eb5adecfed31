"""The part of a chart's plane that is in view, sent to the server, which then draws it in more detail."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import streamlit as st

from mcviz.app.components.assets import load_assets
from mcviz.app.session import widget_value
from mcviz.figures import Window

_mounted = st.components.v2.component("mcviz_zoom", js=load_assets("internals.js", "zoom.js"))


def zoom(key: str, container: str, change: Callable[[Window], None]) -> None:
    """Hear of the part of a chart's plane that somebody zoomed in on, or moved to.

    Args:
        key: of the component.
        container: the key of the container of the chart.
        change: takes the part, in a callback.
    """

    def changed() -> None:
        component = widget_value(key)  # which is gone where somebody left the page meanwhile
        window = _window(component.window) if component else None
        if window:
            change(window)

    _mounted(key=key, height=1, data={"container": container}, on_window_change=changed)


def _window(told: Any) -> Window | None:
    """Return the part that the browser sent, where it is one."""
    match told:
        case {"x": [float() | int(), float() | int()] as x, "y": [float() | int(), float() | int()] as y}:
            if all(isfinite(low) and isfinite(high) and low < high for low, high in (x, y)):
                return Window((float(x[0]), float(x[1])), (float(y[0]), float(y[1])))
    return None
