"""The runs of a folder: what is there, and taking one away."""

import os
from dataclasses import dataclass
from typing import Literal

from mcviz.errors import CorruptRunError, McvizError, PartialRunError, RunNotFoundError
from mcviz.runs.lock import writing
from mcviz.runs.manifest import NAME, Manifest, read_manifest
from mcviz.runs.place import Place, place_of
from mcviz.runs.run import images_done, open_run
from mcviz.runs.standing import files_but_manifest

State = Literal["finished", "partial", "damaged", "unreadable"]


@dataclass(frozen=True)
class ListedRun:
    """A run as a list shows it.

    Attributes:
        path: its folder or address.
        state: "finished", "partial", "damaged" or "unreadable" (by this mcviz, or for want of permission).
        manifest: what it says about itself, or None where that cannot be read.
        images_done: how many of its images have their passes.
        bytes: of all its files.
        message: what is wrong and what to do; empty for a finished run.
    """

    path: str
    state: State
    manifest: Manifest | None
    images_done: int
    bytes: int
    message: str


def list_runs(folder: str | os.PathLike[str]) -> list[ListedRun]:
    """What runs there are directly in a folder, by name. A damaged one is listed as that, and stops nothing.

    Args:
        folder: a path or an fsspec address; one that is not there holds no runs.

    Raises:
        StorageError: the folder itself cannot be listed.
    """
    place = place_of(folder)
    names = [name for name in place.holding(NAME) if not name.startswith(".")]
    return [_listed(place_of(place.address(name))) for name in names]


def remove_run(path: str | os.PathLike[str]) -> list[str]:
    """Take a run away, whatever state it is in, with its folder where nothing else is in that.

    Returns:
        The names of the files that are none of the run's, and stay.

    Raises:
        RunNotFoundError: there is no run.
        StorageError: it cannot be removed.
    """
    place = place_of(path)
    _require_manifest(place)
    with writing(place):
        _require_manifest(place)
        place.remove([NAME, *files_but_manifest(place)])  # the manifest first: without it they are no run
        return sorted(place.sizes())


def _require_manifest(place: Place) -> None:
    try:
        place.read(NAME, 0, 1)
    except FileNotFoundError as error:
        raise RunNotFoundError(f"There is no run at {place.path}, so nothing was removed.") from error


def _listed(place: Place) -> ListedRun:
    state: State = "finished"
    message, manifest, sizes = "", None, {}
    try:
        sizes = place.sizes()
        manifest = read_manifest(place)
        open_run(place.path)
    except PartialRunError as error:
        state, message = "partial", str(error)
    except CorruptRunError as error:
        state, message = "damaged", str(error)
    except McvizError as error:
        state, message = "unreadable", str(error)
    done = images_done(manifest, sizes) if manifest else 0
    return ListedRun(place.path, state, manifest, done, sum(sizes.values()), message)
