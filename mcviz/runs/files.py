"""A folder of files: on this machine, or at an address that fsspec knows.

A file is written whole or not at all. On this machine: under a temporary name beside its own, synced, then renamed.
In object storage a write is one request, and other readers see the old object or the new one.
"""

import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from mcviz.errors import InvalidInputError, StorageError

TEMPORARY = re.compile(r"\.[^/]+\.[0-9a-f]{12}\.tmp")


class Folder(Protocol):
    """A folder of files, named by paths relative to it with `/` between the parts."""

    path: str

    def address(self, name: str) -> str:
        """The file as a person would write it."""

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file, from `start`; fewer than `length` where the file ends first.

        Raises:
            FileNotFoundError: there is no such file.
            StorageError: it cannot be read.
        """

    def sizes(self, names: list[str] | None = None) -> dict[str, int]:
        """The sizes in bytes of the files of these names that are there, or of all files."""

    def subfolders_with(self, name: str) -> list[str]:
        """The names of the folders directly in this one that have a file of that name, in order.

        Raises:
            StorageError: the folder cannot be listed.
        """

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all.

        Raises:
            StorageError: it cannot be written. What was there is there still.
        """

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""

    def remove(self, names: list[str]) -> None:
        """Remove files, in this order, and with the last one the folder. Other files stay."""


def folder_at(address: str | os.PathLike[str]) -> Folder:
    """The folder at a path or an fsspec address.

    Raises:
        InvalidInputError: it is empty.
        StorageError: it is of a kind that fsspec does not know.
    """
    text = os.fspath(address)
    if not text:
        raise InvalidInputError("The address of a folder should not be empty. Give a path, such as cache/run.")
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    return RemoteFolder(text) if "://" in text else LocalFolder(text)


class LocalFolder:
    """A folder on this machine."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder = Path(path)

    def address(self, name: str) -> str:
        """The file as a person would write it."""
        return str(self._folder / name)

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file; see `Folder`."""
        try:
            with (self._folder / name).open("rb", buffering=0) as file:
                left = max(os.fstat(file.fileno()).st_size - start, 0)  # what is claimed never takes more memory
                file.seek(start)
                return file.read(left if length is None else min(length, left))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(f"There is no file {self.address(name)}.") from error
        except OSError as error:
            raise StorageError(f"{self.address(name)} cannot be read: {_reason(error)}.") from error

    def sizes(self, names: list[str] | None = None) -> dict[str, int]:
        """Sizes in bytes; see `Folder`."""
        try:
            return dict(_walk(self._folder, "") if names is None else _stats(self._folder, names))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise StorageError(f"{self.path} cannot be listed: {_reason(error)}.") from error

    def subfolders_with(self, name: str) -> list[str]:
        """The folders in this one that have a file; see `Folder`."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if os.path.lexists(path / name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StorageError(f"{self.path} cannot be listed: {_reason(error)}.") from error

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all; see `Folder`."""
        target = self._folder / name
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
        try:
            self._make(target.parent)
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
        except OSError as error:
            raise StorageError(
                f"{self.address(name)} cannot be written: {_reason(error)}. Make room or permission there, or choose "
                f"another folder; what was finished before is kept."
            ) from error

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            _sync(folder.parent)

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        try:
            (self._folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # a folder that still holds something stays
                for folder in (self._folder / name).parents:
                    folder.rmdir()
                    if folder == self._folder:
                        break
        except OSError as error:
            raise StorageError(f"{self.address(name)} cannot be removed: {_reason(error)}.") from error

    def remove(self, names: list[str]) -> None:
        """Remove files, and with the last one the folder; see `Folder`."""
        if not self._folder.is_symlink() and self.sizes().keys() - set(names):
            for name in names:
                self.delete(name)
            return
        aside = self._folder.with_name(f".{self._folder.name}.{secrets.token_hex(6)}.tmp")
        try:
            self._folder.replace(aside)  # at once, so that no half of a run is ever met
            if aside.is_symlink():
                aside.unlink()
            else:
                shutil.rmtree(aside)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"{self.path} cannot be removed: {_reason(error)}.") from error


class RemoteFolder:
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

    def address(self, name: str) -> str:
        """The file as a person would write it."""
        return f"{self.path}/{name}"

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file; see `Folder`."""
        if length == 0:
            return b""
        end = None if length is None else start + length
        try:
            return self._files.cat_file(f"{self._root}/{name}", start=start, end=end)
        except FileNotFoundError:
            raise
        except Exception as error:  # each kind of storage raises errors of its own
            raise StorageError(f"{self.address(name)} cannot be read: {error}.") from error

    def sizes(self, names: list[str] | None = None) -> dict[str, int]:
        """Sizes in bytes; see `Folder`."""
        try:
            self._files.invalidate_cache()
            found: dict[str, Any] = self._files.find(self._root, detail=True)
        except FileNotFoundError:
            return {}
        except Exception as error:
            raise StorageError(f"{self.path} cannot be listed: {error}.") from error
        prefix = len(self._root.rstrip("/")) + 1
        sizes = {path[prefix:]: info["size"] for path, info in found.items()}
        return sizes if names is None else {name: sizes[name] for name in names if name in sizes}

    def subfolders_with(self, name: str) -> list[str]:
        """The folders in this one that have a file; see `Folder`."""
        return sorted(
            {path[: -len(name) - 1] for path in self.sizes() if path.endswith(f"/{name}") and path.count("/") == 1}
        )

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all; see `Folder`."""
        try:
            self._files.pipe_file(f"{self._root}/{name}", data)
        except Exception as error:
            raise StorageError(f"{self.address(name)} cannot be written: {error}.") from error

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        try:
            self._files.rm_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return
        except Exception as error:
            raise StorageError(f"{self.address(name)} cannot be removed: {error}.") from error

    def remove(self, names: list[str]) -> None:
        """Remove files; see `Folder`."""
        for name in names:
            self.delete(name)


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


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
