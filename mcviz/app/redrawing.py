"""What is drawn after a callback: all of the page or parts of it, and a word in passing."""

import streamlit as st

from mcviz.app.session import session_store
from mcviz.app.streamlit_internals import draw_at_top

LEFT, TOLD = "left-to-draw", "told-in-passing"  # names of what a visit keeps


def mark_dirty(*keys: str) -> None:
    """Note in a callback what it changes on the page, whatever comes in between: these fragments, or else all of it."""
    left = _left()
    if not keys:
        session_store()[LEFT] = None
    elif left is not None:
        left.update(dict.fromkeys(keys))


def rerun_fragments(*keys: str) -> None:
    """Draw only these fragments anew, one after the other, in a callback, and what earlier ones left undrawn.

    Where all of the page is left, that is drawn.
    """
    mark_dirty(*keys)
    left = _left()
    if left is not None:
        st.rerun(list(left))


def mark_rendered(key: str) -> None:
    """Note that all of a fragment was drawn."""
    left = _left()
    if left is not None:
        left.pop(key, None)


def start_page() -> None:
    """Begin to draw all of the page at its top; after a fragment, Streamlit would draw it in the fragment's place."""
    draw_at_top()
    mark_dirty()


def finish_page() -> None:
    """Note that all of the page was drawn, and say what callbacks had to say."""
    session_store()[LEFT] = {}
    for words, icon in session_store().get(TOLD, ()):
        st.toast(words, icon=icon)
    session_store().pop(TOLD, None)  # where none of them was cut short


def queue_toast(words: str, icon: str) -> None:
    """Say something in passing, in a callback, once the page is drawn: before that, Streamlit may drop it.

    Args:
        words: a sentence in Markdown.
        icon: a Material symbol.
    """
    session_store().setdefault(TOLD, []).append((words, icon))


def _left() -> dict[str, None] | None:
    """The keys of the fragments that are left to be drawn, in their order; None where all of the page is."""
    found: dict[str, None] | None = session_store().get(LEFT)
    return found
