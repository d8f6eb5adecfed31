"""Nothing jumps: how far elements move that the browser has drawn, on each page of each kind of run, and after clicks.

A shift is the share of the window that moves, times how far, as the browser itself counts it: 0.1 is the limit of a
good page (web.dev/cls).
"""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from mcviz.app.navigation import COMPARE, EXPLORE, LABELLING, OVERVIEW, PAGES, PROBE, RUNS, TRUST
from tests.app.live_rows import cache_of_rows
from tests.app.live_texts import RUN as TEXTS
from tests.app.live_texts import live_texts
from tests.browser.conftest import FIRST_PREDICTION, go_to, settle
from tests.browsing import ROOT, serving

SHIPPED, MADE = ("mnist-cnn", "digits-segmentation"), (TEXTS, "measured")
MOST, MOST_WITHIN = 0.1, 0.05
SECONDS_AFTER_CLICK = 5
MARKED = {EXPLORE: ("", "view=scatter", "view=table", "view=map", "view=confusion", "view=classes")}
OBSERVE = """
window.shifts = [];
const name = (node) => (node?.closest ? node : node?.parentElement)?.closest("[class*=st-key-]")?.className;
new PerformanceObserver((seen) => seen.getEntries().forEach(({ value, startTime, sources }) =>
  window.shifts.push([value, startTime, sources.map(({ node }) => name(node))]))
).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    cache = tmp_path_factory.mktemp("kinds")
    for name in SHIPPED:
        shutil.copytree(ROOT / "cache" / name, cache / name)
    live_texts(cache)
    cache_of_rows(cache)
    with serving(tmp_path_factory.mktemp("app"), MCVIZ_CACHE=str(cache)) as (address, _):
        yield address


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


@pytest.mark.parametrize("run", SHIPPED + MADE)
def test_nothing_jumps_on_any_page_of_any_kind_of_run(page: Page, url: str, run: str) -> None:
    jumping = []
    for each in PAGES:
        more = {COMPARE: ("other=mnist-cnn",)} | MARKED
        for query in more.get(each, ("",)):
            moved, shifts = total(opened(page, f"{url}/{each.url_path}?run={run}&{query}"))
            jumping += [(each.title, query, moved, shifts)] if moved > MOST else []
    assert not jumping


def test_nothing_jumps_from_page_to_page(page: Page, url: str) -> None:
    opened(page, f"{url}/overview?run=mnist-cnn")
    for to in (EXPLORE, TRUST, LABELLING, PROBE, RUNS, OVERVIEW, EXPLORE):
        page.evaluate("shifts.length = 0")
        go_to(page, to.title)
        page.wait_for_timeout(1000 * SECONDS_AFTER_CLICK)
        moved, shifts = total(page)
        assert moved <= MOST_WITHIN, (to.title, shifts)
