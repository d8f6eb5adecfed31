"""What an app under test keeps of a visit."""

from typing import Any

from streamlit.testing.v1 import AppTest

from mcviz.app.state import KEPT


def kept_of(app: AppTest) -> dict[str, Any]:
    """What the app keeps, also before it ran."""
    if KEPT not in app.session_state:
        app.session_state[KEPT] = {}
    found: dict[str, Any] = app.session_state[KEPT]
    return found
