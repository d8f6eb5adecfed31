"""One visit to every page in a real browser, as a person makes it."""

import math
import re
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

import mcviz
from mcviz.app.address import RunLimits
from mcviz.app.components import load_assets
from mcviz.app.filters import Filters
from mcviz.measures import SCORES, most_uncertain_first
from tests.browser.conftest import PHONE, go_to, listens, matching, said_to_match, settle
from tests.browsing import ROOT, drag

CHART = ".js-plotly-plot .main-svg"
COUNTED = """async ({ script, keys }) => {
  const arrows = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  const [parentElement, sent] = [document.body.attachShadow({ mode: "open" }), []];
  arrows.default({ parentElement, setStateValue: (_, { steps, flags }) => sent.push([steps, ...flags]) });
  for (const key of keys) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  return sent;
}"""


def tiles(page: Page) -> Locator:
    return page.locator(".tile")


def histograms(page: Page) -> Locator:
    return page.get_by_role("group", name="Histograms of the passes").get_by_role("img")


def first_examples(page: Page, count: int) -> list[int]:
    return [int(tiles(page).nth(i).get_attribute("data-example") or -1) for i in range(count)]


def test_overview_shows_numbers_images_and_charts(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(page.get_by_test_id("stMetric")).to_have_count(3)
    expect(tiles(page)).to_have_count(16)
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    expect(page.get_by_text(re.compile(r"ensemble 99\.\d\d%")).first).to_be_visible()
    page.get_by_text("Accuracy, NLL and ECE by number of passes").click()
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    page.get_by_text("Accuracy, NLL and ECE by number of passes").click()
    expect(page.locator(".js-plotly-plot")).to_have_count(1)


def test_a_link_to_the_question_how_many_passes_it_takes_opens_its_place(page: Page) -> None:
    page.goto("/trust?details=passes")
    heading = page.get_by_role("heading", name="How many passes it takes")
    expect(heading).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("200 passes are enough")).to_be_in_viewport(ratio=1)
    expect(page.locator(".st-key-by-passes .js-plotly-plot")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    settle(page)
    expect(heading).to_be_in_viewport(ratio=1)
    page.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 0)")
    page.get_by_role("button", name="What is this?").click()
    settle(page)
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollTop") == 0, "it stays where somebody scrolled to"


def test_ranking_by_another_score_and_opening_an_example(page: Page) -> None:
    run = mcviz.open_run(ROOT / "cache" / "mnist-cnn")
    scores = run.scores()
    page.goto("/")
    go_to(page, "Explore")
    expect(tiles(page)).to_have_count(48)
    by_probability = most_uncertain_first("max_probability", scores["max_probability"].to_numpy())
    assert first_examples(page, 24) == by_probability[:24].tolist()

    page.get_by_role("combobox", name="Rank by").click()
    page.get_by_role("option", name="Mutual information (BALD), highest first").click()
    by_information = most_uncertain_first("mutual_information", scores["mutual_information"].to_numpy())
    expect(tiles(page).first).to_have_attribute("data-example", str(by_information[0]))
    assert first_examples(page, 24) == by_information[:24].tolist()

    tiles(page).nth(2).dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("One example")
    expect(page.get_by_role("spinbutton", name="Example", exact=True)).to_have_value(str(by_information[2]))
    expect(page.get_by_text("Rank 3 of 10,000 by mutual information")).to_be_visible()
    expect(histograms(page)).to_have_count(10)
    page.get_by_role("heading", level=1).click()  # out of any field, where an arrow would move the cursor
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("spinbutton", name="Example", exact=True)).to_have_value(str(by_information[3]))

    page.goto(page.url)  # the address carries the example
    expect(page.get_by_role("spinbutton", name="Example", exact=True)).to_have_value(str(by_information[3]))


def test_the_upper_end_of_any_score_s_range_can_be_lowered(page: Page) -> None:
    scores = mcviz.open_run(ROOT / "cache" / "mnist-cnn").scores()
    page.goto("/uncertain")
    page.get_by_text(re.compile("^More: ")).click()
    more = page.locator(".st-key-more-filters")
    for name, score in SCORES.items():
        more.get_by_label("Range of").click()
        page.get_by_role("option", name=score.label, exact=True).click()
        more.get_by_role("slider", name=score.label).last.press("ArrowLeft")
        chip = page.get_by_role("button", name=f"{score.label} up to")
        expect(chip).to_be_visible()
        left = (scores[name] <= (math.ceil(1000 * scores[name].max()) - 1) / 1000).sum()
        matching(page, left)
        settle(page)
        chip.click()
        matching(page, 10_000)


