"""Texts in a real browser: their tiles, found by a word, one as it was typed, and a new one that is predicted."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.hostile import HOSTILE
from tests.app.live_texts import live_texts, texts
from tests.browser.conftest import FIRST_PREDICTION, FITS, LAPTOP, PHONE, settle
from tests.browsing import visited

SIZES = {"laptop": LAPTOP, "phone": PHONE}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    live_texts(folder)
    return folder


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[Page]:
    """A page whose test fails on an error in its console, a request that leaves this machine, and what is too wide."""
    with visited(browser, url, viewport=SIZES[request.param]) as page:
        yield page
        page.wait_for_function(FITS)


def opened(page: Page, path: str, **query: str) -> None:
    page.goto(f"/{path}?{urlencode(query)}")
    settle(page)


def test_tiles_of_texts_are_wide_and_a_click_opens_one(page: Page) -> None:
    opened(page, "uncertain", page_size="96")
    tiles = page.locator("button.tile")
    expect(tiles).to_have_count(len(texts()))
    tops = tiles.evaluate_all("tiles => tiles.map((tile) => tile.getBoundingClientRect().top)")  # at one moment
    in_a_row = tops.count(tops[0])
    assert in_a_row in ((2, 3) if page.viewport_size == SIZES["laptop"] else (1, 2))
    for typed, shown in HOSTILE.items():
        expect(tiles.get_by_text(shown, exact=True).first).to_have_count(1)
        assert page.locator(".tile .words *").count() == 0, typed
    words = tiles.first.locator(".words").inner_text()
    tiles.first.dblclick()
    expect(page.get_by_role("heading", name="One example")).to_be_visible()
    expect(page.get_by_role("region", name=re.compile("^Example "))).to_have_text(words)


def test_texts_side_by_side_are_shown_as_they_were_typed(page: Page) -> None:
    for first in range(0, len(HOSTILE), 4):
        some = list(HOSTILE)[first : first + 4]
        opened(page, "side_by_side", pinned=",".join(str(texts().index(typed)) for typed in some))
        boxes = page.get_by_role("region", name=re.compile("^Example "))
        expect(boxes).to_have_count(len(some))
        assert boxes.evaluate_all("found => found.map((each) => each.textContent)") == some
        assert boxes.evaluate_all("found => found.map((each) => each.children.length)") == [0] * len(some)
        page.wait_for_function(FITS)


def test_similar_examples_have_words_in_common(page: Page) -> None:
    opened(page, "example", example="0")
    words = set(page.get_by_role("region", name="Example 0").inner_text().split())
    for similar in page.locator("button.tile .words").all()[:3]:
        assert words & set(similar.inner_text().split())


def test_a_text_that_is_typed_is_predicted(page: Page) -> None:
    opened(page, "probe")
    page.get_by_role("radio", name="Type").click()
    expect(page.get_by_text("Type or paste a text into the field")).to_be_visible()
    field = page.get_by_label("Your text")
    field.fill("a horse, a cow\nand a sheep")
    field.press("Control+Enter")
    expect(page.get_by_text(re.compile("The ensemble predicts animal with"))).to_be_visible(timeout=FIRST_PREDICTION)
    field.fill("bread and milk, an egg")
    field.press("Control+Enter")
    expect(page.get_by_text(re.compile("The ensemble predicts food with"))).to_be_visible()
    settle(page)
    page.wait_for_function(FITS)
    page.get_by_role("radio", name="Distort").click()
    expect(page.get_by_text("Along the whole slider")).to_be_visible()
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("amount=0.05"))
    settle(page)
    page.wait_for_function(FITS)
    page.get_by_role("radio", name="Noise").click()
    expect(page.get_by_role("button", name=re.compile("^Predict "))).to_be_visible()
    opened(page, "probe", input="noise", seed="3")
    expect(page.get_by_text("No prediction is correct")).to_be_visible(timeout=FIRST_PREDICTION)
    settle(page)
