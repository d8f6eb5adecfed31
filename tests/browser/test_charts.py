"""Charts that show a selection and make it, as a real browser draws them."""

import base64
import io
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

import mcviz
from mcviz import Run
from mcviz.app.address import RunLimits
from mcviz.app.components.gallery import MOST_PICTURES
from mcviz.app.filters import Filters
from mcviz.measures import most_uncertain_first
from mcviz.measures.similarity import principal_components
from tests.browser.conftest import matching, rests, said_to_match, settle
from tests.browsing import drag, serving, visited
from tests.polygons import surrounded_by_a_loop

PLACES = """chart => chart._fullData.filter(trace => trace.customdata).flatMap(trace =>
    Array.from(trace.customdata, (example, i) => ({
        example,
        x: chart._fullLayout.xaxis._offset + chart._fullLayout.xaxis.d2p(trace.x[i]),
        y: chart._fullLayout.yaxis._offset + chart._fullLayout.yaxis.d2p(trace.y[i]),
    })))"""


def chart(page: Page) -> Locator:
    settle(page)
    drawn = page.locator(".js-plotly-plot").first
    expect(drawn.locator(".nsewdrag").first).to_be_visible()
    drawn.scroll_into_view_if_needed()
    rests(drawn)
    return drawn


def filters_of(page: Page) -> Filters:
    return Filters.from_query(dict(parse_qsl(urlsplit(page.url).query)), RunLimits(10_000, 10))


def box_around(page: Page, drawn: Locator, low: float, high: float) -> None:
    """Draw a lasso through four corners at these fractions of the chart."""
    drag(page, place_of(drawn), [(low, low), (high, low), (high, high), (low, high), (low, low)], steps=2)


def place_of(drawn: Locator) -> FloatRect | None:
    return drawn.locator(".nsewdrag").first.bounding_box()


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
    chips = page.locator(".st-key-chips").get_by_role("button", name=re.compile(r"(label|predicted) \d$"))
    for _ in range(2):
        drawn = chart(page)
        drawn.locator(".point").first.click(force=True)
        expect(chips).to_have_count(2)
        opacities = drawn.locator(".bartext").evaluate_all(
            "texts => texts.map(text => Number(getComputedStyle(text).fillOpacity))"
        )
        assert len(opacities) > 10
        assert min(opacities) == 1
        expect(drawn.locator(".point path[style*='rgb(86, 180, 233)']")).to_have_count(1)  # the chosen one
        page.locator(".st-key-chips").get_by_role("button", name="Clear all").click()
        expect(chips).to_have_count(0)


def test_a_lasso_on_the_map_selects_what_it_surrounds_and_goes_with_its_chip(page: Page, run: Run) -> None:
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
    chip = page.get_by_role("button", name="lasso on the map")
    expect(chip).to_be_visible()
    said = said_to_match(page)
    assert said == pytest.approx(len(inside), rel=0.02)  # a pointer moves by whole pixels
    ranked = most_uncertain_first("max_probability", run.scores()["max_probability"].to_numpy())
    first = next(example for example in ranked.tolist() if example in inside)
    expect(page.locator(".tile").first).to_have_attribute("data-example", str(first))

    chip.click()
    matching(page, 10_000)
    expect(page.locator(".selectionlayer path")).to_have_count(0)
    box_around(page, chart(page), 0.47, 0.49)
    expect(chip).to_be_visible()
    chip.click()
    matching(page, 10_000)
    expect(page.locator(".selectionlayer path")).to_have_count(0)


