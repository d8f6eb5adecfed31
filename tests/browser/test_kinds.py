"""Every page on runs of all kinds, in a real browser: nothing in its console, no exception, nothing wider than it."""

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.app.kinds import KINDS, REGRESSIONS, cache_of_kinds
from tests.browser.conftest import FITS, LAPTOP, PHONE, settle

PAGES = [
    ("", {}),
    ("uncertain", {}),
    ("example", {"example": "3"}),
    ("side_by_side", {"pinned": "0,1,2,3"}),
    ("probe", {}),
    ("story", {"step": "2"}),
]
VIEWS_OF = {  # those that show most of the kind; the tests without a browser open all
    "forest": ["table"],
    "thousand": ["scatter", "confusion", "classes"],
    "long-names": ["scatter", "confusion", "classes"],
    "photographs": ["table", "map"],
    "columns": ["table", "groups"],
    "two-classes": ["map", "confusion"],
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    cache_of_kinds(folder)
    return folder


@pytest.mark.parametrize(("number", "run"), list(enumerate([*KINDS, *REGRESSIONS])))
def test_every_page_is_drawn_for_some_runs_and_for_every_run_one_page(cache_page: Page, number: int, run: str) -> None:
    views = [("uncertain", {"view": view, "colour": "prediction"}) for view in VIEWS_OF.get(run, [])]
    for path, query in [PAGES[number % len(PAGES)], *views]:
        cache_page.goto(f"/{path}?{urlencode({'run': run, **query})}")
        settle(cache_page)
        cache_page.get_by_role("button", name="About this run").click()
        expect(cache_page.get_by_text(re.compile(rf"^{re.escape(run)} · .* · imported from "))).to_be_visible()
        cache_page.keyboard.press("Escape")
        for wrong in ("stException", "stAlertContentError"):
            assert cache_page.get_by_test_id(wrong).count() == 0, (path, query)
        for size in (LAPTOP, PHONE) if path in ("uncertain", "example") else (LAPTOP,):
            cache_page.set_viewport_size(size)
            cache_page.wait_for_function(FITS)
        cache_page.set_viewport_size(LAPTOP)


def test_the_hover_of_a_tile_says_its_id_and_the_users_own_columns(cache_page: Page) -> None:
    cache_page.goto("/uncertain?run=columns&selected=7")
    settle(cache_page)
    tile = cache_page.locator("button.tile")
    assert (tile.get_attribute("title") or "").split("\n", 1)[1].startswith("id: scans/2024/picture_007.png\nsource: ")


@pytest.mark.parametrize(("run", "tallest"), [("tall", 240), ("wide-standardised", 100), ("photographs", 240)])
def test_pictures_keep_their_proportions_and_are_not_too_tall(cache_page: Page, run: str, tallest: int) -> None:
    cache_page.goto(f"/uncertain?run={run}")
    settle(cache_page)
    box = cache_page.locator(".picture").first.bounding_box()
    aspect = {"tall": 32 / 128, "wide-standardised": 128 / 32, "photographs": 1}[run]
    assert box["width"] / box["height"] == pytest.approx(aspect, rel=0.02)
    assert box["height"] <= tallest + 1
