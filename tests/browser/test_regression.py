"""A regression in a real browser: a lasso around predictions, a range of true values, one example; wide and narrow."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import mcviz
from mcviz.app.address import RunLimits
from mcviz.app.filters import Filters
from tests.app.kinds import EXAMPLES, REGRESSIONS
from tests.browser.conftest import FITS, LAPTOP, PHONE, matching, settle
from tests.browser.test_exploration import tiles
from tests.browsing import drag

RUNS = ("regression-of-rows", "regression-of-three-targets")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regressions")
    for name in RUNS:
        given = REGRESSIONS[name](np.random.default_rng(0))
        mcviz.write_run(folder / name, given.pop("passes"), task="regression", **given)
    return folder


@pytest.mark.parametrize(
    ("run", "view", "target"),
    [(RUNS[0], "predicted", 0), (RUNS[1], "predicted", 1), (RUNS[0], "errors", 0)],
)
def test_a_lasso_selects_what_it_surrounds_and_one_of_it_is_opened(
    cache_page: Page, cache: Path, run: str, view: str, target: int
) -> None:
    page, opened = cache_page, mcviz.open_run(cache / run)
    page.set_viewport_size(LAPTOP)
    page.goto(f"/uncertain?run={run}&view={view}&target={target}")
    points = page.locator(f".st-key-{view} .nsewdrag").first
    expect(points).to_be_visible()
    settle(page)
    drag(page, points.bounding_box(), [(0.02, 0.02), (0.98, 0.02), (0.98, 0.5), (0.02, 0.5), (0.02, 0.02)])
    expect(page.get_by_role("button", name=re.compile("^lasso in "))).to_be_visible()
    rows = opened.table()
    query = dict(parse_qsl(urlsplit(page.url).query))
    inside = Filters.from_query(query, RunLimits(len(rows), 0, numbers=list(rows))).mask(rows)
    assert 0 < inside.sum() < EXAMPLES
    matching(page, inside.sum(), EXAMPLES)
    first = rows[inside]["predictive_std"].idxmax()
    expect(tiles(page).first).to_have_attribute("data-example", str(first))
    tiles(page).first.dblclick()
    expect(page.get_by_role("spinbutton", name="Example", exact=True)).to_have_value(str(first))
    expect(page.get_by_text(f"Rank 1 of {inside.sum()} matching")).to_be_visible()
    expect(page.get_by_text("The ensemble predicts")).to_be_visible()
    assert ("target=1" in page.url) == (target == 1)


def test_a_range_of_true_values_is_narrowed(cache_page: Page, cache: Path) -> None:
    page, labels = cache_page, mcviz.open_run(cache / RUNS[0]).table()["label"]
    page.set_viewport_size(LAPTOP)
    page.goto(f"/uncertain?run={RUNS[0]}")
    page.get_by_text(re.compile("^More: ")).click()
    page.get_by_label("Range of").click()
    page.get_by_role("option", name="True value", exact=True).click()
    page.get_by_role("slider", name="True value").last.press("ArrowLeft")
    expect(page.get_by_role("button", name=re.compile("^True value up to .* mg"))).to_be_visible()
    matching(page, (labels < labels.max()).sum(), EXAMPLES)


@pytest.mark.parametrize("run", RUNS)
def test_every_view_and_page_fits_and_changes_its_target(cache_page: Page, run: str) -> None:
    page = cache_page
    for path in (
        "",
        *(f"uncertain?view={view}" for view in ("table", "scatter", "predicted", "errors", "intervals")),
        "example?example=3&closer_look=passes",
        "side_by_side?pinned=0,1",
        *(f"story?step={step}" for step in (1, 2, 3, 4)),
    ):
        page.goto(f"/{path}{'&' if '?' in path else '?'}run={run}")
        settle(page)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.get_by_test_id("stException").count() == 0, path
        for size in (LAPTOP, PHONE):
            page.set_viewport_size(size)
            page.wait_for_function(FITS)
    if run == RUNS[1]:
        page.set_viewport_size(LAPTOP)
        page.goto(f"/uncertain?run={run}&view=intervals")
        settle(page)
        option = page.get_by_role("option", name="y <b>", exact=True)
        for _ in range(5):  # what is drawn late below closes the list again
            page.get_by_label("Target").click()
            page.wait_for_timeout(1000)
            if option.is_visible():
                break
        option.click()
        page.wait_for_url("**target=1**")
        page.get_by_role("radio", name="95%").click()
        page.wait_for_url("**coverage=95**")
