"""Corrected labels of examples that lie in a folder a class: files move into the folder of their new class.

Where a file goes follows from the run and its reviews alone, never from what lies there: a plan that was done in part
is the same when it is made again, and the rest of it is done. Nothing is overwritten, no link is followed, and nothing
outside of the folder is touched.
"""

import os
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcviz.errors import InvalidInputError, StorageError
from mcviz.reviews.decisions import ReviewSummary
from mcviz.reviews.outcome import corrected_labels
from mcviz.runs import Run


@dataclass(frozen=True)
class Move:
    """A file and the place that it moves to, both from the folder of all classes on."""

    source: str
    target: str


def plan_moves(run: Run, known: ReviewSummary) -> list[Move]:
    """Plan which files move where, by what reviewers settled.

    A file keeps its name, unless another example has or gets the place: then `1.png` of cat is `1-from-cat.png`.

    Args:
        run: a classification with labels, of files in a folder a class.
        known: its reviews.

    Raises:
        InvalidInputError: an example with another label is not in the folder of its class, or a class's name is none of
            a folder.
    """
    table = corrected_labels(run, known)
    changed = table[table["old"] != table["new"]]
    ids = set(run.scores()["id"])
    wanted = []
    for name, old, new in zip(changed["id"], changed["old"], changed["new"], strict=True):
        parts = PurePosixPath(name).parts
        if len(parts) < 2 or parts[0] != old or ".." in parts or name.startswith("/"):
            raise InvalidInputError(
                f"Files are moved where each lies in the folder of its class. Received: {run.path}, with {name} of the "
                f"class {old}. Write the labels as a table, with --to."
            )
        if PurePosixPath(new).parts != (new,) or new in ("/", ".."):
            raise InvalidInputError(f"A class whose files are moved has the name of a folder. Received: {new}.")
        wanted.append((name, PurePosixPath(new, *parts[1:]), old))
    count = Counter(str(target) for _, target, _ in wanted)
    moves = []
    for name, target, old in wanted:
        is_taken = str(target) in ids or count[str(target)] > 1
        moves.append(Move(name, str(target.with_stem(f"{target.stem}-from-{old}") if is_taken else target)))
    targets = Counter(move.target for move in moves)
    taken = next((move for move in moves if targets[move.target] > 1 or move.target in ids), None)
    if taken is not None:
        raise InvalidInputError(
            f"{taken.source} and another file would both become {taken.target}. Rename one of them."
        )
    return moves


def find_open_moves(folder: str | os.PathLike[str], moves: list[Move]) -> list[Move]:
    """Find which moves are still to be done.

    Raises:
        InvalidInputError: there is no such folder, a file is not there, is no file or lies behind a link, or something
            else is at the place that it moves to.
        StorageError: the folder cannot be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InvalidInputError(f"There is no folder {folder}. Give the one that holds a folder a class.")
    found = []
    try:
        for move in moves:
            source, target = _find_file(root, move.source), _find_file(root, move.target)
            if source is None and target is None:
                raise InvalidInputError(f"{root / move.source} is not there. Give the folder that the run was made of.")
            if source is not None and target is not None and not os.path.samestat(source, target):
                raise InvalidInputError(f"{root / move.target} is there already. Rename it, or {root / move.source}.")
            if source is not None:
                found.append(move)
    except OSError as error:
        raise StorageError(f"{root} cannot be read: {error.strerror or error}.") from error
    return found


def move_files(folder: str | os.PathLike[str], moves: list[Move]) -> None:
    """Move files, one after the other; what was moved before an error stays so, and the rest can be moved again.

    Raises:
        InvalidInputError: as `find_open_moves`, before anything is moved.
        StorageError: a file cannot be moved.
    """
    root = Path(folder)
    for move in find_open_moves(root, moves):
        source, target = root / move.source, root / move.target
        try:
            if not os.path.lexists(target):  # or else it is the same file, from a move that was stopped half way
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(source, target, follow_symlinks=False)  # which never overwrites
            source.unlink()
        except OSError as error:
            raise StorageError(
                f"{source} cannot be moved to {target}: {error.strerror or error}. Files before it are moved; the same "
                "command moves the rest."
            ) from error


def _find_file(root: Path, name: str) -> os.stat_result | None:
    """Find a file below a folder, without following links; None where there is none.

    Raises:
        InvalidInputError: it is another thing than a file, or a part of its path is another thing than a folder.
    """
    path, parts = root, PurePosixPath(name).parts
    for number, part in enumerate(parts, 1):
        path = path / part
        try:
            found = path.lstat()
        except FileNotFoundError:
            return None
        if not (stat.S_ISREG if number == len(parts) else stat.S_ISDIR)(found.st_mode):
            kind = "file" if number == len(parts) else "folder"
            raise InvalidInputError(f"{path} should be a {kind}, and no link. Nothing is moved.")
    return found
