"""How `mcviz dashboard` starts the server: Streamlit's options, the hosts that are served, and the port."""

import os
import socket
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import streamlit.config
from starlette.datastructures import Headers
from starlette.responses import Response
from streamlit.logger import get_logger

from mcviz.app import server
from mcviz.app.server import Limits, StyledPages
from mcviz.cli import main
from mcviz.errors import InvalidInputError, MissingPackageError
from mcviz.permission import may_write
from mcviz.runs.storage import SHIPPED_RUNS
from tests.app.coroutines import run

ROOT = Path(__file__).parents[2]


class Started:
    """Takes the place of Streamlit's app, and keeps what it was started with."""

    def __init__(self, script: Path, **settings: Any) -> None:
        self.script, self.settings = script, settings

    def run(self, config: dict[str, Any]) -> None:
        Started.last, self.config = self, config


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(st, "App", Started)
    for variable in ("MCVIZ_CACHE", "MCVIZ_DEVICE", "MCVIZ_IMPORT", "MCVIZ_READ_ONLY"):
        monkeypatch.setenv(variable, "")  # so that it is put back

    def serve(port: int | None = None, modules: tuple[str, ...] = (), read_only: bool = False) -> Started:
        server.serve(tmp_path, port, modules, read_only)
        return Started.last

    return serve


def hosts(started: Started) -> list[str]:
    trusted, limits, *_ = started.settings["middleware"]  # a foreign name reaches nothing
    assert limits.cls is Limits
    return trusted.kwargs["allowed_hosts"]


def test_the_options_are_those_of_the_dashboard_s_own_file(started: Any) -> None:
    config = started().config
    told = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
    assert config["theme.light.primaryColor"] == told["theme"]["light"]["primaryColor"]
    assert config["theme.baseRadius"] == told["theme"]["baseRadius"]
    assert config["server.address"] == "127.0.0.1"
    assert "server.port" not in config
    assert all(not isinstance(value, dict) for value in config.values())


