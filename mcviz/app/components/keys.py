"""Keys that press a button, for those that Streamlit keeps for itself."""

from pathlib import Path

import streamlit as st

_mounted = st.components.v2.component("mcviz_keys", js=Path(__file__).with_suffix(".js").read_text())


def keys(**buttons: str) -> None:
    """Let keys press buttons, where no field is being typed in.

    Args:
        buttons: the key of a Streamlit button for each letter.
    """
    _mounted(data=buttons, key="keys", height=1)
