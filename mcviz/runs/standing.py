"""What stands at a place, seen by who wants to write a run there."""

import re

from mcviz.errors import RunExistsError, RunNotFoundError
from mcviz.runs.manifest import LABELS, MODEL, Manifest, identity, read_manifest
from mcviz.runs.place import Place


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
        RunExistsError: another run is there, or files that a run would overwrite.
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
        found = [
            f"{name} ({theirs[name]} there, {ours[name]} asked for)" if name in ("passes", "seed", "masks") else name
            for name in differing
        ]
        raise RunExistsError(
            f"Another {there.state} run is at {place.path}, which differs in: {', '.join(found)}. "
            f"Choose another place, or take it away with `python -m mcviz remove {place.path}`."
        )


def outgrown(place: Place, finished: Manifest) -> list[str]:
    """Blocks of the run with fewer passes that this one was before, left by a writer that was killed."""
    numbers = ((name, re.fullmatch(r"passes-(\d{1,12})/\d+\.frames", name)) for name in place.sizes())
    return [name for name, passes in numbers if passes and int(passes[1]) < finished.passes]


def files_but_manifest(place: Place) -> list[str]:
    """The files at a place that are named as a run's are."""
    return [name for name in place.sizes() if name in (LABELS, MODEL) or name.startswith(("images/", "passes-"))]


def _refuse_strangers(place: Place) -> None:
    names = files_but_manifest(place)
    if names:
        raise RunExistsError(
            f"{place.path} holds {names[0]} but no run, and a run would overwrite it. Choose another place."
        )
