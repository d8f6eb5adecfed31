"""One writer at a time: a lock that the operating system releases when its process dies."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mcviz.errors import StorageError
from mcviz.runs.files import Folder, LocalFolder, sync_with_all_above


@contextmanager
def writing(folder: Folder) -> Iterator[None]:
    """Hold the right to write a run, waiting until other processes and threads have released it.

    Object storage has no locks: there two writers do the same work twice, and write the same bytes.

    Raises:
        StorageError: the lock file cannot be made.
    """
    if not isinstance(folder, LocalFolder):
        yield
        return
    _require_locks()
    lock = _lock_of(folder)
    with ExitStack() as held:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            held.callback(_release, lock, _acquire(lock))
            sync_with_all_above(lock.parent)
        except OSError as error:
            raise StorageError(
                f"{folder.path} cannot be written: {(error.strerror or str(error)).lower()}. "
                f"Choose a folder in which files can be made."
            ) from error
        yield


def has_lock(folder: Folder) -> bool:
    """Whether there is a lock file, of a writer at work or of one that was killed."""
    return isinstance(folder, LocalFolder) and os.path.lexists(_lock_of(folder))


def _lock_of(folder: LocalFolder) -> Path:
    path = Path(os.path.realpath(folder.path))  # one lock for a run, whichever link leads to it
    return path.with_name(f".{path.name}.lock")


def _require_locks() -> None:
    try:
        import fcntl  # noqa: F401 (only whether it is there)
    except ImportError as error:
        raise StorageError(
            "Runs can be written on Linux and macOS; Windows lacks the file locks that this takes. "
            "Use the Windows Subsystem for Linux (WSL). Runs that are there can be read."
        ) from error


def _release(lock: Path, descriptor: int) -> None:
    with suppress(OSError):
        lock.unlink()  # before it is released, so that whoever waits for this file sees that it is gone
    os.close(descriptor)


def _acquire(lock: Path) -> int:
    import fcntl

    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), lock.stat()):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