@pytest.mark.always
def test_few_points_in_view_are_their_pictures_and_the_lasso_goes_through_them(page: Page, run: Run) -> None:
    page.goto("/uncertain?view=map&label=5&disagree=yes")
    drawn = chart(page)
    pictures = drawn.locator(".mcviz-pictures .picture")
    frame = drawn.evaluate(
        "chart => ['xaxis', 'yaxis'].map(axis => chart._fullLayout[axis]).map(a => [a._offset, a._length])"
    )
    (left, width), (top, height) = frame

    def in_view() -> dict[int, tuple[float, float]]:
        places = ((each["example"], each["x"] - left, each["y"] - top) for each in drawn.evaluate(PLACES))
        return {example: (x, y) for example, x, y in places if 0 <= x <= width and 0 <= y <= height}

    while len(in_view()) > MOST_PICTURES:
        expect(pictures).to_have_count(0)
        drawn.hover(force=True)
        drawn.locator("[data-attr=zoom][data-val=in]").click(force=True)
        page.wait_for_timeout(600)  # for the zoom, and what it would ask for
    places = in_view()
    assert len(places) > 10
    expect(pictures).to_have_count(len(places))
    shown = pictures.evaluate_all(
        """all => all.map(({ dataset, style }) => [
            Number(dataset.example), parseFloat(style.left) + parseFloat(style.width) / 2, style.backgroundImage,
            style.backgroundSize, style.backgroundPosition])"""
    )
    for example, middle, image, size, position in shown:
        assert middle == pytest.approx(left + places[example][0], abs=0.5)
        sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(image.split(",")[1].rstrip('")')))))
        columns, rows = (round(float(each.rstrip("%")) / 100) for each in size.split())
        at = [float(each.rstrip("%")) / 100 for each in position.split()]
        column, row = round(at[0] * (columns - 1)), round(at[1] * (rows - 1))
        side = sheet.shape[1] // columns
        tile = sheet[row * side : (row + 1) * side, column * side : (column + 1) * side]
        np.testing.assert_array_equal(tile, run.pictures[example][..., 0])

    box_around(page, drawn, 0.25, 0.75)
    expect(page.get_by_role("button", name="lasso on the map")).to_be_visible()
    inside = {each for each, (x, y) in places.items() if 0.25 < x / width < 0.75 and 0.25 < y / height < 0.75}
    said = said_to_match(page)
    assert said == pytest.approx(len(inside), abs=1)  # a pointer moves by whole pixels
    expect(pictures.and_(page.locator("[style*='opacity: 1;']"))).to_have_count(said)
    drawn.locator("[data-attr=zoom][data-val=out]").click(force=True)
    drawn.locator("[data-attr=zoom][data-val=out]").click(force=True)
    expect(pictures).to_have_count(0)


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
    matching(page, len(selected))
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


@pytest.mark.parametrize("width", [1280, 1000, 390])
def test_the_title_of_a_histogram_is_whole_or_only_the_name_of_its_class(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/example?run=fashion-cnn&example=4924")
    panels = page.locator(".panel .title")
    expect(panels.first).to_be_visible()
    settle(page)
    page.evaluate("document.fonts.ready.then(() => true)")
    for spacing in ("normal", "1px"):  # letters are not as wide everywhere
        cut = panels.evaluate_all(
            """(titles, spacing) => titles.flatMap((title) => {
                title.parentElement.style.letterSpacing = spacing;
                return [...title.children]
                    .filter((part) => part.offsetTop - title.offsetTop < title.clientHeight)
                    .filter((part) => part.scrollWidth > part.clientWidth + 1)
                    .map((part) => part.textContent);
            })""",
            spacing,
        )
        assert cut == [], spacing


@pytest.mark.parametrize("path", ["/", "/uncertain?view=scatter", "/uncertain?view=confusion"])
def test_a_finger_scrolls_the_page_from_a_chart_and_selects_once_the_toolbar_says_so(
    browser: Browser, app_url: str, path: str
) -> None:
    with browser.new_context(
        base_url=app_url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ) as context:
        page = context.new_page()
        page.goto(path)
        drawn = chart(page)
        drawn.evaluate("chart => chart.scrollIntoView({ block: 'end' })")
        main, session = page.get_by_test_id("stMain"), context.new_cdp_session(page)

        def swipe() -> float:
            """How far the page scrolls by a finger that goes up over the chart."""
            place = drawn.locator(".nsewdrag").first.bounding_box()
            assert place is not None
            x, y = place["x"] + place["width"] / 2, place["y"] + 0.8 * place["height"]
            before = main.evaluate("element => element.scrollTop")
            for number, kind in enumerate(["touchStart", *["touchMove"] * 10]):
                session.send(
                    "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y - 12 * number}]}
                )
                page.wait_for_timeout(20)
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            page.wait_for_timeout(300)
            return float(main.evaluate("element => element.scrollTop")) - before

        assert swipe() > 50
        lasso = drawn.locator('[data-val="lasso"]')
        if lasso.count():
            lasso.tap()
            expect(lasso).to_have_class(re.compile(r"\bactive\b"))
            assert swipe() == 0


def test_a_line_around_no_point_changes_nothing_and_leaves_all_points_bright(page: Page) -> None:
    page.goto("/uncertain?view=scatter")
    drawn = chart(page)
    drag(page, place_of(drawn), [(0.1, 0.1), (0.5, 0.1)], steps=12)
    expect(page.get_by_test_id("stToast")).to_contain_text("No point lies within what was drawn")
    expect(page.locator(".selectionlayer path")).to_have_count(0)
    matching(page, 10_000)
    assert "lasso=" not in page.url


def test_the_lasso_stays_chosen_after_one_that_begins_on_the_toolbar_and_after_a_double_click(page: Page) -> None:
    page.goto("/uncertain?view=scatter")
    drawn = chart(page)
    drawn.hover(force=True)
    pan = drawn.locator('[data-val="pan"]')
    on_pan = pan.bounding_box()
    place = place_of(drawn)
    assert on_pan is not None
    assert place is not None
    start = on_pan["x"] + on_pan["width"] / 2, on_pan["y"] + on_pan["height"] / 2
    page.mouse.move(*start)
    page.mouse.down()
    for across, down in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.2)):
        page.mouse.move(place["x"] + across * place["width"], place["y"] + down * place["height"], steps=5)
    page.mouse.move(*start, steps=5)
    page.mouse.up()
    expect(drawn.locator('[data-val="lasso"]')).to_have_class(re.compile(r"\bactive\b"))
    page.mouse.dblclick(place["x"] + 0.7 * place["width"], place["y"] + 0.1 * place["height"])
    box_around(page, drawn, 0.2, 0.9)
    expect(page).to_have_url(re.compile("lasso="))
    settle(page)
    expect(chart(page).locator('[data-val="lasso"]')).to_have_class(re.compile(r"\bactive\b"))
    pan.click(force=True)
    expect(pan).to_have_class(re.compile(r"\bactive\b"))