def test_an_example_is_found_by_its_number(page: Page) -> None:
    page.goto("/")
    go_to(page, "Explore")
    page.get_by_label("Find").fill("#4761")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-look .which")).to_have_text("example 4761")
    expect(page).to_have_url(re.compile(r"[?&]example=4761\b"))


def test_a_key_leads_to_find_and_is_a_letter_where_text_is_typed(page: Page) -> None:
    page.goto("/uncertain")
    matching(page, 10_000)
    settle(page)
    listens(page, "keys")
    find = page.get_by_label("Find")
    page.keyboard.press("/")
    expect(find).to_be_focused()
    expect(find).to_have_value("")
    page.keyboard.type("4/9")
    expect(find).to_have_value("4/9")


def test_what_is_referred_is_filtered_to_from_a_dialog_and_pins_are_compared(page: Page) -> None:
    page.goto("/uncertain?pinned=6625,1709")
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("button", name="Refer to a person").click()
    dialog = page.get_by_role("dialog", name="Refer to a person")
    expect(dialog.get_by_text("200 examples to a person")).to_be_visible()
    dialog.get_by_role("spinbutton", name="examples").fill("100")
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("100 examples to a person")).to_be_visible()
    dialog.get_by_role("button", name="Filter to these").click()
    expect(dialog).to_have_count(0)
    matching(page, 100)
    page.get_by_role("button", name="Compare 2 pinned").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Side by side")
    expect(page.get_by_role("button", name="Unpin")).to_have_count(2)


def test_a_real_exploration(page: Page, browser: Browser, app_url: str) -> None:
    """From a question to a link for a colleague: wrong fours, the doubtful corner, two flags."""
    scores = mcviz.open_run(ROOT / "cache" / "mnist-cnn").scores()
    wrong_fours = ((scores["label"] == 4) & ~scores["correct"].astype(bool)).sum()
    page.goto("/")
    go_to(page, "Explore")
    for words in ("4", "wrong"):
        page.get_by_label("Find").fill(words)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Find")).to_have_value("")
    matching(page, wrong_fours)

    page.get_by_role("radio", name="Scatter").click()
    points = page.locator(".st-key-scatter .nsewdrag").first
    expect(points).to_be_visible()
    box = points.bounding_box()
    assert box is not None
    drag(page, box, [(0.3, 0.02), (0.98, 0.02), (0.98, 0.98), (0.3, 0.98), (0.3, 0.02)])
    expect(page.get_by_role("button", name="lasso in Predictive entropy × Mutual information")).to_be_visible()
    outlined = said_to_match(page)
    assert 2 <= outlined < wrong_fours

    query = dict(parse_qsl(urlsplit(page.url).query))
    selected = scores[Filters.from_query(query, RunLimits(len(scores), 10)).mask(scores)]
    assert len(selected) == outlined
    first, second = (str(image) for image in selected["max_probability"].sort_values(kind="stable").index[:2])
    shown_example = page.get_by_role("spinbutton", name="Example", exact=True)

    tiles(page).first.dblclick()
    expect(shown_example).to_have_value(first)
    expect(page.get_by_text(f"Rank 1 of {outlined} matching")).to_be_visible()
    page.locator("body").press("f")
    expect(page.get_by_role("button", name="Flagged (1)")).to_be_visible()
    page.locator("body").press("ArrowRight")
    expect(shown_example).to_have_value(second)
    expect(page.get_by_role("button", name="F Flag", exact=True)).to_be_visible()
    page.locator("body").press("f")
    expect(page.get_by_role("button", name="Flagged (2)")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="F Flag", exact=True)).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("button", name="Flagged (2)")).to_be_visible()

    with browser.new_context(base_url=app_url) as colleague:
        theirs = colleague.new_page()
        theirs.goto(page.url)
        expect(theirs.get_by_role("spinbutton", name="Example", exact=True)).to_have_value(second, timeout=30_000)
        expect(theirs.get_by_role("button", name="Flagged (2)")).to_be_visible()
        go_to(theirs, "Explore")
        matching(theirs, outlined)
        theirs.get_by_role("button", name="Show the 2 flagged").click()
        matching(theirs, 2)
        expect(tiles(theirs)).to_have_count(2)
        for example in (first, second):
            expect(theirs.locator(f".tile[data-example='{example}']")).to_be_visible()


