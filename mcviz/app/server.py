"""The server of the dashboard: its start, and limits on visitors.

The only file that uses Streamlit beyond `st`, tried with 1.67.0. tests/app and tests/browser show breakage after an
update. Internals of its scripts are in components/internals.js.
"""

import asyncio
import logging
import os
import re
import socket
import tomllib
import webbrowser
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

import click
import msgspec
import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime
from streamlit.config import get_config_options
from streamlit.config_option import ConfigOption
from streamlit.delta_generator_singletons import context_dg_stack, get_default_dg_stack_value
from streamlit.file_util import get_static_dir
from streamlit.logger import get_logger
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import RerunException as RerunException
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType
from streamlit.runtime.uploaded_file_manager import UploadedFile as UploadedFile
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

import mcviz
from mcviz.devices import AUTO, DEVICE_VARIABLE
from mcviz.errors import InvalidInputError
from mcviz.extras import CACHE_VARIABLE, IMPORT_VARIABLE, find_modules, keep_runs_from_import
from mcviz.permission import READ_ONLY, describe_writers
from mcviz.runs.folder import cache_folder, require_folder
from mcviz.runs.storage import FOLDER
from mcviz.validate import invalid
from mcviz.variables import check_variables

log = get_logger(__name__)  # to standard error, with the time

OPEN_FILES = 1 << 16  # that the server may have at a time, where the system lets it

UPLOAD = re.compile(r".*/_stcore/upload_file/([^/]+)/[^/]+", re.DOTALL)
A_SESSION, ALL_SESSIONS = 2, 10  # uploads of the largest size that the server takes
LEAST = 1 << 16  # bytes that a file counts for, however small it is
SECONDS_TO_RETURN = 120  # for as long Streamlit keeps a session whose connection was lost
REFUSAL = "The server holds as many uploads as it may. Try again in some minutes."

HOST = "127.0.0.1"
SCRIPT = Path(mcviz.__file__).with_name("dashboard.py")
STYLES = "page.css", "bar.css", "label.css", "runs.css", "probe.css", "present.css"
# The place of a table of texts, while its code loads.
TABLES = "".join(f'[class*="-of-{rows}-rows"] {{ min-height: {31 + 30 * rows}px }}' for rows in range(1, 33))
NOTE_PAGE = """
function notePage() {
  const query = new URLSearchParams(location.search);
  const [page, view, present] = [location.pathname.split("/").pop(), query.get("view"), query.get("present")];
  Object.assign(document.documentElement.dataset, { page, view, present });
}
notePage();
"""  # for the style, which reserves a place for what the page will have
# A chart whose width has just changed may keep its colours: plotly tells React of the figure before, after the theme.
RESIZE_FIRST = """
{
  let resized = -Infinity;
  window.addEventListener("resize", () => (resized = performance.now()), true);
  const [queries, later] = [MediaQueryList.prototype, new WeakMap()];
  const { addEventListener, removeEventListener } = queries;
  queries.addEventListener = function (kind, heard, ...options) {
    const wait = () => Math.max(0, resized + 500 - performance.now());
    if (!later.has(heard)) later.set(heard, (event) => setTimeout(heard, wait(), event));
    const isOfTheme = this.media.includes("prefers-color-scheme");
    addEventListener.call(this, kind, isOfTheme ? later.get(heard) : heard, ...options);
  };
  queries.removeEventListener = function (kind, heard, ...options) {
    removeEventListener.call(this, kind, heard, ...options);
    removeEventListener.call(this, kind, later.get(heard), ...options);
  };
}
"""
EARLY = (
    "BidiComponent",
    "Html",
    "PageLink",
    "Selectbox",
    "ButtonGroup",
    "Button",
    "Multiselect",
    "TextInput",
    "Checkbox",
    "ImageList",
)
PRELOAD = '<link rel="modulepreload" crossorigin href="./static/js/{}">'
STREAMLIT_OPTIONS = FOLDER / ".streamlit" / "config.toml"
SECONDS_TO_LISTEN = 0.5
WARNING_OF_NO_PAGE = "scriptrunner_utils.script_run_context", "state.session_state_proxy"


@cache
def prepare_server() -> None:
    """Check variables, print writers, protect imports, and prepare Streamlit.

    Raises:
        InvalidInputError: there is an environment variable whose name may be mistyped; this is asked again then.
    """
    check_variables()
    click.echo(describe_writers())
    keep_runs_from_import(cache_folder())
    raise_file_limit()
    keep_unsent_fragments()


