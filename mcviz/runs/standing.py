"""What stands at a place, seen by who wants to write a run there."""

import re

from mcviz.errors import RunExistsError, RunNotFoundError
from mcviz.runs.manifest import Manifest, identity, read_manifest
from mcviz.runs.place import TEMPORARY, Place

OWN = re.compile(
    r"labels\.frames|model\.keras|images/\d{5,12}\.frames|passes-\d{1,12}/\d{5,12}\.frames|derived/[^/]+-\d+\.npz"
)
FOLDERS = re.compile(r"|images|passes-\d{1,12}|derived")
LONGEST = 100  # characters of a value in a message


def is_finished(place: Place, wanted: Manifest) -> bool:
    """Whether the wanted run is there, finished."""
    try:
        there = read_manifest(place)
    except RunNotFoundError:
        return False
    return there.state == "finished" and there.digest == wanted.digest


def refuse_another(place: Place, wanted: Manifest) -> None:
    """Let nothing pass but an empty place, the wanted run in part, or one that more passes make the wanted one.

    Raises:
        RunExistsError: another run is there, or files that are none of a run's.
    """
    try:
        there = read_manifest(place)
    except RunNotFoundError:
        _refuse_strangers(place)
        return
    ours, theirs = identity(wanted), identity(there)
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    grows = differing == ["passes"] and there.state == "finished" and there.passes < wanted.passes
    if differing and not grows:
        found = [f"{name} ({_told(theirs.get(name))} there, {_told(ours.get(name))} asked for)" for name in differing]
        raise RunExistsError(
            f"Another {there.state} run is at {place.path}, which differs in: {', '.join(found)}. "
            f"Choose another place, or take it away with `python -m mcviz remove {place.path}`."
        )


def outgrown(place: Place, finished: Manifest) -> list[str]:
    """Blocks of the run with fewer passes that this one was before, left by a writer that was killed."""
    numbers = ((name, re.fullmatch(r"passes-(\d{1,12})/\d+\.frames", name)) for name in place.sizes())
    return [name for name, passes in numbers if passes and int(passes[1]) < finished.passes]


def is_unfinished(name: str) -> bool:
    """Whether a file is one that a killed writer of this very run left, under its temporary name."""
    folder, _, file = name.rpartition("/")
    return bool(FOLDERS.fullmatch(folder) and TEMPORARY.fullmatch(file))


def files_but_manifest(place: Place) -> list[str]:
    """The files at a place that a run there has made."""
    return [name for name in place.sizes() if OWN.fullmatch(name) or is_unfinished(name)]


def _refuse_strangers(place: Place) -> None:
    names = sorted(name for name in place.sizes() if not is_unfinished(name))
    if names:
        others = f" and {len(names) - 1:,} other files" if len(names) > 1 else ""
        raise RunExistsError(
            f"{place.path} holds {names[0]}{others} but no run, and a run takes a folder of its own. "
            f"Choose a new one, such as {place.address('run')}."
        )


def _told(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
