"""A look at examples beside the views: by the mouse, by keys, on a phone; ticks, pins and flags in place; brushes."""

import re
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from mcviz import Run
from tests.browser.conftest import came_ahead, matching, rests, settle
from tests.browsing import HeldLine

WINDOW = {"width": 1440, "height": 900}


def opened(page: Page, **query: str) -> None:
    page.set_viewport_size(WINDOW)
    page.goto("/uncertain?" + "&".join(f"{key}={value}" for key, value in query.items()))
    settle(page)


def panel(page: Page) -> Locator:
    return page.locator(".st-key-look")


def said(page: Page) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(page.url).query))


def looks_at(page: Page, example: int) -> None:
    """The panel shows an example, and so does the address."""
    expect(panel(page).locator(".which")).to_have_text(f"example {example}")
    expect(page).to_have_url(re.compile(rf"[?&]example={example}\b"))


def words_of(run: Run, example: int) -> str:
    """A part of what is said of an example that names what most passes predict."""
    votes = np.bincount(run.predictions(example).argmax(axis=1))
    return f"{votes.max()} of {run.passes} passes predict {votes.argmax()}"


def above(run: Run, example: int) -> list[int]:
    """The classes that stand in the panel: of at least 2%, and the label."""
    mean, label = run.predictions(example).mean(axis=0), run.scores()["label"][example]
    return [c for c in range(10) if mean[c] >= 0.02 or c == label]


def strips(page: Page, run: Run, example: int) -> Locator:
    return panel(page).get_by_role("group", name=words_of(run, example)).get_by_role("img")


def test_thirty_tiles_and_all_of_the_look_are_above_the_fold(page: Page, run: Run, ranked: list[int]) -> None:
    opened(page)
    expect(page.get_by_role("combobox", name="Rank by")).to_be_in_viewport(ratio=1)  # the rail is open
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(48)
    for tile in (tiles.first, tiles.nth(29)):
        expect(tile).to_be_in_viewport(ratio=1)
    expect(strips(page, run, ranked[0])).to_have_count(len(above(run, ranked[0])))
    expect(panel(page)).to_be_in_viewport(ratio=1)
    assert panel(page).evaluate("panel => panel.scrollHeight <= panel.clientHeight")
    tops = tiles.evaluate_all("tiles => tiles.map((tile) => tile.getBoundingClientRect().top)")
    assert tops[:30] == sorted(tops[:30])


def test_tiles_are_as_large_as_the_menu_says_and_no_higher_for_what_can_be_done_with_them(page: Page) -> None:
    opened(page)
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(48)
    height = tiles.first.evaluate("tile => tile.offsetHeight")
    tiles.first.hover()
    acts = page.locator(".place").first.locator(".acts")
    expect(acts.get_by_role("button")).to_have_count(3)
    picture, row = tiles.first.locator(".picture").bounding_box(), acts.bounding_box()
    assert picture is not None
    assert row is not None
    assert row["y"] >= picture["y"] + picture["height"] - 1
    assert tiles.first.evaluate("tile => tile.offsetHeight") == height
    widths = [tiles.first.evaluate("tile => tile.offsetWidth")]
    page.get_by_role("button", name="View", exact=True).click()
    for size in ("Large", "Small"):
        page.get_by_role("radio", name=size, exact=True).click()
        expect(tiles.first).not_to_have_js_property("offsetWidth", round(widths[-1]))
        widths.append(tiles.first.evaluate("tile => tile.offsetWidth"))
    medium, large, small = widths
    assert small < medium < large
    assert said(page)["tile_size"] == "small"


def test_a_click_looks_at_an_example_and_leaves_the_list_where_it_was(page: Page, run: Run, ranked: list[int]) -> None:
    line = HeldLine(page)
    opened(page, page_size="96")
    came_ahead(page)
    tile = page.locator(".tile").nth(50)
    tile.scroll_into_view_if_needed()
    before = page.get_by_test_id("stMain").evaluate("main => main.scrollTop")
    assert before > 0
    line.hold()
    tile.click()
    expect(panel(page).locator(".explanation:not(.waiting)")).to_contain_text(words_of(run, ranked[50]))
    expect(strips(page, run, ranked[50])).to_have_count(len(above(run, ranked[50])))
    assert line.answers == 0
    line.release()
    looks_at(page, ranked[50])
    predicted = run.scores()["prediction"][ranked[50]]
    expect(panel(page).get_by_text(f"The ensemble predicts {predicted} with ")).to_be_visible()
    expect(strips(page, run, ranked[50])).to_have_count(len(above(run, ranked[50])))
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollTop") == before
    expect(page.locator(".tile[aria-current]")).to_have_attribute("data-example", str(ranked[50]))
    link = page.get_by_role("link", name="Trust").first  # drawn before the look
    expect(link).to_have_attribute("href", re.compile(rf"[?&]example={ranked[50]}\b"))
    assert line.answers <= 8  # messages; a bare fragment with one component takes six, and the address is one
    page.locator(".tile").nth(51).click()
    link.click()  # which did not know of that look
    expect(page.get_by_role("heading", level=1)).to_have_text("Trust")
    expect(page).to_have_url(re.compile(rf"[?&]example={ranked[51]}\b"))