def raise_file_limit() -> None:
    """Raise the soft limit on open files: Streamlit 1.67 leaks three a visit."""
    try:
        import resource
    except ImportError:  # on Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # where the system has a lower limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def keep_unsent_fragments() -> None:
    """Send a fragment's pending messages before Streamlit reruns it.

    Streamlit 1.67 drops them but sends later parts, for which the browser has no place: the page could become empty.
    """
    clear = getattr(AppSession, "_clear_queue", None)
    if clear is None:
        log.warning(
            "Streamlit %s was not tried with mcviz: a click on a page that is drawn may empty it.", st.__version__
        )
        return

    def clear_unless_fragment(session: AppSession, fragment_ids_this_run: list[str] | None = None) -> None:
        clear(session, None if fragment_ids_this_run is None else [])  # of no fragment

    setattr(AppSession, "_clear_queue", clear_unless_fragment)  # noqa: B010 (mypy forbids to assign to a method)


class Limits:
    """ASGI middleware around Streamlit's app.

    A session holds two uploads of the largest size, all sessions ten; the earliest make room. Files are removed two
    minutes after the connection is lost. Requests to clear the shared cache are ignored.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.arriving: Counter[str] = Counter()  # bytes by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or serve a session until its end."""
        if scope["type"] == "websocket":
            await self._serve_session(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "PUT" and (match := UPLOAD.fullmatch(scope["path"])):
            await self._take_upload(match[1], scope, receive, send)
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
        uploads = uploaded_files()
        own = uploads.file_storage.get(session, {})
        room = A_SESSION * largest - self.arriving[session] - size
        while own and _size(own) > room:
            uploads.remove_file(session, next(iter(own)))
        held = sum(map(_size, uploads.file_storage.values()))
        return room >= 0 and held + self.arriving.total() + size <= ALL_SESSIONS * largest


class StyledPages:
    """ASGI middleware that writes the pages' style into the first HTML, so that words do not move."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        # At the end of the body, behind the styles that Streamlit puts into the head.
        self.style = b"%b<script>%b</script><style>%b</style></body>" % (
            "".join(map(PRELOAD.format, _early_code())).encode(),
            (NOTE_PAGE + RESIZE_FIRST).encode(),
            b"".join((SCRIPT.parent / "app" / name).read_bytes() for name in STYLES) + TABLES.encode(),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; that of a page with its style."""
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        if scope.get("method") != "GET" or "text/html" not in headers.get("accept", ""):
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def send_styled(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            answer = MutableHeaders(raw=start["headers"])
            if answer.get("content-type", "").startswith("text/html"):
                body[:] = body.replace(b"</body>", self.style, 1)
                answer["content-length"] = str(len(body))
                for name in ("etag", "last-modified"):  # of the file without its style
                    del answer[name]
            await send(start)
            await send({"type": "http.response.body", "body": bytes(body)})

        whole = [(name, value) for name, value in scope["headers"] if name not in (b"accept-encoding", b"range")]
        await self.app({**scope, "headers": whole}, receive, send_styled)


def _early_code() -> list[str]:
    """Return the frontend files that every page requests late."""
    return [file.name for part in EARLY for file in Path(get_static_dir(), "static", "js").glob(f"{part}.*.js")]


PAGE_MIDDLEWARE = (Middleware(StyledPages),)  # also of `streamlit run`


def _size(files: dict[str, UploadedFileRec]) -> int:
    return sum(max(LEAST, len(file.data)) for file in files.values())


def _inactive(sessions: list[str]) -> list[str]:
    return [session for session in sessions if not is_active_session(session)]


def _free(sessions: list[str]) -> None:
    for session in _inactive(sessions):
        uploaded_files().remove_session_files(session)


def serve(
    cache: Path | None,
    port: int | None = None,
    modules: Sequence[str] = (),
    read_only: bool = False,
    device: str = AUTO,
) -> None:
    """Serve the dashboard to this machine, and for `STREAMLIT_BROWSER_SERVER_ADDRESS`, until Ctrl-C; open a browser.

    Args:
        cache: the folder of runs, or None for that of `cache_folder`.
        port: to listen on; 8501, or the next that is free, without one.
        modules: of the user's own, which register layers; they are imported before a model is loaded.
        read_only: whether nobody may change what is kept.
        device: that the models of runs compute on, or "auto" for that of each run.

    Raises:
        RunNotFoundError: the folder does not exist.
        InvalidInputError: the port is taken, or an environment variable is not of its option's type.
        MissingPackageError: one of the modules is not there.
    """
    if cache is not None:
        require_folder(cache)
        os.environ[CACHE_VARIABLE] = str(cache)
    find_modules(modules)
    os.environ[IMPORT_VARIABLE] = " ".join(modules)
    os.environ[DEVICE_VARIABLE] = device
    os.environ[READ_ONLY] = "1" if read_only else ""
    prepare_server()
    options = streamlit_options()
    if port is not None:
        _check_free(port)
        options["server.port"] = port
    names = [*options["server.allowedHosts"], *filter(None, [options.get("browser.serverAddress")])]
    options["server.allowedHosts"] = names
    # Streamlit refuses other names the websocket; this refuses them all else, too.
    hosts = [f"[{name}]" if ":" in name else name for name in names]
    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    logging.getLogger("streamlit.config").addFilter(_asks_for_no_restart)
    st.App(SCRIPT, middleware=[trusted, Middleware(Limits), *PAGE_MIDDLEWARE], lifespan=_browser).run(config=options)


def streamlit_options() -> dict[str, Any]:
    """Return the options beside `streamlit run dashboard.py`, such as `{"theme.baseRadius": "8px"}`.

    Streamlit's environment variables win. An app without `streamlit run` reads both itself.

    Raises:
        InvalidInputError: a variable is not of its option's type.
    """
    from_file = _flat(tomllib.loads(STREAMLIT_OPTIONS.read_text(encoding="utf-8")))
    return dict(from_file) | {
        name: _typed(option, os.environ[option.env_var])
        for name, option in get_config_options().items()
        if option.env_var in os.environ and not option.sensitive  # which Streamlit reads in any case
    }


def _typed(option: ConfigOption, text: str) -> Any:
    if isinstance(option.default_val, dict):  # as Streamlit reads it itself
        try:
            return msgspec.json.decode(text, type=dict[str, str])
        except msgspec.DecodeError as error:
            raise invalid(option.env_var, "a JSON object of texts", repr(text)) from error
    kind = click.types.convert_type(option.type)
    try:
        if option.multiple:
            return [kind.convert(part, None, None) for part in kind.split_envvar_value(text)]
        return kind.convert(text, None, None)
    except click.BadParameter as error:
        raise invalid(option.env_var, f"of type {kind.name}", repr(text)) from error


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


@contextmanager
def outside_of_pages() -> Iterator[None]:
    """Run functions of pages outside pages, without Streamlit's warnings."""
    loggers = [logging.getLogger(f"streamlit.runtime.{name}") for name in WARNING_OF_NO_PAGE]
    for logger in loggers:
        logger.addFilter(_is_error)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_is_error)


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _asks_for_no_restart(record: logging.LogRecord) -> bool:
    """Drop Streamlit's restart hint for options set before it serves."""
    return "please restart streamlit" not in record.getMessage()


def _check_free(port: int) -> None:
    try:
        with socket.create_server((HOST, port)):
            pass
    except OSError as error:
        raise InvalidInputError(
            f"Port {port} cannot be used ({os.strerror(error.errno or 0)}). Give another --port."
        ) from error


@asynccontextmanager
async def _browser(app: st.App) -> AsyncIterator[None]:  # noqa: ARG001 (Streamlit hands it in)
    if not st.get_option("server.headless"):
        address = f"http://{HOST}:{st.get_option('server.port')}"
        asyncio.get_running_loop().call_later(SECONDS_TO_LISTEN, webbrowser.open, address)
    yield


def current_visit() -> object | None:
    """Return one object per drawn page and visitor; None in other threads."""
    return get_script_run_ctx(suppress_warning=True)


def is_history_navigation() -> bool:
    """Return whether a history step caused the rerun."""
    visit = get_script_run_ctx(suppress_warning=True)
    return visit is not None and visit.is_history_navigation


def draws_fragments(keys: Collection[str] | None) -> bool:
    """Return the fragments of the rerun; None for the whole page."""
    visit = get_script_run_ctx(suppress_warning=True)
    fragments = (visit and visit.fragment_ids_this_run) or None
    return fragments == (visit.fragment_storage.resolve_target(list(keys)) if visit and keys is not None else keys)


def is_click_waiting() -> bool:
    """Return whether a click in a fragment waits for this rerun."""
    visit = get_script_run_ctx(suppress_warning=True)
    requests = visit.script_requests if visit else None
    if requests is None or requests._state is not ScriptRequestType.RERUN:
        return False
    asked = requests._rerun_data
    return bool(asked.fragment_id_queue) and not asked.is_auto_rerun


def join_visit(thread: Thread) -> None:
    """Let a new thread work for the current visitor."""
    if visit := get_script_run_ctx(suppress_warning=True):  # none on the command line
        add_script_run_ctx(thread, visit)


def draw_at_top() -> None:
    """Continue at the top of the page instead of a fragment's place."""
    context_dg_stack.set(get_default_dg_stack_value())


def uploaded_files() -> MemoryUploadedFileManager:
    """Return the files that all sessions have uploaded."""
    uploads = runtime.get_instance().uploaded_file_mgr
    assert isinstance(uploads, MemoryUploadedFileManager)
    return uploads


def is_active_session(session: str) -> bool:
    """Return whether a session has a connection."""
    return runtime.get_instance().is_active_session(session)


def clears_cache(message: bytes) -> bool:
    """Return whether a message asks to clear the shared cache."""
    try:
        return BackMsg.FromString(message).WhichOneof("type") == "clear_cache"
    except Exception:  # noqa: BLE001 (protobuf's own; Streamlit ends the connection)
        return False
