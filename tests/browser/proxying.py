"""The nginx of docs/how-to/deploy.md in front of a dashboard, without its encryption."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import HttpCredentials

from benchmarks.browsing import wait_until_it_answers
from tests.browsing import free_port, stop

ROOT = Path(__file__).parents[2]
LOGIN = HttpCredentials(username="ann", password="a password")


def find_nginx() -> str | None:
    """The path of nginx, which is often not on the PATH of a user."""
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def proxied(nginx: str, url: str, folder: Path) -> Iterator[str]:
    """The proxy of docs/how-to/deploy.md in front of a dashboard, as the address that it listens on."""
    port = free_port()
    file = configure(folder, port, int(url.rsplit(":", 1)[1]))
    proxy = subprocess.Popen([nginx, "-p", str(folder), "-c", str(file), "-g", "daemon off;"])
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(proxy)


def configure(folder: Path, port: int, behind: int) -> Path:
    """Write the configuration of docs/how-to/deploy.md for these two ports, without encryption, and return its path."""
    block = re.search(
        r"```nginx\n(.*?)```", (ROOT / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert block
    passwords = folder / "mcviz.htpasswd"
    passwords.write_text(f"{LOGIN['username']}:{{PLAIN}}{LOGIN['password']}\n")
    changes = {
        r"(?s:server \{\n    listen 443 ssl default_server;.*?\n\}\n)": "",
        r"listen 443 ssl;": f"listen 127.0.0.1:{port};",
        r" *ssl_\w+ .*\n": "",
        r"/etc/nginx/mcviz.htpasswd": str(passwords),
        r"http://127.0.0.1:8501": f"http://127.0.0.1:{behind}",
        r"mcviz\.example\.org": "127.0.0.1",
    }
    server = block[1]
    for there, here in changes.items():
        server, count = re.subn(there, here, server)
        assert count, f"docs/how-to/deploy.md has no {there}"
    file = folder / "nginx.conf"
    kinds = "client_body", "proxy", "fastcgi", "uwsgi", "scgi"
    own = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)  # its usual folders are root's
    file.write_text(
        f"pid {folder}/pid; error_log {folder}/errors; user root;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{own}{server}}}\n"
    )
    return file
