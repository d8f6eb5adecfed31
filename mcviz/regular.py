"""Regular files: they neither block like pipes nor run on like devices."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from mcviz.errors import InvalidInputError

FILE_TYPES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file, or a link to one, for reading.

    Raises:
        InvalidInputError: it is a folder, a named pipe, a socket or a device.
        OSError: it is not there, or may not be read.
    """
    _check_regular(path, Path(path).stat().st_mode)  # a socket cannot be opened, and opening a device may do something
    file = open(path, "rb", opener=_open_nonblocking)  # noqa: SIM115 (Path.open takes no opener)
    try:
        _check_regular(path, os.fstat(file.fileno()).st_mode)  # another file may be there by now
    except InvalidInputError:
        file.close()
        raise
    return file


def path_exists(path: str) -> bool:
    """Return whether a path exists; too long texts do not."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # Windows has no named pipes among its files


def _check_regular(path: str | os.PathLike[str], mode: int) -> None:
    if not stat.S_ISREG(mode):
        received = FILE_TYPES.get(stat.S_IFMT(mode), "something else")
        raise InvalidInputError(f"{Path(path)} should be a regular file. Received: {received}.")
