"""No head and no control of the shipped runs is cut, on a laptop and on a small one."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from playwright.sync_api import TimeoutError as NeverError

from mcviz.app.navigation import PAGES
from tests.browser.conftest import FIRST_PREDICTION, LAPTOP, settle

RUNS = "mnist-cnn", "fashion-cnn", "digits-segmentation"
ADDRESSES = (
    *(f"/{page.url_path}?" for page in PAGES if page.url_path not in ("compare", "side_by_side")),
    "/runs?other=fashion-cnn&",
    "/side_by_side?pinned=1,2&",
    *(f"/uncertain?view={view}&" for view in ("table", "scatter", "map", "confusion", "classes")),
)
SMALL = ViewportSize(width=1024, height=768)
# The words of heads and controls that end behind the edge of what clips them; a name that has a title is whole there.
CUT = """() => {
  const [found, parts] = [[], "h1, h2, h3, label, button, a, th, [role=radio]"];
  const clips = (place) => ["hidden", "clip"].includes(getComputedStyle(place).overflowX);
  const scrolls = (place) => ["auto", "scroll"].includes(getComputedStyle(place).overflowX);
  const isSpoken = (place) => place.getBoundingClientRect().width < 4;
  const check = (words) => {
    const range = document.createRange();
    range.selectNodeContents(words);
    const { left, right, width } = range.getBoundingClientRect();
    const around = (place) => place.parentElement ?? place.getRootNode().host;
    for (let place = words; width && place && !scrolls(place); place = around(place)) {
      if (isSpoken(place)) return;
      const edges = place.getBoundingClientRect();
      if (clips(place) && (right > edges.right + 1.5 || left < edges.left - 1.5)) return found.push(words.textContent);
    }
  };
  const typed = (field) => {
    const [style, pen] = [getComputedStyle(field), document.createElement("canvas").getContext("2d")];
    pen.font = style.font;
    const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const words = field.value || field.placeholder;
    if (room > 0 && pen.measureText(words).width > room + 1) found.push(words);
  };
  const look = (root) => root.querySelectorAll("*").forEach((each) => {
    if (each.shadowRoot) look(each.shadowRoot);
    if (each.matches("input[type=text]")) typed(each);
    const hasWords = [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const isNamed = each.title && !each.dataset.brief;
    if (hasWords && !isNamed && each.closest(parts) && each.checkVisibility({ visibilityProperty: true })) check(each);
  });
  look(document);
  return found;
}"""


@pytest.mark.parametrize("run", RUNS)
def test_no_head_and_no_control_is_cut(page: Page, run: str) -> None:
    cut = []
    for address in ADDRESSES:
        page.set_viewport_size(LAPTOP)
        page.goto(f"{address}run={run}")
        expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=FIRST_PREDICTION)
        for size in (LAPTOP, SMALL):
            page.set_viewport_size(size)
            settle(page, FIRST_PREDICTION)
            try:
                page.wait_for_function(f"() => !({CUT})().length")  # until what a new width moves has moved
            except NeverError:
                cut.append((address, size["width"], page.evaluate(CUT)))
    assert not cut, "\n".join(map(str, cut))
