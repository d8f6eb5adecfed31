"""The runs of a folder: what is there, and removing one."""

import os
import shutil
from dataclasses import dataclass
from typing import Literal

from mcviz.errors import CorruptRunError, McvizError, PartialRunError, RunNotFoundError
from mcviz.runs.derived import users_folder
from mcviz.runs.existing import files_of_run
from mcviz.runs.files import Folder, folder_at
from mcviz.runs.lock import writing
from mcviz.runs.manifest import NAME, Manifest, read_manifest
from mcviz.runs.run import examples_done, open_run

State = Literal["finished", "partial", "damaged", "unreadable"]


@dataclass(frozen=True)
class ListedRun:
    """A run as a list shows it.

    Attributes:
        path: its folder or address.
        state: "finished", "partial", "damaged" or "unreadable" (by this mcviz, or for want of permission).
        manifest: what it says about itself, or None where that cannot be read.
        examples_done: how many of its examples have their passes.
        bytes: of all its files.
        message: what is wrong and what to do; empty for a finished run.
    """

    path: str
    state: State
    manifest: Manifest | None
    examples_done: int
    bytes: int
    message: str


def run_names(folder: str | os.PathLike[str]) -> list[str]:
    """The names of the runs directly in a folder, in any state, in order; none of them is opened.

    Args:
        folder: a path or an fsspec address; one that is not there holds no runs.

    Raises:
        StorageError: the folder itself cannot be listed.
    """
    return [name for name in folder_at(folder).subfolders_with(NAME) if not name.startswith(".")]


def list_runs(folder: str | os.PathLike[str]) -> list[ListedRun]:
    """The runs directly in a folder, by name, each opened. A damaged one is listed as that, and stops nothing.

    Args:
        folder: a path or an fsspec address; one that is not there holds no runs.

    Raises:
        StorageError: the folder itself cannot be listed.
    """
    here = folder_at(folder)
    return [_listed(folder_at(here.address(name))) for name in run_names(folder)]


def remove_run(path: str | os.PathLike[str]) -> list[str]:
    """Remove a run in any state, with what was derived from it, and its folder where nothing else is in that.

    Returns:
        The names of the files that are none of the run's, and stay.

    Raises:
        RunNotFoundError: there is no run.
        StorageError: it cannot be removed.
    """
    folder = folder_at(path)
    _require_manifest(folder)
    with writing(folder):
        _require_manifest(folder)
        digest = _digest(folder)
        folder.remove([NAME, *files_of_run(folder)])  # the manifest first: without it they are no run
        left = sorted(folder.sizes())
    if digest is not None:
        shutil.rmtree(users_folder(digest), ignore_errors=True)
    return left


def _digest(folder: Folder) -> str | None:
    try:
        return read_manifest(folder).digest
    except McvizError:
        return None


def _require_manifest(folder: Folder) -> None:
    try:
        folder.read(NAME, 0, 1)
    except FileNotFoundError as error:
        raise RunNotFoundError(f"There is no run at {folder.path}, so nothing was removed.") from error


def _listed(folder: Folder) -> ListedRun:
    state: State = "finished"
    message, manifest, sizes = "", None, {}
    try:
        sizes = folder.sizes()
        manifest = read_manifest(folder)
        open_run(folder.path)
    except PartialRunError as error:
        state, message = "partial", str(error)
    except CorruptRunError as error:
        state, message = "damaged", str(error)
    except McvizError as error:
        state, message = "unreadable", str(error)
    done = examples_done(manifest) if manifest else 0
    return ListedRun(folder.path, state, manifest, done, sum(sizes.values()), message)