def test_the_next_example_stands_before_the_server_answers(page: Page, run: Run, ranked: list[int]) -> None:
    line = HeldLine(page)
    page.goto("/example")
    settle(page)
    came_ahead(page)
    picture = page.locator(".st-key-picture-of-example img")
    before = picture.get_attribute("src")
    line.hold()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".st-key-explanation-sentences")).to_contain_text(words_of(run, ranked[1]))
    expect(page.get_by_role("group", name=words_of(run, ranked[1])).get_by_role("img")).to_have_count(10)
    expect(picture).to_have_attribute("alt", f"Example {ranked[1]}")
    expect(picture).not_to_have_attribute("src", str(before))
    page.keyboard.press("ArrowLeft")  # the server hears both at once, and has nothing new to say
    assert line.answers == 0
    line.release()
    expect(page.locator(".st-key-explanation-sentences")).to_contain_text(words_of(run, ranked[0]))
    expect(picture).to_have_attribute("alt", f"Example {ranked[0]}")
    expect(picture).to_have_attribute("src", str(before))
    expect(page.locator(".mcviz-waiting")).to_have_count(0)


def test_what_the_page_has_is_drawn_before_the_server_answers(page: Page, ranked: list[int]) -> None:
    opened(page)
    expect(panel(page).locator(".which")).to_have_text(f"example {ranked[0]}")
    drawn = page.evaluate(
        """() => {
            const inside = (name) => [...document.querySelectorAll("[data-testid=stBidiComponentIsolated]")]
                .flatMap((host) => [...(host.shadowRoot?.querySelectorAll(name) ?? [])]);
            inside(".tile")[3].click();
            return [inside(".look .which")[0].textContent, inside(".look .picture").length];
        }"""
    )
    assert drawn == [f"example {ranked[3]}", 1]
    looks_at(page, ranked[3])


def test_no_step_is_lost_however_quickly_keys_are_pressed_and_the_page_turns_over(
    page: Page, ranked: list[int]
) -> None:
    opened(page, page_size="24")
    page.locator(".tile").nth(4).click()
    for _ in range(22):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(40)
    looks_at(page, ranked[26])
    expect(page.locator(".tile").first).to_have_attribute("data-example", str(ranked[24]))
    page.keyboard.press("ArrowLeft")
    looks_at(page, ranked[25])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("One example")
    expect(page.get_by_role("spinbutton", name="Example", exact=True)).to_have_value(str(ranked[25]))


def test_tiles_are_ticked_pinned_and_flagged_in_place_and_what_is_ticked_stands_side_by_side(
    page: Page, ranked: list[int]
) -> None:
    opened(page)
    page.locator(".tile").nth(2).click()
    looks_at(page, ranked[2])
    page.keyboard.press("f")
    expect(page.get_by_role("button", name=f"Flag example {ranked[2]}").first).to_have_attribute("aria-pressed", "true")
    page.locator(".tile").nth(6).hover()
    page.get_by_role("button", name=f"Pin example {ranked[6]}").click()
    expect(page.get_by_role("button", name=f"Pin example {ranked[6]}")).to_have_attribute("aria-pressed", "true")
    page.locator(".tile").nth(5).click(modifiers=["Shift"])
    expect(page.locator(".st-key-marked").get_by_text("4 examples ticked")).to_be_visible()
    address = said(page)
    assert address["flagged"] == str(ranked[2])
    assert address["pinned"] == str(ranked[6])
    assert sorted(address["ticked"].split(",")) == sorted(map(str, ranked[2:6]))
    expect(panel(page).locator("img")).to_have_count(4)
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("button", name="Tick this page").click()
    expect(page.get_by_role("radio", name="48 ticked")).to_be_checked()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filter to these").click()
    matching(page, 48)


def test_rows_stay_ticked_through_other_views_and_a_click_on_one_looks_at_it(page: Page, ranked: list[int]) -> None:
    opened(page, view="table", ticked=f"{ranked[0]},{ranked[300]}")
    grid = page.get_by_test_id("stDataFrame").first
    expect(grid.locator("canvas").first).to_be_visible()
    rests(grid)

    def click(row: int, x: int) -> None:
        box = grid.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + x, box["y"] + 35 * (row + 1.5))

    click(3, 100)
    looks_at(page, ranked[3])
    for row, ticked in ((2, 3), (0, 2)):
        click(row, 18)
        expect(page.get_by_text(f"{ticked} examples ticked")).to_be_visible()
    page.get_by_role("radio", name="Gallery").click()
    expect(page.locator(".ticked .tile")).to_have_attribute("data-example", str(ranked[2]))
    page.get_by_role("radio", name="Table").click()
    settle(page)
    assert {int(each) for each in said(page)["ticked"].split(",")} == {ranked[2], ranked[300]}
    rests(grid)
    click(2, 18)
    expect(page.get_by_text("1 example ticked")).to_be_visible()


