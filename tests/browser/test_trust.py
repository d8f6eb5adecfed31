"""The page Trust in a real browser: what is typed changes what is shown, and what is referred is a selection."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

import mcviz
from mcviz import Run
from mcviz.analysis.referral import find_cheapest_referral, refer
from mcviz.runs.storage import SHIPPED_RUNS
from tests.browser.conftest import go_to, matching, settle
from tests.browser.test_walks import walk
from tests.browsing import visited

pytestmark = pytest.mark.xdist_group("timed")  # one after another, since they measure how long an act takes

RUN = f"/trust?run={SHIPPED_RUNS[0].name}"
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
MOST_WORDS, MOST_PIXELS = 300, 1200  # while all details are closed
ANSWER = "No, the probabilities are too low: the model is right more often than they say."
VISIBLE_TEXT = """element => {
  const text = node => node.innerText + ' ' + [...node.querySelectorAll('*')].filter(each => each.shadowRoot)
    .flatMap(each => [...each.shadowRoot.children].map(text)).join(' ');
  element.querySelectorAll('[data-testid=stIconMaterial]').forEach(icon => icon.remove());  // their text is a name
  return text(element);
}"""
SECONDS_TO_ANSWER = 3  # on a machine that tests share; by itself it takes a tenth of that


@pytest.fixture(params=["wide light", "narrow dark"])
def sized(request: pytest.FixtureRequest, browser: Browser, app_url: str) -> Iterator[Page]:
    """A page of one size and colour scheme, whose console stays clean."""
    size, scheme = request.param.split()
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    with visited(browser, app_url, viewport=viewport, color_scheme=scheme, reduced_motion="reduce") as page:
        yield page


def card(page: Page, label: str):
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


AT_REST = """() => new Promise(done => {  // a browser that draws charts does not hear keys
  let quick = 0, last = performance.now();
  const frame = now => {
    quick = now - last < 60 ? quick + 1 : 0;
    last = now;
    if (quick < 20) requestAnimationFrame(frame); else done();
  };
  requestAnimationFrame(frame);
})"""


def opened(page: Page) -> None:
    page.goto(RUN)
    expect(page.get_by_text("The worst slice is")).to_be_visible()  # the last of the page
    settle(page)
    expect(page.locator(".stPlotlyChart:not(:has(.main-svg))")).to_have_count(0)
    page.evaluate(AT_REST)


def test_the_first_screen_answers_and_nothing_is_wider_than_the_window(sized: Page) -> None:
    opened(sized)
    box, window = sized.get_by_text(ANSWER).bounding_box(), sized.viewport_size
    assert box is not None
    assert window is not None
    assert box["y"] + box["height"] < window["height"]
    main = sized.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth") <= window["width"]
    outside = main.evaluate(
        """element => [...element.querySelectorAll('p, h1, h2, h3, button, input, .stPlotlyChart, .stTable')]
        .filter(each => each.checkVisibility() && !each.closest('.stTable table'))
        .filter(each => each.getBoundingClientRect().right > window.innerWidth + 1).map(each => each.outerHTML)"""
    )
    assert not outside, outside[:3]


def test_all_that_decides_is_in_one_screen_and_the_page_is_short(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    opened(page)
    for part in (
        page.get_by_text(ANSWER),
        page.get_by_text("The ensemble is under-confident by 0.79 percentage points"),
        page.locator(".st-key-reliability .main-svg").first,
        page.get_by_role("radio", name="Budget"),
        page.get_by_role("radio", name="Cheapest"),
        page.get_by_text("For new examples"),
        page.get_by_text("The worst slice is label 9"),
    ):
        expect(part).to_be_in_viewport(ratio=1)
    for each, count in ((page.get_by_test_id("stMetric"), 4), (page.locator(".tile"), 8)):
        expect(each).to_have_count(count)
        for place in each.all():
            expect(place).to_be_in_viewport(ratio=1)
    assert page.get_by_test_id("stMain").evaluate("element => element.scrollHeight") <= MOST_PIXELS
    words = page.get_by_test_id("stMain").evaluate(VISIBLE_TEXT).split()
    assert 100 < len(words) <= MOST_WORDS, len(words)


def test_whether_the_probabilities_can_be_trusted_and_what_is_cheapest_to_look_at(page: Page, run: Run) -> None:
    cheapest = find_cheapest_referral(run, 100, 1)
    with walk(page, presses=3):
        go_to(page, "Trust")
        expect(page.get_by_text(ANSWER)).to_be_in_viewport(ratio=1)
        page.get_by_role("radio", name="Cheapest").click()
        expect(card(page, "To a person")).to_have_text(f"{cheapest.looks:,}")
        expect(page.get_by_text("It is cheaper to look at those with confidence up to")).to_be_visible()
        page.get_by_role("button", name="Filter to these").click()
        matching(page, cheapest.looks)


def test_a_detail_is_opened_from_the_keyboard_and_is_in_the_address(page: Page) -> None:
    opened(page)
    question = page.locator("summary").filter(has_text="How many classes are possible?")
    question.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Class-conditional conformal sets.")).to_be_visible()
    expect(page).to_have_url(re.compile("details=sets"))
    settle(page)
    page.reload()
    expect(page.get_by_text("Class-conditional conformal sets.")).to_be_visible()
    settle(page)


def test_an_interval_stays_on_one_line(sized: Page) -> None:
    sized.goto(f"{RUN}&details=scores")
    cells = sized.locator(".st-key-orders td p")
    expect(cells).to_have_count(36)  # of eight scores, and of a random order
    sized.wait_for_function(  # the style of the page may come after the table
        "() => [...document.querySelectorAll('.st-key-orders td p')].every(p => p.getBoundingClientRect().height < 30)"
    )


def test_a_budget_that_is_typed_changes_the_cards_and_all_of_them_are_a_selection(page: Page) -> None:
    run = mcviz.open_run(SHIPPED_RUNS[0])
    opened(page)
    budget = page.get_by_label("Examples, at most")
    for typed in (150, 431):
        found = refer(run, budget=typed).on_labels
        assert found is not None
        before = time.monotonic()
        budget.fill(str(typed))
        budget.press("Enter")
        expect(card(page, "To a person")).to_have_text(f"{len(found.referred):,}")
        assert time.monotonic() - before < SECONDS_TO_ANSWER
        expect(card(page, "Mistakes caught")).to_have_text(str(found.caught))
        expect(card(page, "Mistakes missed")).to_have_text(str(found.missed))
        expect(page).to_have_url(re.compile(f"wanted={typed}"))
        settle(page)
    page.get_by_role("button", name="Filter to these").click()
    matching(page, len(found.referred))
    settle(page)
    page.go_back()
    expect(card(page, "To a person")).to_have_text(f"{len(found.referred):,}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Trust")
    settle(page)


def test_another_score_and_another_target_answer_at_once(page: Page) -> None:
    run = mcviz.open_run(SHIPPED_RUNS[0])
    opened(page)
    page.get_by_role("radio", name="Accuracy", exact=True).click()
    found = refer(run, accuracy=0.999).on_labels
    assert found is not None
    expect(card(page, "To a person")).to_have_text(f"{len(found.referred):,}")
    settle(page)
    page.get_by_label("Ranked by").click()
    before = time.monotonic()
    page.get_by_role("option", name="Margin").click()
    by_margin = refer(run, accuracy=0.999, score="margin").on_labels
    assert by_margin is not None
    expect(card(page, "To a person")).to_have_text(f"{len(by_margin.referred):,}")
    assert time.monotonic() - before < SECONDS_TO_ANSWER
    settle(page)
