"""One visit to every page in a real browser, as a person makes it."""

import re

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

import mcviz
from mcviz.measures import most_uncertain_first
from tests.browser.conftest import ROOT

PHONE = ViewportSize(width=390, height=844)
CHART = ".js-plotly-plot .main-svg"


def tiles(page: Page) -> Locator:
    return page.locator(".tile")


def first_images(page: Page, count: int) -> list[int]:
    return [int(tiles(page).nth(i).get_attribute("data-image") or -1) for i in range(count)]


def go_to(page: Page, title: str) -> None:
    page.get_by_role("link", name=title).first.click()


def test_overview_shows_numbers_images_and_charts(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("What is this model unsure about?")
    expect(page.get_by_test_id("stMetric")).to_have_count(3)
    expect(tiles(page)).to_have_count(8)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    expect(page.get_by_text(re.compile(r"ensemble 99\.\d\d%")).first).to_be_visible()


def test_ranking_by_another_score_and_opening_an_example(page: Page) -> None:
    run = mcviz.open_run(ROOT / "cache" / "mnist-cnn")
    scores = run.scores()
    page.goto("/")
    go_to(page, "Uncertain examples")
    expect(tiles(page)).to_have_count(24)
    by_probability = most_uncertain_first("max_probability", scores["max_probability"].to_numpy())
    assert first_images(page, 24) == by_probability[:24].tolist()

    page.get_by_label("Rank by").click()
    page.get_by_role("option", name="Mutual information (BALD)").click()
    by_information = most_uncertain_first("mutual_information", scores["mutual_information"].to_numpy())
    expect(tiles(page).first).to_have_attribute("data-image", str(by_information[0]))
    assert first_images(page, 24) == by_information[:24].tolist()

    tiles(page).nth(2).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One example")
    expect(page.get_by_label("Image", exact=True)).to_have_value(str(by_information[2]))
    expect(page.get_by_text("Rank 3 of 10,000 by mutual information (bald).")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Image", exact=True)).to_have_value(str(by_information[3]))

    page.reload()  # the address carries the example
    expect(page.get_by_label("Image", exact=True)).to_have_value(str(by_information[3]))


def test_an_example_is_opened_by_its_number(page: Page) -> None:
    page.goto("/")
    go_to(page, "Uncertain examples")
    number = page.get_by_label("Or open an image by its number")
    number.fill("4761")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_label("Image", exact=True)).to_have_value("4761")


def test_noise_is_probed_and_swept(page: Page) -> None:
    page.goto("/")
    go_to(page, "Noise probe")
    page.get_by_role("button", name="Ask the model").click()
    expect(page.get_by_text("No answer is right")).to_be_visible(timeout=120_000)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    page.get_by_role("button", name="Another noise image").click()
    expect(page.get_by_label("Seed of the noise")).to_have_value("1")
    page.get_by_role("button", name="Run the sweep").click()
    expect(page.get_by_text("of 100 noise images are taken for 8")).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("title", ["Overview", "Uncertain examples", "One example", "Noise probe"])
def test_no_page_is_wider_than_a_phone(page: Page, title: str) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/")
    if title != "Overview":
        page.get_by_test_id("stExpandSidebarButton").click()
        go_to(page, title)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_timeout(1000)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth")
