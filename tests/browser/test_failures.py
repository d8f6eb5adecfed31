"""However the dashboard is started, a visitor sees no inside of it when it fails, and its log has all."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from mcviz.app.work import UNFORESEEN
from tests.browser.conftest import settle
from tests.browsing import MCVIZ_DASHBOARD, MILLISECONDS_TO_APPEAR, ROOT, STREAMLIT_RUN, free_port, serving

PACKAGED = ("-m", "streamlit", "run", str(ROOT / "mcviz" / "dashboard.py"), "--server.port")
# Python runs a module of this name when it starts: the pages of this server cannot show a picture, and neither can a
# callback do anything.
BROKEN = """
import mcviz.app.navigation, mcviz.app.state, mcviz.figures

def fails(*_, **__):
    raise RuntimeError("nothing at /srv/secret/place")

mcviz.figures.picture_url = fails
mcviz.app.state.update_state = fails
"""


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(STREAMLIT_RUN, id="checkout"),
        pytest.param(MCVIZ_DASHBOARD, id="mcviz"),
        pytest.param(PACKAGED, id="packaged"),
    ],
)
def test_a_visitor_sees_a_sentence_and_the_operator_the_traceback(
    browser: Browser, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    with serving(tmp_path, command, PYTHONPATH=paths, MCVIZ_CACHE=str(ROOT / "cache")) as (url, log):
        page = browser.new_context().new_page()
        page.goto(f"{url}/example?run=mnist-cnn")
        expect(page.get_by_text(UNFORESEEN)).to_be_visible()
        settle(page)
        of_page = page.content()
        page.get_by_label("Example", exact=True).fill("3")
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("stException")).to_be_visible()  # Streamlit's own sentence: no page was begun
        of_callback = page.content()
        page.context.close()
    for shown in (of_page, of_callback):
        assert not re.search(r"Traceback|RuntimeError|/srv/|site-packages|mcviz/app", shown)
    told = log.read_text()
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* Page One example, run mnist-cnn failed\.\nTraceback", told)
    uncoloured = re.sub(r"\x1b\[[\d;]*m", "", told)  # where rich is installed, Streamlit colours what it logs
    assert uncoloured.count("RuntimeError: nothing at /srv/secret/place") >= 2


def test_the_first_click_after_the_server_was_started_anew_counts(browser: Browser, tmp_path: Path) -> None:
    port, cache = free_port(), str(ROOT / "cache")
    with serving(tmp_path, port=port, MCVIZ_CACHE=cache) as (url, _):
        page = browser.new_context().new_page()
        page.goto(f"{url}/uncertain?run=mnist-cnn")
        tiles = page.locator(".tile")
        expect(tiles).to_have_count(48)
        page.get_by_role("button", name="Actions", exact=True).click()
        page.get_by_role("button", name="Tick this page").click()
        expect(page.get_by_text("48 examples ticked")).to_be_visible()
        page.keyboard.press("Escape")
        settle(page)
    app = page.get_by_test_id("stApp")
    expect(app).not_to_have_attribute("data-test-connection-state", "CONNECTED")
    with serving(tmp_path, port=port, MCVIZ_CACHE=cache):
        expect(app).to_have_attribute("data-test-connection-state", "CONNECTED")
        expect(app).to_have_attribute("data-test-script-state", "running")  # it is drawn before anything is clicked
        settle(page, 2 * MILLISECONDS_TO_APPEAR)  # by a server that loads its modules first
        page.get_by_role("radio", name="Scatter").click()
        expect(page.locator(".st-key-scatter .main-svg").first).to_be_visible()
        expect(page).to_have_url(re.compile("view=scatter"))
        expect(page.get_by_text("48 examples ticked")).to_be_visible()
        page.context.close()
