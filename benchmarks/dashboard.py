"""The speed of the dashboard in a real Chromium, beside a bare Streamlit page with one plotly histogram.

    python benchmarks/dashboard.py            # the shipped run
    python benchmarks/dashboard.py --large    # a run of 200,000 images as well, which takes some minutes to sample
    python benchmarks/dashboard.py --examples 100000 1000000 # the shipped run beside runs of so many made-up examples
    python benchmarks/dashboard.py --runs FOLDER/RUN # the shipped run beside others, such as those of scale.py
    python benchmarks/dashboard.py --looks    # how soon an example stands that is looked at, and nothing else
    python benchmarks/dashboard.py --sampling # how much slower the pages are while a job samples, and nothing else

Times are from the act to what it shows being drawn; every row is the median and the 95th percentile of its tries.
"""

import argparse
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import mcviz  # noqa: E402
from benchmarks.browsing import (  # noqa: E402
    SWITCHES,
    Answer,
    answered,
    chart_drawn,
    row,
    row_of_answers,
    served,
    timed,
    visited,
    wait,
    wait_until_it_answers,
)
from mcviz.app.state import PAGE_SIZES, UNCERTAIN_FIRST  # noqa: E402
from mcviz.app.wording import direction  # noqa: E402
from mcviz.jobs import Jobs  # noqa: E402
from mcviz.jobs.of_run import options_of_data, options_of_model  # noqa: E402
from mcviz.measures import most_uncertain_first  # noqa: E402
from mcviz.options import format_arguments  # noqa: E402

SHIPPED = ROOT / "cache" / "mnist-cnn"
SEGMENTED = "digits-segmentation"  # beside it
BARE = """
import numpy as np, plotly.graph_objects as go, streamlit as st
st.set_page_config(layout="wide")
st.title("Bare")
st.button("Again")
st.image(np.full((280, 280), np.random.default_rng().integers(256), dtype=np.uint8))
st.plotly_chart(go.Figure(go.Histogram(x=np.random.default_rng().normal(size=500).astype("float32"))))
"""
BARE_FRAGMENT = """
import streamlit as st
counter = st.components.v2.component("counter", html="<button class=again>0</button>", js='''
export default ({ data, parentElement, setTriggerValue }) => {
  const button = parentElement.querySelector("button");
  button.textContent = data;
  button.onclick = () => setTriggerValue("clicked", true);
};''')
@st.fragment
def count():
    st.session_state.count = st.session_state.get("count", -1) + 1
    counter(key="counter", data=st.session_state.count, on_clicked_change=lambda: None)
count()
"""
LARGE_IMAGES, LARGE_PASSES = 200_000, 50
LISTED = 100  # runs
MADE_UP_PASSES = 4
ANEW = "isPicturedAnew() && isExplainedAnew()"  # the picture, or the name that stands below it, and the words
VIEWS = {  # by their names, what is there once each is drawn
    "Table": "[data-testid=stDataFrame] canvas",
    "Scatter": ".st-key-scatter .js-plotly-plot .nsewdrag",
    "Map": ".st-key-map .js-plotly-plot .nsewdrag",
    "Confusion": ".js-plotly-plot .barlayer .point",
}
LASSOED = 2_000  # images
ENDLESS_PASSES = 100_000  # more than are sampled while the pages are measured
HALF_A_SECOND = 500  # milliseconds
PROBE_WARM = 12_000  # milliseconds, in which the verdict's detector learns
FIRST_TILE = "([image]) => firstTile() === String(image)"
LAST_TILE = "([image]) => lastTile() === String(image)"


def starts(browser: Browser, tries: int, folder: Path, script: Path, cache: Path) -> list[float]:
    """Seconds from a cold process to its drawn chart."""
    found = []
    for _ in range(tries):
        start = time.perf_counter()
        with served(script, folder, cache) as (url, _server):
            wait_until_it_answers(url)
            with visited(browser, url) as page:
                chart_drawn(page)
                found.append(time.perf_counter() - start)
    return found


