"""Streamlit's own login with an OpenID Connect provider: who is on the list may change things, all others may look."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import MCVIZ_DASHBOARD, SECONDS_TO_START, free_port, serving, stop
from tests.runs.making import make

PEOPLE = {
    "ann": {"email": "Ann@example.org", "email_verified": True},
    "eve": {"email": "eve@example.org", "email_verified": True},
    "mallory": {"email": "ann@example.org", "email_verified": False},  # who typed the address of somebody else
}
SECRETS = """
[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "of this test alone, and long enough for one"
client_id = "mcviz"
client_secret = "known to the provider"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a provider on this machine, at which three people have an account."""
    port, log = free_port(), tmp_path_factory.mktemp("provider") / "log"
    accounts = [f"--user-claims={json.dumps({'sub': name, **claims})}" for name, claims in PEOPLE.items()]
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *accounts], stdout=file, stderr=file
        )
        try:
            deadline = time.monotonic() + SECONDS_TO_START
            url = f"http://127.0.0.1:{port}"
            while True:
                try:
                    urllib.request.urlopen(f"{url}/.well-known/openid-configuration", timeout=10).close()
                    break
                except (urllib.error.URLError, ConnectionError, TimeoutError):
                    assert process.poll() is None, log.read_text()
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.1)
            yield url
        finally:
            stop(process)


@contextmanager
def logged_in(browser: Browser, url: str, name: str) -> Iterator[Page]:
    """A browser of its own, in which somebody has logged in at the provider."""
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/runs")
    expect(page.get_by_text("read-only")).to_be_visible()  # nobody is logged in
    expect(page.get_by_role("button", name="Remove")).to_have_count(0)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name=name).click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.goto("/runs")
    expect(page.get_by_text("run is finished")).to_be_visible()
    yield page
    context.close()


def test_who_logs_in_may_change_things_if_the_list_has_the_address(
    browser: Browser, provider: str, tmp_path: Path
) -> None:
    cache, port = tmp_path / "cache", free_port()
    make(cache / "run")
    url = f"http://127.0.0.1:{port}"
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(SECRETS.format(url=url, provider=provider))
    variables = {"MCVIZ_WRITERS": "ann@example.org", "MCVIZ_CACHE": str(cache)}
    with serving(tmp_path, MCVIZ_DASHBOARD, port=port, **variables):
        for other in ("eve", "mallory"):
            with logged_in(browser, url, other) as page:
                expect(page.get_by_text("read-only")).to_be_visible()
                expect(page.get_by_role("button", name="Remove")).to_have_count(0)
        with logged_in(browser, url, "ann") as page:
            expect(page.get_by_text("read-only")).to_have_count(0)
            page.get_by_role("button", name="Remove").click()
            page.get_by_role("button", name="Remove it").click()
            expect(page.get_by_text("run is removed")).to_be_visible()
            page.get_by_role("button", name="Log out").click()
            page.get_by_role("button", name="End session").click()  # the provider asks
            expect(page.get_by_role("button", name="Log in")).to_be_visible()
            expect(page.get_by_text("read-only")).to_be_visible()
    assert not (cache / "run").exists()
