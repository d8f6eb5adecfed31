"""The server of the dashboard, as `mcviz dashboard` starts it."""

import asyncio
import logging
import os
import socket
import tomllib
import webbrowser
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

import mcviz
from mcviz.app.limits import Limits
from mcviz.app.startup import prepare_server
from mcviz.app.streamlit_internals import ConfigOption, get_config_options
from mcviz.errors import InvalidInputError
from mcviz.extras import CACHE_VARIABLE, IMPORT_VARIABLE, find_modules
from mcviz.permission import READ_ONLY
from mcviz.runs.folder import require_folder
from mcviz.runs.storage import FOLDER
from mcviz.validate import invalid

HOST = "127.0.0.1"
SCRIPT = Path(mcviz.__file__).with_name("dashboard.py")
STREAMLIT_OPTIONS = FOLDER / ".streamlit" / "config.toml"
SECONDS_TO_LISTEN = 0.5


def serve(cache: Path | None, port: int | None = None, modules: Sequence[str] = (), read_only: bool = False) -> None:
    """Serve the dashboard to this machine, and show it in a browser where there is a display, until Ctrl-C.

    A proxy's name, as `STREAMLIT_BROWSER_SERVER_ADDRESS` has it, is served too.

    Args:
        cache: the folder of runs, or None for that of `cache_folder`.
        port: to listen on; 8501, or the next that is free, without one.
        modules: of the user's own, which register layers; they are imported before a model is loaded.
        read_only: whether nobody may change what is kept.

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
    st.App(SCRIPT, middleware=[trusted, Middleware(Limits)], lifespan=_browser).run(config=options)


def streamlit_options() -> dict[str, Any]:
    """The options that `streamlit run dashboard.py` finds beside it, such as `{"theme.baseRadius": "8px"}`.

    Streamlit's environment variables, such as `STREAMLIT_SERVER_ADDRESS`, go before them, as they do there. An app that
    is not started by `streamlit run` has to read them by itself.

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


def _asks_for_no_restart(record: logging.LogRecord) -> bool:
    """Leave out what Streamlit says of options that it is given before it serves: that it has to be restarted."""
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
