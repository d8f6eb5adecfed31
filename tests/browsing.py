"""What tests in a real browser share."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, FloatRect, Page, WebSocketRoute

ROOT = Path(__file__).parents[1]
STREAMLIT_RUN = ("-m", "streamlit", "run", "dashboard.py", "--server.port")
MCVIZ_DASHBOARD = ("-m", "mcviz", "dashboard", "--port")
SECONDS_TO_START = 120
SECONDS_TO_STOP = 10
MILLISECONDS_TO_APPEAR = 30_000
SWITCHES = [
    "--no-sandbox",  # root, as in a container, has no other way
    "--disable-gpu",
    "--disable-threaded-animation",  # without a GPU it costs a quarter of what a page takes to load
    "--renderer-process-limit=1",  # pages of one context share what was compiled for them
    "--disable-features=ScriptStreaming",  # with it, each page compiles all scripts again beside that
    "--font-render-hinting=none",  # letters as wide without a window as in one
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# On a page with a path of its own, Streamlit's frontend looks for the server below that path first.
FRAMEWORK_PROBE = re.compile(r"/[^/]+/_stcore/(health|host-config)$")
# Where a browser leaves a page in the moment in which it connects, Streamlit closes the closed connection.
FRAMEWORK_FAULT = re.compile(
    r"Exception in ASGI application\nTraceback(?:(?!ASGI).)*starlette_websocket\.py(?:(?!ASGI).)*"
    r'WebSocketDisconnected: Cannot call "send" once a close message has been sent\.\n',
    re.DOTALL,
)


def find_chromium() -> str | None:
    """The path of a Chromium: the variable CHROMIUM, or one on the PATH."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # the first takes least
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(
    folder: Path, command: Sequence[str] = STREAMLIT_RUN, *, port: int | None = None, **variables: str
) -> Iterator[tuple[str, Path, "subprocess.Popen[bytes]"]]:
    """A dashboard in a process of its own, which a test may end.

    Args:
        folder: for its log, and its home.
        command: what Python is started with, up to the port.
        port: to listen on; one that is free, without it.
        variables: of its environment, besides those of this process.

    Yields:
        Its address, as `http://127.0.0.1:port`, its log, and its process.
    """
    port, log = port or free_port(), folder / "log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, *command, str(port)],
            cwd=ROOT,
            env={**os.environ, "HOME": str(folder), "STREAMLIT_SERVER_HEADLESS": "true", **variables},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}", server, log)
            yield f"http://127.0.0.1:{port}", log, server
        finally:
            stop(server)


def check_log(log: Path) -> None:
    """Check that a dashboard has logged no traceback but that of `FRAMEWORK_FAULT`."""
    said = log.read_text()
    assert "Traceback" not in FRAMEWORK_FAULT.sub("", said), said


@contextmanager
def serving(
    folder: Path, command: Sequence[str] = STREAMLIT_RUN, *, port: int | None = None, **variables: str
) -> Iterator[tuple[str, Path]]:
    """A dashboard until the end, and its log; see `started`."""
    with started(folder, command, port=port, **variables) as (url, log, _):
        yield url, log


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server of Streamlit answers."""
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=10):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert server.poll() is None, f"the app stopped: {log.read_text()}"
            assert time.monotonic() < deadline, f"the app does not answer: {log.read_text()}"
            time.sleep(0.2)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server, whatever it is doing."""
    server.terminate()
    try:
        server.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:  # OpenBLAS, when unloaded, at times waits for a thread of its own without end
        server.kill()
        server.wait()


def troubles_of(page: Page, url: str) -> list[str]:
    """A list that grows with each error in the page's console, and with each request that leaves this machine."""
    troubles: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        where = message.location["url"]
        if message.type == "error" and not FRAMEWORK_PROBE.search(where):
            troubles.append(f"{message.text} {where}")

    def requested(address: str) -> None:
        if address.startswith(("http:", "https:")) and not address.startswith(url):
            troubles.append(address)

    page.on("console", heard)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: requested(request.url))
    return troubles


# Contexts that tests have left, by browser, address and options: half of what it costs to open a page is to load and
# compile the frontend, which such a context has done. It has an empty page, for which its process lives on.
USED_CONTEXTS: dict[tuple[Browser, str, str], BrowserContext] = {}


@contextmanager
def visited(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """A page of the app at an address; what comes out of it has no error in its console, and stayed on this machine.

    What a browser keeps of a visit, but for files of the frontend, is forgotten between one and the next.

    Args:
        browser: that visits.
        url: of the app.
        options: of Playwright's context.
    """
    key = (browser, url, repr(options))
    context = USED_CONTEXTS.pop(key, None) or browser.new_context(base_url=url, **options)
    context.set_default_timeout(MILLISECONDS_TO_APPEAR)
    page = context.new_page()
    troubles = troubles_of(page, url)
    yield page
    for other in [other for other in USED_CONTEXTS if other[1] != url]:  # whose server has ended, or waits for its file
        USED_CONTEXTS.pop(other).close()
    if page.is_closed() or not page.url.startswith(url):
        context.close()
    else:
        page.evaluate("localStorage.clear()")
        for each in context.pages:
            if each is not page:
                each.close()
        page.goto("about:blank")
        context.clear_cookies()
        context.clear_permissions()
        USED_CONTEXTS[key] = context
    assert not troubles, troubles


def drag(page: Page, box: FloatRect | None, corners: Sequence[tuple[float, float]], steps: int = 8) -> None:
    """Drag through corners, which are given as fractions of a box, in so many steps from each to the next."""
    assert box is not None
    (x, y), *others = [(box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in corners]
    page.mouse.move(x, y)
    page.mouse.down()
    for to_x, to_y in others:
        page.mouse.move(to_x, to_y, steps=steps)
    page.mouse.up()


class HeldLine:
    """The line to the server of a page that is opened next, on which nothing gets through while it is held."""

    def __init__(self, page: Page) -> None:
        self.held = False
        self.answers = 0
        self._waiting: list[str | bytes] = []
        page.route_web_socket(re.compile("_stcore/stream"), self._connect)

    def _connect(self, browser: WebSocketRoute) -> None:
        self._server = browser.connect_to_server()
        browser.on_message(lambda sent: self._waiting.append(sent) if self.held else self._server.send(sent))
        self._server.on_message(lambda answer: self._pass_on(browser, answer))

    def _pass_on(self, browser: WebSocketRoute, answer: str | bytes) -> None:
        self.answers += 1
        browser.send(answer)

    def hold(self) -> None:
        self.held, self.answers = True, 0

    def release(self) -> None:
        self.held = False
        for sent in self._waiting:
            self._server.send(sent)
