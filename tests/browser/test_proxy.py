"""The nginx of docs/how-to/deploy.md shows pages to several browsers behind one address, and bounds their sessions."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from playwright.sync_api import Browser, Response, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.browser.proxying import LOGIN, find_nginx, proxied

pytestmark = pytest.mark.skipif(find_nginx() is None, reason="nginx is not installed")
SESSIONS = 20  # of one address


@pytest.fixture(scope="module")
def proxy(app_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with proxied(find_nginx() or "", app_url, tmp_path_factory.mktemp("proxy")) as url:
        yield url


def test_four_browsers_behind_one_address_are_all_shown_the_page(proxy: str, browser: Browser) -> None:
    refused: list[str] = []

    def note(response: Response) -> None:
        if response.status >= 400:
            refused.append(f"{response.status} {response.url}")

    contexts = [browser.new_context(http_credentials=LOGIN) for _ in range(4)]
    pages = [context.new_page() for context in contexts]
    for page in pages:
        page.on("response", note)
        page.goto(proxy, wait_until="commit")  # so that all of them load at once
    for page in pages:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    for context in contexts:
        context.close()
    assert not refused


def test_only_sessions_of_an_address_are_bounded(proxy: str) -> None:
    """Whoever has as many as there may be still gets pages and scripts, of which a browser asks for a dozen at once."""
    headers = {
        "Authorization": f"Basic {b64encode(':'.join((LOGIN['username'], LOGIN['password'])).encode()).decode()}"
    }

    def open_session(path: str = "/_stcore/stream") -> ClientConnection:
        address = proxy.replace("http://", "ws://") + path
        return connect(address, origin=proxy, proxy=None, additional_headers=headers)

    with ExitStack() as sessions:
        for _ in range(SESSIONS):
            sessions.enter_context(open_session())
        for path in ("/_stcore/stream", "/trust/_stcore/stream"):
            with pytest.raises(InvalidStatus, match="503"), open_session(path):
                pass
        for path in ("/", "/_stcore/health", "/trust"):
            assert httpx.get(proxy + path, headers=headers).status_code == 200
    with open_session():
        pass
