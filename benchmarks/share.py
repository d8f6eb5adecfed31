"""Measure shared pages: their size, the seconds to write them, and the milliseconds to open, rank, filter and look.

The seconds are those that pass, and those of the processor, which depend less on what else the machine does.

Run in a checkout: python benchmarks/share.py [NAME ...]. Without a name it measures the runs that come with mcviz, and
three that are made for it: a million examples, 1,000 photographs of 512 × 512 pixels, and 20,000 texts.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
from playwright.sync_api import Browser, sync_playwright

import mcviz
from mcviz.runs import Run
from tests.browsing import ROOT, SWITCHES, find_chromium

OPENED = 5  # times
RANKED = """async (address) => {
  const began = performance.now();
  history.pushState(null, "", address);
  await show(address.includes("example="));
  document.body.getBoundingClientRect();
  return performance.now() - began;
}"""
LOOKED = """async (example) => {
  const began = performance.now();
  go({ example: String(example) });
  const look = document.querySelector("#look").shadowRoot;
  const said = () => look.querySelector(".which").textContent.match(/\\d+$/)?.[0];
  while (said() !== String(example))
    await new Promise((done) => setTimeout(done));
  return performance.now() - began;
}"""
COLUMNS = ("run", "examples", "in the page", "MB", "s to write", "of the processor", "open", "rank", "filter", "look")


def random_probs(random: np.random.Generator, labels: np.ndarray, passes: int, classes: int) -> np.ndarray:
    """(T, N, C) float32 probabilities that lean to the labels, some more than others."""
    certainty = random.gamma(3, 2, len(labels)).astype(np.float32)
    logits = random.normal(size=(passes, len(labels), classes)).astype(np.float32)
    logits += certainty[:, None] * np.eye(classes, dtype=np.float32)[labels]
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def million(folder: Path) -> Run:
    """Make a run of a million examples that are not kept."""
    random = np.random.default_rng(0)
    labels = random.integers(10, size=1_000_000)
    return mcviz.write_run(folder, random_probs(random, labels, 5, 10), labels=labels)


def photographs(folder: Path) -> Run:
    """Make a run of 1,000 photographs: smooth patches of colour with some grain."""
    random = np.random.default_rng(0)
    labels = random.integers(10, size=1_000)
    grain, images = random.normal(0, 6, (512, 512, 3)), np.empty((1_000, 512, 512, 3), np.uint8)
    for image in images:  # one by one, since all of them take 3 GB as numbers
        coarse = random.integers(0, 256, (16, 16, 3))
        image[:] = np.clip(coarse.repeat(32, axis=0).repeat(32, axis=1) + grain, 0, 255)
    return mcviz.write_run(folder, random_probs(random, labels, 20, 10), labels=labels, data=images)


def texts(folder: Path) -> Run:
    """Make a run of 20,000 texts of about 80 words."""
    random = np.random.default_rng(0)
    labels = random.integers(4, size=20_000)
    words = np.array(
        ["".join(random.choice([*"abcdefghijklmnoprstuvwy"], length)) for length in random.integers(2, 9, 5_000)]
    )
    content = [" ".join(random.choice(words, random.integers(40, 120))) for _ in labels]
    return mcviz.write_run(folder, random_probs(random, labels, 20, 4), labels=labels, data=content)


MADE: dict[str, Callable[[Path], Run]] = {"a million examples": million, "photographs": photographs, "texts": texts}
SHIPPED = ("mnist-cnn", "fashion-cnn", "digits-segmentation")


def runs(names: list[str], folder: Path) -> Iterator[Run]:
    """Open or make the runs of some names."""
    for name in names or [*SHIPPED, *MADE]:
        yield MADE[name](folder / name.replace(" ", "-")) if name in MADE else mcviz.open_run(ROOT / "cache" / name)


def measure(run: Run, file: Path, browser: Browser) -> tuple[str, ...]:
    """Measure the page of a run; each time in the browser is the median of several."""
    began, worked = time.perf_counter(), time.process_time()
    mcviz.share(run, file)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    times: dict[str, list[float]] = {"open": [], "rank": [], "filter": [], "look": []}
    for _ in range(OPENED):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{file.as_uri()}#/explore")
        page.wait_for_selector("[data-opened]", state="attached")
        times["open"].append(float(page.evaluate("document.documentElement.dataset.opened")))
        score = page.evaluate("Object.keys(DATA.scores).at(-1)")
        times["rank"].append(page.evaluate(RANKED, f"#/explore?score={score}"))
        times["filter"].append(page.evaluate(RANKED, f"#/explore?score={score}&prediction=0&page=2"))
        second = page.evaluate("examples.numbers[examples.numbers.length >> 1]")
        times["look"].append(page.evaluate(LOOKED, second))
        kept = page.evaluate("examples.numbers.length")
        page.close()
    figures = (f"{median(values):.0f} ms" for values in times.values())
    size = f"{file.stat().st_size / 1e6:.2f}"
    return run.name, f"{len(run):,}", f"{kept:,}", size, f"{seconds:.1f}", f"{processor:.1f}", *figures


def main() -> None:
    """Print a row a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "runs", nargs="*", help="runs on disk, or names of those that are made; all of both without any"
    )
    asked = parser.parse_args().runs
    print(" | ".join(COLUMNS))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=SWITCHES)
        for run in runs(asked, Path(folder)):
            print(" | ".join(measure(run, Path(folder) / "page.html", browser)), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
