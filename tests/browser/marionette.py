"""A Firefox for tests, over its own protocol: a length and JSON on a socket, a command and its answer at a time."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browsing import stop

SECONDS_TO_START = 60
PORT_FILE = "MarionetteActivePort"


class Firefox:
    """A tab of a Firefox that a test drives."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._number = connection, 0
        self._read()  # the greeting

    def send(self, command: str, **parameters: Any) -> Any:
        """Carry out a command of WebDriver's, and return its value."""
        self._number += 1
        message = json.dumps([0, self._number, f"WebDriver:{command}", parameters])
        self._connection.sendall(f"{len(message.encode())}:{message}".encode())
        _, _, error, result = self._read()
        assert error is None, error
        return (result or {}).get("value")

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page, which returns a value or a promise of one."""
        wrapped = f"return (async (...given) => {{ {script} }})(...arguments)"
        return self.send("ExecuteScript", script=wrapped, args=list(arguments), sandbox=None)

    def _read(self) -> Any:
        length = b""
        while (letter := self._connection.recv(1)) != b":":
            length += letter
        content = b""
        while len(content) < int(length):
            content += self._connection.recv(int(length) - len(content))
        return json.loads(content)


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """Start a Firefox with a new profile in a folder, and end it."""
    profile.mkdir()
    (profile / "user.js").write_text('user_pref("marionette.port", 0);\n', encoding="utf-8")
    program = shutil.which("firefox-esr") or shutil.which("firefox") or ""
    command = [program, "--headless", "--no-remote", "--marionette", "--profile", str(profile), "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + SECONDS_TO_START
        while not (profile / PORT_FILE).exists() or not (profile / PORT_FILE).read_text().strip():
            assert process.poll() is None, "Firefox has ended"
            assert time.monotonic() < until, "Firefox takes no commands"
            time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", int((profile / PORT_FILE).read_text())), 60) as connection:
            tab = Firefox(connection)
            tab.send("NewSession", capabilities={})
            yield tab
    finally:
        stop(process)
