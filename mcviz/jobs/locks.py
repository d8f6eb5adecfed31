"""Locks that the operating system releases when the process that holds one dies."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcviz.runs.lock import require_locks


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock of a file, waiting for it, and give the descriptor, whose copies in other processes hold it too.

    Raises:
        StorageError: this system has no locks.
        OSError: the file cannot be made.
    """
    require_locks()
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a file."""
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
