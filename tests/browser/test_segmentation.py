"""A segmentation in a real browser: outlines are drawn, every control changes the picture, and keys are its own."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

import mcviz
from tests.app.test_segmentation_pages import NAMES, draw
from tests.browser.accessible import check_for_axe
from tests.browser.conftest import LAPTOP, PHONE, settle

# A number that changes with any pixel of the picture.
DRAWN = """(canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
  .reduce((sum, value, index) => (sum * 31 + value * (index % 97)) % 2147483647, 7)"""

# The share of the pixels between two columns that are not grey.
COLOURED = """(canvas, [from, to]) => {
  const [x, wide] = [Math.round(from * canvas.width), Math.round((to - from) * canvas.width)];
  const high = [Math.round(0.1 * canvas.height), Math.round(0.8 * canvas.height)];
  const { data } = canvas.getContext("2d").getImageData(x, high[0], wide, high[1]);
  let coloured = 0;
  for (let at = 0; at < data.length; at += 4) coloured += data[at] !== data[at + 1];
  return (4 * coloured) / data.length;
}"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segmentations")
    for name, lean in (("discs", 3.0), ("other", 1.0)):
        images, masks, probs = draw(np.random.default_rng(0), lean)
        mcviz.write_run(folder / name, probs, data=images, labels=masks, task="segmentation", class_names=NAMES)
    return folder


def picture(page: Page, example: int) -> Locator:
    """The picture with outlines, once it is drawn."""
    found = page.get_by_role("img", name=re.compile(f"^Example {example} with outlines"))
    expect(found).to_be_visible()
    return found


@pytest.mark.always
def test_every_control_changes_the_picture(page: Page, stride: int) -> None:
    passes, example = 20, 2  # a run that comes with mcviz, and one whose prediction differs from the label
    page.goto(f"/example?run=digits-segmentation&example={example}")
    canvas = picture(page, example)
    settle(page)
    seen = {canvas.evaluate(DRAWN)}

    def expect_another() -> None:
        drawn = canvas.evaluate(DRAWN)
        assert drawn not in seen
        seen.add(drawn)

    layers = "Image", "Filled", "Prediction", "Label", "Where they differ", f"Outlines of all {passes} passes"
    for name in layers[::stride]:
        page.get_by_role("checkbox", name=name, exact=True).click()
        expect_another()
    one_class = page.get_by_role("button", name="digit 3", exact=True)
    one_class.click()
    expect_another()
    expect(one_class).to_have_attribute("aria-pressed", "true")
    chooser = page.get_by_label("Map over the image")
    expect(chooser).to_have_value("Share of passes that differ")
    chooser.select_option("Predictive entropy")
    expect_another()
    for name in ("One pass: none", "Opacity 70%"):
        page.get_by_role("slider", name=name).press("ArrowRight")
        expect_another()
    expect(page.get_by_text(f"Pass 1 of {passes}")).to_be_visible()
    page.get_by_role("button", name="Zoom in").click()
    expect_another()
    page.get_by_role("group", name=re.compile("^Picture")).press("ArrowRight")
    expect_another()
    expect(page.get_by_role("spinbutton", name="Example", exact=True)).to_have_value(str(example))
    canvas.hover()
    expect(page.get_by_text(re.compile(rf"^column \d+, row \d+: .+ in \d+ of {passes} passes; label"))).to_be_visible()


def test_the_controls_of_the_picture_are_in_the_first_screen_and_it_is_drawn_once(page: Page) -> None:
    page.set_viewport_size(LAPTOP)
    page.goto("/example?run=digits-segmentation&example=2")
    picture(page, 2)
    settle(page)
    for control in (page.get_by_label("Map over the image"), page.get_by_role("button", name="digit 9", exact=True)):
        box = control.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= LAPTOP["height"]
    expect(page.get_by_role("img", name=re.compile(r"^Example 2\b"))).to_have_count(1)


def test_the_eleventh_class_is_hatched_in_the_colour_of_the_first(cache_page: Page, cache: Path) -> None:
    maps = np.zeros((2, 1, 16, 16), np.uint8)
    maps[..., :8], maps[..., 8:] = 1, 11
    maps[1, 0, 0, 0] = 0  # so that the passes differ
    mcviz.write_run(cache / "many", maps, task="segmentation", class_names=[f"class {number}" for number in range(12)])
    cache_page.set_viewport_size(LAPTOP)
    cache_page.goto("/example?run=many&example=0")
    canvas = picture(cache_page, 0)
    for name in ("Prediction", "Filled"):
        cache_page.get_by_role("checkbox", name=name).click()
    assert canvas.evaluate(COLOURED, [0.1, 0.9]) == 0  # nothing is filled without the prediction
    cache_page.get_by_role("checkbox", name="Prediction").click()
    first, eleventh = (canvas.evaluate(COLOURED, half) for half in ([0.1, 0.45], [0.55, 0.9]))
    assert first == 1
    assert 0.3 < eleventh < 0.7
    expect(cache_page.locator(".class.hatched")).to_have_text(["class 11"])


def test_a_demo_draws_one_pass_after_the_other_until_it_is_paused(cache_page: Page) -> None:
    cache_page.set_viewport_size(LAPTOP)
    cache_page.goto("/story?run=discs&step=3")
    told = cache_page.get_by_text(re.compile(r"^Pass \d of 6$"))
    expect(told).to_have_text("Pass 1 of 6")
    expect(told).to_have_text("Pass 3 of 6")
    cache_page.get_by_role("button", name="Pause").click()
    expect(cache_page.get_by_role("button", name="Play")).to_be_visible()
    paused, box = told.text_content(), cache_page.locator(".stage").bounding_box()
    assert paused is not None
    assert box is not None
    assert box["y"] + box["height"] <= LAPTOP["height"]
    slider = cache_page.get_by_role("slider", name=paused)
    expect(slider).to_have_value(paused.split()[1])
    slider.press("ArrowRight")
    expect(told).not_to_have_text(paused)


def test_a_picture_has_its_name_before_it_is_drawn(page: Page) -> None:
    page.add_init_script("Response.prototype.arrayBuffer = () => new Promise(() => {})")  # nothing is ever unpacked
    page.goto("/example?run=digits-segmentation&example=2")
    expect(page.locator("[aria-busy=true] canvas")).to_have_role("img")
    expect(page.locator("[aria-busy=true] canvas")).to_have_accessible_name(re.compile("^Example 2 with outlines"))


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
@pytest.mark.parametrize(
    "address", ["example?example=5", "side_by_side?pinned=3,5", "trust", "uncertain", "runs?other=other"]
)
def test_pages_fit_and_axe_finds_nothing_of_ours(cache_page: Page, size: ViewportSize, address: str) -> None:
    cache_page.set_viewport_size(size)
    cache_page.goto(f"/{address}{'&' if '?' in address else '?'}run=discs")
    settle(cache_page)
    check_for_axe(cache_page, [("light", size)])


def test_every_target_of_a_referral_can_be_seen_on_a_phone(cache_page: Page) -> None:
    page = cache_page
    page.set_viewport_size(PHONE)
    page.goto("/trust?run=discs")
    for name in ("Budget", "Mean Dice", "Losses of Dice", "Cheapest"):
        box = page.get_by_role("radio", name=name, exact=True).bounding_box()
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= PHONE["width"]