def sessions(browser: Browser, tries: int, url: str) -> list[float]:
    """Seconds of a new browser session on a warm server to its drawn chart."""
    found = []
    for _ in range(tries + 1):
        start = time.perf_counter()
        with visited(browser, url) as page:
            chart_drawn(page)
            found.append(time.perf_counter() - start)
    return found[1:]


def bare_answers(browser: Browser, tries: int, url: str) -> list[float]:
    """Seconds from a click on a bare page's button until its chart and picture are redrawn."""
    with visited(browser, url) as page:
        chart_drawn(page)
        button = page.get_by_role("button", name="Again")
        return [timed(page, button.click, "chartsAreNew", 1) for _ in range(tries)]


def gallery(browser: Browser, tries: int, url: str, run: mcviz.Run) -> None:
    """Another score, filter and page of the gallery, until its images are drawn."""
    scores = [mcviz.SCORES[name] for name in ("mutual_information", "max_probability")]
    firsts = {score.name: ranked(run, score.name) for score in scores}
    wrong = ~run.scores()["correct"].to_numpy(bool)
    by_score, by_filter, by_page = [], [], []
    with visited(browser, f"{url}/uncertain") as page:
        order = firsts["max_probability"]
        wait(page, FIRST_TILE, int(order[0]))
        for attempt in range(tries):
            score = scores[attempt % 2]
            order = firsts[score.name]
            page.get_by_role("combobox", name="Rank by").click()
            option = page.get_by_role("option", name=f"{score.label}, {direction(score, UNCERTAIN_FIRST)} first")
            by_score.append(timed(page, option.click, FIRST_TILE, int(order[0])))
        chosen = {"Wrong": order[wrong[order]], "All": order}
        for name in list(chosen) * tries:
            last = chosen[name][: PAGE_SIZES[0]][-1]
            choice = page.get_by_role("radio", name=re.compile(f"^{name} "))
            by_filter.append(timed(page, choice.click, LAST_TILE, int(last)))
        for attempt in range(tries):
            onwards = attempt % 2 == 0
            button = page.get_by_role("button", name="Next page" if onwards else "Previous page")
            by_page.append(timed(page, button.click, FIRST_TILE, int(order[PAGE_SIZES[0] if onwards else 0])))
    row("gallery: another score", by_score)
    row("gallery: a filter on or off", by_filter)
    row("gallery: another page", by_page)


def brushing(browser: Browser, tries: int, url: str) -> None:
    """A drag over the right of the ranking's histogram, and a click that takes it off, until the gallery follows."""
    with visited(browser, f"{url}/uncertain") as page:
        wait(page, "() => firstTile() && inside('.brush').length")
        plot = page.locator(".brush .plot").first
        found = []
        for attempt in range(2 * tries):
            before, box = page.evaluate("firstTile()"), plot.bounding_box()
            if box is None:
                raise RuntimeError("the histogram is not on the page")
            page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
            page.mouse.down()
            if attempt % 2 == 0:
                page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"], steps=4)
            drawn = "([before]) => firstTile() && firstTile() !== before"
            found.append(timed(page, page.mouse.up, drawn, before, since="pointerup"))
    row("gallery: a brush on or off", found)


def answered_click(target: Locator, drawn: str, *arguments: object) -> Answer:
    """How a click is answered that comes half a second after the pointer; see `answered`."""
    target.hover()
    target.page.wait_for_timeout(HALF_A_SECOND)
    return answered(target.page, target.click, drawn, *arguments, since="pointerup")


def looking(browser: Browser, tries: int, url: str) -> None:
    """A click on one tile after the other, every half second, until its strips are drawn in the panel beside."""
    with visited(browser, f"{url}/uncertain") as page:
        wait(page, "() => firstTile() && histograms()")
        found = []
        for attempt in range(1, tries + 1):
            tile = page.locator(".tile").nth(attempt % PAGE_SIZES[0])
            found.append(answered_click(tile, f"() => {ANEW} && histogramsAreNew()"))
    row_of_answers("gallery: a look at an example, until its histograms", found)


