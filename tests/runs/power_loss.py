"""What a disk holds after a loss of power: what was synced, and of the rest as much as chance wants.

`recorded` notes what a program tells the system, and `lay_out` builds the folder as a disk may have it that lost power
after so many of these steps. A file that was not synced is empty. A change of a folder that was not synced (a file
made, renamed or removed) is kept or lost, each by itself. Linux only: /proc tells the path of a descriptor.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = 0
Entries = dict[str, int | None]


@dataclass
class Disk:
    """A folder as it was, and the steps that followed; files and folders go by numbers, since their names change.

    Attributes:
        folders: the entries of every folder at the beginning; of one that was made later, none.
        contents: the content of every file at the beginning.
        steps: (folder, its changed entries), (folder, None) for its sync, or (file, content) for the sync of that.
        numbers: of the paths that there are.
    """

    folders: dict[int, Entries] = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)
    steps: list[tuple[int, Entries | bytes | None]] = field(default_factory=list)
    numbers: dict[Path, int] = field(default_factory=dict)

    def begin(self, path: Path) -> int:
        """Take what is on disk before the first step; its number."""
        number = self.numbers[path] = len(self.numbers)
        if path.is_dir():
            self.folders[number] = {entry.name: self.begin(entry) for entry in path.iterdir()}
        else:
            self.contents[number] = path.read_bytes()
        return number

    def add(self, path: Path, kind: dict[int, Any], empty: Any) -> int:
        """A file or folder was made; its number."""
        number = self.numbers[path] = len(self.folders) + len(self.contents)
        kind[number] = empty
        self.changed(path, {path.name: number})
        return number

    def changed(self, path: Path, entries: Entries) -> None:
        """Entries of the folder that a path is in became others."""
        self.steps.append((self.numbers[path.parent], entries))

    def number(self, path: Path) -> int:
        """The number of what is at a path; what nobody saw being made is a file that was made just now."""
        return self.numbers[path] if path in self.numbers else self.add(path, self.contents, b"")

    def renamed(self, before: Path, after: Path) -> None:
        """A file got another name in its folder."""
        self.numbers[after] = self.number(before)
        del self.numbers[before]
        self.changed(after, {after.name: self.numbers[after], before.name: None})

    def removed(self, path: Path) -> None:
        """A file or an empty folder was removed."""
        self.numbers.pop(path, None)
        self.changed(path, {path.name: None})

    def synced(self, path: Path) -> None:
        """A file or folder was synced."""
        self.steps.append((self.number(path), None if path.is_dir() else path.read_bytes()))


def recorded(folder: Path, action: Callable[[], object]) -> Disk:
    """Do something, and note what becomes of a folder. What is there before is on disk."""
    root, disk = folder.resolve(), Disk()
    disk.begin(root)

    def noted(name: str, note: Callable[..., object]) -> Callable[..., Any]:
        real, named = getattr(os, name), 2 if name in ("rename", "replace") else 1

        def call(*arguments: Any, **keywords: Any) -> Any:
            within = keywords.get("dir_fd", keywords.get("src_dir_fd"))
            paths = [_path(argument, within) for argument in arguments[:named]]
            result = real(*arguments, **keywords)
            if all(path.is_relative_to(root) for path in paths) and (name != "open" or arguments[1] & os.O_CREAT):
                note(*paths)
            return result

        return call

    notes: dict[str, Callable[..., object]] = {
        "open": disk.number,
        "mkdir": lambda path: disk.add(path, disk.folders, {}),
        **dict.fromkeys(("rename", "replace"), disk.renamed),
        **dict.fromkeys(("unlink", "remove", "rmdir"), disk.removed),
        "fsync": disk.synced,
    }
    with patch.multiple(os, **{name: noted(name, note) for name, note in notes.items()}):
        action()
    return disk


def lay_out(disk: Disk, steps: int, target: Path, chance: random.Random | None = None) -> None:
    """Make a folder that holds what the disk does that lost power after so many steps.

    Args:
        disk: what was recorded.
        steps: how many of its steps were carried out.
        target: the folder, which should not be there.
        chance: decides which of the changes that were not synced are kept; without it all are lost.
    """
    folders = {number: dict(entries) for number, entries in disk.folders.items()}
    contents, waiting = dict(disk.contents), []
    for number, step in disk.steps[:steps]:
        if isinstance(step, bytes):
            contents[number] = step
        elif step is not None:
            waiting.append((number, step))
        else:
            for _, entries in (change for change in waiting if change[0] == number):
                folders[number] |= entries
            waiting = [change for change in waiting if change[0] != number]
    for number, entries in waiting:
        if chance and chance.random() < 0.5:
            folders[number] |= entries
    _build(folders, contents, ROOT, target)


def _build(folders: dict[int, Entries], contents: dict[int, bytes], number: int, path: Path) -> None:
    if number in contents:
        path.write_bytes(contents[number])
        return
    path.mkdir()
    for name, there in folders[number].items():
        if there is not None:
            _build(folders, contents, there, path / name)


def _path(argument: Any, within: int | None) -> Path:
    """The path that a call names, by a descriptor or by a name within a folder, with no link on the way."""
    if isinstance(argument, int):
        return Path(f"/proc/self/fd/{argument}").readlink()
    outer = Path.cwd() if within is None else Path(f"/proc/self/fd/{within}").readlink()
    path = outer / argument
    return path.parent.resolve() / path.name
