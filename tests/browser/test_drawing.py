"""What is drawn of Explore at a click, and that nothing jumps meanwhile."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocket, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

import mcviz
from tests.browser.conftest import matching, settle
from tests.browsing import serving, visited

WINDOW = {"width": 1440, "height": 900}
LATE_SENDING = ("-m", "tests.browser.late_sending", "dashboard", "--port")
# Where the head and the first tile stand, in every frame from the first one in which the page has its style.
WATCH_TOPS = """
window.tops = { head: [], sentence: [], tile: [] };
const note = () => {
  requestAnimationFrame(note);
  const bar = document.querySelector(".st-key-bar");
  if (!bar || getComputedStyle(bar).position !== "fixed") return;
  const host = document.querySelector(".st-key-gallery [data-testid=stBidiComponentIsolated]");
  const places = {
    head: document.querySelector(".st-key-page-head h1"),
    sentence: [...document.querySelectorAll(".st-key-page-head p")].find((each) => !each.closest("a")),
    tile: host?.shadowRoot?.querySelector(".tile"),
  };
  for (const [name, place] of Object.entries(places)) {
    const top = place?.getBoundingClientRect().top;
    if (top !== undefined && top !== window.tops[name].at(-1)) window.tops[name].push(top);
  }
};
requestAnimationFrame(note);
"""


def query_of(url: str | None) -> dict[str, str]:
    return {key: text for key, text in parse_qsl(urlsplit(url or "").query) if key != "run"}


def heard(page: Page) -> list[ForwardMsg]:
    """A list that grows with what the server says to the page that is opened next."""
    messages: list[ForwardMsg] = []

    def listen(line: WebSocket) -> None:
        line.on("framereceived", lambda frame: messages.append(ForwardMsg.FromString(frame)))

    page.on("websocket", listen)
    return messages


def drawn_parts(messages: list[ForwardMsg]) -> set[str]:
    """The fragments of what was drawn; an empty text is what is in none."""
    return {message.delta.fragment_id for message in messages if message.WhichOneof("type") == "delta"}


def addresses(messages: list[ForwardMsg]) -> int:
    """How often the server has changed the address."""
    return sum(message.WhichOneof("type") == "page_info_changed" for message in messages)


def opened(page: Page) -> None:
    page.goto("/uncertain")
    expect(page.locator(".tile")).to_have_count(48)
    settle(page)


def choice(page: Page, name: str) -> Locator:
    return page.get_by_role("radio", name=re.compile(f"^{name} "))


def sentence(page: Page) -> Locator:
    return page.locator(".st-key-page-head p").filter(has_text="ranked by")


@pytest.fixture(autouse=True)
def window(page: Page) -> None:
    page.set_viewport_size(WINDOW)


@pytest.mark.parametrize("query", ["", "?correct=wrong&flagged=3"], ids=["all", "filtered"])
def test_head_and_tiles_stand_where_they_will_stand(page: Page, query: str) -> None:
    page.add_init_script(WATCH_TOPS)
    page.goto(f"/uncertain{query}")
    expect(page.locator(".tile")).to_have_count(48)
    settle(page)
    tops = page.evaluate("tops")
    assert {name: len(found) for name, found in tops.items()} == {"head": 1, "sentence": 1, "tile": 1}, tops


def test_a_filter_draws_the_page_below_the_bar_and_a_look_its_panel(page: Page) -> None:
    messages = heard(page)
    opened(page)
    messages.clear()
    choice(page, "Wrong").click()
    expect(sentence(page)).to_contain_text(" match")
    expect(page.get_by_role("button", name="wrong predictions")).to_be_visible()
    settle(page)
    of_filter = drawn_parts(messages)
    assert "" not in of_filter
    assert addresses(messages) == 1
    messages.clear()
    page.locator(".tile").nth(3).click()
    example = page.locator(".tile").nth(3).get_attribute("data-example")
    expect(page.locator(".st-key-look .which")).to_have_text(f"example {example}")
    expect(page).to_have_url(re.compile(f"example={example}"))
    settle(page)
    assert len(drawn_parts(messages)) == 1
    assert drawn_parts(messages) < of_filter
    assert addresses(messages) == 1


def test_links_of_the_bar_lead_to_what_a_filter_left_and_back_leads_to_it(page: Page) -> None:
    opened(page)
    link = page.locator(".st-key-bar-pages").get_by_role("link", name="Trust")
    entries = page.evaluate("history.length")
    choice(page, "Wrong").click()
    expect(page).to_have_url(re.compile("correct=wrong"))
    settle(page)
    assert query_of(link.get_attribute("href")) == {"correct": "wrong"}
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Trust")
    settle(page)
    assert query_of(page.url) == {"correct": "wrong"}
    assert page.evaluate("history.length") == entries + 2
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Explore")
    expect(choice(page, "Wrong")).to_be_checked()
    settle(page)
    page.go_back()
    expect(choice(page, "All")).to_be_checked()
    expect(sentence(page)).not_to_contain_text(" match")
    settle(page)
    assert query_of(page.url) == query_of(link.get_attribute("href")) == {}
    page.go_forward()
    expect(choice(page, "Wrong")).to_be_checked()
    settle(page)
    assert query_of(page.url) == query_of(link.get_attribute("href")) == {"correct": "wrong"}


def test_two_tabs_have_filters_of_their_own(page: Page) -> None:
    opened(page)
    with page.context.expect_page() as opening:
        page.evaluate("open(location.href)")
    other = opening.value
    other.set_viewport_size(WINDOW)
    expect(other.locator(".tile")).to_have_count(48)
    settle(other)
    choice(page, "Wrong").click()
    expect(sentence(page)).to_contain_text(" match")
    choice(other, "Correct").click()
    expect(page).to_have_url(re.compile("correct=wrong"))
    expect(other).to_have_url(re.compile("correct=correct"))
    expect(choice(page, "Wrong")).to_be_checked()
    expect(choice(other, "Correct")).to_be_checked()


@pytest.mark.parametrize("last_sent", ["Wrong", "Gallery"])
def test_a_click_counts_where_the_first_drawing_was_sent_in_part(
    browser: Browser, chromium: str, tmp_path: Path, last_sent: str
) -> None:
    with serving(tmp_path, LATE_SENDING, LAST_SENT=last_sent) as (url, _):
        for view in ("gallery", "table", "scatter"):
            with visited(browser, url, viewport=WINDOW) as page:
                page.goto(f"/uncertain?view={view}")
                choice(page, "Wrong").click()
                matching(page, 70)
                expect(page).to_have_url(re.compile("correct=wrong"))


def test_a_click_is_heard_while_a_layout_is_computed_and_stops_it(
    browser: Browser, chromium: str, tmp_path: Path
) -> None:
    random, examples = np.random.default_rng(1), 8_000
    labels = random.integers(3, size=examples)
    mcviz.write_run(
        tmp_path / "cache" / "run",
        (2 * np.eye(3)[labels] + random.normal(size=(4, examples, 3))).astype(np.float32),
        data=random.integers(256, size=(examples, 8, 8)).astype(np.uint8),
        labels=labels,
        from_logits=True,
    )
    with (
        serving(tmp_path, MCVIZ_CACHE=str(tmp_path / "cache")) as (url, _),
        visited(browser, url, viewport=WINDOW) as page,
    ):
        page.goto("/uncertain?view=map&layout=tsne")
        page.get_by_role("button", name="Compute the t-SNE layout").click()
        stop = page.get_by_role("button", name="Stop", exact=True)
        expect(stop).to_be_visible()
        choice(page, "Wrong").click()
        expect(sentence(page)).to_contain_text(" match")
        expect(stop).to_be_visible()
        stop.click()
        expect(stop).to_have_count(0)
        settle(page)
        expect(page.get_by_role("button", name="Compute the t-SNE layout")).to_be_visible()
        choice(page, "All").click()
        expect(sentence(page)).not_to_contain_text(" match")
