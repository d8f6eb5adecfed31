"""Pages of the app under test."""

from typing import Any

from streamlit.testing.v1 import AppTest

from tests.app.keeping import kept_of
from tests.browsing import ROOT

SECONDS = 120  # that a page may take


def open_popovers(app: AppTest, are_open: bool = True) -> None:
    """Let the menus of Explore and the rest of its filters be open when it is drawn: closed ones have no content."""
    for key in ("popover-View", "popover-Actions", "more-filters"):
        app.session_state[key] = are_open


def assert_sound(app: AppTest) -> None:
    """Check that nothing of a page failed: what fails is said in an error, and no exception to the app."""
    assert not app.exception
    assert not app.error, [each.value for each in app.error]


def opened_page(page: str, query: dict[str, str], **kept: Any) -> AppTest:
    """The app on one of its pages, first of all, where nothing fails.

    Args:
        page: its file's name.
        query: of the address.
        **kept: what the app keeps of the visit.
    """
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=SECONDS)
    open_popovers(app)
    if kept:
        kept_of(app).update(kept)
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(f"mcviz/app/pages/{page}.py").run()
    assert_sound(app)
    return app
