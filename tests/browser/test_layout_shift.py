"""Nothing jumps: how far elements move that the browser has drawn, on first loads and after clicks.

A shift is the share of the window that moves, times how far, as the browser itself counts it: 0.1 is the limit of a
good page (web.dev/cls).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from mcviz.app.navigation import ENTRIES, PAGES
from tests.app.live_rows import cache_of_rows
from tests.app.live_texts import RUN as TEXTS
from tests.app.live_texts import live_texts
from tests.browser.conftest import FIRST_PREDICTION, go_to, settle
from tests.browsing import ROOT

MOST, MOST_WITHIN = 0.1, 0.05
SETTLED = 5000  # milliseconds after a click
SHIPPED = "mnist-cnn", "fashion-cnn", "digits-segmentation"
RUNS = "mnist-cnn", "digits-segmentation", TEXTS, "few", "measured"  # one of each kind and task
OWN = {"side_by_side": "&pinned=1,2", "compare": "&other=fashion-cnn"}
OBSERVE = """
window.shifts = [];
const name = (node) => (node?.closest ? node : node?.parentElement)?.closest("[class*=st-key-]")?.className;
new PerformanceObserver((seen) => seen.getEntries().forEach(({ value, startTime, sources }) =>
  window.shifts.push([value, startTime, sources.map(({ node }) => name(node))]))
).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped runs, and runs of texts, of rows and of numbers."""
    folder = tmp_path_factory.mktemp("kinds")
    for name in SHIPPED:
        (folder / name).symlink_to(ROOT / "cache" / name)
    cache_of_rows(folder)
    live_texts(folder)
    return folder


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


@pytest.mark.parametrize("run", RUNS)
def test_nothing_jumps_on_any_page(page: Page, url: str, run: str) -> None:
    jumped = []
    for each in PAGES:
        address = f"{url}/{each.url_path}?run={run}{OWN.get(each.url_path, '')}"
        # Of the page's code in the browser, and of its run on the server; of one run twice.
        for state in ("cold", "warm")[: 1 + (run == RUNS[0])]:
            moved, shifts = total(opened(page, address))
            if moved > MOST:
                jumped.append((address, state, moved, shifts))
    assert not jumped, "\n".join(map(str, jumped))


def test_nothing_jumps_from_page_to_page(page: Page, url: str) -> None:
    opened(page, f"{url}/overview?run=mnist-cnn")
    jumped = []
    for title in (each.title for each in (*ENTRIES[1:], *ENTRIES[:2])):
        page.evaluate("shifts.length = 0")
        go_to(page, title)
        page.wait_for_timeout(SETTLED)
        settle(page, FIRST_PREDICTION)
        moved, shifts = total(page)
        if moved > MOST_WITHIN:
            jumped.append((title, moved, shifts))
    assert not jumped, "\n".join(map(str, jumped))