def test_the_environment_goes_before_the_file(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("STREAMLIT_THEME_LIGHT_PRIMARY_COLOR", "#000000")
    monkeypatch.setenv("STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "7")
    monkeypatch.setenv("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "true")
    monkeypatch.setenv("STREAMLIT_SERVER_ALLOWED_HOSTS", "a.example b.example")
    config = started().config
    # An option that is left out would be Streamlit's own, which listens on all addresses.
    assert config["server.address"] == "0.0.0.0"
    assert config["theme.light.primaryColor"] == "#000000"
    assert "theme.dark.primaryColor" in config
    assert config["server.maxUploadSize"] == 7
    assert config["browser.gatherUsageStats"] is True
    assert config["server.allowedHosts"] == ["a.example", "b.example"]


def test_a_variable_of_another_type_is_refused(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "much")
    with pytest.raises(InvalidInputError, match=r"`STREAMLIT_SERVER_MAX_UPLOAD_SIZE` should be .* Received: 'much'"):
        started()


def test_only_this_machine_and_a_proxy_that_is_named_are_served(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hosts(started()) == ["127.0.0.1", "localhost", "[::1]"]
    monkeypatch.setenv("STREAMLIT_BROWSER_SERVER_ADDRESS", "mcviz.example.org")
    assert hosts(started()) == ["127.0.0.1", "localhost", "[::1]", "mcviz.example.org"]
    assert started().config["server.allowedHosts"] == ["127.0.0.1", "localhost", "::1", "mcviz.example.org"]


def test_headers_of_a_proxy_are_read_as_streamlit_reads_them(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = "STREAMLIT_SERVER_TRUSTED_USER_HEADERS"
    monkeypatch.setenv(variable, '{"X-Remote-User": "email"}')
    assert started().config["server.trustedUserHeaders"] == {"X-Remote-User": "email"}
    for text in ("X-Remote-User", '{"X-Remote-User": 1}'):
        monkeypatch.setenv(variable, text)
        with pytest.raises(InvalidInputError, match=variable):
            started()


@pytest.mark.usefixtures("started")
def test_the_device_is_noted_for_the_models_of_runs(tmp_path: Path) -> None:
    for typed, device in (([], "auto"), (["--device", "cuda:1"], "cuda:1")):
        assert main(["dashboard", "--cache", str(tmp_path), *typed]) == 0
        assert os.environ["MCVIZ_DEVICE"] == device


def test_a_dashboard_is_read_only_where_that_is_asked_for(started: Any) -> None:
    started(read_only=True)
    assert not may_write()
    started()
    assert may_write()


def test_streamlit_asks_for_no_restart_at_the_start(started: Any, capfd: pytest.CaptureFixture[str]) -> None:
    config = started().config | {"server.port": 1234}
    parse = partial(streamlit.config.get_config_options, force_reparse=True)
    try:
        parse(options_from_flags=config)  # as App.run does
        get_logger("streamlit.config").warning("something else")
    finally:
        parse()
    assert "something else" in (told := capfd.readouterr().err)
    assert "restart" not in told


def test_a_folder_that_was_named_has_to_be_there_and_may_be_empty(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(st, "App", Started)
    for variable in ("MCVIZ_CACHE", "MCVIZ_DEVICE", "MCVIZ_IMPORT", "MCVIZ_READ_ONLY"):
        monkeypatch.setenv(variable, "")
    monkeypatch.setattr(Started, "last", None, raising=False)
    told = f"mcviz: There is no folder {tmp_path / 'mistyped'}. Name the folder that holds the runs, or make it.\n"
    assert main(["dashboard", "--cache", str(tmp_path / "mistyped")]) == 2
    assert capsys.readouterr().err == told
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "mistyped"))
    assert main(["dashboard"]) == 2
    assert capsys.readouterr().err == told
    assert Started.last is None
    monkeypatch.setenv("MCVIZ_CACHE", "")
    monkeypatch.chdir(tmp_path)  # where no folder `cache` is, and none was named
    assert main(["dashboard"]) == 0
    assert os.environ["MCVIZ_CACHE"] == ""
    (tmp_path / "empty").mkdir()
    assert main(["dashboard", "--cache", "empty"]) == 0
    assert os.environ["MCVIZ_CACHE"] == "empty"


def test_a_port_that_is_taken_is_refused(started: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInputError, match=f"Port {port} cannot be used .*Give another --port"):
            started(port)
    assert started(port).config["server.port"] == port


def test_what_is_served_and_shipped_is_there() -> None:
    assert server.SCRIPT.is_file()
    assert (SHIPPED_RUNS[0] / "manifest.json").is_file()


def test_modules_of_the_user_s_own_are_named_to_the_pages_and_have_to_be_there(started: Any) -> None:
    started(modules=("json", "xml.dom"))
    assert os.environ["MCVIZ_IMPORT"].split() == ["json", "xml.dom"]
    with pytest.raises(MissingPackageError, match="--import no_layers names no module"):
        started(modules=("no_layers",))


def test_a_streamlit_without_the_method_that_is_replaced_starts_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(server.log, "warning", lambda words, *given: logged.append(words % given))
    monkeypatch.setattr(server, "AppSession", type("AppSession", (), {}))
    server.keep_unsent_fragments()
    assert len(logged) == 1
    assert st.__version__ in logged[0]


@pytest.mark.parametrize(("media", "is_styled"), [("text/html", True), ("text/plain", False)])
def test_the_style_of_the_pages_is_in_the_html_of_each_and_in_no_other_answer(media: str, is_styled: bool) -> None:
    sent: list[Any] = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        assert "accept-encoding" not in Headers(scope=scope)  # or else the style would be put into packed bytes
        await Response("<body></body>", media_type=media, headers={"ETag": "of the file"})(scope, receive, send)

    async def send(message: Any) -> None:
        sent.append(message)

    asked = {"type": "http", "method": "GET", "headers": [(b"accept", b"text/html"), (b"accept-encoding", b"gzip")]}
    run(StyledPages(answer)(asked, None, send))
    start, body = sent
    headers, text = Headers(raw=start["headers"]), body["body"].decode()
    assert int(headers["content-length"]) == len(body["body"])
    assert ("etag" in headers) is not is_styled  # by which a browser would keep an old style
    if is_styled:
        assert text.startswith("<body>")
        assert text.endswith("</style></body>")
        assert all(
            selector in text for selector in (".st-key-bar ", ".st-key-views", ".st-key-story-steps", "-of-9-rows")
        )
    else:
        assert text == "<body></body>"
