"""Take the pictures of the dashboard that README shows: `python -m tests.pictures`.

It takes a Chromium. The run is one that comes with mcviz.
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
PAGES = {  # by the file's name: the page, and what of it is drawn last
    "explore": ("uncertain", ".st-key-look .strips svg, .st-key-look .strips canvas"),
    "overview": ("overview", ".js-plotly-plot .xaxislayer-above .xtick"),
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
        for name, (path, last) in PAGES.items():
            page.goto(f"{url}/{path}?run=mnist-cnn")
            page.locator(last).first.wait_for()
            expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=MILLISECONDS)
            picture = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
            picture.convert("RGB").quantize(COLOURS).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    take_pictures(ROOT / "docs")
