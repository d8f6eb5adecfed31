"""Folders of files, the lock of their writer, and the shipped runs.

A write is atomic: a temporary file, synced and renamed, or one request to object storage. The folder itself may be a
link. Links within it are never followed, neither to read, nor to write, nor to remove.
"""

import errno
import os
import re
import secrets
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from typing_extensions import override

from mcviz.errors import InvalidInputError, NotPermittedError, StorageError
from mcviz.text import is_text

TEMPORARY = re.compile(r"\.[^/]+\.[0-9a-f]{12}\.tmp")
MISSING = (FileNotFoundError, NotADirectoryError)
ADVICE = "Make room or permission there, or choose another folder; what was finished before is kept"

SECONDS_BETWEEN_TRIES = 0.02

PACKAGE = Path(__file__).resolve().parents[1]
FOLDER = PACKAGE if (PACKAGE / "cache").is_dir() else PACKAGE.parent  # of what travels with the package
SHIPPED = "mnist-cnn", "fashion-cnn", "digits-segmentation"  # the first is shown first
SHIPPED_RUNS = tuple(FOLDER / "cache" / name for name in SHIPPED)


def folder_at(address: str | os.PathLike[str]) -> "Folder":
    """The folder at a path or an fsspec address.

    Raises:
        InvalidInputError: it is empty, or no text.
        StorageError: it is of a kind that fsspec does not know.
    """
    text = os.fspath(address)
    if not text:
        raise InvalidInputError("The address of a folder should not be empty. Give a path, such as cache/run.")
    if not is_text(text):
        raise InvalidInputError(f"The name of a folder should be Unicode. Received: {text!r}. Rename it.")
    text = text.removeprefix("file://")
    return RemoteFolder(text) if "://" in text else LocalFolder(text)


class Folder(ABC):
    """A folder of files by relative paths with `/`.

    Every method raises StorageError if storage fails, and leaves files unchanged.
    """

    path: str

    def address(self, name: str) -> str:
        """The file as a person would write it."""
        return f"{self.path}/{name}"

    @abstractmethod
    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Read up to `length` bytes from `start`.

        Raises:
            FileNotFoundError: there is no such file.
        """

    def version(self, name: str) -> str:  # noqa: ARG002 (storage that is asked each time would be slow)
        """Return a text that changes with a file; "" if missing or in object storage."""
        return ""

    @abstractmethod
    def sizes(self, names: list[str] | None = None) -> dict[str, int]:
        """Return sizes in bytes of these regular files, or of everything but folders.

        Then links and the like have 0 bytes, and empty or unreadable folders end with `/`.
        """

    @abstractmethod
    def subfolders_with(self, name: str) -> list[str]:
        """Return subfolders with a file of that name, in order."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""

    @abstractmethod
    def rename(self, name: str, to: str) -> None:
        """Rename a file in this folder, if it exists."""

    @abstractmethod
    def remove(self, names: Iterable[str]) -> None:
        """Remove files and empty folders, as in `sizes`, then all emptied folders."""

    def delete(self, name: str) -> None:
        """Remove one file."""
        self.remove([name])


