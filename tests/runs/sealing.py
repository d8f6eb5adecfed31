"""Manifests that were changed and sealed again, as whoever wants to deceive would: checksum and digest are right."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from mcviz.manifest import Manifest
from mcviz.runs.arrays import describe_file
from mcviz.runs.manifest_file import NAME, _checksum


def reseal(run: Path, change: Callable[[dict[str, Any]], object], name: str = NAME) -> None:
    """Change what the manifest of a run says, and put in the checksum and the digest that belong to it."""
    content = json.loads((run / name).read_bytes())
    del content["checksum"], content["digest"]
    change(content)
    try:
        known = {name: value for name, value in content.items() if name != "revision"}
        content["digest"] = msgspec.convert(known, Manifest).digest
    except (ValueError, TypeError):
        content["digest"] = "none"
    try:
        content["checksum"] = _checksum(content)
    except ValueError:  # NaN has none
        content["checksum"] = "none"
    (run / name).write_text(json.dumps(content))


def replace_file(run: Path, name: str, content: bytes) -> None:
    """Put other content into a file of a run, and let its manifest vouch for it."""
    (run / name).write_bytes(content)
    entry = msgspec.to_builtins(describe_file(content))
    reseal(run, lambda manifest: manifest["files"].update({name: entry}))
