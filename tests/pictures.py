"""Take the pictures of every page of the dashboard for README and docs/: `python -m tests.pictures`.

It takes a Chromium. The runs are those that come with mcviz.
"""

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests.browsing import ROOT, SWITCHES, find_chromium, serving

WIDTH, HEIGHT, SCALE = 1440, 900, 2
COLOURS = 256  # of the palette, so that a picture takes tens of kilobytes
MILLISECONDS = 120_000  # that a page may take
TITLE = "h1, h2"
CHART = ".js-plotly-plot .xaxislayer-above .xtick"
PICTURES = ROOT / "docs" / "pictures"
PAGES = {  # by the file's name: the address, and the part that the page draws last
    "overview": ("overview?run=mnist-cnn", CHART),
    "explore": ("uncertain?run=mnist-cnn", ".st-key-look .strips svg, .st-key-look .strips canvas"),
    "one-example": ("example?run=mnist-cnn&example=247", TITLE),
    "side-by-side": ("side_by_side?run=mnist-cnn&pinned=247,1709,6625", TITLE),
    "trust": ("trust?run=mnist-cnn", TITLE),
    "label": ("review?run=mnist-cnn", TITLE),
    "probe": ("probe?run=mnist-cnn", TITLE),
    "out-of-distribution": ("out_of_distribution?run=mnist-cnn", TITLE),
    "runs": ("runs?run=mnist-cnn", TITLE),
    "compare": ("compare?run=mnist-cnn&other=fashion-cnn", TITLE),
    "present": ("story?run=mnist-cnn", TITLE),
}


def take_pictures(folder: Path) -> None:
    """Write a PNG of each page into a folder."""
    with (
        tempfile.TemporaryDirectory() as home,
        serving(Path(home), MCVIZ_CACHE=str(ROOT / "cache")) as (url, _),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_chromium(), args=SWITCHES) as browser,
    ):
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE, color_scheme="light"
        )
        page.set_default_timeout(MILLISECONDS)
        expect.set_options(timeout=MILLISECONDS)
        for name, (address, last) in PAGES.items():
            page.goto(f"{url}/{address}")
            page.locator(last).first.wait_for()
            expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
            expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
            page.wait_for_load_state("networkidle")
            picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
            few = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE)  # which keeps rare ones
            few.save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    take_pictures(PICTURES)
