"""What every test stands on."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

FOLDER = Path(__file__).parent

settings.register_profile("any machine", deadline=None)  # a slow moment is not a broken law
settings.load_profile("any machine")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a test needs, and give those of a file of the dashboard to one worker, which makes their runs once."""
    for item in items:
        needs_browser = "browser" in getattr(item, "fixturenames", ())
        if needs_browser:
            item.add_marker("browser")
        if (needs_browser or item.path.parent == FOLDER / "app") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(FOLDER))))
        if hasattr(getattr(item, "module", None), "require_torch"):
            item.add_marker("torch")
    # These start whole programs, and take longest: no worker is left alone with one at the end.
    items.sort(key=lambda item: item.path.parent != FOLDER)


def pytest_collection_finish() -> None:
    """Look for garbage seldom, and never in what all tests have imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_the_disk() -> Iterator[None]:
    """Let no sync wait, since no test loses power: what is synced before what, tests/runs/power_loss.py records."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(params=[pytest.param(1, marks=pytest.mark.slow), 29], ids=["all", "some"])
def stride(request: pytest.FixtureRequest) -> int:
    """The step in which a test goes through very many cases: each of them, where it is slow."""
    return request.param


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
