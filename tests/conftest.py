"""What every test stands on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

settings.register_profile("any machine", deadline=None)  # a slow moment is not a broken law
settings.load_profile("any machine")

TESTS = Path(__file__).parent
MARKED = {"browser": ("browser", "slow"), "packaging": ("slow",)}  # a folder's tests, all of them


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of whole folders."""
    for item in items:
        for name in MARKED.get(item.path.relative_to(TESTS).parts[0], ()):
            item.add_marker(name)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3-compatible server on this machine."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the test is skipped, and fails where the variable below demands it."""
    from tests.browsing import find_chromium

    if found := find_chromium():
        return found
    reason = "no Chromium on the PATH and none named by the variable CHROMIUM"
    if os.environ.get("MCVIZ_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator["Browser"]:
    """One Chromium for all tests; each test gets a context, and so a Streamlit session, of its own."""
    from playwright.sync_api import sync_playwright

    from tests.browsing import SWITCHES

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield browser
        browser.close()