def looking_at_label_maps(browser: Browser, tries: int, url: str) -> None:
    """A look at an image of the shipped segmentation, and in turns at one of classes, until picture and words stand."""
    looks: dict[str, list[Answer]] = {SHIPPED.name: [], SEGMENTED: []}
    with ExitStack() as stack:
        pages = {run: stack.enter_context(visited(browser, f"{url}/uncertain?run={run}")) for run in looks}
        for page in pages.values():
            page.bring_to_front()
            wait(page, "() => firstTile() && document.querySelector('.st-key-explanations-ahead')")
        for attempt, (run, page) in product(range(1, tries + 1), pages.items()):
            page.bring_to_front()
            tile = page.locator(".tile").nth(attempt % PAGE_SIZES[0])
            looks[run].append(answered_click(tile, f"() => {ANEW}"))
    row_of_answers("gallery: a look at an image of classes", looks[SHIPPED.name])
    row_of_answers("gallery: one at an image of label maps, to that of classes", looks[SEGMENTED], looks[SHIPPED.name])


def looking_beside_bare(browser: Browser, tries: int, url: str, bare: str) -> None:
    """A look at an example of which nothing came ahead, and in turns a click on a bare fragment with one component."""
    looks: list[Answer] = []
    bares: list[Answer] = []
    with visited(browser, f"{url}/uncertain?view=table") as page, visited(browser, bare) as bare_page:
        wait(page, "() => histograms()")
        wait(bare_page, "() => inside('.again').length")

        for attempt in range(1, tries + 1):
            page.bring_to_front()
            looks.append(answered_click(page.locator(".look .next"), f"() => {ANEW} && histogramsAreNew()"))
            bare_page.bring_to_front()
            again = "([count]) => inside('.again')[0].textContent === count"
            bares.append(answered_click(bare_page.locator(".again"), again, str(attempt)))
    row_of_answers("bare fragment: a click to its one component", bares)
    row_of_answers("table: a look at an example that did not come ahead", looks, bares)


def answering(browser: Browser, tries: int, folder: Path, url: str) -> None:
    """What comes ahead, what does not beside a bare fragment, and decisions; they are stored."""
    bare = folder / "bare_fragment.py"
    bare.write_text(BARE_FRAGMENT)
    with served(bare, folder, SHIPPED.parent) as (bare_url, _):
        wait_until_it_answers(bare_url)
        looking_beside_bare(browser, tries, url, bare_url)
    deciding(browser, tries, url)
    ahead(browser, url)


def ahead(browser: Browser, url: str) -> None:
    """Print how much the server sends of a page of the gallery, and how much of that came ahead."""
    with visited(browser, f"{url}/uncertain") as page:
        wait(page, "() => firstTile() && histograms() && received.ahead")
        page.wait_for_timeout(1000)
        found = page.evaluate("received")
    print(f"{'gallery: sent in all':<58}{found['bytes'] / 1000:8.0f} kB", flush=True)
    print(f"{'gallery: of that ahead, after its tiles':<58}{found['ahead'] / 1000:8.0f} kB", flush=True)


def deciding(browser: Browser, tries: int, url: str) -> None:
    """One decision after the other, until the next example's picture and words stand."""
    found = []
    with visited(browser, f"{url}/review?part=queue") as page:
        page.get_by_role("button", name="Reviewer").click()
        page.get_by_label("Name", exact=True).fill("Ada")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        wait(page, "() => document.querySelector('.st-key-explanations-ahead')")
        page.wait_for_timeout(3000)
        for _ in range(tries):
            press = partial(page.locator("body").press, "p")
            found.append(answered(page, press, f"() => {ANEW}"))
    row_of_answers("review: a decision, until the next example", found)


