"""Several labels an example in a real browser: classes are chosen by keys, and tiles say what does not fit."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import mcviz
from mcviz.measures import most_uncertain_first
from mcviz.reviews import open_reviews, summarise_reviews
from tests.browser.conftest import FITS, LAPTOP, PHONE, came_ahead, name_reviewer, settle
from tests.browsing import visited

EXAMPLES = 24
NAMES = ["one", "two", "three", "a rather long name", "five", "six"]
# From `window.inOneGo` on, a page is drawn so late that it never shows that the server was busy with it.
IN_ONE_GO = """
window.WebSocket = class extends window.WebSocket {
  addEventListener(kind, hear, ...rest) {
    const kept = [];
    let timer;
    const bundled = (event) => {
      if (!window.inOneGo) return hear.call(this, event);
      kept.push(event);
      clearTimeout(timer);
      timer = setTimeout(() => kept.splice(0).forEach((each) => hear.call(this, each)), 300);
    };
    super.addEventListener(kind, kind === "message" ? bundled : hear, ...rest);
  }
};
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, random = tmp_path_factory.mktemp("runs"), np.random.default_rng(0)
    odds = random.normal(0.3, 2, (EXAMPLES, 6))
    labels = (random.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(int)
    probs = 1 / (1 + np.exp(-(odds + random.normal(0, 0.5, (5, *odds.shape)))))
    images = random.integers(0, 256, (EXAMPLES, 8, 8, 1), dtype=np.uint8)
    mcviz.write_run(folder / "run", probs, labels=labels, class_names=NAMES, data=images, task="multilabel")
    return folder


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with visited(browser, url, viewport=LAPTOP) as page:
        yield page


def test_classes_are_put_in_and_out_by_keys_and_kept_by_one(page: Page, cache: Path) -> None:
    run = mcviz.open_run(cache / "run")
    score = run.scores()["expected_error"].to_numpy()
    first, second = most_uncertain_first("expected_error", score, run.score_registry)[:2].tolist()
    page.add_init_script(IN_ONE_GO)
    page.goto("/review?part=queue")
    name_reviewer(page, "Ada")
    came_ahead(page)
    expected = run.labels[first].copy()
    for number in (0, 4):
        key = page.locator(f'[class*="st-key-review-class-{number}-"]')
        page.keyboard.press(key.locator("code").inner_text())
        expected[number] = 1 - expected[number]
        expect(key).to_contain_text("✓") if expected[number] else expect(key).not_to_contain_text("✓")
        settle(page)
        came_ahead(page)
        page.evaluate("window.inOneGo = true")
    page.keyboard.press("k")
    expect(page.locator(f'[class*="st-key-review-skip-{second}-"]:not([data-retained])').first).to_be_visible()
    known = summarise_reviews(run, open_reviews(run).rows())
    assert known.decisions_by("Ada")[first].classes == tuple(expected.tolist())
    for size in (PHONE, LAPTOP):
        page.set_viewport_size(size)
        settle(page)
        assert page.evaluate(FITS)


def test_where_names_do_not_fit_a_tile_has_their_number_and_its_title_has_all(page: Page, cache: Path) -> None:
    run = mcviz.open_run(cache / "run")
    table = run.table()
    page.goto("/uncertain?tile_size=small")
    settle(page)
    tiles = page.locator(".st-key-gallery button.tile")
    expect(tiles.first).to_be_visible()
    briefs = 0
    for tile in tiles.all():
        row = table.iloc[int(tile.get_attribute("data-example"))]
        wrong = [name for name in row["wrong"].split(";") if name]
        words = tile.locator("[data-brief]")
        is_cut = words.evaluate("(words) => words.textContent === words.dataset.brief")
        briefs += is_cut
        if is_cut:
            assert words.inner_text() == (f"{len(wrong)} wrong" if wrong else "right")
        assert all(name in tile.get_attribute("title") for name in wrong)
    assert briefs > EXAMPLES / 2
    page.goto("/trust")
    settle(page)
    for size in (PHONE, LAPTOP):
        page.set_viewport_size(size)
        settle(page)
        assert page.evaluate(FITS)
