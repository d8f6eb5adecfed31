"""The rail of filters: all of it can be reached in a low window, and on a phone it is a drawer that takes the focus."""

import re

from playwright.sync_api import Page, expect

import mcviz
from tests.browser.conftest import PHONE, matching, rests, settle
from tests.browsing import ROOT

BAR_OF_A_PHONE = 48  # pixels
HEIGHTS = 900, 500, 300
RAIL_HAS_THE_FOCUS = "() => document.activeElement.closest('.st-key-rail') !== null"


def test_the_last_control_of_the_rail_can_be_reached_in_a_window_of_any_height(page: Page) -> None:
    page.goto("/uncertain?correct=wrong")
    matching(page, 70)
    page.get_by_text(re.compile("^More: ")).click()
    expect(page.get_by_label("Range of")).to_be_visible()
    settle(page)
    reset = page.get_by_role("button", name="Reset filters")
    for height in HEIGHTS:
        page.set_viewport_size({"width": 1440, "height": height})
        page.get_by_role("combobox", name="Rank by").scroll_into_view_if_needed()
        expect(reset).not_to_be_in_viewport(ratio=1)
        page.mouse.move(130, 200)
        page.mouse.wheel(0, 5000)
        expect(reset).to_be_in_viewport(ratio=1)
        rests(reset)  # the wheel scrolls on for some frames
    page.get_by_role("combobox", name="Rank by").scroll_into_view_if_needed()
    rests(reset)
    settle(page)
    expect(reset).not_to_be_in_viewport(ratio=1)
    reset.focus()
    expect(reset).to_be_in_viewport(ratio=1)
    reset.click()
    matching(page, 10_000)


def test_a_label_stays_chosen_and_its_count_follows_while_other_filters_change(page: Page) -> None:
    scores = mcviz.open_run(ROOT / "cache" / "mnist-cnn").scores()
    fours = scores["label"] == 4
    wrong_fours = (fours & ~scores["correct"].astype(bool)).sum()
    page.goto("/uncertain?label=4")
    chosen = page.locator("[class*=st-key-values-label]")
    expect(chosen).to_contain_text(f"4 ({fours.sum()})")
    page.get_by_role("radio", name=re.compile("^Wrong")).click()
    matching(page, wrong_fours)
    expect(chosen).to_contain_text(f"4 ({wrong_fours})")
    settle(page)
    page.get_by_role("radio", name="Table").click()
    expect(page).to_have_url(re.compile("view=table"))
    settle(page)
    expect(page).to_have_url(re.compile("[?&]label=4(&|$)"))
    matching(page, wrong_fours)


def test_on_a_phone_the_rail_is_a_drawer_that_takes_the_focus_and_gives_it_back(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/uncertain")
    settle(page)
    button, rail = page.get_by_role("button", name="Filters", exact=True), page.locator(".st-key-rail")
    expect(rail).not_to_be_in_viewport()
    for expanded in ("true", "false"):
        box = button.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= BAR_OF_A_PHONE
        button.press("Enter")
        expect(button).to_have_attribute("aria-expanded", expanded)
        expect(button).to_be_focused()
        if expanded == "true":
            expect(rail.get_by_role("combobox", name="Rank by")).to_be_in_viewport(ratio=1)
            page.keyboard.press("Tab")
            assert page.evaluate(RAIL_HAS_THE_FOCUS)
            rail.get_by_role("radio", name=re.compile("^Wrong")).click()
            matching(page, 70)
            page.mouse.move(130, 400)
            page.mouse.wheel(0, 5000)
            expect(rail.get_by_role("button", name="Reset filters")).to_be_in_viewport(ratio=1)
    expect(rail).not_to_be_in_viewport()
    matching(page, 70)
