"""A text as it was typed: nothing in it is taken for Markdown or HTML, and nothing is left out."""

import streamlit as st

from mcviz.app.components.assets import load_assets

MOST_CHARACTERS = 100_000  # more than that is slow to send and to draw, and nobody scrolls through it
HEIGHT = 320  # pixels

_mounted = st.components.v2.component(
    "mcviz_text_box", css=load_assets("text_box.css"), js=load_assets("latest_data.js", "text_box.js")
)


def text_box(text: str, spoken: str, height: int = HEIGHT) -> None:
    """Render a text with its lines and its white space, in a box in which a long one scrolls.

    Args:
        text: of any length and content; of a very long one the beginning is shown.
        spoken: what it is, for those who cannot see it.
        height: of the box in pixels, at most.
    """
    if not text.strip():
        st.caption("A text of white space alone." if text else "An empty text.")
        return
    _mounted(key=f"text-{spoken}", data={"text": text[:MOST_CHARACTERS], "spoken": spoken, "height": height})
    if len(text) > MOST_CHARACTERS:
        st.caption(f"The first {MOST_CHARACTERS:,} of {len(text):,} characters.")
