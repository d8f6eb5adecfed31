"""The probe in a real browser: drawn on with the mouse and by touch, files uploaded, each kind of input predicted."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from mcviz.app.components import load_assets
from tests.browser.conftest import FIRST_PREDICTION, MILLISECONDS_TO_APPEAR, PHONE, rests, settle
from tests.browser.test_exploration import histograms

THREE = [(0.3, 0.22), (0.55, 0.18), (0.68, 0.33), (0.45, 0.48), (0.7, 0.6), (0.6, 0.8), (0.3, 0.78)]
Points = list[tuple[float, float]]


def open_probe(page: Page, kind: str) -> None:
    page.goto("/probe")
    page.get_by_role("radio", name=kind).click()
    settle(page, FIRST_PREDICTION)


def predict(page: Page) -> None:
    expect(histograms(page).first).to_be_visible(timeout=FIRST_PREDICTION)
    settle(page)


def pad(page: Page) -> Locator:
    return page.get_by_role("img", name="Drawing pad")


def on_the_page(page: Page, points: Points) -> Points:
    box = pad(page).bounding_box()
    assert box
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def draw(page: Page, points: Points) -> None:
    first, *others = on_the_page(page, points)
    page.mouse.move(*first)
    page.mouse.down()
    for point in others:
        page.mouse.move(*point, steps=5)
    page.mouse.up()


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def upload(page: Page, name: str, content: bytes) -> None:
    page.locator("input[type=file]").set_input_files(FilePayload(name=name, mimeType="image/png", buffer=content))


def first_number(text: str) -> int:
    return int(text.split()[0].replace(",", ""))


def test_a_three_drawn_with_the_mouse_is_a_three(page: Page) -> None:
    open_probe(page, "Draw")
    expect(page.get_by_text("Draw something on the pad")).to_be_visible()
    expect(page.get_by_role("button", name="Stop predicting")).to_have_count(0)
    draw(page, THREE)
    predict(page)
    expect(page.get_by_role("button", name="Stop predicting")).to_be_visible()
    expect(page.get_by_text(re.compile("The ensemble predicts 3 with"))).to_be_visible()
    pad(page).press("ArrowLeft")  # the pen of the keyboard is shown, and not saved
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").press("Enter")
    saved = np.asarray(Image.open(download.value.path()).convert("RGB"))
    assert 0.05 < (saved == 255).all(axis=2).mean() < 0.3
    assert (saved == saved[..., :1]).all()

    draw(page, [(0.3, 0.22), (0.3, 0.78)])  # a stroke more, and the prediction follows at once
    expect(page.get_by_text(re.compile("The ensemble predicts 8 with"))).to_be_visible()
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_text(re.compile("The ensemble predicts 3 with"))).to_be_visible()

    page.get_by_role("radio", name="Upload").click()
    expect(pad(page)).to_have_count(0)
    page.get_by_role("radio", name="Draw").click()  # the drawing is still there
    expect(page.get_by_text(re.compile("The ensemble predicts 3 with"))).to_be_visible()
    page.get_by_role("button", name="Clear").press("Space")
    expect(page.get_by_text("Draw something on the pad")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


STROKES = """async ({ script, style }) => {
  const pad = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  const parentElement = document.body.attachShadow({ mode: "open" });
  parentElement.append(Object.assign(document.createElement("style"), { textContent: style }));
  const setStateValue = (_, strokes) => (window.sent = strokes);
  pad.default({ data: { aspect: 1, strokes: [] }, parentElement, setStateValue });
}"""


@pytest.mark.always
def test_strokes_of_the_mouse_are_sent_with_their_width_until_they_are_taken_back(browser: Browser) -> None:
    page = browser.new_page()
    assets = {"script": load_assets("drawing_pad.js"), "style": load_assets("drawing_pad.css")}
    page.evaluate(STROKES, assets)
    draw(page, [(0.2, 0.2), (0.2, 0.4)])
    page.get_by_label("Line width").fill("0.2")
    draw(page, [(0.5, 0.5), (0.7, 0.5)])
    first, second = page.evaluate("sent")
    assert (first["width"], second["width"]) == (0.09, 0.2)
    for stroke, ends in ((first, [(0.2, 0.2), (0.2, 0.4)]), (second, [(0.5, 0.5), (0.7, 0.5)])):
        np.testing.assert_allclose([stroke["points"][0], stroke["points"][-1]], ends, atol=0.01)  # of whole pixels
    page.get_by_role("button", name="Undo").click()
    assert page.evaluate("sent") == [first]
    page.get_by_role("button", name="Clear").click()
    assert page.evaluate("sent") == []
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.close()


def test_the_line_width_and_the_place_matter_where_nothing_is_centred(page: Page) -> None:
    open_probe(page, "Draw")
    draw(page, [(0.2, 0.2), (0.2, 0.4)])
    seen = page.get_by_role("img", name="The drawing")
    expect(seen).to_be_visible()
    centred = seen.get_attribute("src")
    page.get_by_text("Centre and scale what is drawn").click()
    expect(seen).not_to_have_attribute("src", str(centred))
    placed = seen.get_attribute("src")
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Line width").fill("0.2")
    draw(page, [(0.2, 0.2), (0.2, 0.4)])
    expect(seen).to_be_visible()
    expect(seen).not_to_have_attribute("src", str(placed))


def test_a_finger_draws_and_does_not_scroll(page: Page) -> None:
    page.set_viewport_size(PHONE)
    open_probe(page, "Draw")
    pad(page).scroll_into_view_if_needed()
    rests(pad(page))
    scrolled = page.get_by_test_id("stMain").evaluate("element => element.scrollTop")
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    for kind, (x, y) in zip(["touchStart", *["touchMove"] * (len(THREE) - 1)], on_the_page(page, THREE), strict=True):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.get_by_role("img", name="The drawing")).to_be_visible()
    assert page.get_by_test_id("stMain").evaluate("element => element.scrollTop") == scrolled
    predict(page)
    expect(page.get_by_text(re.compile("The ensemble predicts 3 with"))).to_be_visible()


def test_an_upload_is_predicted_and_a_bad_one_is_one_sentence(page: Page) -> None:
    open_probe(page, "Upload")
    paper = np.full((200, 300, 3), 235, np.uint8)
    paper[30:170, 140:160] = 30
    upload(page, "one.png", png(paper))
    expect(page.get_by_role("img", name="The uploaded picture one.png")).to_be_visible()
    page.get_by_text("Invert", exact=True).click()
    page.get_by_text("Centre and scale what is drawn").click()
    predict(page)
    expect(page.get_by_text(re.compile("The ensemble predicts 1 with"))).to_be_visible()
    upload(page, "renamed.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    expect(page.get_by_text("neither PNG nor JPEG, whatever its name says, but an SVG")).to_be_visible()
    expect(histograms(page)).to_have_count(0)
    expect(page.get_by_text("As the model sees it")).to_have_count(0)


def test_a_refused_file_takes_the_place_of_the_one_before_and_is_one_sentence_in_our_words(
    page: Page, tmp_path: Path
) -> None:
    open_probe(page, "Upload")
    expect(page.get_by_text("PNG or JPEG, at most 40 MB and 50 megapixels")).to_be_visible()
    expect(page.get_by_text("MB per file")).to_be_hidden()
    good = png(np.full((20, 30), 235, np.uint8))
    bad = {
        "large.png": (good + bytes(40 * 2**20), "The file is too large: 40.0 MB, where at most 40 MB"),
        "seven.txt": (b"Seven.", "but no picture at all"),
        "seven.gif": (b"GIF89a" + bytes(50), "but a GIF"),
    }
    first = True
    for name, (content, sentence) in bad.items():
        (tmp_path / name).write_bytes(content)
        page.locator("input[type=file]").set_input_files(tmp_path / name)
        expect(page.get_by_test_id("stAlert").filter(has_text=re.compile(sentence))).to_have_count(1)
        settle(page)
        expect(page.get_by_test_id("stAlert")).to_have_count(1)
        expect(page.get_by_test_id("stFileChips")).to_have_text(re.compile(name))
        expect(page.get_by_test_id("stFileChips").get_by_role("alert")).to_have_count(0)
        expect(page.get_by_text("As the model sees it")).to_have_count(0)
        expect(histograms(page)).to_have_count(0)
        upload(page, "good.png", good)
        if first:
            predict(page)
        first = False
        expect(histograms(page)).to_have_count(10)
        expect(page.get_by_test_id("stFileChips")).not_to_have_text(re.compile(name))


def test_a_file_beyond_what_can_be_sent_is_refused_in_words_that_can_be_seen(page: Page, tmp_path: Path) -> None:
    open_probe(page, "Upload")
    huge = tmp_path / "huge.png"
    huge.write_bytes(bytes(51 * 2**20))
    page.locator("input[type=file]").set_input_files(huge)
    sentence = page.get_by_text("File must be 50.0MB or smaller")
    expect(sentence).to_be_visible()
    box = sentence.bounding_box()
    assert box
    assert box["height"] > 10


def test_one_of_the_noise_is_a_click_away_and_all_of_it_another(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/probe?run=mnist-cnn")
    settle(page)
    tile = page.locator("button.tile").nth(5)
    number = tile.get_attribute("data-example")
    tile.click()
    expect(page).to_have_url(re.compile(rf"seed={number}\b"))
    expect(page.get_by_text(f"Uniform noise at 100% strength, seed {number}")).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("Out of distribution: treat the answer as a guess")).to_be_in_viewport(
        ratio=1, timeout=FIRST_PREDICTION
    )
    expect(tile).to_have_attribute("aria-current", "true")
    expect(page.get_by_text("This is preliminary")).to_have_count(0, timeout=FIRST_PREDICTION)  # by itself
    expect(page.get_by_text("Examples with activations as unusual for their prediction")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("What is predicted for 100 noise images")).to_be_visible()


def test_what_the_path_of_out_of_distribution_opens_is_a_part_of_probe(page: Page) -> None:
    page.goto("/out_of_distribution?run=mnist-cnn&input=drawing")
    expect(page.get_by_text("Stopped by the verdict")).to_be_visible()
    expect(page.get_by_role("radio", name="Detectors")).to_be_checked()
    page.get_by_role("radio", name="Draw").click()
    expect(page.get_by_text("Draw something on the pad")).to_be_visible()
    assert "/probe?" in page.url
    page.go_back()
    expect(page.get_by_text("Stopped by the verdict")).to_be_visible()


def test_a_sweep_that_is_stopped_goes_on(page: Page) -> None:
    page.goto("/probe?run=mnist-cnn")
    settle(page)
    page.get_by_label("How many").fill("2000")
    page.get_by_label("How many").press("Enter")
    page.get_by_role("button", name="Predict noise images").click()
    expect(page.get_by_text(re.compile(r"of 2,000 noise images, 500 passes each")).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"[1-9][\d,]* of 2,000 noise images")).first).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    stopped = page.get_by_text(re.compile(r"Ended after [\d,]+ of 2,000"))
    expect(stopped).to_be_visible()
    expect(page.get_by_role("button", name="Predict noise images")).to_be_visible()
    before = first_number(stopped.inner_text().partition("Ended after ")[2])
    page.get_by_role("button", name="Go on").click()
    progress = page.get_by_text(re.compile(r"of 2,000 noise images, 500 passes each")).first
    assert first_number(progress.inner_text()) >= before > 0
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(stopped).to_be_visible()


def test_a_click_stops_predicting_and_another_starts_it_again(page: Page) -> None:
    open_probe(page, "Distort")
    predict(page)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Stop predicting").click()
    expect(page.get_by_role("button", name="Predict in")).to_be_visible()
    expect(histograms(page)).to_have_count(0)
    page.get_by_role("button", name="Predict in").click()
    predict(page)
    expect(page.get_by_role("button", name="Stop predicting")).to_be_visible()


def test_a_distorted_example_is_in_the_address_with_its_curves(page: Page) -> None:
    open_probe(page, "Distort")
    predict(page)
    expect(page.get_by_text("Along the whole slider")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    expect(histograms(page)).to_have_count(10)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("amount=5"))
    expect(page.get_by_text(re.compile("The label of the example is 7"))).to_be_visible()


@pytest.mark.parametrize("kind", ["Noise", "Draw", "Upload", "Distort"])
def test_no_input_is_wider_than_a_phone(page: Page, kind: str) -> None:
    page.set_default_timeout(MILLISECONDS_TO_APPEAR)
    page.set_viewport_size(PHONE)
    open_probe(page, kind)
    page.wait_for_timeout(700)
    assert page.get_by_test_id("stMain").evaluate("element => element.scrollWidth <= element.clientWidth")
