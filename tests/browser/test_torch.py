"""Runs of PyTorch models in a real browser: shown, and asked about pictures and texts by the user's transform."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import mcviz
from tests.browser.conftest import settle
from tests.browser.test_kinds import FITS, LAPTOP, PHONE
from tests.browsing import serving, visited
from tests.requiring import require_torch

require_torch("safetensors")
pytestmark = pytest.mark.exhaustive

PACKAGE = "tests.sampling.torch.package"
COUNT = 30
FIRST_PREDICTION = 120_000  # milliseconds: the model is loaded


@pytest.fixture(scope="module")
def torch_page(browser: Browser, chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all runs; it fails on any error in its console, and on any request that leaves this machine."""
    cache = tmp_path_factory.mktemp("torch")
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, 16, 16, 3), dtype=np.uint8)
    for name, data in (("picture", pictures), ("text", [f"text number {number}" for number in range(COUNT)])):
        network = mcviz.load_torch(f"{PACKAGE}:{name}_model", transform=f"{PACKAGE}:{name}_transform")
        mcviz.sample_run(
            network, (data, np.arange(COUNT) % 3), cache / name, passes=20, class_names=["ant", "bee", "cat"]
        )
    with (
        serving(tmp_path_factory.mktemp("served"), MCVIZ_CACHE=str(cache), MCVIZ_IMPORT=PACKAGE) as (url, log),
        visited(browser, url, viewport=LAPTOP) as page,
    ):
        yield page
    assert "Traceback" not in log.read_text(), log.read_text()


def open_page(page: Page, path: str, **query: str) -> None:
    page.goto(f"/{path}?{urlencode(query)}")
    settle(page, FIRST_PREDICTION)
    for wrong in ("stException", "stAlertContentError"):
        expect(page.get_by_test_id(wrong)).to_have_count(0)


def expect_prediction(page: Page) -> None:
    """The ensemble's prediction and its verdict, on a laptop and on a phone."""
    predicted = page.get_by_text(re.compile("The ensemble predicts (ant|bee|cat) with")).first
    expect(predicted).to_be_visible(timeout=FIRST_PREDICTION)
    expect(page.get_by_text(re.compile("distribution")).first).to_be_visible()
    settle(page)
    for size in (PHONE, LAPTOP):
        page.set_viewport_size(size)
        page.wait_for_function(FITS)


def test_pictures_are_shown_and_others_are_prepared_by_the_transform(torch_page: Page) -> None:
    open_page(torch_page, "uncertain", run="picture", page_size="96")
    expect(torch_page.locator("button.tile")).to_have_count(COUNT)
    open_page(torch_page, "probe", run="picture")
    torch_page.get_by_role("radio", name="Noise").click()
    expect_prediction(torch_page)
    torch_page.get_by_role("radio", name="Distort an example").click()
    expect(torch_page.get_by_text("Along the whole slider")).to_be_visible()
    expect_prediction(torch_page)


def test_texts_are_shown_and_one_that_is_typed_is_prepared_by_the_transform(torch_page: Page) -> None:
    open_page(torch_page, "uncertain", run="text", page_size="96")
    expect(torch_page.locator("button.tile .words").get_by_text("text number 7", exact=True)).to_have_count(1)
    open_page(torch_page, "probe", run="text")
    torch_page.get_by_label("Your text").fill("a horse, a cow and a sheep")
    torch_page.get_by_label("Your text").press("Control+Enter")
    expect_prediction(torch_page)