@pytest.fixture(scope="module")
def very_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Run]]:
    """The address of an app over a run of more examples than are drawn one by one, and the run."""
    folder, generator = tmp_path_factory.mktemp("many"), np.random.default_rng(0)
    passes = generator.dirichlet(np.ones(3), (2, 25_000)).astype(np.float32)
    features = generator.normal(size=(25_000, 4)).astype(np.float32)
    run = mcviz.write_run(folder / "cache" / "many", passes, labels=generator.integers(0, 3, 25_000), features=features)
    with serving(folder, MCVIZ_CACHE=str(folder / "cache")) as (url, _):
        yield url, run


@pytest.mark.parametrize(("view", "kind"), [("scatter", "lasso"), ("map", "area")])
def test_of_very_many_examples_a_zoom_shows_each_and_a_lasso_over_cells_is_exact(
    browser: Browser, very_many: tuple[str, Run], view: str, kind: str
) -> None:
    url, run = very_many
    with visited(browser, url, viewport={"width": 1280, "height": 900}) as page:
        page.goto(f"/uncertain?view={view}")
        expect(page.locator(".tile").first).to_be_visible()
        settle(page)
        drawn = chart(page)
        assert drawn.evaluate("chart => chart.layout.images.length") == 1
        assert drawn.evaluate(PLACES) == []
        box_around(page, drawn, 0.5, 0.9)
        expect(page.get_by_role("button", name=re.compile("^lasso "))).to_be_visible()
        written = dict(parse_qsl(urlsplit(page.url).query))
        filters = Filters.from_query(written, RunLimits(len(run), 3, layouts=["pca"]))
        drawn_around = filters.lasso if kind == "lasso" else filters.area
        assert drawn_around is not None
        if kind == "lasso":
            x, y = (run.scores()[name].to_numpy() for name in ("predictive_entropy", "mutual_information"))
        else:
            x, y = principal_components(run.features)[:, :2].T
        points = np.column_stack([x, y]).tolist()
        expected = int(surrounded_by_a_loop(drawn_around.corners, points).sum())
        assert 0 < expected < len(run)
        matching(page, expected, len(run))
        page.get_by_role("button", name=re.compile("^lasso ")).click()
        matching(page, len(run), len(run))

        drawn = chart(page)
        drawn.locator("[data-title='Zoom']").click()
        drag(page, place_of(drawn), [(0.6, 0.6), (0.8, 0.8)])
        expect(page.get_by_role("button", name="Show all")).to_be_visible()
        settle(page)
        drawn = chart(page)
        assert drawn.evaluate("chart => (chart.layout.images ?? []).length") == 0
        (left, right), (low, high) = drawn.evaluate("c => [c._fullLayout.xaxis.range, c._fullLayout.yaxis.range]")
        inside = np.flatnonzero((x >= left) & (x <= right) & (y >= low) & (y <= high))
        shown = {place["example"] for place in drawn.evaluate(PLACES)}
        assert 0 < len(inside) < len(run)
        assert set(inside.tolist()) <= shown
        page.get_by_role("button", name="Show all").click()
        expect(page.get_by_role("button", name="Show all")).to_have_count(0)
        assert chart(page).evaluate("chart => chart.layout.images.length") == 1


COLOUR = "document.querySelector('.st-key-reliability .js-plotly-plot')._fullLayout?.font?.color"


def test_a_chart_has_the_colours_of_a_theme_that_changes_as_the_width_does(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("/trust")
    letters = page.locator(".st-key-reliability .js-plotly-plot")
    expect(letters).to_be_visible()
    settle(page)
    took, colour = f"wanted => {COLOUR} === wanted", letters.evaluate(f"() => {COLOUR}")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"before => {COLOUR} !== before", arg=colour)
    colours = {"light": colour, "dark": letters.evaluate(f"() => {COLOUR}")}
    for turn in range(12):  # a chart that kept its colours did so in one of four
        scheme = ("light", "dark")[turn % 2]
        page.set_viewport_size({"width": (1000, 1440, 1200)[turn % 3], "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(took, arg=colours[scheme])