def stepping(browser: Browser, tries: int, url: str) -> None:
    """One example after the other, until its picture, words and histograms stand, and until all of the page does."""
    with visited(browser, f"{url}/example") as page:
        wait(page, "() => histograms()")
        page.wait_for_timeout(3000)  # the similar images are looked for, once
        press, drawn = partial(page.locator("body").press, "ArrowRight"), f"() => {ANEW} && histogramsAreNew()"
        steps = [answered(page, press, drawn) for _ in range(tries)]
    row_of_answers("one example: the next one, until its histograms", steps)
    found = []
    with visited(browser, f"{url}/example") as page:
        wait(page, "() => histograms()")
        page.wait_for_timeout(3000)  # the similar images are looked for, once
        for attempt in range(1, tries + 1):
            words = f"Rank {attempt + 1:,} of"
            press = partial(page.locator("body").press, "ArrowRight")
            found.append(timed(page, press, "([words]) => document.body.innerText.includes(words)", words))
    row("one example: the next one, with all of the page", found)


def lassos(browser: Browser, tries: int, url: str, run: mcviz.Run) -> None:
    """A lasso around the images with most entropy, until the gallery shows the surest of these."""
    entropy = run.scores()["predictive_entropy"].to_numpy()
    edge = float(np.sort(entropy)[-LASSOED])
    found, inside = [], []
    for _ in range(tries):
        with visited(browser, f"{url}/uncertain?view=scatter&order=confident_first") as page:
            wait(page, FIRST_TILE, int(ranked(run, "max_probability")[-1]))
            corners = draw_lasso(page, edge)
            page.mouse.move(*corners[0])
            page.mouse.down()
            for to in corners[1:]:
                page.mouse.move(*to, steps=6)
            drawn = "([before]) => buttonSays('lasso in') && firstTile() && firstTile() !== before"
            before = page.evaluate("firstTile()")
            found.append(timed(page, page.mouse.up, drawn, before, since="pointerup"))
            inside.append(int(page.locator(".st-key-page-head strong").first.inner_text().replace(",", "")))
    row(f"scatter: a lasso around {statistics.median(inside):,.0f} points to the gallery", found)


def draw_lasso(page: Page, edge: float) -> list[tuple[float, float]]:
    """Corners on the screen around all points to the right of a value of the x axis."""
    area = page.locator(".st-key-scatter .nsewdrag").first
    area.wait_for()
    page.wait_for_timeout(1000)
    box = area.bounding_box()
    if box is None:
        raise RuntimeError("the scatter chart is not on the page")
    axis = "document.querySelector('.st-key-scatter .js-plotly-plot')._fullLayout.xaxis"
    left = box["x"] + float(page.evaluate(f"edge => {axis}.d2p(edge)", edge))
    right, top, bottom = (
        box["x"] + 0.99 * box["width"],
        box["y"] + 0.01 * box["height"],
        box["y"] + 0.99 * box["height"],
    )
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def probing(browser: Browser, tries: int, url: str, run: mcviz.Run) -> None:
    """Other noise and other distortions, 500 passes each, until the verdict and all charts are drawn."""
    with visited(browser, f"{url}/probe?seed=0") as page:
        wait(page, "() => histograms()")
        page.wait_for_timeout(PROBE_WARM)
        another = page.get_by_role("button", name="Another noise image")
        seeds = [timed(page, another.click, "chartsAreNew", 1) for _ in range(tries + 1)]
        row("probe: another noise image, 500 passes", seeds[1:])
    with visited(browser, f"{url}/probe?input=distortion&example={ranked(run, 'max_probability')[0]}") as page:
        wait(page, "() => document.querySelectorAll('.js-plotly-plot').length === 2 && histograms()")
        page.wait_for_timeout(PROBE_WARM)
        slider = page.get_by_role("slider")
        steps = [timed(page, partial(slider.press, "ArrowRight"), "chartsAreNew", 2) for _ in range(tries + 1)]
        row("probe: a step of a distortion's slider, 500 passes", steps[1:])


