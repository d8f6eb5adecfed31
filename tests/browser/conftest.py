"""A real Chromium on the real app, which serves the runs of `cache/`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

import mcviz
from mcviz import Run
from mcviz.measures import most_uncertain_first
from tests.browsing import MILLISECONDS_TO_APPEAR, ROOT, check_log, serving, visited

expect.set_options(timeout=MILLISECONDS_TO_APPEAR)
LAPTOP, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
FIRST_PREDICTION = 120_000  # milliseconds: the model is loaded
# Nothing scrolls sideways.
FITS = "() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth <= m.clientWidth; }"


@pytest.fixture(scope="session")
def run() -> Run:
    """A run that comes with mcviz."""
    return mcviz.open_run(ROOT / "cache" / "mnist-cnn")


@pytest.fixture(scope="session")
def ranked(run: Run) -> list[int]:
    """Its examples, the least confident first."""
    return most_uncertain_first("max_probability", run.scores()["max_probability"].to_numpy()).tolist()


@pytest.fixture(scope="session")
def app_url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the running app, as `http://127.0.0.1:port`."""
    with serving(tmp_path_factory.mktemp("app")) as (url, log):
        yield url
    check_log(log)


@pytest.fixture(scope="module")
def url(cache: Path, chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app on the runs of a module's own `cache`."""
    with serving(tmp_path_factory.mktemp("app"), MCVIZ_CACHE=str(cache)) as (address, log):
        yield address
    check_log(log)


@pytest.fixture(scope="module")
def cache_page(browser: Browser, url: str) -> Iterator[Page]:
    """One page of that app for all tests of the module, at first of a laptop's size; see `visited`."""
    with visited(browser, url, viewport=LAPTOP) as page:
        yield page


@pytest.fixture
def page(browser: Browser, app_url: str) -> Iterator[Page]:
    """A page whose test fails on any error in its console, and on any request that leaves this machine."""
    with visited(browser, app_url, viewport={"width": 1280, "height": 900}, accept_downloads=True) as page:
        yield page


def settle(page: Page, milliseconds: int = MILLISECONDS_TO_APPEAR) -> None:
    """Wait until the app has rendered all of the page."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=milliseconds)
    # For what the browser has not loaded yet, and for what has not drawn its data.
    expect(page.locator("[data-testid=stSkeleton], [aria-busy=true]")).to_have_count(0)


def name_reviewer(page: Page, name: str) -> None:
    """Give the name of the reviewer at the head of Label."""
    page.get_by_label("Reviewer", exact=True).fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Reviewer: {name}")).to_be_visible()
    settle(page)


def go_to(page: Page, title: str) -> None:
    """Open another page by the bar, which by then has a menu of them where the window is narrow."""
    menu = page.locator(".st-key-bar-menu-pages summary")
    if menu.is_visible():
        menu.click()
    page.locator(".st-key-bar-pages").get_by_role("link", name=title, exact=True).click()


def sentence(page: Page) -> Locator:
    """What the head of the page says of the run, below the title."""
    return page.locator(".st-key-page-head").get_by_test_id("stMarkdown")


def matching(page: Page, count: int, total: int = 10_000) -> None:
    """Wait until Explore says that so many examples match."""
    some = f"{count:,} of {total:,} examples match, ranked "
    said = f"{total:,} examples, ranked " if count == total else some
    expect(sentence(page)).to_have_text(re.compile(f"^{said}"))


def said_to_match(page: Page) -> int:
    """How many of the examples Explore says that match, once all of it is drawn."""
    settle(page)
    return int(sentence(page).inner_text().split(" of ")[0].replace(",", ""))


def rests(drawn: Locator) -> None:
    """Wait until an element has kept its place and its size for 30 frames."""
    drawn.evaluate(
        """element => new Promise((resolve) => {
            let [last, frames] = ["", 0];
            const look = () => {
                const { x, y, width, height } = element.getBoundingClientRect();
                const now = [x, y, width, height, element._fullLayout?.width].join();
                frames = now === last ? frames + 1 : 0;
                last = now;
                frames < 30 ? requestAnimationFrame(look) : resolve();
            };
            look();
        })"""
    )


def listens(page: Page, key: str) -> None:
    """Wait until the script of a part of the page, which has this key, hears what is pressed."""
    page.wait_for_function(
        """part => document.querySelector(part + " [data-testid=stBidiComponentIsolated]")?.shadowRoot?.listening""",
        arg=f".st-key-{key}",
    )


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
