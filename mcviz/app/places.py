"""Offers of this server: finished runs, and models and data that its operator has put in place."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import streamlit as st

from mcviz.app.resources import run_paths
from mcviz.data.sources import is_idx
from mcviz.errors import McvizError
from mcviz.runs import Manifest
from mcviz.runs.manifest_file import read_manifest
from mcviz.runs.storage import folder_at

MODELS, DATA = "MCVIZ_MODELS", "MCVIZ_DATA"  # folders, separated as in PATH
SUFFIXES = (".npz", ".npy", ".csv", ".tsv", ".parquet", ".jsonl")
MOST = 500  # that are taken of a folder


def folders(variable: str) -> list[Path]:
    """Return the folders that a variable of the environment names."""
    return [Path(name).resolve() for name in os.environ.get(variable, "").split(os.pathsep) if name]


def list_offered(variable: str, entries: Callable[[Path], Iterator[Path]]) -> dict[str, Path]:
    """List what lies in the operator's folders, by names within them.

    Hidden files and links that lead out of their folder are left out. Of two with one name the first counts.

    Args:
        variable: `MODELS` or `DATA`.
        entries: those of a folder that are meant.
    """
    offered: dict[str, Path] = {}
    for folder in folders(variable):
        try:
            paths = sorted(path for path in entries(folder) if not _hidden(path.relative_to(folder)))[:MOST]
        except OSError:  # it is gone, or may not be read
            continue
        for path in paths:
            if path.resolve().is_relative_to(folder):
                offered.setdefault(str(path.relative_to(folder)), path)
    return offered


def offered_data() -> dict[str, Path]:
    """Return folders, arrays and tables in the folders that `MCVIZ_DATA` names."""
    return list_offered(DATA, lambda folder: filter(_is_data, folder.iterdir()))


def finished_runs() -> Iterator[tuple[str, Path, Manifest]]:
    """Yield name, folder and manifest of each finished run."""
    for name, path in run_paths().items():
        try:
            manifest = _read(str(path), (path / "manifest.json").stat().st_mtime_ns)
        except (McvizError, OSError):  # its own line in the list of runs says so
            continue
        if manifest.state == "finished":
            yield name, path, manifest


def _is_data(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in SUFFIXES or is_idx(path)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


@st.cache_resource(show_spinner=False, max_entries=1000)
def _read(path: str, changed: int) -> Manifest:  # noqa: ARG001 (what was written anew is read anew)
    return read_manifest(folder_at(path))
