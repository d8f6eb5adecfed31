"""One writer at a time: a lock that the operating system releases when its process dies."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mcviz.errors import StorageError
from mcviz.runs.files import Folder, LocalFolder, sync_with_parents

SECONDS_BETWEEN_TRIES = 0.02


@contextmanager
def write_lock(folder: Folder, patience: float | None = None) -> Iterator[None]:
    """Hold the lock of a run, waiting until other processes and threads have released it.

    Object storage has no locks: there two writers do the same work twice, and write the same bytes.

    Args:
        folder: of the run.
        patience: how many seconds to wait, as where a person does; without it, for as long as it takes.

    Raises:
        StorageError: the lock file cannot be made, or another writer held it for longer than that.
    """
    if not isinstance(folder, LocalFolder):
        yield
        return
    require_locks()
    lock = _lock_file(folder)
    with ExitStack() as held:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            held.callback(_release, lock, _acquire(lock, patience))
            sync_with_parents(lock.parent)
        except BlockingIOError as error:
            raise StorageError(
                f"{folder.path} is being written by another process. Wait for its end, or stop it, and try again."
            ) from error
        except OSError as error:
            raise StorageError(
                f"{folder.path} cannot be written: {(error.strerror or str(error)).lower()}. "
                f"Choose a folder in which files can be made."
            ) from error
        yield


def has_lock(folder: Folder) -> bool:
    """Whether there is a lock file, of a writer at work or of one that was killed."""
    return isinstance(folder, LocalFolder) and os.path.lexists(_lock_file(folder))


def _lock_file(folder: LocalFolder) -> Path:
    path = Path(os.path.realpath(folder.path))  # one lock for a run, whichever link leads to it
    return path.with_name(f".{path.name}.lock")


def require_locks() -> None:
    """Check that this system has file locks.

    Raises:
        StorageError: it has none.
    """
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


def _acquire(lock: Path, patience: float | None) -> int:
    deadline = None if patience is None else time.monotonic() + patience
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            _wait_for(descriptor, deadline)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), lock.stat()):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _wait_for(descriptor: int, deadline: float | None) -> None:
    """Wait for the lock of an open file, until a time of `time.monotonic`; then a BlockingIOError is raised."""
    import fcntl

    if deadline is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(SECONDS_BETWEEN_TRIES)
        else:
            return
