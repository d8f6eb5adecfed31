"""Nothing jumps: how far elements move that the browser has drawn, on the first page.

A shift is the share of the window that moves, times how far, as the browser itself counts it: 0.1 is the limit of a
good page (web.dev/cls).
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import FIRST_PREDICTION, settle

MOST = 0.1
OBSERVE = """
window.shifts = [];
const name = (node) => (node?.closest ? node : node?.parentElement)?.closest("[class*=st-key-]")?.className;
new PerformanceObserver((seen) => seen.getEntries().forEach(({ value, startTime, sources }) =>
  window.shifts.push([value, startTime, sources.map(({ node }) => name(node))]))
).observe({ type: "layout-shift", buffered: true });
"""


def total(page: Page) -> tuple[float, list[object]]:
    """The shifts of a page since it was opened or they were forgotten, and where each was."""
    shifts = page.evaluate("shifts")
    return sum(value for value, *_ in shifts), shifts


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that has nothing of the app yet, and counts shifts."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(OBSERVE)
    yield page
    context.close()


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=FIRST_PREDICTION)
    settle(page, FIRST_PREDICTION)
    page.wait_for_timeout(500)  # for charts, which the browser draws after that
    return page


@pytest.mark.always
def test_nothing_jumps_on_the_first_page(page: Page, app_url: str) -> None:
    moved, shifts = total(opened(page, f"{app_url}/overview?run=mnist-cnn"))
    assert moved <= MOST, shifts
