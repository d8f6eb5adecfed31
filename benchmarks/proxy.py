"""The bytes of a first visit to Overview, from Streamlit alone and through the proxy of docs/deploying.md: a table.

    python benchmarks/proxy.py [--nginx PATH] [--chromium PATH]

It takes nginx, and configures it as that page does, but for the certificate, the name and the ports.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, HttpCredentials, Request, sync_playwright  # noqa: E402

from benchmarks.browsing import SWITCHES, served, wait_until_it_answers  # noqa: E402
from tests.browsing import free_port  # noqa: E402

LOGIN = HttpCredentials(username="ann", password="a password")
PARTS = ("what the first page asks for", "plotly, with the first chart", "other scripts and styles", "other files")


def configure(folder: Path, port: int, behind: int) -> Path:
    """Write the configuration of docs/deploying.md for these two ports, without encryption, and return its path."""
    block = re.search(r"```nginx\n(.*?)```", (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8"), re.DOTALL)
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
        assert count, f"docs/deploying.md has no {there}"
    file = folder / "nginx.conf"
    kinds = "client_body", "proxy", "fastcgi", "uwsgi", "scgi"
    own = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)  # its usual folders are root's
    file.write_text(
        f"pid {folder}/pid; error_log {folder}/errors; user root;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{own}{server}}}\n"
    )
    return file


def find_nginx() -> str | None:
    """The path of nginx, which is often not on the PATH of a user."""
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def proxied(nginx: str, url: str, folder: Path) -> Iterator[str]:
    """The proxy of docs/deploying.md in front of a dashboard, as the address that it listens on."""
    port = free_port()
    file = configure(folder, port, int(url.rsplit(":", 1)[1]))
    proxy = subprocess.Popen([nginx, "-p", str(folder), "-c", str(file), "-g", "daemon off;"])
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        proxy.terminate()
        proxy.wait(10)


def measure(browser: Browser, url: str) -> Counter[str]:
    """Visit Overview for the first time, and return the bytes that came, by their part."""
    context = browser.new_context(http_credentials=LOGIN)
    page, done = context.new_page(), list[Request]()
    page.on("requestfinished", lambda request: done.append(request))
    first = page.goto(url)
    assert first
    assert first.ok
    entry, bytes_of = first.text(), Counter[str]()
    page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=120_000)
    for request in done:
        name = Path(request.url).name
        script = name.endswith((".js", ".css"))
        place = 0 if script and name in entry else 1 if "Plotly" in name else 2 if script else 3
        bytes_of[PARTS[place]] += request.sizes()["responseBodySize"]
    context.close()
    return bytes_of


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nginx", default=find_nginx())
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, served(ROOT / "dashboard.py", ROOT, ROOT / "cache") as (url, _):
        wait_until_it_answers(url)
        with proxied(options.nginx, url, Path(name)) as proxy, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.chromium, args=SWITCHES)
            alone, through = (measure(browser, each) for each in (url, proxy))
            browser.close()
    print("| of a first visit to Overview | Streamlit alone | through the proxy |")
    print("|---|---:|---:|")
    for part in PARTS:
        print(f"| {part} | {alone[part] / 1e6:.2f} MB | {through[part] / 1e6:.2f} MB |")
    print(f"| all | {alone.total() / 1e6:.2f} MB | {through.total() / 1e6:.2f} MB |")


if __name__ == "__main__":
    main()