def test_a_cell_of_the_confusion_matrix_is_a_selection(page: Page) -> None:
    scores = mcviz.open_run(ROOT / "cache" / "mnist-cnn").scores()
    page.goto("/")
    go_to(page, "Explore")
    page.get_by_role("radio", name="Confusion").click()
    point = page.locator(".point").first
    expect(point).to_be_visible()
    point.click(force=True)
    chips = page.locator(".st-key-chips").get_by_role("button", name=re.compile(r"(label|predicted) \d$"))
    expect(chips).to_have_count(2)
    label, prediction = (int(chip.inner_text().split()[-1]) for chip in chips.all())
    selected = ((scores["label"] == label) & (scores["prediction"] == prediction)).sum()
    matching(page, selected)


SLOW_NETWORK = """
const Fast = window.WebSocket;
window.WebSocket = class extends Fast {
  addEventListener(kind, heard, ...others) {
    const late = kind === "message" ? (event) => setTimeout(() => heard(event), 600) : heard;
    super.addEventListener(kind, late, ...others);
  }
};
"""


def test_a_browser_that_is_behind_undoes_no_step(page: Page) -> None:
    scores = mcviz.open_run(ROOT / "cache" / "mnist-cnn").scores()
    ranked = most_uncertain_first("max_probability", scores["max_probability"].to_numpy())
    page.add_init_script(SLOW_NETWORK)
    page.goto("/example")
    shown = page.get_by_role("spinbutton", name="Example", exact=True)
    expect(shown).to_have_value(str(ranked[0]))
    settle(page)
    page.get_by_role("heading", level=1).click()
    for key in ("ArrowRight", "f", "ArrowRight"):
        page.keyboard.press(key)
        page.wait_for_timeout(400)  # the server is a step further, the browser has not heard of it
    expect(page.get_by_text("Rank 3 of 10,000")).to_be_visible()
    expect(shown).to_have_value(str(ranked[2]))
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name="Flagged (1)")).to_be_visible()
    expect(shown).to_have_value(str(ranked[1]))
    shown.fill(str(ranked[2]))  # the value from before, and at once
    shown.press("Enter")
    expect(page.get_by_text("Rank 3 of 10,000")).to_be_visible()


@pytest.mark.always
def test_the_tab_names_the_page_and_the_link_is_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/uncertain?correct=wrong")
    expect(page).to_have_title("Explore · mcviz")
    matching(page, 70)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


@pytest.mark.always
def test_every_press_of_an_arrow_key_is_counted_and_every_flag_has_its_place(browser: Browser, app_url: str) -> None:
    page = browser.new_page()
    page.goto(f"{app_url}/_stcore/health")  # only a page of this machine may make a random UUID
    script = load_assets("listening.js", "arrow_keys.js")
    keys = ["ArrowRight", "ArrowRight", "a", "f", "ArrowLeft", "f"]
    assert page.evaluate(COUNTED, {"script": script, "keys": keys}) == [[1], [2], [2, 2], [1, 2], [1, 2, 1]]
    page.close()


def test_no_press_of_an_arrow_key_is_lost_however_fast_they_come(browser: Browser, app_url: str) -> None:
    presses = 20
    with browser.new_context(base_url=app_url) as context:  # pictures that are passed over are fetched too late
        page = context.new_page()
        page.goto("/example")
        expect(page.get_by_text("Rank 1 of 10,000")).to_be_visible()
        listens(page, "arrow-keys")
        for _ in range(presses):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(50)
        expect(page.get_by_text(f"Rank {presses + 1} of 10,000")).to_be_visible()
        for _ in range(presses + 5):
            page.keyboard.press("ArrowLeft")
        expect(page.get_by_text("Rank 1 of 10,000")).to_be_visible()


def test_a_flag_is_of_the_example_that_was_stepped_to_however_fast_the_keys_come(page: Page, ranked: list[int]) -> None:
    page.goto("/example")
    expect(page.get_by_text("Rank 1 of 10,000")).to_be_visible()
    listens(page, "arrow-keys")
    for key in ("ArrowRight", "f", "ArrowRight", "ArrowRight", "f", "f", "f", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.get_by_text("Rank 5 of 10,000")).to_be_visible()
    expect(page).to_have_url(re.compile(f"flagged={ranked[1]}%2C{ranked[3]}(&|$)"))


