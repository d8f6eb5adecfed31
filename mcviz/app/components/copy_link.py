"""A button that copies the address, which says all that the page shows."""

import streamlit as st

from mcviz.app.components.assets import load_assets

_mounted = st.components.v2.component(
    "mcviz_copy_link", css=load_assets("copy_link.css"), js=load_assets("copy_link.js")
)


def copy_link() -> None:
    """Render the button."""
    _mounted(key="copy-link", width="content")
