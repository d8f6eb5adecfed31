"""What somebody comes for, each from Overview, in as few clicks and within a time."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from mcviz import Run
from mcviz.app.address import RunLimits
from mcviz.app.filters import Filters
from tests.browser.accessible import check_for_axe
from tests.browser.conftest import go_to, listens, said_to_match, settle
from tests.browser.test_exploration import first_examples, tiles
from tests.browser.test_looking import words_of
from tests.browsing import drag, visited

pytestmark = pytest.mark.always

SECONDS = 30  # of a walk, on a machine that tests share; by itself it takes a tenth of that
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
# At the document: a press that Playwright takes back, since its target moves away, ends at the window.
COUNTING = """document.addEventListener(
  "pointerdown", () => { sessionStorage.presses = 1 + Number(sessionStorage.presses ?? 0); }, {capture: true})"""
PRESSES = "Number(sessionStorage.presses ?? 0)"


@contextmanager
def walk(page: Page, presses: int, seconds: float = SECONDS) -> Iterator[None]:
    """What is done with Overview in so many presses of a button or a finger, and soon enough."""
    page.add_init_script(COUNTING)
    page.goto("/")
    expect(tiles(page)).to_have_count(16)
    settle(page)
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds
    assert page.evaluate(PRESSES) == presses


def test_the_ten_most_uncertain_examples_and_why_the_first_is(page: Page, run: Run, ranked: list[int]) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    with walk(page, presses=1):
        go_to(page, "Explore")
        expect(tiles(page).first).to_have_attribute("data-example", str(ranked[0]))
        assert first_examples(page, 10) == ranked[:10]
        for tile in tiles(page).all()[:10]:
            expect(tile).to_be_in_viewport(ratio=1)
        look = page.locator(".st-key-look")
        expect(look.get_by_text(words_of(run, ranked[0]))).to_be_in_viewport(ratio=1)
        expect(look.get_by_text("Data (aleatoric) uncertainty")).to_be_in_viewport(ratio=1)
    check_for_axe(page)  # a page with a rail and a panel


def test_a_lasso_around_doubtful_points_is_exported(page: Page, run: Run, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    with walk(page, presses=4 + 1):  # the drag
        go_to(page, "Explore")
        page.get_by_role("radio", name="Scatter").click()
        points = page.locator(".st-key-scatter .nsewdrag").first
        expect(points).to_be_visible()
        settle(page)
        drag(page, points.bounding_box(), [(0.5, 0.02), (0.98, 0.02), (0.98, 0.98), (0.5, 0.98), (0.5, 0.02)], 2)
        expect(page.get_by_role("button", name=re.compile("^lasso in "))).to_be_visible()
        outlined = said_to_match(page)
        page.get_by_role("button", name="Actions", exact=True).click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Scores as CSV").click()
        download.value.save_as(tmp_path / "scores.csv")
    scores = run.scores()
    query = dict(parse_qsl(urlsplit(page.url).query))
    inside = Filters.from_query(query, RunLimits(len(scores), 10)).mask(scores)
    exported = pd.read_csv(tmp_path / "scores.csv")["example"]
    assert 0 < outlined < len(scores)
    assert sorted(exported) == scores.index[inside].tolist()
    assert len(exported) == outlined


def test_an_example_has_a_link_that_others_can_open_and_back_leads_to_where_it_was(
    page: Page, browser: Browser, app_url: str, ranked: list[int]
) -> None:
    with walk(page, presses=1):
        tiles(page).nth(3).click()
        example = page.get_by_role("spinbutton", name="Example", exact=True)
        expect(example).to_have_value(str(ranked[3]))
        expect(page).to_have_url(re.compile(rf"[?&]example={ranked[3]}\b"))
        link = page.url
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        expect(tiles(page).nth(3)).to_have_attribute("data-example", str(ranked[3]))
        expect(tiles(page).nth(3)).to_be_in_viewport(ratio=1)
    check_for_axe(page)
    with visited(browser, app_url, **PHONE) as theirs:
        theirs.goto(link)
        example = theirs.get_by_role("spinbutton", name="Example", exact=True)
        expect(example).to_have_value(str(ranked[3]))
        listens(theirs, "arrow-keys")
        theirs.keyboard.press("ArrowRight")
        expect(example).to_have_value(str(ranked[4]))


def test_on_a_phone_the_most_uncertain_example_and_why_it_is(
    browser: Browser, app_url: str, run: Run, ranked: list[int]
) -> None:
    with visited(browser, app_url, **PHONE) as page, walk(page, presses=1):
        tiles(page).first.tap()
        expect(page.get_by_role("heading", level=1)).to_have_text("One example")
        expect(page.get_by_role("img", name=f"Example {ranked[0]}", exact=True)).to_be_in_viewport(ratio=1)
        reasons = page.locator(".st-key-explanation-sentences")
        expect(reasons.get_by_text(words_of(run, ranked[0]))).to_be_in_viewport(ratio=1)
        expect(reasons.get_by_text("Data (aleatoric) uncertainty")).to_be_in_viewport(ratio=1)


def test_the_ensemble_against_a_single_pass_and_then_a_presentation(page: Page, run: Run) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    with walk(page, presses=1):
        for way, accuracy in (("One pass", run.pass_accuracy.mean()), ("All passes", run.ensemble_accuracy[-1])):
            card = page.get_by_test_id("stMetric").filter(has_text=way)
            expect(card).to_contain_text(f"{accuracy:.2%}")
            expect(card).to_be_in_viewport(ratio=1)
        expect(page.get_by_text("The ensemble beats every single pass.").first).to_be_in_viewport(ratio=1)
        expect(page.locator(".js-plotly-plot").first).to_be_in_viewport(ratio=1)
        page.get_by_role("link", name="Present").click()
        expect(page.locator(".st-key-story-sentence h2")).to_be_visible()
        expect(page.locator(".st-key-story-drawn img")).to_be_in_viewport(ratio=1)
        expect(page.locator(".st-key-story-drawn .js-plotly-plot")).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("link", name="Overview")).to_be_hidden()
    check_for_axe(page)  # without the bar
    listens(page, "keys")
    page.keyboard.press("PageDown")
    expect(page.get_by_text("Step 2 of 6")).to_be_visible()
    page.keyboard.press("p")
    expect(page.get_by_role("link", name="Overview")).to_be_visible()


def test_noise_many_times(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    with walk(page, presses=1):
        said = page.get_by_text(
            re.compile(r"^100 of 100 noise images are stopped as out of distribution \(95% interval")
        )
        expect(said).to_be_in_viewport(ratio=1)  # on Overview, too
        go_to(page, "Probe")
        expect(page.get_by_role("heading", level=1)).to_have_text("Probe")
        expect(said).to_be_in_viewport(ratio=1)
        expect(page.get_by_text("What is predicted for 100 noise images")).to_be_in_viewport(ratio=1)
        expect(page.locator(".js-plotly-plot").first).to_be_in_viewport(ratio=1)
        noise = page.get_by_role("img", name=re.compile("^uniform noise at 100% strength, number"))
        expect(noise).to_have_count(24)
        for picture in noise.all():
            expect(picture).to_be_in_viewport(ratio=1)
