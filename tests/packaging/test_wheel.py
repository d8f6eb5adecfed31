"""The wheel, installed without Keras into an environment of its own, shows the shipped run from any folder."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import mcviz
from mcviz.extras import INSTALL_KERAS
from mcviz.runs.storage import SHIPPED_RUNS
from tests.browsing import SECONDS_TO_STOP, free_port, stop, troubles_of, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]  # one environment for all
ROOT = Path(__file__).parents[2]
MILLISECONDS_TO_APPEAR = 60_000  # the first page of a new environment, whose modules are compiled then
NO_PART_OF_IT = shutil.ignore_patterns(".git", ".venv", "dist", "__pycache__", ".*_cache", ".hypothesis", "tests")


@dataclass(frozen=True)
class Installed:
    """An environment that holds mcviz, and a folder to stand in."""

    environment: Path
    folder: Path

    @property
    def package(self) -> Path:
        (package,) = self.environment.glob("[Ll]ib/**/site-packages/mcviz")
        return package

    @property
    def run(self) -> Path:
        return self.package / "cache" / "mnist-cnn"

    def command(self, *arguments: object) -> list[str]:
        scripts = "Scripts" if os.name == "nt" else "bin"
        return [str(self.environment / scripts / "mcviz"), *map(str, arguments)]

    def variables(self) -> dict[str, str]:
        """As a person has them who never saw the checkout: no path of Python's, a home of one's own."""
        foreign = ("PYTHONPATH", "VIRTUAL_ENV", "MCVIZ_CACHE")
        kept = {name: value for name, value in os.environ.items() if name not in foreign}
        return {**kept, "HOME": str(self.folder / "home")}

    def call(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


DIST_INFO = f"mcviz_dropout-{mcviz.__version__}.dist-info"


def call(module: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=True)


def content(folder: Path) -> dict[str, tuple[str, int]]:
    """SHA-256 and time of change of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in files
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the source distribution, which is built from a copy of the tree."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, folder / "tree", ignore=NO_PART_OF_IT)
    call("build", "--installer", "uv", "--outdir", folder / "dist", folder / "tree")
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    installed = Installed(tmp_path_factory.mktemp("environment") / "venv", tmp_path_factory.mktemp("elsewhere"))
    call("uv", "venv", "--quiet", "--python", sys.executable, installed.environment)
    call("uv", "pip", "install", "--quiet", "--python", installed.environment, wheel)
    return installed


# Of what is derived from the runs that ship.
KEPT = "convergence-max-probability-", "noise-uniform-", "ood-detector-", "ood-scores-", "t-sne-"


def test_the_wheel_holds_the_package_alone_and_all_of_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.endswith("/")}
    assert {name.partition("/")[0] for name in held} == {"mcviz", DIST_INFO}
    of_the_tree = (path for path in (ROOT / "mcviz").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    shipped = [path for run in SHIPPED_RUNS for path in run.rglob("*") if path.is_file()]
    shipped = [path for path in shipped if "derived" not in path.parts or path.name.startswith(KEPT)]
    missing = {path.relative_to(ROOT).as_posix() for path in of_the_tree} - held
    assert not missing
    assert {f"mcviz/{path.relative_to(ROOT).as_posix()}" for path in shipped} <= held
    assert "mcviz/.streamlit/config.toml" in held
    assert f"{DIST_INFO}/licenses/LICENSE" in held


def test_the_package_index_takes_both_files(wheel: Path) -> None:
    call("twine", "check", "--strict", *wheel.parent.iterdir())


def test_version_help_and_verify_work_from_any_folder(installed: Installed) -> None:
    assert installed.call("--version").stdout == f"mcviz {mcviz.__version__}\n"
    assert "dashboard" in installed.call("--help").stdout
    verified = installed.call("verify", installed.run)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "99.30%" in verified.stdout


def test_sampling_says_what_to_type_where_keras_is_missing(installed: Installed) -> None:
    refused = installed.call("sample", "--model", installed.run / "model.keras", "--data", "m.npz", "--out", "run")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("mcviz: ")
    assert refused.stderr.endswith(f"Type: {INSTALL_KERAS}\n")
    assert refused.stderr.count("\n") == 1


def test_the_dashboard_shows_the_shipped_run_and_leaves_it_as_it_was(installed: Installed, browser: Browser) -> None:
    before = content(installed.run)
    port, log = free_port(), installed.folder / "log"
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as written:
        server = subprocess.Popen(
            installed.command("dashboard", "--port", port),
            cwd=installed.folder,
            env=installed.variables(),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # CI may start us without it
        )
        try:
            wait_for(url, server, log)
            browse(browser, url)
            refused = installed.call("dashboard", "--port", port)
            server.send_signal(signal.SIGINT)
            assert server.wait(SECONDS_TO_STOP) == 130
        finally:
            stop(server)
    assert "Traceback" not in log.read_text()
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert f"Port {port} cannot be used" in refused.stderr
    assert content(installed.run) == before


def browse(browser: Browser, url: str) -> None:
    """See the overview's figures, in this project's type, and what the probe says where it has no Keras."""
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(MILLISECONDS_TO_APPEAR)
    page = context.new_page()
    troubles = troubles_of(page, url)
    page.goto("/")
    accuracies = page.get_by_test_id("stMetricValue")
    expect(accuracies).to_have_text(["99.28%", "98.74%", "99.30%"], timeout=MILLISECONDS_TO_APPEAR)
    charts = page.locator(".js-plotly-plot")
    expect(charts.first.locator(".nsewdrag").first).to_be_visible(timeout=MILLISECONDS_TO_APPEAR)
    assert page.evaluate("document.querySelector('.js-plotly-plot')._fullData.length") > 0
    expect(page.get_by_role("button", name=re.compile(r"^Example \d+ label ")).first).to_be_visible(
        timeout=MILLISECONDS_TO_APPEAR
    )
    expect(page.get_by_role("heading", level=1)).to_have_css("font-size", re.compile(r"27\.2"))  # the theme's 1.7rem
    page.get_by_text("Accuracy, NLL and ECE by number of passes").click()
    expect(charts.nth(1).locator(".nsewdrag").first).to_be_visible(timeout=MILLISECONDS_TO_APPEAR)
    page.get_by_test_id("stPageLink-NavLink").filter(has_text="robe").click()
    page.get_by_role("radio", name="Distort").click()
    told = page.get_by_test_id("stAlert").filter(has_text=INSTALL_KERAS)
    expect(told).to_be_visible(timeout=MILLISECONDS_TO_APPEAR)
    context.close()
    assert not troubles, troubles
