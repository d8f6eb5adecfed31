"""The head of the panel that shows one example beside a view: its picture, what is predicted, and what can be done."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from mcviz.app.components.assets import load_assets
from mcviz.app.session import widget_value

SCRIPTS = "internals.js", "hearing.js", "element.js", "tile.js", "acts.js", "latest_data.js", "sender.js", "look.js"

_mounted = st.components.v2.component(
    "mcviz_look", css=load_assets("tile.css", "acts.css", "look.css"), js=load_assets(*SCRIPTS)
)


def look_head(key: str, data: dict[str, Any], act: Callable[[Any], None]) -> Any:
    """Render the head. It draws at once what keys and views request, and receives these requests of the browser.

    A request is `what` is asked, the number of an `example`, and for a range all `examples`.

    Args:
        key: of the component.
        data: the example's tile and picture as `tile_data` gives them, its rank, and the numbers of those around it;
            only the latter where no example is shown.
        act: called with what is asked, as a callback.

    Returns:
        What was asked in this rerun, or None.
    """

    def heard() -> None:
        component = widget_value(key)  # which is gone where somebody left the page meanwhile
        act(component.asked if component else None)

    return _mounted(key=key, data=data, on_asked_change=heard).asked
