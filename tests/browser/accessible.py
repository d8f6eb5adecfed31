"""axe finds nothing of ours on a page, and nothing scrolls sideways: light and dark, wide, narrow and zoomed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import axe_playwright_python
from playwright.sync_api import Page, ViewportSize
from playwright.sync_api import TimeoutError as NeverError

from tests.browser.conftest import FITS, LAPTOP, PHONE, settle

Theme = Literal["light", "dark"]

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
LOOKS: list[tuple[Theme, ViewportSize]] = [
    ("light", LAPTOP),
    ("light", ViewportSize(width=720, height=450)),  # the first, zoomed by 200%
    ("dark", ViewportSize(width=1920, height=1080)),
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
# For three frames, no animation runs but one without an end.
MOVES = "(each) => each.playState === 'running' && each.effect?.getComputedTiming().endTime < Infinity"
RESTS = f"""() => {{
  window.still = document.getAnimations().some({MOVES}) ? 0 : (window.still ?? 0) + 1;
  return window.still === 3 && !(window.still = 0);
}}"""
HAS_THEME = "(theme) => getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme === theme"


def find_faults(page: Page) -> list[dict[str, str]]:
    """Return the faults that axe finds in our parts of an open page, once its colours and widths are steady."""
    if page.evaluate("!window.axe"):
        page.evaluate(AXE)
    for _ in range(TRIES):
        page.wait_for_function(RESTS)
        ours = [each for each in page.evaluate(FOUND) if (each["rule"], each["within"]) not in OF_STREAMLIT]
        if not ours:
            break
        page.wait_for_timeout(300)  # on a busy machine, more may yet come
    return ours


def check_for_axe(page: Page, looks: Sequence[tuple[Theme, ViewportSize]] = LOOKS[:1]) -> None:
    """Check that axe finds nothing of ours on an open page in these looks, and that nothing scrolls sideways."""
    page.wait_for_function(  # the style of the page may come after what it is of
        "() => [...document.querySelectorAll('style')].some(each => each.textContent.includes('stCaptionContainer'))"
    )
    found: list[object] = []
    for theme, size in looks:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(size)
        page.wait_for_function(HAS_THEME, arg=theme)
        settle(page)
        found += [(theme, size["width"], each) for each in find_faults(page)]
        try:
            page.wait_for_function(FITS)
        except NeverError:
            found.append((theme, size["width"], "It scrolls sideways."))
    assert not found, "\n".join(map(str, found))
