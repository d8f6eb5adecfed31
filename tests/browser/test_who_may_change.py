"""Who may change things, on real servers: by the flag, and by the name that a proxy gives."""

import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import MCVIZ_DASHBOARD, serving
from tests.runs.making import make

HEADERS = '{"X-Remote-User": "email"}'


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    make(tmp_path / "cache" / "run")
    return tmp_path / "cache"


class _Proxy(socketserver.ThreadingTCPServer):
    """Passes requests on with the name of a visitor in a header, as nginx does for those who gave their password."""

    daemon_threads, allow_reuse_address = True, True

    def __init__(self, url: str, name: str) -> None:
        self.target, self.header = int(url.rpartition(":")[2]), f"\r\nX-Remote-User: {name}\r\nConnection: ".encode()
        super().__init__(("127.0.0.1", 0), _Passing)


class _Passing(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as server:
            back = threading.Thread(target=self.copy, args=(server, self.request), daemon=True)
            back.start()
            self.copy(self.request, server, self.server.header)

    def copy(self, source: socket.socket, to: socket.socket, header: bytes | None = None) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                to.sendall(data.replace(b"\r\nConnection: ", header, 1) if header else data)
            to.shutdown(socket.SHUT_WR)


@contextmanager
def visitor(browser: Browser, url: str) -> Iterator[Page]:
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/runs")
    expect(page.get_by_text("run is finished")).to_be_visible()
    yield page
    context.close()


@contextmanager
def named(browser: Browser, url: str, name: str) -> Iterator[Page]:
    with _Proxy(url, name) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        with visitor(browser, f"http://127.0.0.1:{proxy.server_address[1]}") as page:
            yield page
        proxy.shutdown()


def test_a_dashboard_that_is_read_only_has_no_control_that_changes_anything(
    browser: Browser, cache: Path, tmp_path: Path
) -> None:
    command = (*MCVIZ_DASHBOARD[:-1], "--read-only", "--cache", str(cache), MCVIZ_DASHBOARD[-1])
    with serving(tmp_path, command) as (url, _), visitor(browser, url) as page:
        expect(page.get_by_text("read-only")).to_be_visible()
        expect(page.get_by_role("button", name="Verify")).to_be_visible()
        for name in ("Rename", "Remove"):
            expect(page.get_by_role("button", name=name)).to_have_count(0)
        page.goto("/review")
        expect(page.get_by_text("Nothing can be labelled here")).to_be_visible()


def test_who_the_proxy_names_may_change_things_if_the_list_has_the_name(
    browser: Browser, cache: Path, tmp_path: Path
) -> None:
    variables = {"MCVIZ_WRITERS": "ann", "STREAMLIT_SERVER_TRUSTED_USER_HEADERS": HEADERS, "MCVIZ_CACHE": str(cache)}
    with serving(tmp_path, MCVIZ_DASHBOARD, **variables) as (url, _):
        for somebody in (visitor(browser, url), named(browser, url, "eve")):
            with somebody as page:
                expect(page.get_by_text("read-only")).to_be_visible()
                expect(page.get_by_role("button", name="Remove")).to_have_count(0)
        with named(browser, url, "ann") as page:
            page.get_by_role("button", name="Remove").click()
            page.get_by_role("button", name="Remove it").click()
            expect(page.get_by_text("run is removed")).to_be_visible()
    assert not (cache / "run").exists()


@pytest.mark.slow
def test_a_command_obeys_the_variable_too(cache: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mcviz", "remove", "--yes", str(cache / "run")],
        env={**os.environ, "MCVIZ_READ_ONLY": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "No run can be removed here: everything is read-only" in done.stderr
    assert (cache / "run").exists()
