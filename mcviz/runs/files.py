"""A folder of files: on this machine, or at an address that fsspec knows.

A file is written whole or not at all. On this machine: under a temporary name beside its own, synced, then renamed. In
object storage a write is one request, and other readers see the old object or the new one.
"""

import os
import re
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from typing_extensions import override

from mcviz.errors import InvalidInputError, StorageError

TEMPORARY = re.compile(r"\.[^/]+\.[0-9a-f]{12}\.tmp")
ADVICE = "Make room or permission there, or choose another folder; what was finished before is kept"


def folder_at(address: str | os.PathLike[str]) -> "Folder":
    """The folder at a path or an fsspec address.

    Raises:
        InvalidInputError: it is empty.
        StorageError: it is of a kind that fsspec does not know.
    """
    text = os.fspath(address)
    if not text:
        raise InvalidInputError("The address of a folder should not be empty. Give a path, such as cache/run.")
    text = text.removeprefix("file://")
    return RemoteFolder(text) if "://" in text else LocalFolder(text)


class Folder(ABC):
    """A folder of files, named by paths relative to it with `/` between the parts.

    Every method raises StorageError where the storage fails, with what was there still there.
    """

    path: str

    def address(self, name: str) -> str:
        """The file as a person would write it."""
        return f"{self.path}/{name}"

    @abstractmethod
    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file, from `start`; fewer than `length` where the file ends first.

        Raises:
            FileNotFoundError: there is no such file.
        """

    @abstractmethod
    def sizes(self, names: list[str] | None = None) -> dict[str, int]:
        """The sizes in bytes of the files of these names that are there, or of all files."""

    @abstractmethod
    def subfolders_with(self, name: str) -> list[str]:
        """The names of the folders directly in this one that have a file of that name, in order."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a file, if it is there, and its folders that are empty without it."""

    def remove(self, names: list[str]) -> None:
        """Remove files, in this order, and with the last one the folder. Other files stay."""
        for name in names:
            self.delete(name)


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
                _failing_as(f"{self.address(name)} cannot be read"),
                (self._folder / name).open("rb", buffering=0) as file,
            ):
                left = max(os.fstat(file.fileno()).st_size - start, 0)  # what is claimed never takes more memory
                file.seek(start)
                return file.read(left if length is None else min(length, left))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(f"There is no file {self.address(name)}.") from error

    @override
    def sizes(self, names: list[str] | None = None) -> dict[str, int]:
        with suppress(FileNotFoundError, NotADirectoryError), _failing_as(f"{self.path} cannot be listed"):
            return dict(_walk(self._folder, "") if names is None else _stats(self._folder, names))
        return {}

    @override
    def subfolders_with(self, name: str) -> list[str]:
        with suppress(FileNotFoundError, NotADirectoryError), _failing_as(f"{self.path} cannot be listed"):
            return sorted(path.name for path in self._folder.iterdir() if os.path.lexists(path / name))
        return []

    @override
    def write(self, name: str, data: bytes) -> None:
        target = self._folder / name
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
        with _failing_as(f"{self.address(name)} cannot be written", ADVICE, even_if_missing=True):
            _make(target.parent)
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            except BaseException:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise
            _sync(target.parent)

    @override
    def delete(self, name: str) -> None:
        with _failing_as(f"{self.address(name)} cannot be removed", even_if_missing=True):
            (self._folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # a folder that still holds something stays
            for folder in (self._folder / name).parents:
                folder.rmdir()
                if folder == self._folder:
                    break

    @override
    def remove(self, names: list[str]) -> None:
        if not self._folder.is_symlink() and self.sizes().keys() - set(names):
            super().remove(names)
            return
        aside = self._folder.with_name(f".{self._folder.name}.{secrets.token_hex(6)}.tmp")
        with suppress(FileNotFoundError), _failing_as(f"{self.path} cannot be removed"):
            self._folder.replace(aside)  # at once, so that no half of a run is ever met
            if aside.is_symlink():
                aside.unlink()
            else:
                shutil.rmtree(aside)


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
        except (ImportError, ValueError) as error:
            raise StorageError(f"{path} is no address that can be used: {error}.") from error

    @override
    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        if length == 0:
            return b""
        end = None if length is None else start + length
        with _failing_as(f"{self.address(name)} cannot be read"):
            content: bytes = self._files.cat_file(f"{self._root}/{name}", start=start, end=end)
        return content

    @override
    def sizes(self, names: list[str] | None = None) -> dict[str, int]:
        found: dict[str, Any] = {}
        with suppress(FileNotFoundError), _failing_as(f"{self.path} cannot be listed"):
            self._files.invalidate_cache()
            found = self._files.find(self._root, detail=True)
        prefix = len(self._root.rstrip("/")) + 1
        sizes = {path[prefix:]: info["size"] for path, info in found.items()}
        return sizes if names is None else {name: sizes[name] for name in names if name in sizes}

    @override
    def subfolders_with(self, name: str) -> list[str]:
        ending = f"/{name}"
        return sorted(
            path.removesuffix(ending) for path in self.sizes() if path.endswith(ending) and path.count("/") == 1
        )

    @override
    def write(self, name: str, data: bytes) -> None:
        with _failing_as(f"{self.address(name)} cannot be written", even_if_missing=True):
            self._files.pipe_file(f"{self._root}/{name}", data)

    @override
    def delete(self, name: str) -> None:
        with suppress(FileNotFoundError), _failing_as(f"{self.address(name)} cannot be removed"):
            self._files.rm_file(f"{self._root}/{name}")


@contextmanager
def _failing_as(what: str, advice: str = "", *, even_if_missing: bool = False) -> Iterator[None]:
    """Raise whatever storage raises, each kind errors of its own, as a StorageError; a missing file as that."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        if not even_if_missing:
            raise
        raise StorageError(_sentence(what, error, advice)) from error
    except Exception as error:
        raise StorageError(_sentence(what, error, advice)) from error


def _sentence(what: str, error: Exception, advice: str) -> str:
    reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    return f"{what}: {reason}. {advice}." if advice else f"{what}: {reason}."


def _walk(folder: Path, prefix: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # a writer renames and removes files meanwhile
                if entry.is_dir():
                    found += _walk(folder / entry.name, f"{prefix}{entry.name}/")
                elif entry.is_file():
                    found.append((prefix + entry.name, entry.stat().st_size))
    return found


def _stats(folder: Path, names: list[str]) -> list[tuple[str, int]]:
    found = []
    for name in names:
        with suppress(FileNotFoundError):
            found.append((name, (folder / name).stat().st_size))
    return found


def _make(folder: Path) -> None:
    """Make a folder and those above it, each of them synced."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
