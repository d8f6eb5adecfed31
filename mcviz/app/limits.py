"""Limits on what one visitor takes of a server that others use, too: room for uploads, and the cache."""

import asyncio
import re
from collections import Counter

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcviz.app.streamlit_internals import UploadedFileRec, clears_cache, is_active_session, uploaded_files

UPLOAD = re.compile(r".*/_stcore/upload_file/([^/]+)/[^/]+", re.DOTALL)
A_SESSION, ALL_SESSIONS = 2, 10  # uploads of the largest size that the server takes
LEAST = 1 << 16  # bytes that a file counts for, however small it is
SECONDS_TO_RETURN = 120  # for as long Streamlit keeps a session whose connection was lost
REFUSAL = "The server holds as many uploads as it may. Try again in some minutes."


class Limits:
    """ASGI middleware around Streamlit's app.

    A session holds at most two uploads of the largest size, of which the earliest make room for new ones, and all
    sessions together hold ten. Files go two minutes after their session has lost its connection. The message by which
    a browser may clear the cache, which is everybody's, is passed over.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.arriving: Counter[str] = Counter()  # bytes by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or serve a session until its end."""
        if scope["type"] == "websocket":
            await self._serve_session(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "PUT" and (found := UPLOAD.fullmatch(scope["path"])):
            await self._take_upload(found[1], scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _serve_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_all_but_clearing() -> Message:
            while clears_cache((message := await receive()).get("bytes") or b""):
                pass
            return message

        try:
            await self.app(scope, receive_all_but_clearing, send)
        finally:
            asyncio.get_running_loop().call_later(
                SECONDS_TO_RETURN, _free, _inactive(list(uploaded_files().file_storage))
            )

    async def _take_upload(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers, largest = Headers(scope=scope), st.get_option("server.maxUploadSize") * 2**20
        size = largest if "transfer-encoding" in headers else int(headers.get("content-length", largest))
        if size > largest or _inactive([session]):  # which Streamlit refuses before it reads anything
            await self.app(scope, receive, send)
            return
        if not self._make_room(session, size, largest):
            await PlainTextResponse(REFUSAL, 503)(scope, receive, send)
            return
        self.arriving[session] += size
        try:
            await self.app(scope, receive, send)
        finally:
            self.arriving[session] -= size
            self.arriving = +self.arriving  # without those of whom nothing arrives

    def _make_room(self, session: str, size: int, largest: int) -> bool:
        """Return whether an upload fits, once earlier ones of its session have made room for it."""
        uploads = uploaded_files()
        own = uploads.file_storage.get(session, {})
        room = A_SESSION * largest - self.arriving[session] - size
        while own and _size(own) > room:
            uploads.remove_file(session, next(iter(own)))
        held = sum(map(_size, uploads.file_storage.values()))
        return room >= 0 and held + self.arriving.total() + size <= ALL_SESSIONS * largest


def _size(files: dict[str, UploadedFileRec]) -> int:
    return sum(max(LEAST, len(file.data)) for file in files.values())


def _inactive(sessions: list[str]) -> list[str]:
    return [session for session in sessions if not is_active_session(session)]


def _free(sessions: list[str]) -> None:
    """Remove the files of sessions that have not come back."""
    for session in _inactive(sessions):
        uploaded_files().remove_session_files(session)
