"""At its start the dashboard prints who may write, and lets the server open as many files as the system does."""

import subprocess
import sys

import pytest
from streamlit.testing.v1 import AppTest

from mcviz.app.server import prepare_server
from tests.app.opening import SECONDS
from tests.browsing import ROOT

resource = pytest.importorskip("resource")


@pytest.fixture
def at_start() -> None:
    prepare_server.cache_clear()


@pytest.mark.usefixtures("at_start")
def test_who_may_write_is_printed_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MCVIZ_WRITERS", "ann@example.org, bob@example.org")
    prepare_server()
    assert capsys.readouterr().out.endswith("(MCVIZ_WRITERS): ann@example.org, bob@example.org.\n")
    prepare_server()
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("at_start")
def test_no_page_is_shown_under_a_mistyped_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_WRITER", "ann@example.org")
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=SECONDS).run()
    (error,) = app.error
    assert "Did you mean MCVIZ\\_WRITERS?" in error.value
    assert not app.title
    assert not app.button


def test_the_soft_limit_on_open_files_becomes_the_hard_one() -> None:
    code = (
        "import resource; _, hard = resource.getrlimit(resource.RLIMIT_NOFILE); "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard)); "
        "from mcviz.app.server import raise_file_limit; raise_file_limit(); "
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    soft, hard = map(int, found.stdout.split())
    assert soft == (1 << 16 if hard == resource.RLIM_INFINITY else min(1 << 16, hard))
