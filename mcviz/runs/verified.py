"""Files of a run, read whole and held against the manifest."""

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
        CorruptRunError: it is not what was written.
    """
    content = folder.read(name, 0, manifest.files[name].bytes + 1)
    if describe_file(content) != manifest.files[name]:
        raise corrupt(folder.address(name), "is damaged, cut short or of another run: it does not match its checksum")
    return content


def is_intact(folder: Folder, manifest: Manifest, name: str) -> bool:
    """Whether a file of a run is there as it was written."""
    try:
        read_verified(folder, manifest, name)
    except (FileNotFoundError, CorruptRunError):
        return False
    return True
