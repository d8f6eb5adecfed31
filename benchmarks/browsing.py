"""A server and a browser for benchmarks, and how long an act takes until what it leads to is drawn."""

import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
SILENCE = 700  # milliseconds, after which the server has said all
IN_THE_PAGE = (Path(__file__).parent / "in_the_page.js").read_text()


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
        except urllib.error.HTTPError:  # of a proxy, which asks for a password
            return
        except OSError:
            time.sleep(0.02)


@contextmanager
def visited(browser: Browser, url: str) -> Iterator[Page]:
    """A page in a browser session of its own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(120_000)
    context.add_init_script(IN_THE_PAGE)
    try:
        page = context.new_page()
        page.goto(url, wait_until="commit")
        yield page
    finally:
        context.close()


def wait(page: Page, condition: str, *arguments: object) -> None:
    """Wait until a condition in the page holds, which is looked at in every frame."""
    page.wait_for_function(condition, arg=list(arguments), polling="raf")


def chart_drawn(page: Page) -> None:
    """Wait until the one chart of the page has its axes."""
    wait(
        page,
        """() => document.querySelector(".js-plotly-plot .xaxislayer-above .xtick")
            && document.querySelectorAll(".js-plotly-plot .main-svg .cartesianlayer").length === 1""",
    )


def timed(page: Page, act: Callable[[], None], condition: str, *arguments: object, since: str = "any") -> float:
    """Seconds from what the browser hears of an act to the first frame in which nothing is greyed out and all is drawn.

    Args:
        page: where it is done.
        act: does it.
        condition: JavaScript of the arguments that tells whether what the act leads to is there.
        arguments: of that.
        since: the kind of event that the time runs from; the first one of the act, if it is not told.
    """
    page.evaluate("since => listen(since)", since)
    act()
    seconds = page.wait_for_function(
        f"""arguments => heard() !== null && !document.querySelector("[data-stale=true]")
            && ({condition})(arguments) && performance.now() - heard()""",
        arg=list(arguments),
        polling="raf",
    )
    return float(seconds.json_value()) / 1000


@dataclass(frozen=True)
class Answer:
    """How an act was answered.

    Attributes:
        seconds: until what it leads to was drawn.
        frames: until it was drawn; 1 is the first one after the act.
        messages: of the server, until it had said all.
        bytes: of these.
    """

    seconds: float
    frames: int
    messages: int
    bytes: int


def answered(page: Page, act: Callable[[], None], condition: str, *arguments: object, since: str = "any") -> Answer:
    """How an act is answered; see `timed`."""
    page.evaluate(f"([since, given]) => watch(since, {condition}, given)", [since, list(arguments)])
    act()
    answer = page.wait_for_function("() => answered()").json_value()
    page.wait_for_timeout(SILENCE)
    received = page.evaluate("received")
    return Answer(answer["seconds"], answer["frames"], received["messages"], received["bytes"])


def row_of_answers(name: str, answers: list[Answer], beside: list[Answer] | None = None) -> None:
    """Print one line of the table, and below it frames and messages."""
    row(name, [answer.seconds for answer in answers], [answer.seconds for answer in beside] if beside else None)
    frames, messages, size = (
        statistics.median(getattr(answer, of) for answer in answers) for of in ("frames", "messages", "bytes")
    )
    print(f"{'':<8}{frames:.0f} frames, {messages:.0f} messages of {size / 1000:.0f} kB", flush=True)


def row(name: str, seconds: list[float], beside: list[float] | None = None) -> None:
    """Print one line of the table."""
    median, late = statistics.median(seconds), float(np.percentile(seconds, 95))
    ratio = f"{median / statistics.median(beside):8.2f} ×" if beside else ""
    print(f"{name:<58}{1000 * median:8.0f} ms{1000 * late:8.0f} ms{ratio}", flush=True)
