"""Which names the dashboard answers to, asked of real servers."""

import base64
import socket
from collections.abc import Iterator

import pytest

from tests.browsing import MCVIZ_DASHBOARD, STREAMLIT_RUN, serving
from tests.cases import one_in

OWN = ["127.0.0.1:{}", "localhost:{}", "LOCALHOST:{}", "localhost", "[::1]:{}"]
PROXY = "Mcviz.Example.org"
FOREIGN = [
    "evil.example",
    "evil.example:{}",
    "localhost.evil.example:{}",
    "127.0.0.1.evil.example",
    "mcviz.example.org.evil.example",
    "localhost:{}@evil.example",
    "[::2]:{}",
    "[::1",
    "",
]


@pytest.fixture(scope="module", params=one_in(2, ["mcviz dashboard", "streamlit run"]))
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """How a server was started, and its port; `mcviz dashboard` is given a proxy's name."""
    command = MCVIZ_DASHBOARD if request.param == "mcviz dashboard" else STREAMLIT_RUN
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, command, STREAMLIT_BROWSER_SERVER_ADDRESS=PROXY) as (url, _):
        yield request.param, int(url.rpartition(":")[2])


def answer(port: int, path: str, **headers: str) -> int:
    """The status of the answer to a request of these headers, and no others."""
    lines = [f"GET {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        return int(connection.recv(4096).split()[1])


def websocket(port: int, host: str, origin: str) -> int:
    key = base64.b64encode(bytes(16)).decode()
    return answer(
        port,
        "/_stcore/stream",
        Host=host,
        Origin=origin,
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key=key,
        Sec_WebSocket_Protocol="streamlit",
    )


@pytest.mark.parametrize("host", OWN)
def test_its_own_names_are_answered_and_foreign_pages_are_not(port: tuple[str, int], host: str) -> None:
    own = host.format(port[1])
    assert answer(port[1], "/", Host=own, Connection="close") == 200
    assert websocket(port[1], own, f"http://{own}") == 101
    assert websocket(port[1], own, "http://evil.example") == 403


@pytest.mark.attack
@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_name_is_refused_even_by_a_page_of_its_own(port: tuple[str, int], host: str) -> None:
    started, number = port
    foreign = host.format(number)
    assert websocket(number, foreign, f"http://{foreign}") in (400, 403)
    if started == "mcviz dashboard":  # by `streamlit run`, it gets the empty page, which shows nothing by itself
        for path in ("/", "/_stcore/health", "/_stcore/host-config", "/media/x.png"):
            assert answer(number, path, Host=foreign, Connection="close") == 400


def test_the_proxy_s_name_is_answered_where_it_was_given(port: tuple[str, int]) -> None:
    started, number = port
    for name in (PROXY, PROXY.lower()):
        assert websocket(number, name, f"https://{name}") == (101 if started == "mcviz dashboard" else 403)
