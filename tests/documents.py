"""The documents, as text, in parts, and run."""

import re
from pathlib import Path
from typing import Any

from mcviz.runs.storage import SHIPPED_RUNS

ROOT = Path(__file__).parents[1]
PATHS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(run / "README.md" for run in SHIPPED_RUNS),
    *sorted((ROOT / "docs").rglob("*.md")),
]
DOCS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PATHS}
PAST_FENCES = {name: re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE) for name, text in DOCS.items()}


def find_blocks(language: str, text: str) -> list[str]:
    """The fenced blocks that are opened with a language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for opening, block in blocks if opening == language]


def run_snippets(name: str) -> dict[str, Any]:
    """Run the Python of a document, and return its names."""
    names: dict[str, Any] = {}
    for snippet in find_blocks("python", DOCS[name]):
        exec(compile(snippet, name, "exec"), names)
    return names


def working_folder(folder: Path) -> Path:
    """Make a folder the place where snippets are run: it has the runs that come with mcviz."""
    (folder / "cache").mkdir()
    for run in SHIPPED_RUNS:
        (folder / "cache" / run.name).symlink_to(run)
    return folder
