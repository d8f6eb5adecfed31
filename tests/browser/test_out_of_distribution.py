"""Detectors on Probe, at the path that it had, in a real browser: few words first, and what is clicked is shown."""

from playwright.sync_api import Page, expect

from mcviz.runs.storage import SHIPPED_RUNS
from tests.browser.conftest import settle

PAGE = f"/out_of_distribution?run={SHIPPED_RUNS[0].name}"
MOST_WORDS = 150
# Of what is on the screen; the names of icons are no words, though the browser has them as text.
WORDS_ON_THE_SCREEN = """() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), words = []
    while (walker.nextNode()) {
        const node = walker.currentNode, range = document.createRange()
        if (node.parentElement.closest('style, script, noscript, [data-testid="stIconMaterial"]')) continue
        range.selectNodeContents(node)
        const box = range.getBoundingClientRect()
        if (box.width > 1 && box.height > 1 && box.top < innerHeight && box.bottom > 0)
            words.push(...node.textContent.split(/\\s+/).filter(word => /\\w/.test(word)))
    }
    return words
}"""


def opened(page: Page) -> None:
    page.goto(PAGE)
    expect(page.get_by_text("Your own sets")).to_be_visible()  # the last of the page
    settle(page)
    expect(page.locator(".scatterlayer .point").first).to_be_visible()
    expect(page.get_by_test_id("stDataFrame").locator("canvas").first).to_be_visible()  # what is below it moves by then


def test_the_first_screen_has_few_words_and_the_chart(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    opened(page)
    words = page.evaluate(WORDS_ON_THE_SCREEN)
    assert {"verdict", "AUROC"} <= set(words)
    assert len(words) < MOST_WORDS, " ".join(words)
    chart = page.get_by_test_id("stPlotlyChart").first.bounding_box()
    assert chart is not None
    assert chart["y"] + chart["height"] < 900


def test_a_click_on_a_dot_shows_what_is_behind_it(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    opened(page)
    expect(page.get_by_role("heading", name="Verdict: ")).to_be_visible()
    dot = page.get_by_test_id("stPlotlyChart").nth(1).locator(".scatterlayer .trace").nth(3).locator(".point").first
    box = dot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_role("heading", name="Confidence: ")).to_be_visible()
    assert "detector=max_probability" in page.url


def test_nothing_is_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
