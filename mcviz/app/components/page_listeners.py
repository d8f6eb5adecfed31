"""Listeners of every page: to fingers on charts, to going back, and to a server that comes back."""

import streamlit as st

from mcviz.app.components.assets import load_assets

_mounted = st.components.v2.component(
    "mcviz_page_listeners",
    js=load_assets("internals.js", "going_back.js", "page_listeners.js"),
)


def page_listeners() -> None:
    """Let a finger scroll the page from every chart, whose toolbar has what selects with a finger.

    And let the page be where it was, with the focus, when somebody goes back to it, which is one step from an example;
    let it be drawn anew where the server was started anew; and let the link that skips lead behind the navigation.
    """
    with st.container(key="page-listeners"):
        _mounted(key="listeners-of-the-page", height=1, on_reconnected_change=lambda: None)
