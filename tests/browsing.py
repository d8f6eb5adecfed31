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

from playwright.sync_api import ConsoleMessage, Page

ROOT = Path(__file__).parents[1]
STREAMLIT_RUN = ("-m", "streamlit", "run", "dashboard.py", "--server.port")
MCVIZ_DASHBOARD = ("-m", "mcviz", "dashboard", "--port")
SECONDS_TO_START = 120
SECONDS_TO_STOP = 10
SWITCHES = [
    "--no-sandbox",  # root, as in a container, has no other way
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# On a page with a path of its own, Streamlit's frontend looks for the server below that path first.
FRAMEWORK_PROBE = re.compile(r"/[^/]+/_stcore/(health|host-config)$")


def find_chromium() -> str | None:
    """The path of a Chromium: the variable CHROMIUM, or one on the PATH."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, command: Sequence[str] = STREAMLIT_RUN, **variables: str) -> Iterator[tuple[str, Path]]:
    """A dashboard in a process of its own.

    Args:
        folder: for its log, and its home.
        command: what Python is started with, up to the port.
        variables: of its environment, besides those of this process.

    Yields:
        Its address, as `http://127.0.0.1:port`, and its log.
    """
    port, log = free_port(), folder / "log"
    quietly = {"STREAMLIT_SERVER_HEADLESS": "true", "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none"}
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, *command, str(port)],
            cwd=ROOT,
            env={**os.environ, "HOME": str(folder), **quietly, **variables},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}", server, log)
            yield f"http://127.0.0.1:{port}", log
        finally:
            stop(server)


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
