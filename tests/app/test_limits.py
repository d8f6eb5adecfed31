"""How much visitors may upload, and that none clears the cache; Streamlit's own routes take the files."""

import asyncio
import itertools
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import streamlit as st
from starlette.applications import Starlette
from streamlit import runtime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.web.server.starlette import starlette_routes

from mcviz.app.server import A_SESSION, ALL_SESSIONS, LEAST, REFUSAL, SECONDS_TO_RETURN, STREAMLIT_OPTIONS, Limits
from tests.app.coroutines import run
from tests.app.opening import SECONDS

LARGEST = 2**20
FILE = 900_000  # bytes
SESSIONS = [f"session {number}" for number in range(20)]


class Runtime:
    """Takes the place of Streamlit's runtime."""

    def __init__(self) -> None:
        self.uploaded_file_mgr = MemoryUploadedFileManager("/_stcore/upload_file")
        self.active = set(SESSIONS)

    def is_active_session(self, session: str) -> bool:
        return session in self.active

    def held(self) -> dict[str, list[str]]:
        """The files of each session that has some."""
        return {session: list(files) for session, files in self.uploaded_file_mgr.file_storage.items() if files}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    found = Runtime()
    monkeypatch.setattr(runtime, "get_instance", lambda: found)
    option = st.config.get_option
    monkeypatch.setattr(st.config, "get_option", lambda name: 1 if name == "server.maxUploadSize" else option(name))
    monkeypatch.setattr(st, "get_option", st.config.get_option)
    monkeypatch.setattr(starlette_routes, "is_xsrf_enabled", lambda: False)
    return found


def limited(server: Runtime) -> Limits:
    return Limits(Starlette(routes=starlette_routes.create_upload_routes(server, server.uploaded_file_mgr, "")))


def visiting(server: Runtime, visit: Callable[[Any], Awaitable[None]]) -> None:
    """Let somebody do something with a client of the server."""

    async def go() -> None:
        transport = httpx.ASGITransport(limited(server))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await visit(client)

    run(go())


async def upload(client: Any, session: str, file: str, size: int = FILE) -> int:
    url = f"/_stcore/upload_file/{session}/{file}"
    answer = await client.put(url, files={"file": ("x.png", bytes(size))})
    assert answer.status_code != 503 or answer.text == REFUSAL
    return answer.status_code


def test_a_session_holds_two_of_the_largest_and_the_earliest_make_room(server: Runtime) -> None:
    async def visit(client: Any) -> None:
        assert await upload(client, SESSIONS[1], "another's") == 204
        for number in range(5):
            assert await upload(client, SESSIONS[0], f"{number}") == 204
        assert server.held() == {SESSIONS[1]: ["another's"], SESSIONS[0]: ["3", "4"]}
        assert await upload(client, SESSIONS[0], "too large", 2 * LARGEST) == 413
        assert await upload(client, "nobody's", "5") == 400
        assert server.held() == {SESSIONS[1]: ["another's"], SESSIONS[0]: ["3", "4"]}

    visiting(server, visit)


def test_files_that_are_small_are_bounded_in_number(server: Runtime) -> None:
    async def visit(client: Any) -> None:
        for number in range(2 * LARGEST // LEAST + 5):
            assert await upload(client, SESSIONS[0], f"{number}", 0) == 204

    visiting(server, visit)
    assert len(server.held()[SESSIONS[0]]) == 2 * LARGEST // LEAST


def test_all_sessions_together_hold_ten_of_the_largest(server: Runtime) -> None:
    async def visit(client: Any) -> None:
        answers = [await upload(client, session, "1") for session in SESSIONS]
        fit = ALL_SESSIONS * LARGEST // FILE
        assert answers == [204] * fit + [503] * (len(SESSIONS) - fit)
        await client.delete(f"/_stcore/upload_file/{SESSIONS[0]}/1")
        assert await upload(client, SESSIONS[-1], "1") == 204

    visiting(server, visit)


@pytest.mark.parametrize("sized", [True, False])
def test_what_is_on_its_way_counts_too(server: Runtime, sized: bool) -> None:
    async def visit(client: Any) -> None:
        more = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            await more.wait()
            yield b"--a--\r\n"

        async def slow(session: str, number: int) -> int:
            headers = {"Content-Type": "multipart/form-data; boundary=a"}
            headers |= {"Content-Length": str(LARGEST)} if sized else {}
            url = f"/_stcore/upload_file/{session}/{number}"
            return (await client.put(url, content=body(), headers=headers)).status_code

        coming = [asyncio.create_task(slow(session, number)) for session in SESSIONS[:6] for number in range(3)]
        refused = [await answer for answer in itertools.islice(asyncio.as_completed(coming, timeout=SECONDS), 8)]
        waiting = [task for task in coming if not task.done()]
        assert (refused, len(waiting)) == ([503] * 8, ALL_SESSIONS)
        assert [await upload(client, session, "1") for session in SESSIONS[-2:]] == [503, 503]
        more.set()
        assert {await task for task in waiting} == {400}  # they brought no file
        assert await upload(client, SESSIONS[0], "1") == 204

    visiting(server, visit)


def test_files_go_when_their_session_does_not_come_back(server: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcviz.app.server.SECONDS_TO_RETURN", 0.1)

    async def visit(client: Any) -> None:
        for session in SESSIONS[:3]:
            await upload(client, session, "1")
        server.active -= {SESSIONS[0], SESSIONS[1]}
        await heard()  # a connection ends
        assert server.held() == {session: ["1"] for session in SESSIONS[:3]}
        server.active.add(SESSIONS[1])  # which was lost for a moment
        await asyncio.sleep(0.2)
        assert server.held() == {session: ["1"] for session in SESSIONS[1:3]}

    visiting(server, visit)


async def heard(*messages: bytes) -> list[bytes]:
    """Which of a browser's messages reach Streamlit."""
    left = [{"type": "websocket.receive", "bytes": each} for each in messages] + [{"type": "websocket.disconnect"}]
    found = []

    async def streamlit(_scope: object, receive: Callable[[], Awaitable[Any]], _send: object) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            found.append(message["bytes"])

    async def receive() -> Any:
        return left.pop(0)

    await Limits(streamlit)({"type": "websocket"}, receive, None)
    return found


def test_no_visitor_clears_the_cache(server: Runtime) -> None:
    def message(**content: Any) -> bytes:
        return BackMsg(**content).SerializeToString()

    rerun, stop, clear = (
        message(rerun_script={"query_string": "a"}),
        message(stop_script=True),
        message(clear_cache=True),
    )
    others = [rerun, stop, b"\xff\xff", b"", clear + stop]
    clearing = [clear, message(clear_cache=False), rerun + clear, clear + clear]
    assert run(heard(*clearing, *others, *clearing)) == others


def test_the_documents_name_the_limits() -> None:
    largest = tomllib.loads(STREAMLIT_OPTIONS.read_text())["server"]["maxUploadSize"]
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "deploy.md").read_text()
    assert f"| one upload | {largest} MB |" in text
    assert f"| uploads of a session | {A_SESSION * largest} MB;" in text
    assert f"| uploads of all sessions | {ALL_SESSIONS * largest} MB;" in text
    assert SECONDS_TO_RETURN == 120
    assert "gone two minutes after its connection" in text
