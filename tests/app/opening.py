"""Pages of the app under test."""

from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from tests.app.keeping import kept_of
from tests.browsing import ROOT

SECONDS = 120  # that a page may take


def switch_page(app: AppTest, path: str) -> AppTest:
    """Open a page by its path in the address next; before an app has run, Streamlit itself knows files alone."""
    app._page_hash = calc_hash(path)
    return app


def open_popovers(app: AppTest, are_open: bool = True) -> None:
    """Let the menus of Explore and the rest of its filters be open when it is drawn: closed ones have no content."""
    for key in ("popover-View", "popover-Actions", "more-filters"):
        app.session_state[key] = are_open


def assert_sound(app: AppTest, *said: str) -> None:
    """Check that nothing failed but what is said, in its order: a page tells a failure, which is no exception then."""
    assert not app.exception
    shown = [each.value for each in app.error]
    assert len(shown) == len(said), shown
    for words, error in zip(said, shown, strict=True):
        assert words in error


def opened_page(page: str, query: dict[str, str], *said: str, **kept: Any) -> AppTest:
    """The app on one of its pages, first of all, where nothing fails but what is said.

    Args:
        page: its path in the address.
        query: of the address.
        *said: words of the errors that it shows, in their order.
        **kept: what the app keeps of the visit.
    """
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=SECONDS)
    open_popovers(app)
    if kept:
        kept_of(app).update(kept)
    for key, value in query.items():
        app.query_params[key] = value
    switch_page(app, page).run()
    assert_sound(app, *said)
    return app
