"""How fast the dashboard answers, in a real Chromium, beside a bare Streamlit page with one plotly histogram.

    python benchmarks/dashboard.py            # the shipped run
    python benchmarks/dashboard.py --large    # a run of 200,000 images as well, which takes some minutes to sample

Times are from the act to what it shows being drawn; every row is the median and the 95th percentile of its tries.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import mcviz  # noqa: E402
from mcviz.measures import most_uncertain_first  # noqa: E402

SHIPPED = ROOT / "cache" / "mnist-cnn"
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
BARE = """
import numpy as np, plotly.graph_objects as go, streamlit as st
st.set_page_config(layout="wide")
st.title("Bare")
st.image(np.zeros((280, 280), dtype=np.uint8))
st.plotly_chart(go.Figure(go.Histogram(x=np.random.default_rng(0).normal(size=500).astype("float32"))))
"""
LARGE_IMAGES, LARGE_PASSES = 200_000, 50


@contextmanager
def served(script: Path, folder: Path, cache: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Streamlit server of its own, from a cold process; yields at once, not when it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    options = ["--server.headless", "true", "--browser.gatherUsageStats", "false", "--server.address", "127.0.0.1"]
    server = subprocess.Popen(
        command + options,
        cwd=folder,
        env={**os.environ, "MCVIZ_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}", server
    finally:
        server.terminate()
        server.wait(30)


def wait_until_it_answers(url: str) -> None:
    """Return as soon as the server takes requests."""
    while True:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.02)


@contextmanager
def visited(browser: Browser, url: str) -> Iterator[Page]:
    """A page in a browser session of its own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(120_000)
    try:
        page = context.new_page()
        page.goto(url, wait_until="commit")
        yield page
    finally:
        context.close()


def charts_drawn(page: Page, count: int) -> None:
    """Wait until so many charts have their axes."""
    expect(page.locator(".js-plotly-plot .xaxislayer-above .xtick")).not_to_have_count(0)
    expect(page.locator(".js-plotly-plot .main-svg .cartesianlayer")).to_have_count(count)


def timed(act: Callable[[], None], drawn: Callable[[], None]) -> float:
    """Seconds from an act to what it shows."""
    start = time.perf_counter()
    act()
    drawn()
    return time.perf_counter() - start


def row(name: str, seconds: list[float], beside: list[float] | None = None) -> None:
    """Print one line of the table."""
    median, late = statistics.median(seconds), float(np.percentile(seconds, 95))
    ratio = f"{median / statistics.median(beside):8.2f} ×" if beside else ""
    print(f"{name:<58}{1000 * median:8.0f} ms{1000 * late:8.0f} ms{ratio}", flush=True)


def starts(browser: Browser, tries: int, folder: Path, script: Path, charts: int, cache: Path) -> list[float]:
    """Seconds from a cold process to drawn charts."""
    found = []
    for _ in range(tries):
        start = time.perf_counter()
        with served(script, folder, cache) as (url, _server):
            wait_until_it_answers(url)
            with visited(browser, url) as page:
                charts_drawn(page, charts)
                found.append(time.perf_counter() - start)
    return found


def sessions(browser: Browser, tries: int, url: str, charts: int) -> list[float]:
    """Seconds of a new browser session on a warm server to drawn charts."""
    found = []
    for _ in range(tries + 1):
        start = time.perf_counter()
        with visited(browser, url) as page:
            charts_drawn(page, charts)
            found.append(time.perf_counter() - start)
    return found[1:]


def first_tile(page: Page) -> Locator:
    """The gallery's first image."""
    return page.locator(".tile").first


def exploring(browser: Browser, tries: int, url: str, run: mcviz.Run) -> None:
    """The acts of an exploration, each until its images or charts are drawn."""
    scores = run.scores()
    names = ["mutual_information", "max_probability"]
    firsts = {name: most_uncertain_first(name, scores[name].to_numpy()) for name in names}
    with visited(browser, f"{url}/uncertain") as page:
        shown = page.get_by_label("Rank by")
        expect(first_tile(page)).to_be_visible()
        chip = page.get_by_role("button", name="wrong answers")
        by_score, by_filter, by_page = [], [], []
        for attempt in range(tries):
            name = names[attempt % 2]
            shown.click()
            option = page.get_by_role("option", name=mcviz.SCORES[name].label)
            image = str(firsts[name][0])
            by_score.append(timed(option.click, partial(drawn_first, page, image)))
        for _ in range(tries):
            field = page.get_by_label("Find")
            field.fill("wrong")
            by_filter.append(timed(lambda: page.keyboard.press("Enter"), expect(chip).to_be_visible))
            by_filter.append(timed(chip.click, expect(chip).to_be_hidden))
        order = firsts[names[(tries - 1) % 2]]
        for attempt in range(tries):
            onwards = attempt % 2 == 0
            button = page.get_by_role("button", name="Next page" if onwards else "Previous page")
            image = str(order[24 if onwards else 0])
            by_page.append(timed(button.click, partial(drawn_first, page, image)))
        row("gallery: another score", by_score)
        row("gallery: a filter on or off", by_filter)
        row("gallery: another page", by_page)
    with visited(browser, f"{url}/example") as page:
        charts_drawn(page, 2)
        order = firsts["max_probability"]
        by_next = []
        for attempt in range(1, tries + 1):
            words = page.get_by_text(f"Rank {attempt + 1:,} of")
            by_next.append(timed(lambda: page.locator("body").press("ArrowRight"), partial(example_drawn, page, words)))
        row("one example: the next one", by_next)
    lassos = []
    for _ in range(tries):
        with visited(browser, f"{url}/uncertain?view=Scatter") as page:
            lassos.append(lasso(page))
    row("scatter: a lasso around many points to the new gallery", lassos)


