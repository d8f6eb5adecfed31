"""Keys that press a button or go into a field, for those that Streamlit keeps for itself or for other widgets."""

import streamlit as st

from mcviz.app.components.assets import load_assets

_mounted = st.components.v2.component("mcviz_keys", js=load_assets("internals.js", "hearing.js", "keys.js"))


def keys(**widgets: str) -> None:
    """Let keys press buttons and go into fields, where no field is being typed in; Enter and Escape leave a field.

    Args:
        widgets: the key of a Streamlit button or of a text field or selectbox, or what only its key begins with, for
            each key of the keyboard, which is named as browsers name it, in small letters.
    """
    _mounted(data=widgets, key="keys", height=1)
