"""Charts that show a selection and make it, and the charts of a report, as a real browser draws them."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import mcviz
from mcviz import Run
from mcviz.app.exporting import report
from mcviz.app.filters import Filters
from mcviz.app.selection import Selection
from mcviz.app.state import PageState
from mcviz.app.views.layout_map import MOST_SELECTED
from mcviz.measures import most_uncertain_first
from tests.browsing import ROOT

PLACES = """chart => chart._fullData.filter(trace => trace.customdata).flatMap(trace =>
    Array.from(trace.customdata, (example, i) => ({
        example,
        x: chart._fullLayout.xaxis._offset + chart._fullLayout.xaxis.d2p(trace.x[i]),
        y: chart._fullLayout.yaxis._offset + chart._fullLayout.yaxis.d2p(trace.y[i]),
    })))"""


@pytest.fixture(scope="module")
def run() -> Run:
    return mcviz.open_run(ROOT / "cache" / "mnist-cnn")


def chart(page: Page) -> Locator:
    drawn = page.locator(".js-plotly-plot").first
    expect(drawn.locator(".nsewdrag").first).to_be_visible()
    page.wait_for_timeout(1000)  # for its final width
    drawn.scroll_into_view_if_needed()
    return drawn


def filters_of(page: Page) -> Filters:
    return Filters.from_query(dict(parse_qsl(urlsplit(page.url).query)), 10_000, 10)


def box_around(page: Page, drawn: Locator, low: float, high: float) -> None:
    """Draw a lasso through four corners at these fractions of the chart."""
    place = drawn.locator(".nsewdrag").first.bounding_box()
    assert place is not None
    corners = [(low, low), (high, low), (high, high), (low, high), (low, low)]
    (x, y), *others = [(place["x"] + a * place["width"], place["y"] + b * place["height"]) for a, b in corners]
    page.mouse.move(x, y)
    page.mouse.down()
    for to_x, to_y in others:
        page.mouse.move(to_x, to_y, steps=8)
    page.mouse.up()


def test_a_point_says_which_example_it_is(page: Page, run: Run) -> None:
    scores = run.scores()
    wrong_fours = scores.index[(scores["label"] == 4) & ~scores["correct"].astype(bool)].tolist()
    page.goto("/uncertain?view=scatter&correct=wrong&label=4")
    drawn = chart(page)
    places = drawn.evaluate(PLACES)
    assert sorted(place["example"] for place in places) == wrong_fours
    drawn.hover(position={"x": places[0]["x"], "y": places[0]["y"]}, force=True)
    expect(drawn.locator(".hovertext")).to_have_text(f"example {places[0]['example']}, wrong")


def test_a_square_can_be_chosen_again_and_all_numbers_stay_readable(page: Page) -> None:
    page.goto("/uncertain?view=confusion")
    chips = page.get_by_role("button", name=re.compile(r"(label|predicted) \d$"))
    for _ in range(2):
        drawn = chart(page)
        drawn.locator(".point").first.click(force=True)
        expect(chips).to_have_count(2)
        opacities = drawn.locator(".textpoint text").evaluate_all(
            "texts => texts.map(text => Number(getComputedStyle(text).fillOpacity))"
        )
        assert len(opacities) > 10
        assert min(opacities) == 1
        expect(drawn.locator(".point[style*='rgb(86, 180, 233)']")).to_have_count(1)  # the chosen one
        page.get_by_role("button", name="Clear all").click()
        expect(chips).to_have_count(0)


def test_a_lasso_on_the_map_selects_the_first_of_the_ranking_and_goes_with_its_chip(page: Page, run: Run) -> None:
    page.goto("/uncertain?view=map")
    drawn = chart(page)
    places = drawn.evaluate(PLACES)
    frame = drawn.evaluate(
        "chart => [chart._fullLayout.xaxis, chart._fullLayout.yaxis].map(a => [a._offset, a._length])"
    )
    (left, width), (top, height) = frame
    low, high = 0.35, 0.65
    inside = {
        place["example"]
        for place in places
        if low < (place["x"] - left) / width < high and low < (place["y"] - top) / height < high
    }
    box_around(page, drawn, low, high)
    expect(page.get_by_role("button", name=f"{MOST_SELECTED} selected examples")).to_be_visible()
    toast = page.get_by_test_id("stToast")
    expect(toast).to_contain_text(re.compile(rf"{MOST_SELECTED} of [\d,]+ selected"))
    said = int(re.findall(r"of ([\d,]+) selected", toast.inner_text())[0].replace(",", ""))
    assert said == pytest.approx(len(inside), rel=0.02)  # a pointer moves by whole pixels
    selected = {
        int(example) for example in re.findall(r"\d+", re.findall(r"selected=([^&]*)", page.url)[0].replace("%2C", ","))
    }
    ranked = most_uncertain_first("max_probability", run.scores()["max_probability"].to_numpy())
    first = [example for example in ranked.tolist() if example in inside][:MOST_SELECTED]
    assert len(selected & set(first)) > 0.95 * MOST_SELECTED
    expect(page.locator(".tile").first).to_have_attribute("data-example", str(first[0]))

    page.get_by_role("button", name=f"{MOST_SELECTED} selected examples").click()
    expect(page.get_by_text("10,000 of 10,000 examples")).to_be_visible()
    expect(page.locator(".selectionlayer path")).to_have_count(0)
    box_around(page, chart(page), 0.47, 0.49)
    expect(page.get_by_role("button", name=re.compile(r"^.*\d+ selected examples?$"))).to_be_visible()
    page.get_by_role("button", name=re.compile(r"^.*\d+ selected examples?$")).click()
    expect(page.get_by_text("10,000 of 10,000 examples")).to_be_visible()
    expect(page.locator(".selectionlayer path")).to_have_count(0)


def test_the_example_that_was_opened_is_marked_among_the_others(page: Page, run: Run) -> None:
    ranked = most_uncertain_first("max_probability", run.scores()["max_probability"].to_numpy())
    page.goto(f"/uncertain?view=scatter&example={ranked[2]}&lasso=max_probability:margin:0,0,0.6,0,0.6,1,0,1")
    expect(page.locator(".tile[aria-current]")).to_have_attribute("data-example", str(ranked[2]))
    drawn = chart(page)
    box_around(page, drawn, 0.3, 0.9)  # one drawn here takes the place of the one from elsewhere
    expect(page.get_by_role("button", name="lasso in Predictive entropy × Mutual information")).to_be_visible()
    scores = run.scores()
    selected = scores[filters_of(page).mask(scores)]
    assert 0 < len(selected) < len(scores)
    expect(page.get_by_text(f"{len(selected):,} of 10,000 examples")).to_be_visible()
    bright = chart(page).evaluate(
        """chart => chart._fullData.filter(trace => trace.showlegend === false && trace.marker.symbol !== "circle-open")
            .flatMap(trace => Array.from(trace.customdata).filter((example, i) => trace.marker.opacity[i] > 0.5))"""
    )
    assert sorted(bright) == selected.index.tolist()


def test_names_of_classes_are_not_under_the_toolbar(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/uncertain?view=scatter&colour=label")
    drawn = chart(page)
    legend, toolbar = (drawn.locator(part).bounding_box() for part in (".legend", ".modebar"))
    assert legend is not None
    assert toolbar is not None
    assert legend["y"] >= toolbar["y"] + toolbar["height"]


@pytest.mark.parametrize("width", [1440, 390])
def test_charts_of_a_report_fit_their_places(browser: Browser, run: Run, tmp_path: Path, width: int) -> None:
    state = PageState(filters=Filters(correct="wrong"))
    page = report(Selection(run, state, np.flatnonzero(state.filters.mask(run.scores()))))
    (tmp_path / "report.html").write_text(page)
    with browser.new_context(offline=True, viewport={"width": width, "height": 900}) as context:
        opened = context.new_page()
        opened.goto((tmp_path / "report.html").as_uri())
        expect(opened.locator(".js-plotly-plot")).to_have_count(4)
        too_wide = opened.locator(".js-plotly-plot").evaluate_all(
            """charts => charts.filter(chart => chart.querySelector(".main-svg").getBoundingClientRect().width
                > chart.closest(".charts > *").clientWidth + 1).length"""
        )
        assert too_wide == 0
        for tile in opened.locator(".tile.wrong span", has_text="✗").all()[:4]:
            assert tile.evaluate("line => line.offsetHeight < 1.7 * parseFloat(getComputedStyle(line).fontSize)")
