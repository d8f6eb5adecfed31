"""Two runs compared in a real browser: a click, a lasso and a link each become what other pages show."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import mcviz
from mcviz.analysis.comparison import compare
from mcviz.app.address import RunLimits
from mcviz.app.filters import Filters
from tests.browser.conftest import MILLISECONDS_TO_APPEAR, go_to, matching, rests, settle
from tests.browser.test_charts import box_around
from tests.browsing import visited

EXAMPLES = 300
MOST_SCREENS = 3  # of a comparison
FIRST = 4 * MILLISECONDS_TO_APPEAR  # the first comparison of a server loads libraries


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, random = tmp_path_factory.mktemp("compared"), np.random.default_rng(0)
    labels = random.integers(3, size=EXAMPLES)
    images = random.integers(0, 256, (EXAMPLES, 8, 8, 1), dtype=np.uint8)
    for name in ("before", "after"):
        logits = random.normal(size=(9, EXAMPLES, 3)) + np.eye(3)[labels]
        probs = (np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)).astype(np.float32)
        mcviz.write_run(folder / name, probs, data=images, labels=labels, class_names=["cat", "dog", "owl"])
    return folder


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["wide", "narrow"])
def page(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[Page]:
    width, height = request.param
    with visited(browser, url, viewport={"width": width, "height": height}) as page:
        yield page


def query(page: Page) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs(urlsplit(page.url).query).items()}


def test_what_changed_is_clicked_selected_and_kept(page: Page, cache: Path) -> None:
    runs = [mcviz.open_run(cache / name) for name in ("before", "after")]
    lost = compare(*runs).changes.of("right to wrong")
    page.goto("/compare?run=before&other=after")
    expect(page.get_by_role("heading", name="Are they uncertain about the same examples?")).to_be_visible(timeout=FIRST)
    settle(page)
    wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= window.innerWidth")
    assert wide, "the page is wider than the window"
    if page.viewport_size["width"] > 640:
        screens = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight / innerHeight")
        assert screens <= MOST_SCREENS
    page.get_by_role("button", name=re.compile(rf"^Example {lost[0]}\b")).first.click()
    page.wait_for_url(re.compile(rf"[?&]example={lost[0]}(&|$)"))
    settle(page)
    expect(page.get_by_role("spinbutton", name="Example")).to_have_value(str(lost[0]))
    page.get_by_role("link", name=f"Filter to these {len(lost)}").click()
    expect(page.get_by_role("button", name="change right to wrong")).to_be_visible()
    matching(page, len(lost), EXAMPLES)
    assert json.loads(query(page)["columns"]) == {"change": ["right to wrong"]}


def test_a_lasso_over_both_runs_is_a_selection(page: Page, cache: Path) -> None:
    page.goto("/compare?run=before&other=after&details=both")
    expect(page.get_by_role("heading", name="Are they uncertain about the same examples?")).to_be_visible(timeout=FIRST)
    settle(page)
    drawn = page.locator(".st-key-both .js-plotly-plot")
    drawn.scroll_into_view_if_needed()
    expect(drawn.locator(".nsewdrag").first).to_be_visible()
    rests(drawn)
    box_around(page, drawn, 0.2, 0.7)
    expect(page.get_by_role("button", name="lasso in Confidence × Confidence in after")).to_be_visible()
    settle(page)
    known = ("max_probability", "other_max_probability")
    lasso = Filters.from_query(query(page), RunLimits(EXAMPLES, 3, numbers=known)).lasso
    assert lasso is not None
    one, other = (mcviz.open_run(cache / name).scores()["max_probability"] for name in ("before", "after"))
    inside = lasso.mask(one.to_frame("max_probability").assign(other_max_probability=other)).sum()
    assert 0 < inside < EXAMPLES
    go_to(page, "Explore")
    matching(page, inside, EXAMPLES)
