"""The bar: the same on every page, usable with keys and on a phone, and never over what has the focus."""

from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from mcviz.app.navigation import ENTRIES, PAGES
from tests.browser.accessible import find_faults
from tests.browser.conftest import FIRST_PREDICTION, FITS, PHONE, rests, settle

MARKED = {f"/{page.url_path}": page.title if page.entry is None else page.entry for page in PAGES}
BOXES = """() => [...document.querySelectorAll(".st-key-bar, .st-key-bar :is(a, input, button), .st-key-copy-link")]
  .filter((each) => each.checkVisibility()).map((each) => {
    const {x, y, width, height} = each.getBoundingClientRect();
    return [each.matches(".st-key-bar") ? "the bar" : each.textContent, x, y, width, height];
  })"""
IS_ON_TOP = """link => {
  const {x, y} = link.getBoundingClientRect();
  return document.elementFromPoint(x + 9, y + 9) === link;
}"""
IS_HIDDEN_BY_BAR = """() => {
  const at = document.activeElement;
  const bar = document.querySelector(".st-key-bar");
  return !bar.contains(at) && at.getBoundingClientRect().bottom <= bar.getBoundingClientRect().bottom;
}"""

FOCUS = """() => {
  let at = document.activeElement;
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  if (at === document.body) return null;
  const bar = document.querySelector(".st-key-bar");
  const isOnBar = bar.contains(document.activeElement) || at.matches('[aria-label="Filters"]');
  const edge = isOnBar ? 0 : bar.getBoundingClientRect().bottom;
  const seen = at.closest('[data-testid="stDataFrame"]') ?? at; // cells of a table are drawn, not placed
  const {top, right, bottom, left} = seen.getBoundingClientRect();
  const isInSight = right > 0 && left < innerWidth && bottom > edge && top < innerHeight;
  const isMarked = !at.matches(".st-key-bar a") || getComputedStyle(at).outlineStyle === "solid";
  return {isInSight, isMarked, what: at.outerHTML.slice(0, 200)};
}"""
MOST_STOPS = 200


def opened(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("button", name="Copy link", include_hidden=True)).to_have_count(1)
    settle(page, FIRST_PREDICTION)


def check_bar(page: Page, boxes: list[list[Any]], address: str) -> None:
    """Check that the bar is the same to the pixel as on the first page, and marks the entry of the open one."""
    assert boxes[0][1:] == [0, 0, 1440, 56]
    names = " ".join(str(name) for name, *_ in boxes)
    assert all(title in names for title in ("Present", *(entry.title for entry in ENTRIES)))
    assert page.evaluate(BOXES) == boxes, page.viewport_size
    assert "".join(page.locator(".st-key-bar-open").all_inner_texts()) == MARKED.get(address, ENTRIES[0].title)


def check_bar_of_phone(page: Page) -> None:
    """Check that the bar of a page that was opened on a phone is one row, and that nothing scrolls sideways."""
    whole, *parts = page.evaluate(BOXES)
    assert whole[1:] == [0, 0, 390, 48]
    assert all(y >= 0 and y + height <= 48 and x >= 0 and x + width <= 390 for _, x, y, width, height in parts), parts
    assert page.evaluate(FITS)


def test_the_menus_of_a_phone_hold_all_pages_and_the_rest(page: Page) -> None:
    page.set_viewport_size(PHONE)
    opened(page, "/uncertain")
    pages, rest = page.locator(".st-key-bar summary").all()
    expect(pages).to_have_text("Explore")
    links = page.locator(".st-key-bar-pages").get_by_role("link")
    expect(links).to_have_count(0)
    pages.press("Enter")
    expect(links).to_have_text([entry.title for entry in ENTRIES])
    page.keyboard.press("Escape")
    expect(links).to_have_count(0)
    expect(pages).to_be_focused()
    rest.click()
    for role, name in (("button", "About this run"), ("button", "Copy link"), ("link", "Present")):
        expect(page.get_by_role(role, name=name)).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="About this run").click()
    expect(page.get_by_text("10,000 images, with labels")).to_be_visible()
    page.keyboard.press("Escape")
    pages.click()  # one menu at a time
    expect(page.get_by_role("button", name="Copy link")).to_be_hidden()
    assert not find_faults(page)
    links.filter(has_text="Trust").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Trust")
    expect(pages).to_have_text("Trust")
    expect(links).to_have_count(0)