def trusting(browser: Browser, tries: int, url: str) -> None:
    """Trust in a new session, until its verdict and all of it stand; in the first one, these are computed."""
    verdicts: list[float] = []
    pages: list[float] = []
    for _ in range(tries + 1):
        start = time.perf_counter()
        with visited(browser, f"{url}/trust") as page:
            wait(page, "() => sentence()")
            verdicts.append(time.perf_counter() - start)
            wait(page, "() => document.body.innerText.includes('slice')")
            pages.append(time.perf_counter() - start)
    row("trust: the verdict, the first time", verdicts[:1])
    row("trust: all of it, the first time", pages[:1])
    row("trust: the verdict, new session", verdicts[1:])
    row("trust: all of it, new session", pages[1:])


def exploring(browser: Browser, tries: int, url: str, run: mcviz.Run) -> None:
    """The acts of an exploration."""
    trusting(browser, tries, url)
    gallery(browser, tries, url, run)
    brushing(browser, tries, url)
    looking(browser, tries, url)
    stepping(browser, tries, url)
    lassos(browser, tries, url, run)


def ranked(run: mcviz.Run, score: str) -> np.ndarray:
    """(N,) the image of each rank by a score, most uncertain first."""
    return most_uncertain_first(score, run.scores()[score].to_numpy())


def choosing(browser: Browser, tries: int, url: str) -> None:
    """Open another run on the page Runs, which lists all of them again."""
    found = []
    with visited(browser, f"{url}/runs?run=run-000") as page:
        wait(page, "() => document.body.innerText.includes('run-000 is finished')")
        for attempt in range(1, tries + 1):
            name = f"run-{attempt % LISTED:03}"
            page.get_by_label("Run", exact=True).click()
            page.get_by_label("Run", exact=True).fill(name)
            option = page.get_by_role("option", name=name)
            said = "([name]) => document.body.innerText.includes(`${name} is finished`)"
            found.append(timed(page, option.click, said, name))
    row(f"runs: another of {LISTED} runs", found)


