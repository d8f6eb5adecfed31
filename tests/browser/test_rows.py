"""Rows of a table in a real browser: tiles, one example, and sliders that move the prediction of a live model."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.live_rows import cache_of_rows
from tests.browser.conftest import FIRST_PREDICTION, FITS, LAPTOP, PHONE, settle
from tests.browsing import visited


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    cache_of_rows(folder)
    return folder


@pytest.fixture(params=[(LAPTOP, "light"), (PHONE, "dark")])
def rows_page(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[Page]:
    """A page of each size; it fails on any error in its console, and on any request that leaves this machine."""
    size, scheme = request.param
    with visited(browser, url, viewport=size, color_scheme=scheme) as page:
        page.context.set_default_timeout(60_000)
        yield page
        page.wait_for_function(FITS)


def opened(page: Page, address: str) -> None:
    page.goto(address)
    settle(page, FIRST_PREDICTION)
    assert page.get_by_test_id("stException").count() == 0
    page.wait_for_function(FITS)


@pytest.mark.parametrize("run", ["few", "wide", "measured"])
def test_a_tile_shows_values_within_it_and_opens_the_example_with_all_of_them(rows_page: Page, run: str) -> None:
    opened(rows_page, f"/uncertain?run={run}")
    tile = rows_page.locator("button.tile").first
    facts, box = tile.locator(".fact-value"), tile.bounding_box()
    expect(facts).to_have_count(4)
    for fact in facts.all():
        inside = fact.bounding_box()
        assert box["x"] <= inside["x"]
        assert inside["x"] + inside["width"] <= box["x"] + box["width"]
    tile.dblclick()
    expect(rows_page.get_by_text("Most unusual values")).to_be_visible()
    expect(rows_page.locator("[data-testid=stDataFrame]")).to_be_visible()
    settle(rows_page)


@pytest.mark.parametrize("run", ["few", "measured"])
def test_a_slider_that_is_moved_moves_the_prediction_and_keeps_the_focus(rows_page: Page, run: str) -> None:
    opened(rows_page, f"/probe?run={run}&input=row&example=3")
    sentence = rows_page.get_by_text("The ensemble predicts", exact=False).first
    expect(sentence).to_be_visible()
    settle(rows_page)
    before, sliders = sentence.inner_text(), rows_page.get_by_role("slider")
    expect(sliders).to_have_count(4)  # one for each column; the browser may load the first one last
    slider = sliders.first
    slider.focus()
    slider.press("End")
    expect(rows_page.get_by_text(", was ", exact=False)).to_have_count(1)
    expect(sentence).not_to_have_text(before)
    settle(rows_page)
    assert "values" in parse_qs(urlsplit(rows_page.url).query)
    expect(slider).to_be_focused()
    rows_page.get_by_role("button", name="Reset").click()
    expect(sentence).to_have_text(before)
    expect(rows_page.get_by_text(", was ", exact=False)).to_have_count(0)


def test_all_sliders_are_within_reach_beside_the_predictions(rows_page: Page) -> None:
    opened(rows_page, "/probe?run=wide&input=row")
    expect(rows_page.get_by_text("The ensemble predicts", exact=False).first).to_be_visible()
    settle(rows_page)
    last = rows_page.get_by_test_id("stSlider").last
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()
    rows_page.locator("[data-testid=stDataFrame]").scroll_into_view_if_needed()
    expect(rows_page.locator("[data-testid=stDataFrame]")).to_be_in_viewport()