def test_a_middle_click_on_overview_opens_overview(page: Page) -> None:
    opened(page, "/uncertain?correct=wrong")
    with page.context.expect_page() as other:
        page.locator(".st-key-bar-pages").get_by_role("link", name="Overview").click(button="middle")
    expect(other.value.get_by_role("heading", level=1)).to_have_text("Overview")
    assert "/overview?" in other.value.url
    assert "correct=wrong" in other.value.url
    other.value.close()


def test_what_has_the_focus_is_never_under_the_bar(page: Page) -> None:
    opened(page, "/overview")
    page.keyboard.press("Tab")
    skip = page.get_by_text("Skip to main content")
    expect(skip).to_be_focused()
    assert skip.evaluate(IS_ON_TOP)
    page.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, main.scrollHeight)")
    page.get_by_role("heading", level=2).last.evaluate("heading => { heading.tabIndex = -1; heading.focus(); }")
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        assert not page.evaluate(IS_HIDDEN_BY_BAR), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def check_keys(page: Page, size: ViewportSize) -> None:
    """Check that keys lead through an open page of this size and out of it, and that the focus is in sight."""
    page.set_viewport_size(size)
    settle(page)
    for sidebar in page.get_by_test_id("stSidebar").all():  # which slides into a window that becomes wide
        rests(sidebar)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to main content"), f"at {size['width']}").to_be_focused()
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus is None:
            return
        assert focus["isInSight"], (size, focus["what"])
        assert focus["isMarked"], (size, focus["what"])
    pytest.fail(f"The focus is still on the page at {size}: {focus}")


def test_keys_open_a_menu_go_into_it_and_come_back(page: Page) -> None:
    opened(page, "/uncertain")
    actions, first = page.get_by_role("button", name="Actions"), page.get_by_role("button", name="Tick this page")
    actions.press("Enter")
    expect(first).to_be_visible()
    page.keyboard.press("Tab")
    expect(first).to_be_focused()
    page.keyboard.press("Escape")
    expect(first).to_have_count(0)
    expect(actions).to_be_focused()
    opened(page, "/review")  # where a space is a key of its own
    page.get_by_role("button", name="About this run").press("Space")
    expect(page.get_by_text("10,000 images, with labels")).to_be_visible()


def test_what_is_in_full_screen_lies_above_the_bar(page: Page) -> None:
    opened(page, "/uncertain?view=table")
    page.get_by_test_id("stDataFrame").hover()
    page.get_by_role("button", name="Fullscreen").click()
    page.wait_for_function("() => !document.elementFromPoint(30, 20).closest('.st-key-bar')")
    page.get_by_role("button", name="Close fullscreen").click()
    page.wait_for_function("() => document.elementFromPoint(30, 20).closest('.st-key-bar')")


def test_the_bar_tells_that_a_page_is_being_drawn(page: Page) -> None:
    opened(page, "/overview")
    sign = "() => getComputedStyle(document.querySelector('.st-key-bar'), '::after').animationName"
    assert page.evaluate(sign) == "none"
    page.get_by_test_id("stApp").evaluate("app => { app.dataset.testScriptState = 'running'; }")
    assert page.evaluate(sign) == "mcviz-running"
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_function(
        """() => {
            const bar = document.querySelector(".st-key-bar");
            const moving = bar.getAnimations({ subtree: true }).some((each) => each.playState !== "finished");
            return getComputedStyle(bar, "::after").opacity === "1" && !moving;
        }"""
    )
