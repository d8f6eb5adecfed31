"""The ten jobs of a user, each from Overview: by a pointer in few clicks, by keys alone, and without a scroll.

Three of them are in `test_walks_to_runs`, on runs that may change: decisions, fresh passes, and two runs compared.
"""

import re
from collections.abc import Callable

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect

from mcviz import Run
from tests.browser.conftest import FIRST_PREDICTION, LAPTOP, matching, settle
from tests.browser.test_exploration import histograms, tiles
from tests.browser.test_looking import words_of
from tests.browser.test_probe import draw, pad
from tests.browser.test_walks import walk

MOST_TABS = 150
GROUP_HAS_FOCUS = "element => !!element.closest('[role=radiogroup]')?.querySelector(':focus')"
HAS_FOCUS = "element => element.matches(':focus') || !!element.querySelector(':focus')"
IS_BEFORE = """element => !!(document.activeElement.compareDocumentPosition(element.getRootNode().host ?? element) &
    Node.DOCUMENT_POSITION_PRECEDING)"""
PRESSED_BY = """() => {
  const { tagName, type } = document.activeElement;
  return type === "checkbox" ? "Space" : ["INPUT", "CANVAS"].includes(tagName) ? "" : "Enter";
}"""
SCROLLED = "document.querySelector('[data-testid=stMain]').scrollTop"
Press = Callable[[Locator], None]
ONE = [(0.5, 0.2), (0.5, 0.8)]


def entry(page: Page, title: str) -> Locator:
    return page.locator(".st-key-bar-pages").get_by_role("link", name=title, exact=True)


def click(target: Locator) -> None:
    expect(target).to_be_in_viewport()
    target.click()


def press_key(target: Locator) -> None:
    """Go to a control by Tab, and press it; a field is only gone to."""
    expect(target).to_be_in_viewport()
    key = "Shift+Tab" if target.evaluate(IS_BEFORE) else "Tab"
    for _ in range(MOST_TABS):
        if target.evaluate(HAS_FOCUS):
            break
        target.page.keyboard.press("ArrowRight" if target.evaluate(GROUP_HAS_FOCUS) else key)
    assert target.evaluate(HAS_FOCUS), "Tab does not lead there"
    if key := target.page.evaluate(PRESSED_BY):
        target.page.keyboard.press(key)


def enter(field: Locator, press: Press, text: str) -> None:
    """Type a text in place of that of a field."""
    press(field)
    field.page.keyboard.press("Control+a")
    field.page.keyboard.type(text)
    field.page.keyboard.press("Enter")


def explain(page: Page, press: Press, run: Run, ranked: list[int]) -> None:
    press(entry(page, "Explore"))
    expect(tiles(page).first).to_have_attribute("data-example", str(ranked[0]))
    reasons = page.locator(".st-key-look")
    expect(reasons.get_by_text(words_of(run, ranked[0]))).to_be_in_viewport(ratio=1)


def find_mistakes(page: Page, press: Press, run: Run, ranked: list[int]) -> None:
    press(entry(page, "Explore"))
    matching(page, len(run))
    settle(page)
    press(page.get_by_label("Find"))
    page.keyboard.type("4 as 9")
    page.keyboard.press("Enter")
    scores = run.scores()
    matching(page, int(((scores["label"] == 4) & (scores["prediction"] == 9)).sum()))
    expect(tiles(page).first).to_be_in_viewport(ratio=1)


def see_passes(page: Page, press: Press, run: Run, ranked: list[int]) -> None:
    expect(page.get_by_text(re.compile(r"^\d+ passes are enough"))).to_be_in_viewport(ratio=1)


def see_noise(page: Page, press: Press, run: Run, ranked: list[int]) -> None:
    expect(page.get_by_text(re.compile("^100 of 100 noise images are stopped"))).to_be_in_viewport(ratio=1)


def draw_digit(page: Page, press: Press, run: Run, ranked: list[int]) -> None:
    press(entry(page, "Probe"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Probe")
    settle(page)
    press(page.get_by_role("radio", name="Draw"))
    expect(pad(page)).to_be_in_viewport(ratio=1)
    settle(page)
    if press is click:
        draw(page, ONE)
    else:
        press(pad(page))
        for key in ["ArrowUp"] * 8 + [" "] + ["ArrowDown"] * 15 + [" "]:
            page.keyboard.press(key)
    expect(page.get_by_text(re.compile("The ensemble predicts 1 with"))).to_be_visible(timeout=FIRST_PREDICTION)
    expect(histograms(page)).to_have_count(10)
    for histogram in histograms(page).all():
        expect(histogram).to_be_in_viewport(ratio=1)


def refer(page: Page, press: Press, run: Run, ranked: list[int]) -> None:
    press(entry(page, "Trust"))
    expect(page.get_by_text("The worst slice is")).to_be_visible()
    settle(page)
    press(page.get_by_role("radio", name="Accuracy"))
    share = page.get_by_label("Accuracy left, at least, %")
    expect(share).to_be_visible()
    settle(page)
    enter(share, press, "99.8")
    expect(page).to_have_url(re.compile("wanted=0.998"))
    settle(page)
    count = int(page.get_by_text(re.compile(r"examples to look at$")).first.inner_text().split()[0])
    with page.expect_download() as download:
        press(page.get_by_role("button", name="CSV").first)
    assert len(pd.read_csv(download.value.path())) == count


def present(page: Page, press: Press, run: Run, ranked: list[int]) -> None:
    press(page.get_by_role("link", name="Present"))
    for step in range(1, 5):
        expect(page.get_by_text(re.compile(f"^Step {step} of"))).to_be_visible(timeout=FIRST_PREDICTION)
        settle(page, FIRST_PREDICTION)
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


JOBS = {explain: 1, find_mistakes: 2, see_passes: 0, see_noise: 0, draw_digit: 3, refer: 4, present: 1}


@pytest.mark.parametrize("press", [click, press_key])
@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.__name__)
def test_a_job_takes_few_clicks_or_keys_alone_and_no_scroll(
    page: Page, run: Run, ranked: list[int], job: Callable[[Page, Press, Run, list[int]], None], press: Press
) -> None:
    page.set_viewport_size(LAPTOP)
    with walk(page, presses=JOBS[job] if press is click else 0, seconds=FIRST_PREDICTION / 1000):
        job(page, press, run, ranked)
        assert page.evaluate(SCROLLED) == 0
