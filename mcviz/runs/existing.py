"""The files in a folder where a run is to be written or removed: its own, leftovers, and others."""

import re
import shutil
from contextlib import suppress
from pathlib import Path

from mcviz.errors import McvizError, RunExistsError, RunNotFoundError
from mcviz.manifest import MODEL_FILES, Manifest
from mcviz.runs.added_scores import FILE as ADDED_SCORES
from mcviz.runs.derived import user_folder
from mcviz.runs.files import TEMPORARY, Folder
from mcviz.runs.manifest_file import NAME, read_manifest
from mcviz.runs.shipped import require_own
from mcviz.text import printable
from mcviz.validate import invalid

REVIEWS = "reviews"  # the folder beside the runs, of what reviewers decide
REMOVED = "manifest-removed.json"  # what the manifest is called while the files of a run are removed
STORE = r"predictions(?:-\d{1,12})?\.zarr"
ARRAY = r"[a-z_]{1,40}"
OWN = re.compile(
    rf"{STORE}/(?:{ARRAY}/)?(?:zarr\.json)?|{STORE}/{ARRAY}/c\.\d+(?:\.\d+)*|scores(?:-\d{{1,12}})?\.parquet|"
    rf"examples\.parquet|added-scores\.parquet|{'|'.join(map(re.escape, MODEL_FILES.values()))}|"
    r"manifest-(?:\d{1,12}|removed)\.json|derived/(?:[^/]+-\d+\.npz)?"
)
OWN_FOLDERS = re.compile(rf"|derived|{STORE}(?:/{ARRAY})?")
LONGEST = 100  # characters of a value in a message


def is_finished(folder: Folder, wanted: Manifest) -> bool:
    """Whether the folder has the wanted run, finished."""
    try:
        there = read_manifest(folder)
    except RunNotFoundError:
        return False
    return there.state == "finished" and there.digest == wanted.digest


def refuse_another(folder: Folder, wanted: Manifest) -> None:
    """Raise unless the folder is empty, resumable as `wanted`, or grows into it.

    Raises:
        RunExistsError: another run is there, or files that are none of a run's.
        InvalidInputError: a new run would have the name of the folder of reviews.
        NotPermittedError: another run is there, which came with mcviz.
    """
    try:
        there = read_manifest(folder)
    except RunNotFoundError:
        refuse_name_of_reviews(Path(folder.path).absolute().name)
        _refuse_other_files(folder)
        return
    ours, theirs = wanted.identity, there.identity
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if differing:
        require_own(folder.path)
    grows = differing == ["passes"] and there.state == "finished" and there.passes < wanted.passes
    if differing and not grows:
        found = [
            f"{name} ({_shorten(theirs.get(name))} there, {_shorten(ours.get(name))} asked for)" for name in differing
        ]
        raise RunExistsError(
            f"Another {there.state} run is at {folder.path}, which differs in: {', '.join(found)}. "
            f"Choose another folder, or remove it with `mcviz remove {folder.path}`."
        )


def refuse_name_of_reviews(name: str) -> None:
    """Refuse the name of the folder of reviews, whose files would lie among those of the run.

    Raises:
        InvalidInputError: it has that name, in big or small letters.
    """
    if name.casefold() == REVIEWS:
        raise invalid("name", f"another than {REVIEWS}, the folder of what reviewers decide", repr(name))


def own_files(folder: Folder) -> list[str]:
    """The files and empty folders that a run has made in a folder, without its manifest."""
    return [name for name in folder.sizes() if OWN.fullmatch(name) or is_temporary(name)]


def leftover_files(folder: Folder, finished: Manifest, *, growing: bool = False) -> list[str]:
    """Files that a finished run does not need: of fewer passes, or of a writer that was killed.

    Args:
        folder: of the run.
        finished: its manifest.
        growing: whether to include files of more passes, whose writing could be resumed.
    """
    named = re.compile(r"(?:predictions|scores|manifest)-(\d{1,12})\.")
    found = []
    for name in own_files(folder):
        passes = named.match(name)
        beside = name == ADDED_SCORES or (name.startswith("derived/") and not is_temporary(name))
        needed = name in finished.files or beside
        if not needed and (growing or not passes or int(passes[1]) <= finished.passes):
            found.append(name)
    return found


def is_being_removed(folder: Folder) -> bool:
    """Whether the removal of a run was stopped before its end."""
    return folder.sizes([NAME, REMOVED]).keys() == {REMOVED}


def remove_files(folder: Folder) -> None:
    """Remove the files of a run. Stopped anywhere, also by a loss of power, it leaves the whole run or none.

    Raises:
        StorageError: something cannot be removed.
    """
    folder.rename(NAME, REMOVED)
    with suppress(McvizError):  # a manifest that cannot be read names no run from which anything was derived
        shutil.rmtree(user_folder(read_manifest(folder, REMOVED).digest), ignore_errors=True)
    folder.remove([name for name in own_files(folder) if name != REMOVED])
    folder.delete(REMOVED)


def is_temporary(name: str) -> bool:
    """Whether a file has the temporary name that only a killed writer leaves."""
    folder, _, file = name.rpartition("/")
    return bool(OWN_FOLDERS.fullmatch(folder) and TEMPORARY.fullmatch(file))


def _refuse_other_files(folder: Folder) -> None:
    names = sorted(name for name in folder.sizes() if not is_temporary(name) and not name.endswith("/"))
    if names:
        others = f" and {len(names) - 1:,} other files" if len(names) > 1 else ""
        raise RunExistsError(
            f"{folder.path} holds {printable(names[0])}{others} but no run, and a run takes a folder of its own. "
            f"Choose a new one, such as {folder.address('run')}."
        )


def _shorten(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