def drawn_first(page: Page, image: str) -> None:
    """Wait until the gallery begins with an image."""
    expect(first_tile(page)).to_have_attribute("data-image", image)


def example_drawn(page: Page, words: Locator) -> None:
    """Wait until the example's rank stands there and nothing is greyed out any more."""
    expect(words).to_be_visible()
    expect(page.locator("[data-stale=true]")).to_have_count(0)


def lasso(page: Page) -> float:
    """Draw around the right two thirds of the plane; seconds from letting go to the new gallery."""
    area = page.locator(".st-key-scatter .nsewdrag").first
    expect(area).to_be_visible()
    expect(first_tile(page)).to_be_visible()
    page.wait_for_timeout(1000)
    box = area.bounding_box()
    if box is None:
        raise RuntimeError("the scatter chart is not on the page")
    corners = [(0.055, 0.02), (0.98, 0.02), (0.98, 0.99), (0.055, 0.99), (0.055, 0.02)]
    (x, y), *others = [(box["x"] + box["width"] * a, box["y"] + box["height"] * b) for a, b in corners]
    page.mouse.move(x, y)
    page.mouse.down()
    for to in others:
        page.mouse.move(*to, steps=6)
    chip = page.get_by_role("button", name="outlined in")
    return timed(page.mouse.up, lambda: expect(chip).to_be_visible())


def memory(browser: Browser, url: str, server: subprocess.Popen[bytes]) -> None:
    """Print the server's resident memory with ten sessions open."""
    contexts = [browser.new_context() for _ in range(10)]
    for number, context in enumerate(contexts):
        page = context.new_page()
        page.goto(f"{url}/{['', 'uncertain', 'example'][number % 3]}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(500)
    status = Path(f"/proc/{server.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    mapped = Path(f"/proc/{server.pid}/maps").read_text()
    print(f"{'server memory, 10 sessions open':<58}{resident / 1024:8.0f} MB", flush=True)
    print(f"{'TensorFlow imported':<58}{'yes' if 'tensorflow' in mapped else 'no':>8}", flush=True)
    for context in contexts:
        context.close()


def large_cache(folder: Path) -> Path:
    """A cache with one run of 200,000 images: the shipped ones, shifted and dimmed."""
    run = mcviz.open_run(SHIPPED)
    images, generator = np.asarray(run.images[:]), np.random.default_rng(0)
    copies = []
    for _ in range(LARGE_IMAGES // len(images)):
        moved = np.roll(images, generator.integers(-2, 3, size=2), axis=(1, 2))
        copies.append((moved * generator.uniform(0.6, 1)).astype(np.uint8))
    labels = None if run.labels is None else np.tile(run.labels, len(copies))
    data = mcviz.LabelledImages(np.concatenate(copies), labels)
    print(f"sampling {LARGE_IMAGES:,} images, {LARGE_PASSES} passes …", flush=True)
    mcviz.record(run.model_path, data, folder / "large", passes=LARGE_PASSES)
    return folder


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=10, help="of each act (10)")
    parser.add_argument("--large", action="store_true", help="also a run of 200,000 images")
    parser.add_argument("--chromium", default=os.environ.get("CHROMIUM") or shutil.which("chromium"))
    arguments = parser.parse_args()
    expect.set_options(timeout=120_000)
    print(f"{'':<58}{'median':>11}{'95th':>11}{'to bare':>10}")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        bare = folder / "bare.py"
        bare.write_text(BARE)
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=SWITCHES)
        cold_bare = starts(browser, arguments.tries, folder, bare, 1, SHIPPED.parent)
        cold = starts(browser, arguments.tries, ROOT, ROOT / "dashboard.py", 2, SHIPPED.parent)
        row("bare page, cold process to drawn chart", cold_bare)
        row("overview, cold process to drawn charts", cold, cold_bare)
        with served(bare, folder, SHIPPED.parent) as (url, _):
            wait_until_it_answers(url)
            warm_bare = sessions(browser, arguments.tries, url, 1)
            row("bare page, new session on a warm server", warm_bare)
        with served(ROOT / "dashboard.py", ROOT, SHIPPED.parent) as (url, server):
            wait_until_it_answers(url)
            row("overview, new session on a warm server", sessions(browser, arguments.tries, url, 2), warm_bare)
            exploring(browser, arguments.tries, url, mcviz.open_run(SHIPPED))
            memory(browser, url, server)
        if arguments.large:
            cache = large_cache(folder)
            with served(ROOT / "dashboard.py", ROOT, cache) as (url, server):
                wait_until_it_answers(url)
                print(f"\nthe same with {LARGE_IMAGES:,} images:")
                row("overview, new session on a warm server", sessions(browser, arguments.tries, url, 2), warm_bare)
                exploring(browser, arguments.tries, url, mcviz.open_run(cache / "large"))
                memory(browser, url, server)
        browser.close()


if __name__ == "__main__":
    main()
