"""Runs of PyTorch models in a real browser: shown, and asked about pictures and texts by the user's transform."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import mcviz
from tests.browser.conftest import FIRST_PREDICTION, FITS, LAPTOP, PHONE, settle
from tests.browsing import check_log, serving, visited
from tests.requiring import require_torch

require_torch("safetensors", "timm", "torchvision", "transformers")
PACKAGE, ZOO = "tests.sampling.torch.package", "tests.sampling.torch.zoo"
COUNT = 30
CLASSES = ["ant", "bee", "cat"]
PICTURE_MODELS = {"Functional": (8, 1, CLASSES), "resnet": (32, 3, [*CLASSES, "dog", "elk"])}
PICTURE_MODELS["vit"] = 16, *PICTURE_MODELS["resnet"][1:]
TEXT_MODELS = "lstm", "Encoder", "bert"


@pytest.fixture(scope="module")
def torch_page(browser: Browser, chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all runs; it fails on any error in its console, and on any request that leaves this machine."""
    cache = tmp_path_factory.mktemp("torch")
    texts, labels = [f"text number {number}" for number in range(COUNT)], np.arange(COUNT) % 3
    for name, data in (("picture", make_pictures(16, 3)), ("text", texts)):
        network = mcviz.load_torch(f"{PACKAGE}:{name}_model", transform=f"{PACKAGE}:{name}_transform")
        mcviz.sample_run(network, (data, labels), cache / name, passes=20, class_names=CLASSES)
    for name, (size, channels, classes) in PICTURE_MODELS.items():
        data = make_pictures(size, channels), labels
        mcviz.sample_run(mcviz.load_torch(f"{ZOO}:{name}"), data, cache / name, passes=20, class_names=classes)
    for name in TEXT_MODELS:
        network = mcviz.load_torch(f"{ZOO}:{name}", transform=f"{PACKAGE}:word_transform")
        mcviz.sample_run(network, (texts, labels), cache / name, passes=20, class_names=CLASSES)
    modules = f"{PACKAGE} {ZOO}"
    with (
        serving(tmp_path_factory.mktemp("served"), MCVIZ_CACHE=str(cache), MCVIZ_IMPORT=modules) as (url, log),
        visited(browser, url, viewport=LAPTOP) as page,
    ):
        yield page
    check_log(log)


def make_pictures(size: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (COUNT, size, size, channels), dtype=np.uint8)


def open_page(page: Page, path: str, **query: str) -> None:
    page.goto(f"/{path}?{urlencode(query)}")
    settle(page, FIRST_PREDICTION)
    for wrong in ("stException", "stAlertContentError"):
        expect(page.get_by_test_id(wrong)).to_have_count(0)


def expect_prediction(page: Page) -> None:
    """The ensemble's prediction and its verdict, on a laptop and on a phone."""
    predicted = page.get_by_text(re.compile("The ensemble predicts (ant|bee|cat|dog|elk) with")).first
    expect(predicted).to_be_visible(timeout=FIRST_PREDICTION)
    expect(page.get_by_text(re.compile("distribution")).first).to_be_visible()
    settle(page)
    for size in (PHONE, LAPTOP):
        page.set_viewport_size(size)
        page.wait_for_function(FITS)


def test_pictures_are_shown_and_others_are_prepared_by_the_transform(torch_page: Page) -> None:
    open_page(torch_page, "uncertain", run="picture", page_size="96")
    expect(torch_page.locator("button.tile")).to_have_count(COUNT)
    open_page(torch_page, "probe", run="picture", input="noise", seed="1")
    expect_prediction(torch_page)
    torch_page.get_by_role("radio", name="Distort").click()
    expect(torch_page.get_by_text("Along the whole slider")).to_be_visible()
    expect_prediction(torch_page)


def test_texts_are_shown_and_one_that_is_typed_is_prepared_by_the_transform(torch_page: Page) -> None:
    open_page(torch_page, "uncertain", run="text", page_size="96")
    expect(torch_page.locator("button.tile .words").get_by_text("text number 7", exact=True)).to_have_count(1)
    ask_about_a_text(torch_page, "text")


@pytest.mark.parametrize("name", [*PICTURE_MODELS, *TEXT_MODELS])
def test_models_of_every_kind_are_shown_and_asked(torch_page: Page, name: str) -> None:
    open_page(torch_page, "uncertain", run=name)
    expect(torch_page.locator("button.tile")).not_to_have_count(0)
    if name in TEXT_MODELS:
        ask_about_a_text(torch_page, name)
    else:
        open_page(torch_page, "probe", run=name, input="noise", seed="1")
        expect_prediction(torch_page)


def ask_about_a_text(page: Page, run: str) -> None:
    open_page(page, "probe", run=run, input="text")
    page.get_by_label("Your text").fill("a horse, a cow and a sheep")
    page.get_by_label("Your text").press("Control+Enter")
    expect_prediction(page)
