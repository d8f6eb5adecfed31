"""Keys that press a button, for those that Streamlit keeps for itself."""

import streamlit as st

_mounted = st.components.v2.component(
    "mcviz_keys",
    js="""
export default function (component) {
  const pressed = (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable=true]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const name = component.data[event.key.toLowerCase()];
    if (name) document.querySelector(`.st-key-${name} button`)?.click();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
""",
)


def keys(**buttons: str) -> None:
    """Let keys press buttons, where no field is being typed in.

    Args:
        buttons: the key of a Streamlit button for each letter.
    """
    _mounted(data=buttons, key="keys", height=1)