def test_on_a_phone_the_look_is_a_sheet_that_can_be_closed(browser: Browser, app_url: str, ranked: list[int]) -> None:
    with browser.new_context(
        base_url=app_url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ) as context:
        page = context.new_page()
        page.goto("/uncertain")
        settle(page)
        expect(panel(page)).to_be_hidden()
        page.locator(".tile").nth(1).tap()
        expect(panel(page)).to_be_visible()
        looks_at(page, ranked[1])
        box = panel(page).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] == pytest.approx(844, abs=2)
        assert box["width"] == pytest.approx(390, abs=2)
        panel(page).get_by_role("button", name="Close").tap()
        expect(panel(page)).to_be_hidden()
        expect(page).not_to_have_url(re.compile("example="))


@pytest.mark.always
def test_a_brush_filters_by_drag_and_by_keys_and_its_chip_takes_it_off(page: Page, run: Run) -> None:
    scores = run.scores()["max_probability"]
    opened(page)
    plot = page.locator(".brush .plot").first
    expect(page.locator(".tile")).to_have_count(48)
    rests(plot)
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 10, steps=5)
    page.mouse.up()
    chips = page.locator(".st-key-chips").get_by_role("button", name=re.compile("Confidence"))
    expect(chips).to_have_count(1)
    low, high = map(float, said(page)["range"].split(":")[1:])
    matching(page, scores.between(low, high).sum())
    page.get_by_role("slider", name="Confidence, to").press("ArrowRight")
    expect(page).not_to_have_url(re.compile(f"(:|%3A){high}(&|$)"))
    higher = float(said(page)["range"].split(":")[2])
    assert higher > high
    matching(page, scores.between(low, higher).sum())
    chips.click()
    matching(page, 10_000)


def test_a_finger_scrolls_the_rail_from_a_brush(browser: Browser, app_url: str) -> None:
    with browser.new_context(
        base_url=app_url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ) as context:
        page = context.new_page()
        page.goto("/uncertain")
        settle(page)
        page.get_by_role("button", name="Filters", exact=True).tap()
        page.get_by_text(re.compile("^More: ")).tap()
        expect(page.get_by_label("Range of")).to_be_visible()
        settle(page)
        plot, session, rail = (
            page.locator(".brush .plot").first,
            context.new_cdp_session(page),
            page.get_by_test_id("stSidebarContent"),
        )
        rail.evaluate("rail => rail.scrollTo(0, 0)")
        box = plot.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + 15
        for number, kind in enumerate(["touchStart", *["touchMove"] * 10]):
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y - 12 * number}]})
            page.wait_for_timeout(20)
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(300)
        assert rail.evaluate("rail => rail.scrollTop") > 50
        assert "range=" not in page.url


@pytest.mark.parametrize("view", ["scatter", "map"])
def test_a_point_shows_its_picture_and_a_click_looks_at_it(page: Page, run: Run, view: str) -> None:
    wrong = np.flatnonzero(~run.scores()["correct"].to_numpy(bool)).tolist()
    opened(page, view=view, correct="wrong")
    drawn = page.locator(f".st-key-{view} .js-plotly-plot")
    expect(drawn.locator(".nsewdrag").first).to_be_visible()
    rests(drawn)
    places = drawn.evaluate(
        """chart => chart._fullData.filter((trace) => trace.customdata).flatMap((trace) =>
            Array.from(trace.customdata, (example, i) => ({
                example,
                x: chart._fullLayout.xaxis._offset + chart._fullLayout.xaxis.d2p(trace.x[i]),
                y: chart._fullLayout.yaxis._offset + chart._fullLayout.yaxis.d2p(trace.y[i]),
            })))"""
    )
    assert sorted(place["example"] for place in places) == wrong
    first = max(places, key=lambda place: place["x"])
    drawn.hover(position={"x": first["x"], "y": first["y"]}, force=True)
    expect(page.get_by_role("img", name=f"Example {first['example']}", exact=True).last).to_be_visible()
    page.mouse.down()
    page.mouse.up()
    looks_at(page, first["example"])
    ring = drawn.locator(".mcviz-ring")
    expect(ring).to_have_attribute("data-example", str(first["example"]))
    circle, chart = ring.bounding_box(), drawn.bounding_box()
    assert circle is not None
    assert chart is not None
    assert circle["x"] + circle["width"] / 2 - chart["x"] == pytest.approx(first["x"], abs=2)
    assert circle["y"] + circle["height"] / 2 - chart["y"] == pytest.approx(first["y"], abs=2)
    matching(page, len(wrong))
