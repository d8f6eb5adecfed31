"""Regular files, which do not make who reads them wait, as a named pipe does, and end, as a device may not."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from mcviz.errors import InvalidInputError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file, or a symbolic link to one, for reading.

    Raises:
        InvalidInputError: it is a folder, a named pipe, a socket or a device.
        OSError: it is not there, or may not be read.
    """
    _check(path, Path(path).stat().st_mode)  # a socket cannot be opened, and opening a device may do something
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 (Path.open takes no opener)
    try:
        _check(path, os.fstat(file.fileno()).st_mode)  # another file may be there by now
    except InvalidInputError:
        file.close()
        raise
    return file


def is_there(path: str) -> bool:
    """Whether something is at a path; a text that is too long for one is none."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # Windows has no named pipes among its files


def _check(path: str | os.PathLike[str], mode: int) -> None:
    if not stat.S_ISREG(mode):
        found = KINDS.get(stat.S_IFMT(mode), "something else")
        raise InvalidInputError(f"{Path(path)} should be a regular file. Received: {found}.")