class LocalFolder(Folder):
    """A folder on this machine."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder = Path(path)

    @override
    def address(self, name: str) -> str:
        return str(self._folder / name)

    @override
    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        try:
            with (
                _as_storage_error(f"{self.address(name)} cannot be read"),
                open(self.address(name), "rb", opener=_open) as file,  # reads on where the system gives 2 GB at most
            ):
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(errno.EINVAL, "Not a regular file")
                left = max(status.st_size - start, 0)  # what is claimed never takes more memory
                file.seek(start)
                return file.read(left if length is None else min(length, left))
        except MISSING as error:
            raise FileNotFoundError(f"There is no file {self.address(name)}.") from error

    @override
    def version(self, name: str) -> str:
        with suppress(OSError):
            status = os.lstat(self.address(name))
            return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"
        return ""

    @override
    def sizes(self, names: list[str] | None = None) -> dict[str, int]:
        with suppress(*MISSING), _as_storage_error(f"{self.path} cannot be listed"):
            return dict(_walk(self.path) if names is None else _stats(self.path, names))
        return {}

    @override
    def subfolders_with(self, name: str) -> list[str]:
        what = f"{self.path} cannot be listed"
        with suppress(*MISSING), _as_storage_error(what), os.scandir(self._folder) as entries:
            return sorted(entry.name for entry in entries if os.path.lexists(f"{entry.path}/{name}"))
        return []

    @override
    def write(self, name: str, data: bytes) -> None:
        inner, _, own = name.rpartition("/")
        temporary = f".{own}.{secrets.token_hex(6)}.tmp"
        with (
            _as_storage_error(f"{self.address(name)} cannot be written", ADVICE, even_if_missing=True),
            self._open_inner(inner, make=True) as folder,
        ):
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, own, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            os.fsync(folder)

    @override
    def rename(self, name: str, to: str) -> None:
        with (
            suppress(*MISSING),
            _as_storage_error(f"{self.address(name)} cannot be renamed"),
            self._open_inner("") as folder,
        ):
            os.replace(name, to, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    @override
    def remove(self, names: Iterable[str]) -> None:
        for name in (names := list(names)):
            inner, _, own = name.rpartition("/")
            with (
                suppress(*MISSING),
                _as_storage_error(f"{self.address(name)} cannot be removed"),
                self._open_inner(inner) as folder,
            ):
                if own:
                    os.unlink(own, dir_fd=folder)
        for inner in [*sorted(_parents(names), key=len, reverse=True), ""]:  # the innermost first
            self._tidy(inner)

    def is_link(self) -> bool:
        """Whether a symbolic link leads to this folder."""
        return self._folder.is_symlink()

    def move(self, to: str) -> None:
        """Move this folder, or its link, to a free path beside it."""
        with _as_storage_error(f"{self.path} cannot be renamed", ADVICE, even_if_missing=True):
            self._folder.rename(to)
            _sync(self._folder.absolute().parent)

    def unlink(self) -> None:
        """Remove the link to this folder."""
        with suppress(*MISSING), _as_storage_error(f"{self.path} cannot be removed"):
            self._folder.unlink()
            _sync(self._folder.absolute().parent)

    def _tidy(self, inner: str) -> None:
        with suppress(*MISSING), _as_storage_error(f"{self.address(inner)} cannot be removed"):
            with self._open_inner(inner) as folder:
                os.fsync(folder)
            with suppress(OSError):  # it still holds something
                (self._folder / inner).rmdir()
            if not inner:
                _sync(self._folder.absolute().parent)

    @contextmanager
    def _open_inner(self, inner: str, *, make: bool = False) -> Iterator[int]:
        """Open an inner folder as a descriptor; a link on the way counts as missing."""
        if make and not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            sync_with_parents(self._folder)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in inner.split("/") if inner else ():
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=descriptor)
                        os.fsync(descriptor)
                outer = descriptor
                descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=outer)
                os.close(outer)
            yield descriptor
        finally:
            os.close(descriptor)


class RemoteFolder(Folder):
    """A folder at an fsspec address, such as `s3://bucket/run` or `memory://run`."""

    def __init__(self, path: str) -> None:
        try:
            import fsspec
        except ImportError as error:
            raise StorageError(f"{path} needs the package fsspec: pip install fsspec.") from error
        self.path = path.rstrip("/")
        try:
            self._files, self._root = fsspec.core.url_to_fs(self.path)
        except (ImportError, ValueError, OSError) as error:  # of a server that does not answer, too
            raise StorageError(f"{path} is no address that can be used: {error}.") from error

    @override
    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        if length == 0:
            return b""
        end = None if length is None else start + length
        with _as_storage_error(f"{self.address(name)} cannot be read"):
            content: bytes = self._files.cat_file(f"{self._root}/{name}", start=start, end=end)
        return content

    @override
    def sizes(self, names: list[str] | None = None) -> dict[str, int]:
        entries: dict[str, Any] = {}
        with suppress(*MISSING), _as_storage_error(f"{self.path} cannot be listed"):
            self._files.invalidate_cache()
            entries = self._files.find(self._root, detail=True)
        prefix = len(self._root.rstrip("/")) + 1
        sizes = {path[prefix:]: info["size"] for path, info in entries.items()}
        return sizes if names is None else {name: sizes[name] for name in names if name in sizes}

    @override
    def subfolders_with(self, name: str) -> list[str]:
        ending = f"/{name}"
        return sorted(
            path.removesuffix(ending) for path in self.sizes() if path.endswith(ending) and path.count("/") == 1
        )

    @override
    def write(self, name: str, data: bytes) -> None:
        with _as_storage_error(f"{self.address(name)} cannot be written", even_if_missing=True):
            self._files.pipe_file(f"{self._root}/{name}", data)

    @override
    def rename(self, name: str, to: str) -> None:
        with suppress(*MISSING), _as_storage_error(f"{self.address(name)} cannot be renamed"):
            self._files.mv(f"{self._root}/{name}", f"{self._root}/{to}")

    @override
    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(*MISSING), _as_storage_error(f"{self.address(name)} cannot be removed"):
                self._files.rm_file(f"{self._root}/{name}")


@contextmanager
def _as_storage_error(what: str, advice: str = "", *, even_if_missing: bool = False) -> Iterator[None]:
    """Raise StorageError for all storage errors but a missing file."""
    try:
        yield
    except MISSING as error:
        if not even_if_missing:
            raise
        raise StorageError(_sentence(what, error, advice)) from error
    except Exception as error:
        raise StorageError(_sentence(what, error, advice)) from error


def _sentence(what: str, error: Exception, advice: str) -> str:
    reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        reason = "it is a symbolic link"
    return f"{what}: {reason}. {advice}." if advice else f"{what}: {reason}."


def _open(file: str, flags: int) -> int:
    """Open for reading; follow no link and wait for no pipe."""
    return os.open(file, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))  # Windows has neither


def _walk(folder: str) -> list[tuple[str, int]]:
    sizes: list[tuple[str, int]] = []
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        before = len(sizes) + len(waiting)
        with suppress(FileNotFoundError):  # a writer renames and removes files meanwhile
            try:
                with os.scandir(f"{folder}/{inner}") as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(f"{inner}{entry.name}/")
                        else:
                            with suppress(FileNotFoundError):
                                regular = entry.is_file(follow_symlinks=False)
                                size = entry.stat(follow_symlinks=False).st_size if regular else 0
                                sizes.append((inner + entry.name, size))
            except OSError:
                if not inner:
                    raise
            if inner and len(sizes) + len(waiting) == before:
                sizes.append((inner, 0))
    return sizes


def _stats(folder: str, names: list[str]) -> list[tuple[str, int]]:
    linked = tuple(f"{inner}/" for inner in _parents(names) if Path(folder, inner).is_symlink())
    sizes = []
    for name in names:
        with suppress(*MISSING):
            status = os.lstat(f"{folder}/{name}")
            if stat.S_ISREG(status.st_mode) and not name.startswith(linked):
                sizes.append((name, status.st_size))
    return sizes


def _parents(names: Iterable[str]) -> set[str]:
    synced: set[str] = set()
    while names := {name.rpartition("/")[0] for name in names} - {""}:
        synced |= names
    return synced


def sync_with_parents(folder: Path) -> None:
    """Sync a folder and its parents, whose maker may have died before a sync."""
    for new in (folder, *folder.resolve().parents):
        with suppress(PermissionError):  # of a folder that may be entered and not listed
            _sync(new)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def write_lock(folder: Folder, patience: float | None = None) -> Iterator[None]:
    """Hold a run's lock, waiting for others. Object storage has none: two writers write the same bytes.

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
    """Return whether a lock file exists, of a live or dead writer."""
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
    """Wait for a lock until a time of `time.monotonic`; then raise BlockingIOError."""
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


def shipped_runs() -> dict[str, Path]:
    """Return the shipped runs' folders by name."""
    return {run.name: run for run in SHIPPED_RUNS if run.exists()}


def is_shipped(path: str | os.PathLike[str]) -> bool:
    """Return whether a path or link leads to a shipped run."""
    with suppress(OSError, ValueError):  # nothing is there, or nothing can be
        return any(run.samefile(path) for run in shipped_runs().values())
    return False


def require_own(path: str | os.PathLike[str]) -> None:
    """Refuse to change a run that came with mcviz.

    Raises:
        NotPermittedError: it did.
    """
    if is_shipped(path):
        raise NotPermittedError(
            f"{os.fspath(path)} came with mcviz and cannot be changed. Copy its folder, and change the copy."
        )