def memory(browser: Browser, url: str, process: int) -> None:
    """Print the server's resident memory with ten sessions open."""
    contexts = [browser.new_context() for _ in range(10)]
    for number, context in enumerate(contexts):
        page = context.new_page()
        page.goto(f"{url}/{['', 'uncertain', 'example'][number % 3]}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(500)
    status = Path(f"/proc/{process}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    mapped = Path(f"/proc/{process}/maps").read_text()
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
    data = mcviz.DataSet(np.concatenate(copies), labels)
    print(f"sampling {LARGE_IMAGES:,} images, {LARGE_PASSES} passes …", flush=True)
    mcviz.sample_run(run.model_path, data, folder / "large", passes=LARGE_PASSES)
    return folder


def copies(run: mcviz.Run, folder: Path, count: int) -> None:
    """Make so many runs in a folder, which are one copy and links to its files."""
    first = folder / "run-000"
    shutil.copytree(run.path, first)
    for number in range(1, count):
        shutil.copytree(first, folder / f"run-{number:03}", copy_function=os.link)


def made_up(folder: Path, examples: int) -> mcviz.Run:
    """A run of so many examples with small images, labels, ids, columns and features, from a few passes."""
    print(f"writing {examples:,} examples, {MADE_UP_PASSES} passes …", flush=True)
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, examples)
    means = generator.normal(size=(examples, 10)).astype(np.float32)
    means[np.arange(examples), labels] += generator.gamma(1.5, 2, examples).astype(np.float32)
    logits = np.stack([means + generator.normal(0, 0.6, means.shape).astype(np.float32) for _ in range(MADE_UP_PASSES)])
    shades = generator.integers(0, 156, (10, 8, 8))[labels] + generator.integers(0, 100, (examples, 8, 8))
    columns = pd.DataFrame(
        {
            "source": generator.choice(["north", "south", "east", "west"], examples),
            "age": generator.integers(18, 90, examples),
            "weight": generator.normal(70, 12, examples).round(2),
            "file": [f"{number % 1000:03}/{number:07}.png" for number in range(examples)],
        }
    )
    return mcviz.write_run(
        folder / "made-up",
        logits,
        data=shades.astype(np.uint8),
        labels=labels,
        ids=[f"case-{number:07}" for number in range(examples)],
        columns=columns,
        features=(generator.normal(size=(10, 16))[labels] + generator.normal(size=(examples, 16))).astype(np.float32),
        from_logits=True,
        source="made up",
    )


def viewing(browser: Browser, tries: int, url: str) -> None:
    """From the gallery to each view until it is drawn, for the first time and again; and a zoom into the scatter."""
    with visited(browser, f"{url}/uncertain") as page:
        for name, there in VIEWS.items():
            found = []
            for _ in range(tries + 1):
                wait(page, "() => firstTile()")
                page.wait_for_timeout(HALF_A_SECOND)
                view = page.get_by_role("radio", name=name, exact=True)
                found.append(timed(page, view.click, "([there]) => document.querySelector(there)", there))
                page.get_by_role("radio", name="Gallery", exact=True).click()
            row(f"view {name}, the first time", found[:1])
            row(f"view {name}", found[1:])
    with visited(browser, f"{url}/uncertain?view=scatter") as page:
        found = []
        for _ in range(tries):
            closer = page.locator(".st-key-scatter .modebar-btn[data-title='Zoom in']")
            page.locator(".st-key-scatter .nsewdrag").first.hover()
            back = page.get_by_role("button", name="Show all")
            found.append(timed(page, closer.click, "() => buttonSays('Show all')"))
            back.click()
            expect(back).to_have_count(0)
        row("scatter: a zoom, until it is refined", found)


def of_many(browser: Browser, tries: int, made_up: list[Path], given: list[Path]) -> None:
    """The shipped run beside runs of very many examples, each alone in its folder.

    Of those that are given only the gallery and the views are looked at: there may be examples in them that are all the
    same, and then nothing shows that another one is drawn.
    """
    first: list[float] = []
    for path in (SHIPPED, *made_up, *given):
        run, cache = mcviz.open_run(path), path.parent
        print(f"\n{run.name}, {len(run):,} examples:")
        found = starts(browser, tries, ROOT, ROOT / "dashboard.py", cache)
        row("overview, cold process to drawn chart", found, first or found)
        first = first or found
        with served(ROOT / "dashboard.py", ROOT, cache) as (url, server):
            wait_until_it_answers(url)
            row("overview, new session on a warm server", sessions(browser, tries, url))
            if path in given:
                gallery(browser, tries, url, run)
            else:
                exploring(browser, tries, url, run)
            if path != SHIPPED:
                viewing(browser, tries, url)
            memory(browser, url, server.pid)


@contextmanager
def sampling(cache: Path) -> Iterator[None]:
    """A job that samples all the while, and is stopped then."""
    jobs, run = Jobs(cache), mcviz.open_run(cache / SHIPPED.name)
    options = [
        *format_arguments(*options_of_model(run), options_of_data(run)),
        "--seed=1",
        f"--passes={ENDLESS_PASSES}",
    ]
    job = jobs.add("sample", options, "endless", "endless")
    try:
        while (found := jobs.find(job.id)) is not None and found.state != "running":
            if found.message:
                raise RuntimeError(found.message)
            time.sleep(0.1)
        yield
        found = jobs.find(job.id)
        if found is None or found.state != "running" or found.progress is None:
            raise RuntimeError("the job ended before the measuring did")
        print(f"{'predictions of the job meanwhile':<58}{found.progress.done:>8,}", flush=True)
    finally:
        jobs.stop(job.id)
        while jobs.found():
            time.sleep(0.1)


def while_sampling(browser: Browser, tries: int, folder: Path) -> None:
    """The same acts on one server without a job, with one, and without one again."""
    cache = folder / "sampled"
    shutil.copytree(SHIPPED, cache / SHIPPED.name)
    with served(ROOT / "dashboard.py", ROOT, cache) as (url, _):
        wait_until_it_answers(url)
        run = mcviz.open_run(cache / SHIPPED.name)

        def measured(what: str) -> None:
            print(f"\n{what}:")
            row("overview, new session on a warm server", sessions(browser, tries, url))
            exploring(browser, tries, url, run)

        measured("without a job")
        with sampling(cache):
            measured("while a job samples")
        measured("without a job again")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=10, help="of each act (10)")
    parser.add_argument("--large", action="store_true", help="also a run of 200,000 images")
    parser.add_argument(
        "--examples", type=int, nargs="+", default=[], help="only the shipped run, and made-up ones of so many"
    )
    parser.add_argument(
        "--runs", type=Path, nargs="+", default=[], help="only the shipped run and these, each alone in its folder"
    )
    parser.add_argument("--looks", action="store_true", help="only how soon an example stands that is looked at")
    parser.add_argument("--sampling", action="store_true", help="only how it is while a job samples")
    parser.add_argument("--chromium", default=os.environ.get("CHROMIUM") or shutil.which("chromium"))
    arguments = parser.parse_args()
    expect.set_options(timeout=120_000)
    print(f"{'':<58}{'median':>11}{'95th':>11}{'to bare':>10}")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        bare = folder / "bare.py"
        bare.write_text(BARE)
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=SWITCHES)
        if arguments.sampling:
            while_sampling(browser, arguments.tries, folder)
            browser.close()
            return
        if arguments.looks:
            copies(mcviz.open_run(SHIPPED), folder / "runs", 1)
            with served(ROOT / "dashboard.py", ROOT, folder / "runs") as (url, _):
                wait_until_it_answers(url)
                looking(browser, arguments.tries, url)
                stepping(browser, arguments.tries, url)
                answering(browser, arguments.tries, folder, url)
            with served(ROOT / "dashboard.py", ROOT, SHIPPED.parent) as (url, _):
                wait_until_it_answers(url)
                looking_at_label_maps(browser, arguments.tries, url)
            browser.close()
            return
        if arguments.examples or arguments.runs:
            made = [Path(made_up(folder / f"of-{size}", size).path) for size in arguments.examples]
            of_many(browser, arguments.tries, made, [path.absolute() for path in arguments.runs])
            browser.close()
            return
        cold_bare = starts(browser, arguments.tries, folder, bare, SHIPPED.parent)
        cold = starts(browser, arguments.tries, ROOT, ROOT / "dashboard.py", SHIPPED.parent)
        row("bare page, cold process to drawn chart", cold_bare)
        row("overview, cold process to drawn chart", cold, cold_bare)
        with served(bare, folder, SHIPPED.parent) as (url, _):
            wait_until_it_answers(url)
            warm_bare = sessions(browser, arguments.tries, url)
            row("bare page, new session on a warm server", warm_bare)
            row("bare page, a click to its chart and picture", bare_answers(browser, arguments.tries, url))
        with served(ROOT / "dashboard.py", ROOT, SHIPPED.parent) as (url, server):
            wait_until_it_answers(url)
            row("overview, new session on a warm server", sessions(browser, arguments.tries, url), warm_bare)
            exploring(browser, arguments.tries, url, mcviz.open_run(SHIPPED))
            memory(browser, url, server.pid)
            probing(browser, arguments.tries, url, mcviz.open_run(SHIPPED))
        copies(mcviz.open_run(SHIPPED), folder / "runs", LISTED)
        with served(ROOT / "dashboard.py", ROOT, folder / "runs") as (url, _):
            wait_until_it_answers(url)
            choosing(browser, arguments.tries, url)
            answering(browser, arguments.tries, folder, url)
        if arguments.large:
            cache = large_cache(folder)
            with served(ROOT / "dashboard.py", ROOT, cache) as (url, server):
                wait_until_it_answers(url)
                print(f"\nthe same with {LARGE_IMAGES:,} images:")
                row("overview, new session on a warm server", sessions(browser, arguments.tries, url), warm_bare)
                exploring(browser, arguments.tries, url, mcviz.open_run(cache / "large"))
                memory(browser, url, server.pid)
        browser.close()


if __name__ == "__main__":
    main()
