"""axe finds nothing of ours on any page, and nothing scrolls sideways: light and dark, wide, narrow and zoomed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import axe_playwright_python
import pytest
from playwright.sync_api import Page, ViewportSize

from mcviz.app.navigation import PAGES
from mcviz.app.views import VIEWS
from tests.browser.conftest import FIRST_PREDICTION, FITS, LAPTOP, PHONE, settle

Theme = Literal["light", "dark"]

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
LOOKS: list[tuple[Theme, ViewportSize]] = [
    ("light", LAPTOP),
    ("dark", ViewportSize(width=1920, height=1080)),
    ("light", ViewportSize(width=720, height=450)),  # the first, zoomed by 200%
    ("dark", PHONE),
]
# A name that is spoken has in it what is read, too, which axe does not ask by itself.
FOUND = """() => axe.run(document, {
  elementRef: true, resultTypes: ["violations"], rules: {"label-content-name-mismatch": {enabled: true}},
}).then(({violations}) => violations.flatMap(({id, impact, nodes}) => nodes.map((node) => ({
  rule: id, impact, target: node.target.flat().join(" "), html: node.html.slice(0, 200),
  within: node.element.closest("[data-testid]")?.dataset.testid,
  why: [...node.any, ...node.all, ...node.none].map(({message}) => message).join("; "),
}))))"""
# What is Streamlit's own: rule, and the element of Streamlit's that it is found in.
OF_STREAMLIT = {
    ("scrollable-region-focusable", "stTable"),  # the box in which a wide table scrolls; browsers give it the focus
}
TRIES = 10
ADDRESSES = [
    *("/" if page is PAGES[0] else f"/{page.url_path}" for page in PAGES),
    *(f"/uncertain?view={view}" for view in ("table", "scatter", "map", "confusion", "classes") if view in VIEWS),
    "/trust?referral=cheapest&details=figures,groups,scores,sets",
    "/example?closer_look=two_classes",
    "/compare?run=mnist-cnn&other=fashion-cnn",
    *(f"/{page}?run=digits-segmentation" for page in ("overview", "uncertain", "example", "trust", "probe")),
    "/side_by_side?pinned=1,2",
    "/probe?seed=3",
    "/probe?input=drawing",
    "/story?step=3",
    "/story?step=2&present=yes",
]


def of_streamlit(violation: dict[str, str]) -> bool:
    return (violation["rule"], violation["within"]) in OF_STREAMLIT


def find_faults(page: Page) -> list[dict[str, str]]:
    """Return the faults that axe finds in our parts of an open page, once its colours and widths are steady."""
    if page.evaluate("!window.axe"):
        page.evaluate(AXE)
    for _ in range(TRIES):
        page.wait_for_timeout(300)
        ours = [each for each in page.evaluate(FOUND) if not of_streamlit(each)]
        if not ours:
            break
    return ours


def check_for_axe(page: Page, looks: Sequence[tuple[Theme, ViewportSize]] = LOOKS[:1]) -> None:
    """Check that axe finds nothing of ours on an open page in these looks, and that nothing scrolls sideways."""
    page.wait_for_function(  # the style of the page may come after what it is of
        "() => [...document.querySelectorAll('style')].some(each => each.textContent.includes('stCaptionContainer'))"
    )
    found = []
    for theme, width in looks:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(width)
        page.wait_for_function(FITS)
        found += [(theme, width["width"], each) for each in find_faults(page)]
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("address", ADDRESSES)
def test_axe_finds_nothing_of_ours_and_nothing_scrolls_sideways(page: Page, address: str) -> None:
    page.goto(address)
    settle(page, FIRST_PREDICTION)
    check_for_axe(page, LOOKS)
