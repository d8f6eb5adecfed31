"""What a visit keeps, and what its widgets say, for callbacks too.

`st.session_state` must not be used in a callback: where something newer was clicked meanwhile, it ends the callback at
once, and what was clicked before is lost. A copy of it does not.
"""

import threading
from typing import Any

import streamlit as st

from mcviz.app.streamlit_internals import current_visit

KEPT = "kept"

_of_thread = threading.local()  # the last visit that it worked for, and what that keeps: a copy takes long to make


def session_store() -> dict[str, Any]:
    """What this visit keeps from one drawing to the next, by its names."""
    visit = current_visit()
    before, found = getattr(_of_thread, "visit", (None, {}))
    if visit is None or visit is not before:
        found = st.session_state.to_dict().get(KEPT)
        if found is None:
            found = st.session_state[KEPT] = {}
        _of_thread.visit = visit, found
    return found


def widget_value(key: str) -> Any:
    """What the widget of a key says; None where it is gone, since somebody left the page meanwhile."""
    return st.session_state.to_dict().get(key)
