"""Names that are meant to do harm, in a real browser: it shows them as they were typed, and asks no other host."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from mcviz.app.filters import ColumnFilter, Filters
from mcviz.app.views import VIEWS
from tests.app.hostile import (
    CANARY,
    HONEST,
    HONEST_RUN,
    HOSTILE,
    HOSTILE_RUN,
    LIVE_RUN,
    OWN_RUN,
    SHOWN_RUN,
    hostile_cache,
)
from tests.browser.conftest import MILLISECONDS_TO_APPEAR, settle
from tests.browsing import visited

SHOWN = list(HOSTILE.values())
# What no name may become: anything that is loaded, clicked or typeset. Our own pictures are data within the page.
MADE_OF_A_NAME = (
    f'img[src*="{CANARY}"], a[href^="http://{CANARY}"], a[href^="http://www.{CANARY}"], a[href^="mailto:"], '
    f'script[src*="{CANARY}"], .katex, iframe, [class*="stMarkdownColored"], [class*="stMarkdownBadge"], '
    'img[alt="Streamlit logo"], .js-plotly-plot a, .js-plotly-plot tspan[style*="bold"]'
)

# Everything that is visible, as it is read: of components' shadow trees too, and of charts.
ALL_TEXT = """() => {
  const texts = [];
  const visit = (node) => {
    if (node.nodeType === 3 || node.tagName === "text") texts.push(node.textContent);
    else if (node.tagName === "INPUT") texts.push(node.value);
    else if (!["STYLE", "SCRIPT"].includes(node.tagName)) {
      if (node.shadowRoot) visit(node.shadowRoot);
      node.childNodes.forEach(visit);
    }
  };
  visit(document.querySelector("main, section.stMain, body"));
  return texts.join("\\n");
}"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    hostile_cache(folder)
    return folder


@pytest.fixture(scope="module")
def named_page(browser: Browser, url: str) -> Iterator[Page]:
    """One page for all addresses; it fails on any request that leaves this machine."""
    with visited(browser, url, viewport={"width": 1440, "height": 900}, accept_downloads=True) as page:
        page.route(f"**://*{CANARY}/**", lambda route: route.abort())
        yield page


def text_of(page: Page, awaited: Sequence[str] = ()) -> str:
    """All that a page shows, once it shows what is awaited, or else what it shows at last: charts are drawn late."""
    for _ in range(MILLISECONDS_TO_APPEAR // 100):
        text = " ".join(str(page.evaluate(ALL_TEXT)).replace("\u2060", "").split())
        if all(each in text for each in awaited):
            break
        page.wait_for_timeout(100)
    return text


def shown(page: Page, path: str, run: str, awaited: Sequence[str] = (), **query: str) -> str:
    """Open a page, and read all that it shows."""
    page.goto(f"/{path}?{urlencode({'run': run, **query})}")
    settle(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    assert page.locator(MADE_OF_A_NAME).count() == 0
    assert page.get_by_test_id("stException").count() == 0
    return text_of(page, awaited)


@pytest.mark.parametrize(
    ("run", "heading", "names", "view"),
    [*((HOSTILE_RUN, SHOWN_RUN, SHOWN, view) for view in VIEWS), (HONEST_RUN, HONEST_RUN, HONEST, "classes")],
)
def test_every_view_shows_names_as_they_were_typed(
    named_page: Page, run: str, heading: str, names: list[str], view: str
) -> None:
    query = Filters(label=tuple(range(len(names)))).to_query()
    # The confusion matrix's own filters these would be, and its long names are cut.
    wanted = [] if view == "confusion" else [name.strip() for name in names]
    text = shown(named_page, "uncertain", run, wanted, view=view, **query)
    assert heading in text
    for name in wanted:
        assert name in text, name


def test_every_look_at_an_example_shows_names_as_they_were_typed(named_page: Page) -> None:
    for look in ("similar", "two_classes", "passes"):
        text = shown(named_page, "example", HOSTILE_RUN, example="1", closer_look=look)
        assert SHOWN_RUN in text
        for name in SHOWN:
            assert name.strip() in text, "of its histogram"
    for path, query in (("", {}), ("side_by_side", {"pinned": "0,1,2,3"}), *(("story", {"step": s}) for s in "12345")):
        shown(named_page, path, HOSTILE_RUN, **query)


def test_ids_and_columns_are_shown_as_they_were_typed(named_page: Page) -> None:
    column, value = next(iter(HOSTILE)), SHOWN[0]
    text = shown(named_page, "example", OWN_RUN, example="0")
    for name in SHOWN:
        assert text.count(name.strip()) >= 2, name  # the name of a column, and a value of another
    for query in ({"view": "table"}, {"view": "groups", "column": column}, {"view": "scatter", "colour": column}):
        filters = Filters().with_column(ColumnFilter(column, values=tuple(HOSTILE)))
        text = shown(named_page, "uncertain", OWN_RUN, **query, **filters.to_query())
        assert f"{value} {value} or " in text  # the chip of the filter


def test_the_probe_shows_names_as_they_were_typed(named_page: Page) -> None:
    shown(named_page, "probe", LIVE_RUN, input="distortion")
    expect(named_page.get_by_text("Along the whole slider")).to_be_visible()
    settle(named_page)
    assert named_page.locator(MADE_OF_A_NAME).count() == 0
    text = text_of(named_page, SHOWN)
    assert LIVE_RUN in text
    for name in SHOWN:
        assert name in text


def test_the_address_is_text_too(named_page: Page) -> None:
    hostile = f"`\n\n![x](http://{CANARY}/p.png)"
    assert f"There is no run “` ![x](http://{CANARY}/p.png)” here." in shown(named_page, "example", hostile)
    text = shown(named_page, "example", HONEST_RUN, example=hostile)
    assert f"There is no example “` ![x](http://{CANARY}/p.png)” in this run" in text
