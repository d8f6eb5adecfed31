"""No head and no control of a page is cut, on a laptop and on a small one."""

from playwright.sync_api import Page, ViewportSize
from playwright.sync_api import TimeoutError as NeverError

from tests.browser.conftest import FIRST_PREDICTION, LAPTOP, settle

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


def check_for_cut_words(page: Page) -> None:
    """Check that no head and no control of an open page is cut."""
    cut = []
    for size in (LAPTOP, SMALL):
        page.set_viewport_size(size)
        settle(page, FIRST_PREDICTION)
        try:
            page.wait_for_function(f"() => !({CUT})().length")  # until what a new width moves has moved
        except NeverError:
            cut.append((size["width"], page.evaluate(CUT)))
    assert not cut, "\n".join(map(str, cut))
