"""A real Chromium on the real app, which serves the runs of `cache/`."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import MILLISECONDS_TO_APPEAR, check_log, serving, visited

expect.set_options(timeout=MILLISECONDS_TO_APPEAR)


@pytest.fixture(scope="session")
def app_url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the running app, as `http://127.0.0.1:port`."""
    with serving(tmp_path_factory.mktemp("app")) as (url, log):
        yield url
    check_log(log)


@pytest.fixture
def page(browser: Browser, app_url: str) -> Iterator[Page]:
    """A page whose test fails on any error in its console, and on any request that leaves this machine."""
    with visited(browser, app_url, viewport={"width": 1280, "height": 900}, accept_downloads=True) as page:
        yield page


def settle(page: Page, milliseconds: int = MILLISECONDS_TO_APPEAR) -> None:
    """Wait until the app has rendered all of the page."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=milliseconds)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)  # for what the browser has not loaded yet


def came_ahead(page: Page) -> None:
    """Wait until the browser has the examples that are sent ahead, last of all, and hears clicks and keys."""
    page.wait_for_function(
        """() => {
            const component = "[data-testid=stBidiComponentIsolated]";
            const listens = (place) => place.querySelector(component)?.shadowRoot?.listening;
            const all = ".st-key-explanations-ahead, .st-key-keys, .st-key-arrow-keys";
            const places = [...document.querySelectorAll(all)];
            return places.some((place) => place.matches(".st-key-explanations-ahead")) && places.every(listens);
        }"""
    )
