"""The memory of a visit, the values of its widgets, and what is drawn after a callback.

`st.session_state` must not be used in a callback: where something newer was clicked meanwhile, it ends the callback at
once, and what was clicked before is lost. A copy of it does not.
"""

import threading
from typing import Any

import streamlit as st

from mcviz.app.streamlit_internals import current_visit, draw_at_top, draws_fragments

KEPT = "kept"
LEFT, TOLD = "left-to-draw", "told-in-passing"  # names of what a visit keeps

_of_thread = threading.local()  # the last visit that it worked for, and what that keeps: a copy takes long to make


def session_store() -> dict[str, Any]:
    """Return the memory of this visit, from one drawing to the next, by names."""
    visit = current_visit()
    before, found = getattr(_of_thread, "visit", (None, {}))
    if visit is None or visit is not before:
        found = st.session_state.to_dict().get(KEPT)
        if found is None:
            found = st.session_state[KEPT] = {}
        _of_thread.visit = visit, found
    return found


def widget_value(key: str) -> Any:
    """Return the value of a widget; None where it is gone, since somebody left the page meanwhile."""
    return st.session_state.to_dict().get(key)


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
    if not draws_fragments(left):
        st.rerun("app" if left is None else list(left))


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
    """Return the keys of the fragments that are left to be drawn, in their order; None for all of the page."""
    found: dict[str, None] | None = session_store().get(LEFT)
    return found
