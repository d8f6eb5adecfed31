"""Pieces of a page that several pages and views show; here the loading of their scripts and styles, and the keyboard.

Scripts and styles are files beside this one. Keys press a button or go into a field, and of arrow keys no press is
lost. Streamlit's own shortcuts leave out the keys that it keeps for itself or for other widgets.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import streamlit as st

from mcviz.app.state import session_store, widget_value


def load_assets(*names: str) -> str:
    """Load some files as one text: what one defines, the later ones use."""
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)


ARROW_KEYS = "arrow-keys"
TAKEN = "arrow-keys-taken"  # of the session: the steps that were made, and the page that counted them
_keys = st.components.v2.component(
    "mcviz_keys", js=load_assets("internals.js", "listening.js", "latest_data.js", "keys.js")
)
_arrow_keys = st.components.v2.component("mcviz_arrow_keys", js=load_assets("listening.js", "arrow_keys.js"))

_mounted = st.components.v2.component(
    "mcviz_page_listeners",
    js=load_assets("internals.js", "going_back.js", "page_listeners.js"),
)


def keys(**widgets: str) -> None:
    """Let keys press buttons and go into fields, where no field is being typed in; Enter and Escape leave a field.

    Args:
        widgets: the key of a Streamlit button or of a text field or selectbox, or what only its key begins with, for
            each key of the keyboard, which is named as browsers name it, in small letters; for "" a field that is to be
            typed in next, without a key.
    """
    _keys(data=widgets, key="keys", height=1)


def arrow_keys(move: Callable[[int], None]) -> None:
    """Let the arrow keys step, where no field is being typed in.

    Args:
        move: takes the steps since it was called last, to the left where negative, in a callback.
    """

    def changed() -> None:
        component = widget_value(ARROW_KEYS)  # which is gone where somebody left the page meanwhile
        counted = component.counted if component else None
        if counted is None:
            return
        since, steps = counted["since"], int(counted["steps"])
        before, taken = session_store().get(TAKEN, (since, 0))
        session_store()[TAKEN] = since, steps
        move(steps - (taken if before == since else 0))

    _arrow_keys(key=ARROW_KEYS, default={"counted": None}, on_counted_change=changed, height=1)


def page_listeners() -> None:
    """Let a finger scroll the page from every chart, whose toolbar has what selects with a finger.

    And let the page be where it was, with the focus, when somebody goes back to it, which is one step from an example;
    let it be drawn anew where the server was started anew; and let the link that skips lead behind the navigation.
    """
    with st.container(key="page-listeners"):
        _mounted(key="listeners-of-the-page", height=1)
        _draw_after_reconnecting()


@st.fragment(run_every=timedelta(days=1))
def _draw_after_reconnecting() -> None:
    """Let the browser ask for the page as soon as it is connected again.

    A server that was started anew knows nothing of the page, and would pass over the first click on it. Streamlit's
    browser asks by itself where a part of the page is drawn at intervals, here of nothing.
    """
