"""What every test stands on."""

import fcntl
import gc
import logging
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Workers read it before NumPy. A thread of OpenBLAS that waits spins, and takes its processor from other workers.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Without it each worker, and each process that a test starts, would compile mcviz and all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent

settings.register_profile("many", deadline=None)  # a slow moment is not a broken law
settings.register_profile("some", deadline=None, max_examples=25)
settings.load_profile("some")


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Take as many workers as the variable says, else one more than cores: one often waits, for a page or a process."""
    return (yield) + ("PYTEST_XDIST_AUTO_NUM_WORKERS" not in os.environ)


@pytest.hookimpl(tryfirst=True)  # before xdist hands them to its workers
def pytest_configure(config: pytest.Config) -> None:
    """Collect chosen files folder by folder: of one that is left and entered again, pytest 9.1 loses the fixtures."""
    config.args.sort()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let one worker of a fresh clone compile the loops of sampling, and the others wait and read what it kept."""
    if hasattr(session.config, "workerinput"):
        with (ROOT / "mcviz" / "sampling" / "machine_code.py").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            import_module("mcviz.sampling.machine_code")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage in what is imported and collected: there is none, and it takes a sixth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a test needs, and give tests that share what is made once to one worker: the largest groups first."""
    for item in items:
        group = find_group(item)
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
            if item.get_closest_marker("always"):
                group = "timed"  # one browser and one server for all of them, one after another
            else:
                item.add_marker("slow")
        if group and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
        if hasattr(getattr(item, "module", None), "require_torch"):
            item.add_marker("torch")
    items.sort(key=rank)


# Fixtures of tests/app that take a second or more: the tests that need one are a group.
CACHES = "trained", "small_cache", "colour_cache", "rows_cache", "texts_cache"
SHARED = dict.fromkeys(CACHES, "models") | {"kinds": "kinds"}


def find_group(item: pytest.Item) -> str:
    """The group of PyTorch, of one half of the files with Keras, or of a file whose tests share what is made once."""
    for fixture, group in SHARED.items():
        if fixture in getattr(item, "fixturenames", ()):
            return group
    if item.path.parent == FOLDER / "sampling" / "torch":
        return "PyTorch"
    if hasattr(getattr(item, "module", None), "keras"):
        return "Keras" if item.path.parent == FOLDER / "sampling" / "keras" else "runs of Keras"
    is_shared = item.path.parent.name in ("app", "browser") or has_fixture_of_module(item)
    return str(item.path.relative_to(FOLDER)) if is_shared else ""


def has_fixture_of_module(item: pytest.Item) -> bool:
    """Whether a fixture of a test's file makes something once for several of its tests."""
    found = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    return any(each[-1].scope == "module" for name, each in found.items() if name != "no_tracked_file_is_changed")


def rank(item: pytest.Item) -> int:
    """The place of a group: no worker is left alone with a long one at the end, and single tests fill the gaps."""
    groups = [mark.args[0] for mark in item.iter_markers("xdist_group")]
    first = ("PyTorch", "Keras", "runs of Keras", "timed", "kinds", "models", "test_contributing.py", "folder of runs")
    return first.index(groups[0]) if groups and groups[0] in first else len(first) + (not groups)


def pytest_collection_finish() -> None:
    """Look for garbage seldom, and never in what all tests have imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    if "streamlit" in sys.modules:
        share_streamlit()


def share_streamlit() -> None:
    """Let an app under test find and compile once a process, as a server does, and wait without looking."""
    from streamlit.components.v2 import manifest_scanner as scanner
    from streamlit.runtime.scriptrunner import script_runner
    from streamlit.testing.v1 import app_test, local_script_runner

    look = local_script_runner.require_widgets_deltas

    def wait(runner: local_script_runner.LocalScriptRunner, timeout: float = 3) -> None:
        runner._script_thread.join(timeout)
        look(runner, timeout if runner.script_stopped() else 0)  # which ends a script that takes too long

    def clear_keras() -> None:
        if keras := sys.modules.get("keras"):
            keras.backend.clear_session(free_memory=False)  # after each run of a page, and not with all garbage

    scanner.scan_component_manifests = cache(scanner.scan_component_manifests)  # each app did it: 0.2 s
    app_test.ScriptCache = local_script_runner.ScriptCache = cache(app_test.ScriptCache)
    local_script_runner.require_widgets_deltas = wait
    script_runner._clean_problem_modules = clear_keras


@pytest.fixture(scope="session")
def tracked() -> dict[Path, tuple[int, ...]]:
    """The files that git tracks, as they are before the first test; none where this is no clone."""
    if not (ROOT / ".git").exists():
        return {}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {path: state_of(path) for path in map(ROOT.joinpath, listed.rstrip("\0").split("\0"))}


def state_of(path: Path) -> tuple[int, ...]:
    """What differs once a file was written, replaced or removed."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


@pytest.fixture(scope="module", autouse=True)
def no_tracked_file_is_changed(tracked: dict[Path, tuple[int, ...]]) -> Iterator[None]:
    """Fail where a test of this file, or one that another worker ran meanwhile, changed a file that git tracks."""
    yield
    changed = {path: state for path, before in tracked.items() if (state := state_of(path)) != before}
    tracked |= changed
    assert not changed, f"changed while these tests ran: {', '.join(str(path.relative_to(ROOT)) for path in changed)}"


@pytest.fixture(autouse=True)
def no_page_fails() -> Iterator[None]:
    """What a page shows in a sentence, and logs as an error, is still a fault to a test."""
    failed: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            failed.append(record.getMessage())

    handler, log = Kept(logging.ERROR), logging.getLogger("mcviz.app.work")
    log.addHandler(handler)
    yield
    log.removeHandler(handler)
    assert not failed, failed[0]


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_the_disk() -> Iterator[None]:
    """Let no sync wait, since no test loses power: what is synced before what, tests/runs/power_loss.py records."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(scope="session", autouse=True)
def short_checks() -> Iterator[None]:
    """Let a check of a model measure the time of passes for a moment, not for two seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mcviz.sampling.checking.SECONDS", 0.05)
        yield


@pytest.fixture
def jobs_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process of each job end at once, as if it were killed."""
    monkeypatch.setattr("mcviz.jobs.queue.PROGRAM", "import os, sys; os.close(int(sys.argv[4]))")


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
