"""The runs of a folder: what is there, and removing one."""

import os
from dataclasses import dataclass
from typing import Literal

from mcviz.errors import CorruptRunError, McvizError, PartialRunError, RunNotFoundError
from mcviz.runs.arrays import read_whole_manifest
from mcviz.runs.existing import REMOVED, is_being_removed, remove_files
from mcviz.runs.files import Folder, LocalFolder, folder_at
from mcviz.runs.lock import has_lock, writing
from mcviz.runs.manifest import NAME, Manifest
from mcviz.runs.run import examples_done, open_run
from mcviz.text import is_text, printable

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
    names = folder_at(folder).subfolders_with(NAME)
    return [name for name in names if not name.startswith(".") and is_text(name)]


def list_runs(folder: str | os.PathLike[str]) -> list[ListedRun]:
    """The runs directly in a folder, by name, each opened. A damaged one is listed as that, and stops nothing.

    Args:
        folder: a path or an fsspec address; one that is not there holds no runs.

    Raises:
        StorageError: the folder itself cannot be listed.
    """
    here = folder_at(folder)
    names = sorted({*here.subfolders_with(NAME), *here.subfolders_with(REMOVED)})
    found = [_listed(here, name) for name in names if not name.startswith(".")]
    return [run for run in found if run is not None]


def remove_run(path: str | os.PathLike[str]) -> list[str]:
    """Remove a run in any state, with what was derived from it, and its folder where nothing else is in that.

    Returns:
        The names of the files and empty folders that are none of the run's, and stay.

    Raises:
        RunNotFoundError: there is no run.
        StorageError: it cannot be removed.
    """
    folder = folder_at(path)
    if isinstance(folder, LocalFolder) and folder.is_link():
        _require_run(folder)
        folder.unlink()
        return []
    if not has_lock(folder):  # that of a writer, or of a process that was killed
        _require_run(folder)
    with writing(folder):
        folder.remove([])  # a folder that is empty is all that some leave who are killed
        _require_run(folder)
        remove_files(folder)
        return sorted(map(printable, folder.sizes()))


def _require_run(folder: Folder) -> None:
    if folder.sizes().keys().isdisjoint({NAME, REMOVED}):
        raise RunNotFoundError(f"There is no run at {folder.path}, so nothing was removed.")


def _listed(here: Folder, name: str) -> ListedRun | None:
    """A run as a list shows it, or None where it was removed meanwhile."""
    state: State = "finished"
    path, message, manifest, sizes = here.address(name), "", None, {}
    try:
        folder = folder_at(path)
        sizes = folder.sizes()
        manifest = read_whole_manifest(folder)
        open_run(path)
    except PartialRunError as error:
        state, message = "partial", str(error)
    except CorruptRunError as error:
        state, message = "damaged", str(error)
    except RunNotFoundError:
        if not is_being_removed(folder):
            return None
        state, message = "damaged", f"Its removal was stopped. Finish it with `mcviz remove {path}`."
    except McvizError as error:
        state, message = "unreadable", str(error)
    done = examples_done(manifest) if manifest else 0
    return ListedRun(printable(path), state, manifest, done, sum(sizes.values()), message)
