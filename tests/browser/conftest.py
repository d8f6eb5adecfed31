"""A real Chromium on the real app, which serves the runs of `cache/`."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
SECONDS_TO_START = 120
MILLISECONDS_TO_APPEAR = 30_000
# On a page with a path of its own, Streamlit's frontend looks for the server below that path first.
FRAMEWORK_PROBE = re.compile(r"/[^/]+/_stcore/(health|host-config)$")
expect.set_options(timeout=MILLISECONDS_TO_APPEAR)
SWITCHES = [
    "--no-sandbox",  # root, as in a container, has no other way
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium: the variable CHROMIUM, or one on the PATH."""
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found:
        return found
    reason = "no Chromium on the PATH and none named by the variable CHROMIUM"
    if os.environ.get("MCVIZ_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def app_url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the running app, as `http://127.0.0.1:port`."""
    folder = tmp_path_factory.mktemp("app")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "dashboard.py", "--server.port", str(port)]
    switches = ["--server.headless", "true", "--server.fileWatcherType", "none"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command + switches,
            cwd=ROOT,
            env={**os.environ, "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(url, server, folder / "log")
            yield url
        finally:
            _stop(server)
    assert "Traceback" not in (folder / "log").read_text(), (folder / "log").read_text()


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:  # OpenBLAS, when unloaded, at times waits for a thread of its own without end
        server.kill()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=10):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert server.poll() is None, f"the app stopped: {log.read_text()}"
            assert time.monotonic() < deadline, f"the app does not answer: {log.read_text()}"
            time.sleep(0.2)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for all tests; each test gets a context, and so a Streamlit session, of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, app_url: str) -> Iterator[Page]:
    """A page whose test fails on any error in its console, and on any request that leaves this machine."""
    context = browser.new_context(base_url=app_url, viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(MILLISECONDS_TO_APPEAR)
    page = context.new_page()
    troubles: list[str] = []
    page.on(
        "console",
        lambda message: troubles.append(f"{message.text} {message.location['url']}") if _is_trouble(message) else None,
    )
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if _leaves(request.url, app_url) else None)
    yield page
    context.close()
    assert not troubles, troubles


def settle(page: Page) -> None:
    """Wait until the app has said all that it has to say."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def _is_trouble(message: ConsoleMessage) -> bool:
    return message.type == "error" and not FRAMEWORK_PROBE.search(message.location["url"])


def _leaves(url: str, app_url: str) -> bool:
    return url.startswith(("http:", "https:")) and not url.startswith(app_url)
