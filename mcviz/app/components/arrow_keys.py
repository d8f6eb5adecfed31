"""Arrow keys to the left and right, of which no press is lost, however fast they come."""

from collections.abc import Callable

import streamlit as st

from mcviz.app.components.assets import load_assets
from mcviz.app.session import session_store, widget_value

KEY = "arrow-keys"
TAKEN = "arrow-keys-taken"  # of the session: the steps that were made, and the page that counted them

_mounted = st.components.v2.component("mcviz_arrow_keys", js=load_assets("hearing.js", "arrow_keys.js"))


def arrow_keys(move: Callable[[int], None]) -> None:
    """Let the arrow keys step, where no field is being typed in.

    Args:
        move: takes the steps since it was called last, to the left where negative, in a callback.
    """

    def changed() -> None:
        component = widget_value(KEY)  # which is gone where somebody left the page meanwhile
        counted = component.counted if component else None
        if counted is None:
            return
        since, steps = counted["since"], int(counted["steps"])
        before, taken = session_store().get(TAKEN, (since, 0))
        session_store()[TAKEN] = since, steps
        move(steps - (taken if before == since else 0))

    _mounted(key=KEY, default={"counted": None}, on_counted_change=changed, height=1)