def test_going_back_leads_out_of_the_looks_at_examples_in_one_step(page: Page) -> None:
    page.goto("/uncertain")
    expect(page).to_have_url(re.compile("run=mnist-cnn"))  # which this dashboard of two runs adds
    settle(page)
    entries = page.evaluate("history.length")
    for tile in (3, 9, 5):
        tiles(page).nth(tile).click()
        expect(page).to_have_url(re.compile(f"example={tiles(page).nth(tile).get_attribute('data-example')}"))
    tiles(page).nth(7).dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("One example")
    settle(page)
    assert page.evaluate("history.length") == entries + 1
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Explore")
    expect(tiles(page).nth(7)).to_have_attribute("aria-current", "true")


def as_from_a_busy_server(page: Page) -> None:
    """Let what the server says come piece by piece."""

    def routed(to_browser: WebSocketRoute) -> None:
        def slowly(said: str | bytes) -> None:
            time.sleep(0.03)
            to_browser.send(said)

        to_browser.connect_to_server().on_message(slowly)

    page.route_web_socket(re.compile("/_stcore/stream"), routed)


@pytest.mark.parametrize("server", ["quick", "busy"])
def test_going_back_leads_to_the_same_place_and_the_same_tile(page: Page, server: str) -> None:
    if server == "busy":
        as_from_a_busy_server(page)
    page.goto("/uncertain?page_size=96")
    expect(tiles(page)).to_have_count(96)
    settle(page)
    left = tiles(page).nth(70)
    left.scroll_into_view_if_needed()
    left.click()
    expect(left).to_have_attribute("aria-current", "true")
    main = page.get_by_test_id("stMain")
    place, example = main.evaluate("main => main.scrollTop"), left.get_attribute("data-example")
    assert place > 200
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("One example")
    settle(page)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Explore")
    focused = "document.activeElement?.shadowRoot?.activeElement?.dataset.example"
    page.wait_for_function(f"example => {focused} === example", arg=example)
    assert main.evaluate("main => main.scrollTop") == pytest.approx(place, abs=40)
    expect(left).to_be_in_viewport()
    page.get_by_role("link", name="Overview").click()
    expect(tiles(page)).to_have_count(16)
    page.get_by_role("link", name="Explore").first.click()  # which is not going back
    expect(tiles(page)).to_have_count(96)
    settle(page)
    assert main.evaluate("main => main.scrollTop") == 0


def test_a_story_is_presented_with_keys_alone_and_without_the_navigation(page: Page) -> None:
    page.goto("/story")
    expect(page.get_by_role("button", name="Present")).to_be_visible()
    settle(page)
    listens(page, "keys")
    navigation = page.get_by_role("link", name="Overview")
    expect(navigation).to_be_visible()
    page.keyboard.press("p")
    expect(navigation).to_be_hidden()
    expect(page.get_by_role("heading", level=1, name="Present")).to_have_count(1)
    page.keyboard.press("PageDown")
    expect(page.get_by_text("Step 2 of 6")).to_be_visible()
    expect(navigation).to_be_hidden()
    page.keyboard.press("PageUp")
    expect(page.get_by_text("Step 1 of 6")).to_be_visible()
    page.keyboard.press("p")
    expect(navigation).to_be_visible()


def test_a_space_steps_through_what_a_button_began_to_present(page: Page) -> None:
    page.goto("/story")
    page.get_by_role("button", name="Present").click()
    leave = page.get_by_role("button", name="Leave")
    expect(leave).to_be_visible()
    expect(leave).not_to_be_focused()
    settle(page)
    listens(page, "keys")
    for step in (2, 3):
        page.keyboard.press("Space")
        expect(page.get_by_text(f"Step {step} of 6")).to_be_visible()
    expect(leave).to_be_visible()


