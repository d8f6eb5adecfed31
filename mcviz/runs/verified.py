"""Read whole files of a run, and compare them with the manifest."""

import hashlib

from mcviz.errors import CorruptRunError
from mcviz.manifest import Manifest, StoredFile
from mcviz.runs.files import Folder
from mcviz.runs.manifest_file import corrupt


def describe_file(content: bytes) -> StoredFile:
    """The size and the SHA-256 of a file's content."""
    return StoredFile(len(content), hashlib.sha256(content).hexdigest())


def read_verified(folder: Folder, manifest: Manifest, name: str) -> bytes:
    """Read a file of a run.

    Raises:
        FileNotFoundError: it is gone.
        CorruptRunError: its checksum is another.
    """
    content = folder.read(name, 0, manifest.files[name].bytes + 1)
    if describe_file(content) != manifest.files[name]:
        raise corrupt(folder.address(name), "is damaged, cut short or of another run: it does not match its checksum")
    return content


def is_intact(folder: Folder, manifest: Manifest, name: str) -> bool:
    """Whether a file of a run has the checksum of the manifest."""
    try:
        read_verified(folder, manifest, name)
    except (FileNotFoundError, CorruptRunError):
        return False
    return True
