"""A component shows the data that it was given last, as they are, in whatever order Streamlit's calls are made."""

import pytest
from playwright.sync_api import Browser

from mcviz.app.components import load_assets
from tests.app.hostile import HOSTILE

pytestmark = pytest.mark.always

COMPONENT = """
export default withLatestData(({ data, parentElement }) => {
  parentElement.textContent = data;
  return () => (parentElement.ended = data);
});
"""
# As Streamlit 1.67 does: a call for each change of the data, once the script is imported. What a call returned is taken
# back at once where newer data came, and that of the last call when the component goes.
GIVEN = """async ({ script, changes }) => {
  const host = document.body.appendChild(document.createElement("div"));
  const parentElement = host.attachShadow({ mode: "open" });
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const order = [];
  let atTheEnd;
  const call = async (data) => (await import(address)).default({ data: (order.push(data), data), parentElement });
  const given = async (data) => {
    const end = await call(data);
    if (data < changes) Promise.resolve(end).then((end) => end());
    else atTheEnd = end;
  };
  await Promise.all(Array.from({ length: changes }, (_, index) => given(index + 1)));
  await new Promise((resolve) => setTimeout(resolve));
  const shown = Number(parentElement.textContent);
  host.remove();
  atTheEnd();
  return { shown, ended: parentElement.ended, inOrder: order.every((data, index) => data === index + 1) };
}"""

SHOWN = """async ({ script, texts }) => {
  const text_box = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  const parentElement = document.body.attachShadow({ mode: "open" });
  return texts.map((text) => {
    text_box.default({ data: { text, spoken: text, height: 90 }, parentElement });
    const [box] = parentElement.querySelectorAll("[role=region]");
    return [box.textContent, box.children.length];
  });
}"""


def test_the_latest_data_are_shown_and_their_call_is_ended(browser: Browser) -> None:
    page = browser.new_page()
    script = load_assets("latest_data.js") + COMPONENT
    found = [
        page.evaluate(GIVEN, {"script": f"{script}// {number}", "changes": changes})
        for changes in (1, 2, 3, 4)
        for number in range(25 * changes, 25 * changes + 25)
    ]
    page.close()
    assert (
        [each["shown"] for each in found]
        == [each["ended"] for each in found]
        == [1] * 25 + [2] * 25 + [3] * 25 + [4] * 25
    )
    assert not all(each["inOrder"] for each in found)  # the browser makes the calls in any order


def test_a_text_is_shown_as_it_was_typed(browser: Browser) -> None:
    page = browser.new_page()
    script = load_assets("element.js", "text.js", "latest_data.js", "text_box.js")
    shown = page.evaluate(SHOWN, {"script": script, "texts": list(HOSTILE)})
    page.close()
    assert shown == [[text, 0] for text in HOSTILE]