def test_who_leaves_is_back_at_the_address_that_a_filter_left(page: Page) -> None:
    page.goto("/uncertain?view=table")
    page.get_by_role("radio", name="Wrong").click()
    expect(page).to_have_url(re.compile("correct=wrong"))
    settle(page)
    started = page.url
    page.get_by_role("link", name="Present").click()
    headline = page.locator(".st-key-story-sentence h2")
    expect(headline).to_contain_text("A classifier gives a confident number")
    expect(page.get_by_role("link", name="Overview")).to_be_hidden()
    settle(page)
    expect(page.get_by_role("button", name="Leave")).not_to_be_focused()
    listens(page, "keys")
    page.keyboard.press("Space")
    expect(headline).to_contain_text("Predict it again")
    settle(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1)).to_have_text("Explore")
    settle(page)
    assert page.url.partition("?")[0] == started.partition("?")[0]
    assert dict(parse_qsl(urlsplit(page.url).query)) == dict(parse_qsl(urlsplit(started).query))


SIZES_OF_LETTERS = """() => [...document.querySelectorAll('[data-testid="stMain"] *')]
  .filter((each) => [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
  .filter((each) => each.checkVisibility() && !each.closest(".st-key-page-head, kbd, style, [aria-hidden=true]"))
  .map((each) => [parseFloat(getComputedStyle(each).fontSize), each.textContent])"""


def test_who_is_presented_to_reads_it_from_afar_and_escape_leaves(page: Page) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto("/story?present=yes&step=2")
    expect(page.locator(".js-plotly-plot .xtitle")).to_be_visible()
    settle(page)
    sizes = page.evaluate(SIZES_OF_LETTERS)
    assert {"probability", "Step 2 of 6"} <= {text for _, text in sizes}
    assert min(sizes)[0] >= 24, min(sizes)
    drawn, picture, chart = (
        page.locator(f".st-key-story-drawn{part}").bounding_box() for part in ("", " img", " .js-plotly-plot")
    )
    assert drawn is not None
    assert picture is not None
    assert chart is not None
    assert drawn["width"] > 0.9 * 1920
    assert 0.8 * 1080 < drawn["y"] + chart["height"] < 1080 - 50, "the buttons are at the foot"
    assert picture["height"] == pytest.approx(picture["width"], abs=1)
    assert picture["height"] > 500
    listens(page, "keys")
    page.keyboard.press("Escape")
    overview = page.get_by_role("link", name="Overview")
    expect(overview).to_be_visible()
    overview.click()
    page.wait_for_url(lambda url: "/story" not in url)
    assert not {"step", "present"} & dict(parse_qsl(urlsplit(page.url).query)).keys()


def test_the_link_that_skips_leads_behind_the_navigation(page: Page) -> None:
    page.goto("/trust")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settle(page)
    page.wait_for_function("() => window.mcvizArrives !== undefined")  # the page listens
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-page-head")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.st-key-bar') === null")


def test_the_first_screen_of_a_phone_shows_an_example_and_names_the_open_page(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/")
    expect(tiles(page)).to_have_count(16)
    expect(tiles(page).first).to_be_in_viewport(ratio=0.7)
    page.goto("/uncertain")
    expect(tiles(page).first).to_be_in_viewport(ratio=0.9)
    page.goto("/story")
    expect(page.locator(".st-key-bar summary").first).to_have_text("Present")


VISIBLE_NAMES = """() => [...document.querySelectorAll(".st-key-gallery [data-testid$=Isolated]")].flatMap(
  ({ shadowRoot }) => [...shadowRoot.querySelectorAll(".class")].map((name) => {
    const [range, edge] = [document.createRange(), name.getBoundingClientRect().right];
    const letters = name.firstChild;
    let seen = letters.length;
    const end = () => (range.setStart(letters, 0), range.setEnd(letters, seen), range.getBoundingClientRect().right);
    const ellipsis = name.scrollWidth > name.clientWidth ? 12 : 0;
    while (seen > 0 && end() + ellipsis > edge + 1) seen -= 1;
    return [name.title, seen];
  }))"""


def test_long_names_of_classes_are_read_on_tiles(page: Page) -> None:
    names = mcviz.open_run(ROOT / "cache" / "fashion-cnn").class_names
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/uncertain?run=fashion-cnn")
    expect(tiles(page)).to_have_count(48)
    settle(page)
    shown = page.evaluate(VISIBLE_NAMES)
    assert {name for name, _ in shown} <= set(names)
    assert len(shown) > 48  # a wrong prediction has two
    assert all(seen >= min(len(name), 8) for name, seen in shown), shown
