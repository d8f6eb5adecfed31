"""Starts the dashboard as `streamlit run dashboard.py` does on a desktop that never saw it, and asks it for a page.

Run with HOME set to a folder that does not exist yet. Needs nothing beyond requirements.txt.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from streamlit.testing.v1 import AppTest

SECONDS_TO_START = 120


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(address: str) -> str:
    """The body of a page, or an empty text while nothing answers."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return ""


def check_server() -> None:
    """Start the server with no terminal to answer from, and ask for its health and its page."""
    port = free_port()
    # With a display Streamlit is not headless: it would ask for an e-mail address, and opens a browser, here `true`.
    desktop = {**os.environ, "DISPLAY": ":99", "BROWSER": "true", "STREAMLIT_SERVER_PORT": str(port)}
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(
            ["streamlit", "run", "dashboard.py"], env=desktop, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + SECONDS_TO_START
            while not (health := fetch(f"http://127.0.0.1:{port}/_stcore/health")):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server does not answer")
                time.sleep(0.2)
            page = fetch(f"http://127.0.0.1:{port}/")
            if health != "ok" or '<div id="root">' not in page:
                raise RuntimeError(f"health: {health!r}, page: {page[:500]!r}")
            if listens_elsewhere(port):
                raise RuntimeError("the server listens on more than 127.0.0.1")
            print(f"health {health}, a page of {len(page)} characters, on 127.0.0.1 alone")
        except RuntimeError:
            log.seek(0)
            print(log.read())
            raise
        finally:
            server.kill()
            server.wait()


def listens_elsewhere(port: int) -> bool:
    """Whether 127.0.0.2, which a server on all addresses answers too, has a listener."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.2", port)) == 0


def check_script() -> None:
    """Run the first page, with the packages of requirements.txt alone."""
    app = AppTest.from_file(str(Path("dashboard.py").absolute()), default_timeout=SECONDS_TO_START).run()
    if app.exception:
        raise RuntimeError(f"the first page ends in {app.exception[0].value}")
    if not app.metric:
        raise RuntimeError(f"the first page shows no accuracies: {app.main}")
    print("the first page shows", *(f"{metric.label}: {metric.value};" for metric in app.metric))


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    check_server()
    check_script()
